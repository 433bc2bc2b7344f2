"""`init` and its options: from arguments, from the environment, and wrong in many ways."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qmon_sdk.settings import Settings, SettingsError, settle
from qmon_sdk.start import init

WRONG = {
    "service": 5,
    "traces_sample_rate": "x",
    "flush_interval_s": "fast",
    "max_breadcrumbs": "many",
    "before_send": 3,
    "sample_rate": -2,
    "max_buffer_bytes": -1,
    "debug": "yes",
    "dsn": "shop",
}


PARTS = "init: dsn: a DSN of Sentry's form", "init: sample_rate: a share"


class TestOptions:
    @pytest.mark.parametrize("name", WRONG)
    def test_that_cannot_be_are_named_and_defaulted(self, name):
        settings, problems = settle({name: WRONG[name]})

        assert [problem.partition(":")[0] for problem in problems] == [name]
        if name != "service":
            assert getattr(settings, name) == getattr(Settings(), name)

    def test_that_are_right_stay_beside_wrong_ones(self):
        settings, _ = settle({"release": "1.2", "service": 5, "sample_rate": 0.5, "scrub": ["pin"]})

        assert (settings.release, settings.sample_rate) == ("1.2", 0.5)
        assert settings.scrub == ["pin"]

    def test_we_do_not_know_describe_the_resource_unless_they_look_misspelt(self):
        settings, problems = settle({"team": "tills", "flush_intervall_s": 1})

        assert settings.resource.items() >= {("team", "tills"), ("flush_intervall_s", "1")}
        assert len(problems) == 1
        assert "did you mean flush_interval_s?" in problems[0]

    def test_come_from_the_environment_ours_before_others(self, monkeypatch):
        monkeypatch.setenv("OTEL_SERVICE_NAME", "theirs")
        monkeypatch.setenv("QMON_RELEASE", "2")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=box,service.version=1,a=b%20c")

        settings, _ = settle({})

        assert (settings.service, settings.release, settings.host) == ("theirs", "2", "box")
        assert settings.resource["a"] == "b c"
        assert settle({"service": "mine"})[0].service == "mine"

    def test_of_the_environment_that_cannot_be_are_named_too(self, monkeypatch):
        monkeypatch.setenv("QMON_DSN", "shop")

        settings, problems = settle({})

        assert "" == settings.dsn
        assert ["dsn: 'shop' names no way to an agent"] == [
            problem.partition(";")[0] for problem in problems
        ]
        assert problems[0].endswith("(from QMON_DSN)")

    @pytest.mark.parametrize(
        "dsn", ["https://3a1f@o1.ingest.sentry.io/42", "http://k:s@host:9/a/1"]
    )
    def test_that_are_sentrys_are_told_what_to_write_instead(self, dsn):
        settings, (problem,) = settle({"dsn": dsn})

        assert "" == settings.dsn
        assert "dsn='https://TOKEN@HOST:7690'" in problem
        assert not any(part in problem for part in ("3a1f", "k:s"))

    @pytest.mark.parametrize(
        "dsn",
        ["https://t@host:7690", "http://127.0.0.1:7690/1", "tcp://t@host:1/2", "unix:///a/1"],
    )
    def test_that_are_ways_to_an_agent_are_right(self, dsn):
        assert (dsn, []) == (settle({"dsn": dsn})[0].dsn, settle({"dsn": dsn})[1])

    def test_are_told_by_what_they_begin_with(self):
        settings, problems = settle({"dsn": "htp://x"})

        assert "" == settings.dsn
        assert problems[0].startswith("dsn: begins with one of unix, tcp,")
        assert problems[0].endswith("not 'htp'; did you mean http:?")

    def test_may_turn_everything_off(self, monkeypatch):
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

        assert not settle({"enabled": True})[0].enabled


class TestInit:
    def test_is_loud_about_wrong_options_where_somebody_looks(self):
        with pytest.raises(SettingsError, match="service: takes str, not int; before_send"):
            init(service=5, before_send=3)

    def test_takes_no_text_for_a_transport(self):
        with pytest.raises(SettingsError, match="transport: no way to an agent, but a str"):
            init(transport="unix:///run/qmon/qmon.sock")

    def test_leaves_out_only_what_there_is(self):
        with pytest.raises(SettingsError, match="no 'flaks' to be left out; did you mean flask"):
            init(integrations=("auto", "-flaks", "-gc"))

    def test_counts_them_where_nobody_does_and_starts(self, tmp_path):
        program = (
            "import qmon_sdk as qmon\n"
            f"qmon.init('shop', service=5, spool_dir={str(tmp_path)!r}, transport=None)\n"
            "print(qmon.count('x') is None, *qmon.stats().trouble, sep='|')\n"
        )
        told = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert told.stderr == ""
        assert told.stdout.startswith("True|")
        assert "init: dsn: 'shop' names no way" in told.stdout
        assert "init: service: takes str, not int" in told.stdout

    def test_keeps_what_was_wrong_when_it_comes_again(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init(sample_rate=7, integrations=())
            qmon.init(integrations=())
            print([told for told in qmon.stats().trouble if told.startswith("init")])
        """)

        assert "init: sample_rate: a share between 0 and 1, not 7" in done.out

    def test_tells_the_agent_of_them_too(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init("https://3a1f@o1.ingest.sentry.io/42", sample_rate=7, integrations=())
        """)

        lines = done.all("log")
        assert {("warn", "qmon_sdk")} == {(line.level, line.logger) for line in lines}
        assert [*PARTS] == [line.body[: len(part)] for line, part in zip(lines, PARTS, strict=True)]
        assert "" == done.err

    def test_tells_of_hooks_that_fail_on_standard_error_where_somebody_debugs(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init(debug=True, integrations=(), before_send_log=lambda line: 1 / 0)
            qmon.log.info("one"); qmon.log.info("two")
        """)

        assert "qmon: before_send: ZeroDivisionError: division by zero\n" == done.err


class TestInitAlone:
    @pytest.mark.parametrize("pure", ["0", "1"])
    def test_needs_no_patterns(self, pure, tmp_path):
        # A release that git tells may hold as many digits in a row as a card, which is looked into.
        init = "import sys, qmon_sdk as q; q.init(release='1.4', integrations=())"
        asked = f"import sys; sys.path[:0] = {sys.path!r}; {init}; print('re' in sys.modules)"
        out = subprocess.run(
            [sys.executable, "-I", "-S", "-c", asked],
            env={"QMON_PURE_PYTHON": pure, "QMON_STATE_DIR": str(tmp_path)},
            capture_output=True,
            check=True,
            timeout=60,
            text=True,
        )

        assert out.stdout == "False\n"
