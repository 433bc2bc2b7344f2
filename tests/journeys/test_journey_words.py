"""What the command line says, and in which form, when something is wrong or too long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

PATIENCE_S = 30.0
WRONG = {
    "http.listen": '[http]\nlisten = "127.0.0.1:99999"\n',
    "http.listen ": '[http]\nlisten = "8080"\n',
    "sources.tcp.listen": '[sources.tcp]\nenabled = true\nlisten = "nowhere"\n',
    "journal.max_bytes": "[journal]\nmax_bytes = -1\n",
    "store.query_timeout_s": "[store]\nquery_timeout_s = -1.0\n",
    "sources.unix.max_connections": "[sources.unix]\nmax_connections = -5\n",
    "rule/thresold": '[[alerts]]\nname = "a"\nrule = "thresold"\n',
    "channel/pigeon": '[channels.pager]\nkind = "pigeon"\n',
}
MUCH_WRONG = """
[http]
lisen = "x"
listen = "8080"
[samplers]
interval_s = 0.0
only = ["cpu", "toaster", "memry"]
[channels.pager]
kind = "pigeon"
[channels.hook]
kind = "webhook"
ur = "http://127.0.0.1:9/"
timeout_s = "x"
[retention]
spam = "7d"
log = "soon"
[[alerts]]
name = "a"
metric = "m"
threshold = "above 3"
channels = ["pager", "hok"]
severity = "bd"
[[alerts]]
name = "b"
rule = "thresold"
"""
MUCH_WRONG_FIELDS = [
    *("http.lisen", "channels.pager", "channels.hook.ur", "channels.hook.timeout_s"),
    *("alerts.a.channels[1]", "alerts.a.severity", "alerts.a.threshold"),
    *("alerts.b.rule", "retention.spam", "retention.log", "samplers.interval_s", "http.listen"),
    *("samplers.only[1]", "samplers.only[2]"),
]


class TestWrongConfiguration:
    @pytest.mark.parametrize("name", WRONG)
    def test_is_refused_with_its_file_by_whoever_reads_it(self, home, name):
        file = home.directory / "wrong.toml"
        file.write_text(WRONG[name])

        for command in ("check-config", "run"):
            answer = home.command(command, "--config", str(file))
            assert 3 == answer.returncode
            assert answer.stderr.startswith(f"qmon-agent: {file}: ")
            assert name.strip() in answer.stderr

    def test_is_told_to_programs_as_json_on_standard_output(self, home):
        file = home.directory / "wrong.toml"
        file.write_text(WRONG["journal.max_bytes"])

        told = home.ask("check-config", "--config", str(file))

        assert (1, "ConfigError") == (told["version"], told["error"]["type"])
        assert "journal.max_bytes" == told["error"]["field"]

    def test_is_told_all_of_it_at_once(self, home):
        file = home.directory / "wrong.toml"
        file.write_text(MUCH_WRONG)

        said = home.command("check-config", "--config", str(file)).stderr.splitlines()
        told = home.ask("check-config", "--config", str(file))

        assert MUCH_WRONG_FIELDS == [one["field"] for one in told["errors"]]
        assert told["error"] == told["errors"][0]
        assert [f"qmon-agent: {one['message']}" for one in told["errors"]] == said
        assert all(field in line for field, line in zip(MUCH_WRONG_FIELDS, said, strict=True))
        assert [True, True, True] == [
            "did you mean" in line for line in (said[0], said[2], said[-1])
        ]

    def test_that_is_only_doubtful_is_warned_of(self, home):
        file = home.directory / "doubtful.toml"
        file.write_text('[[processors]]\nkind = "drop"\n')

        said = home.command("check-config", "--config", str(file))
        told = home.ask("check-config", "--config", str(file))

        doubt = "processors.drop: without `match` it drops everything"
        assert (0, f"qmon-agent: warning: {file}: {doubt}\n") == (said.returncode, said.stderr)
        assert (True, [doubt]) == (told["ok"], told["warnings"])

    def test_is_helped_by_what_options_there_are(self, home):
        said = home.command("check-config", "--explain", "sinks.webhook").stdout
        told = home.ask("check-config", "--explain", "sinks.webhook")

        assert "  max_rows  (int >= 1, default 100)\n" in said
        assert {"endpoint", "routes"} < {option["key"] for option in told["options"]}

    def test_names_the_file_that_says_a_value_for_alerts_too(self, home):
        file = home.directory / "right.toml"
        file.write_text('[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = "> 1"\n')

        shown = home.command("check-config", "--config", str(file), "--show-origin").stdout

        assert f"alerts[0].metric = 'm'  ({file}:3)" in shown
        assert "alerts[0].rule = 'threshold'  (default)" in shown
        assert "\nalerts = " not in shown


class TestRun:
    @pytest.mark.parametrize("inside", ["", "/below"])
    def test_on_what_is_no_directory_says_so(self, home, inside):
        file = home.directory / "file"
        file.write_text("")

        answer = home.command("run", "--state", f"{file}{inside}")

        assert (3, 1) == (answer.returncode, len(answer.stderr.splitlines()))
        assert "--state: cannot be the state directory" in answer.stderr

    def test_tells_programs_in_one_line_of_json_that_it_is_ready(self, home):
        agent = home.start("--json")

        ready = json.loads(agent.ready)

        assert (1, agent.pid, str(home.socket)) == (ready["version"], ready["pid"], ready["socket"])
        assert ready["signin"].startswith(ready["url"])

    def test_says_what_its_signals_did(self, home):
        agent = home.start()
        (home.state / "qmon.toml").write_text("wrong")
        home.until(lambda: home.command("status").returncode == 0)
        agent.send_signal(signal.SIGHUP)
        agent.send_signal(signal.SIGINT)

        said = agent.communicate(timeout=PATIENCE_S)[1].splitlines()

        assert {"qmon-agent stopping", "qmon-agent stopped"} < set(said)
        assert 0 == agent.returncode


class TestDoctor:
    def test_knows_which_programs_were_told_what_cannot_be(self, home):
        home.start()
        program = "import qmon_sdk as q; q.init(service='shop', sample_rate=7); q.flush(10)"
        subprocess.run([sys.executable, "-c", program], check=True, env=home.environment)

        def found():
            return [
                one["detail"] for one in home.ask("doctor")["findings"] if "shop" in one["what"]
            ]

        home.until(found)
        assert ["init: sample_rate: a share between 0 and 1, not 7"] == found()


class TestTrouble:
    def test_is_json_where_json_was_asked_for(self, home):
        usage, nobody = home.ask("incidents", "--state-of", "fire"), home.ask("status")

        assert ("UsageError", True) == (
            usage["error"]["type"],
            "firing" in usage["error"]["message"],
        )
        assert "UnreachableError" == nobody["error"]["type"]

    def test_of_two_formats_at_once_is_one_of_usage(self, home):
        answer = home.command("query", "SELECT 1", "--json", "--format", "csv")

        assert (2, "UsageError") == (answer.returncode, json.loads(answer.stdout)["error"]["type"])

    def test_of_an_empty_query_is_said(self, home):
        assert "the query is empty" in home.command("query", "  ").stderr

    def test_of_a_misspelt_view_names_the_right_one(self, home):
        home.start()

        answer = home.command("query", "SELECT * FROM incident")

        assert "did you mean 'incidents'" in answer.stderr
        assert {"spans", "incidents"} <= {
            row["name"] for row in home.ask("query", "SHOW TABLES")["rows"]
        }


class TestTable:
    def test_stops_at_a_hundred_rows_and_cuts_long_texts(self, home):
        home.start()
        sql = "SELECT repeat('x', 999) AS text FROM range(101)"

        table, whole = home.command("query", sql), home.ask("query", sql)

        assert (101, 200) == (len(table.stdout.splitlines()), len(table.stdout.splitlines()[1]))
        assert "the first 100 of 101 rows" in table.stderr
        assert (101, 999) == (len(whole["rows"]), len(whole["rows"][0]["text"]))


class TestReaderThatLeaves:
    @pytest.mark.parametrize("form", ["table", "csv", "json"])
    def test_changes_no_exit_code(self, home, form):
        home.start()
        sql = "SELECT repeat('x', 1000) AS text, range FROM range(9000)"
        command = [sys.executable, "-m", "qmon_agent.cli", "query", sql, "--format", form]
        asking = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home.environment
        )
        asking.stdout.read(1)
        asking.stdout.close()

        with asking.stderr:
            assert b"Traceback" not in asking.stderr.read()
        assert 0 == asking.wait(PATIENCE_S)


class TestDoctorBesideAnAgent:
    def test_names_the_file_that_the_running_agent_has(self, home, tmp_path):
        elsewhere = tmp_path / "elsewhere.toml"
        elsewhere.write_text("")
        home.start("--config", str(elsewhere))

        told = {one["what"]: one["detail"] for one in home.ask("doctor")["findings"]}

        assert f"{elsewhere} (of the running agent)" == told["configuration"]


class TestAlertNobodyFeeds:
    def test_is_named_by_status_and_doctor_and_harms_nothing(self, home):
        home.state.mkdir()
        alert = '[[alerts]]\nname = "lost"\nsystem = "shpo"\nmetric = "m"\nthreshold = 1\n'
        (home.state / "qmon.toml").write_text(alert)
        home.start()

        status, doctor = home.command("status"), home.command("doctor")

        assert (0, 0) == (status.returncode, doctor.returncode)
        for answer in (status, doctor):
            assert [line for line in answer.stdout.splitlines() if "lost: never matched" in line]
