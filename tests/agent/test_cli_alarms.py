"""The commands of routing and silences, as processes."""

import json
import subprocess
import sys

import pytest

CONFIG = """
[channels.console]

[[alerts]]
name = "own"
metric = "x"
threshold = "> 1"
channels = ["console"]

[routing]
receiver = "console"
group_by = ["service"]
routes = [
  { matchers = ['team="db"'], receiver = "nobody" },
  { matchers = ['severity=~"error|critical"'], active_time_intervals = ["never"] },
]

[[routing.inhibit_rules]]
source_matchers = ["alertname=down"]
target_matchers = ["severity=warning"]
equal = ["host"]

[[routing.inhibit_rules]]
source_matchers = ["service=shop"]
target_matchers = ["service=shop"]

[routing.receivers.nobody]
channels = []

[[routing.time_intervals.never]]
years = ["1970"]
"""


@pytest.fixture
def ask(tmp_path):
    """Runs a command over a state directory with this configuration; answers code and output."""
    (tmp_path / "qmon.toml").write_text(CONFIG)

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "qmon_agent.cli", *words, "--state", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


class TestRoute:
    def test_shows_the_way_and_what_would_mute_it(self, ask):
        code, said = ask("route", "severity=warning", "service=shop", "host=a")

        assert 0 == code
        assert [
            "=> {}",
            ' x {}/{team="db"}',
            ' x {}/{severity=~"error|critical"}',
            "console: console",
            "  group {service=shop}, after 30s",
            "  then every 5m, again after 4h",
            """muted while {alertname="down"} fires, host='a'""",
            "silences: not known, as no agent answers",
        ] == said.splitlines()

    @pytest.mark.parametrize("label", ["team=db", "severity=error"])
    def test_says_when_nobody_would_hear(self, ask, label):
        assert 1 == ask("route", label)[0]

    def test_asks_no_route_for_an_alert_with_channels_of_its_own(self, ask):
        code, said = ask("route", "alertname=own", "severity=error")

        assert 0 == code
        assert "console: its own `channels`, so that no route is asked" == said.splitlines()[0]

    def test_warns_of_names_that_no_alert_has(self, ask):
        _, said = ask("route", "alertname=owm", "severity=warnin")

        assert "warning: there is no alert 'owm'; did you mean 'own'?" in said
        assert "has the severity 'warnin'; did you mean 'warning'?" in said

    def test_answers_programs(self, ask):
        code, said = ask("route", "severity=error", "--json")
        told = json.loads(said)

        assert 1 == code
        assert ["never"] == told["routes"][0]["closed_by"]
        assert [True, False, True] == [step["matches"] for step in told["path"]]

    def test_refuses_what_is_no_label(self, ask):
        code, said = ask("route", "severity")

        assert 3 == code
        assert "'severity' is no label with a value" in said


class TestOncall:
    @pytest.fixture
    def tables(self, ask, tmp_path):
        """One schedule, of which nobody has the turn before it starts."""

        def write(starts):
            layer = f'people = ["ann"]\nstarts = "{starts}"\n'
            duty = f"[[oncall.schedules.duty.layers]]\n{layer}"
            people = '[oncall.people]\nann = ["console"]\n'
            (tmp_path / "qmon.toml").write_text(f"{CONFIG}\n{people}{duty}")

        return write

    def test_lists_whose_turn_it_is(self, ask, tables):
        tables("2020-01-06")
        code, said = ask("oncall", "--json")

        assert 0 == code
        assert [("duty", "ann")] == [
            (each["schedule"], each["person"]) for each in json.loads(said)["turns"]
        ]

    def test_fails_where_nobody_has_the_turn(self, ask, tables):
        tables("2999-01-01")

        assert 1 == ask("oncall")[0]

    def test_wants_a_tree_that_calls_somebody(self, ask, tmp_path):
        (tmp_path / "qmon.toml").write_text("[oncall.people]\nann = []\n")

        assert "it needs [routing]" in ask("check-config")[1]


class TestImport:
    def test_prints_what_it_made_and_what_is_left(self, ask, tmp_path):
        file = tmp_path / "alertmanager.yml"
        file.write_text("route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: [x]\n")
        code, said = ask("import-alertmanager", str(file))

        assert 1 == code
        assert "[routing.receivers.a]" in said
        assert "not imported: templates: " in said

    @pytest.mark.parametrize("text", ["- a", "{", "x: 1"])
    def test_refuses_another_file(self, ask, tmp_path, text):
        file = tmp_path / "other.yml"
        file.write_text(text)

        assert 3 == ask("import-alertmanager", str(file))[0]


def test_a_wrong_tree_is_told_by_check_config(ask, tmp_path):
    wrong = CONFIG.replace('receiver = "nobody"', 'receiver = "nobdy"')
    (tmp_path / "qmon.toml").write_text(wrong)
    code, said = ask("check-config")

    assert 3 == code
    assert "routing.routes[0].receiver: there is no receiver or channel 'nobdy'" in said
    assert "did you mean 'nobody'" in said
