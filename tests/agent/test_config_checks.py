"""What `check-config` finds in what can be read, and would do something else than was meant."""

from __future__ import annotations

from typing import get_args

import pytest

from qmon_agent.app.checking import load_plugins
from qmon_agent.app.routes import doubts
from qmon_agent.domain.errors import QmonError
from qmon_agent.domain.kinds import Kind
from qmon_agent.settings import read_settings
from qmon_sdk.protocol.signals import SIGNALS

HOOK = '[sinks.webhook]\nendpoint = "http://h"\n'
AUDIT = '[sinks.a]\nkind = "file"\npath = "a"\nroutes = ["audit"]\n'
KEEP = '[[processors]]\nkind = "keep"\n'
ROUTE = '[[processors]]\nkind = "route"\nto = ["{}"]\n'
LOGS = "[[sources.log_files.files]]\n"
WRONG = {
    HOOK + 'kinds = ["errors"]': ("sinks.webhook.kinds[0]", "'error'?"),
    '[[alerts]]\nname = "a"\nmetric = "m"\n': ("alerts.a.threshold", "is missing"),
    '[[alerts]]\nmetric = "m"\n': ("alerts[0].name", "is missing"),
    HOOK + "max_rows = 0": ("sinks.webhook.max_rows", ">= 1, not 0"),
    HOOK + "timeout_s = 0": ("sinks.webhook.timeout_s", "> 0.0, not 0"),
    KEEP + 'match.level = "eror"': ("processors.keep.match.level", "none of 'trace', 'debug'"),
    KEEP + 'match.status = "eror"': ("processors.keep.match.status", "mean 'error'"),
    KEEP + 'match = { kind = "log", level = "warning" }': ("processors.keep.match.level", "'warn'"),
    KEEP + 'match.not.level = ["zzz"]': ("processors.keep.match.not.level", "'~^zzz$'"),
    AUDIT + ROUTE.format("aduit"): ("processors.route.to[0]", "did you mean 'audit'?"),
    AUDIT + ROUTE.format("zzz"): ("processors.route.to[0]", "they have 'audit'"),
    ROUTE.format("audit"): ("processors.route.to[0]", "no sink has 'audit'"),
    '[[tests]]\nname = "t"\ninptu = []': ("tests[0].inptu", "did you mean 'input'?"),
    LOGS + 'path = ["x"]': ("sources.log_files.files[0].path", "did you mean 'paths'?"),
    '[[sources.prometheus.targets]]\nuri = "x"': ("sources.prometheus.targets[0].uri", "'url'"),
    '[[processors]]\nkind = "sample"\nmode = "tails"': (
        "processors.sample.mode",
        "'tails' is none of 'head', 'tail'; did you mean 'tail'?",
    ),
    '[[processors]]\nkind = "rate_limit"\nper_second = 1': (
        "processors.rate_limit.per_second",
        "did you mean 'per_s'?",
    ),
    '[[probes]]\nname = "p"\nkind = "tcp"\nhost = "h"\nport = 70000': (
        "probes.p.port",
        "<= 65535, not 70000",
    ),
}
OTHERS = {
    '[[probes]]\nname = "p"\nkind = "tcp"\nhost = "h"\nport = 1\ninterval_s = 2': (
        "probes.p.interval_s",
        "did you mean 'interval'?",
    ),
    '[sinks.file]\npath = "a"\nroute = ["a"]': ("sinks.file.route", "mean 'routes'?"),
    KEEP + 'match.kind = "log"\nnmae = "a"': ("processors.keep.nmae", "did you mean 'name'?"),
    "[channels.console]\ntemplate = {}": ("channels.console.template", "mean 'templates'?"),
    '[http]\ncertificate = "/none.pem"': ("http.certificate", "No such file"),
    '[sources.tcp]\nenabled = true\ncertificate = "/none.pem"': (
        "sources.tcp.certificate",
        "No such file",
    ),
}
HOT = '[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = "> 10"\n'
OTHERS |= {
    HOT + 'options.clear = "> 20"': ("alerts.a.clear", "lies on its other side (<)"),
    HOT + 'options.critical = "> 5"': ("alerts.a.critical", "does not lie beyond > 10"),
    HOT + 'options.critical = "< 50"': ("alerts.a.critical", "does not lie beyond > 10"),
}
WRONG |= OTHERS
WRONG |= {
    "[storm]\nmessages = -1": ("storm.messages", ">= 0, not -1"),
    '[storm]\nwithin = "soon"': ("storm.within", "soon"),
    "[storm]\nincidents = 5": ("storm.incidents", ""),
}
RIGHT = [
    "[storm]\nmessages = 0",
    KEEP + 'match.level = ["warn*", "~^notice$", "fatal"]',
    KEEP + 'match = { kind = "error", level = "warning" }',
    KEEP + 'match = { kind = ["span", "checkin"], status = ["unset", "in_progress"] }',
    AUDIT + ROUTE.format("audit"),
    HOOK + 'kinds = ["error", "log"]',
]


@pytest.fixture
def problems(tmp_path):
    def found(text):
        file = tmp_path / "qmon.toml"
        file.write_text(text)
        try:
            load_plugins(file)
        except QmonError as problem:
            return [problem, *problem.others]
        return []

    return found


class TestMistake:
    @pytest.mark.parametrize("text", WRONG)
    def test_is_told_once_by_its_field_and_what_would_be_right(self, problems, text):
        path, words = WRONG[text]

        (problem,) = problems(text)

        assert (path, True) == (problem.path, words in str(problem))

    @pytest.mark.parametrize("text", RIGHT)
    def test_is_none_that_is_meant(self, problems, text):
        assert [] == problems(text)

    def test_does_not_hide_another_of_the_same_table(self, problems):
        text = KEEP + 'match.level = "eror"\namong = ["spans"]\n[sinks.webhook]\nkinds = ["x"]\n'

        paths = {problem.path for problem in problems(text + ROUTE.format("a"))}

        assert {
            "sinks.webhook.kinds[0]",
            "sinks.webhook.endpoint",
            "processors.route.to[0]",
        } < paths

    def test_of_the_file_itself_names_it_once(self, tmp_path):
        with pytest.raises(QmonError) as raised:
            load_plugins(tmp_path / "none.toml")

        assert "No such file or directory" == str(raised.value)
        assert str(tmp_path / "none.toml") == raised.value.file


class TestDoubt:
    def test_is_told_of_what_drops_everything(self):
        settings = read_settings(b'[[processors]]\nkind = "drop"\nname = "all"\n')

        assert ["processors.all: without `match` it drops everything"] == [*doubts(settings)]

    def test_is_told_of_a_sink_that_nothing_leads_to(self):
        assert ["sinks.a.routes[0]: no `route` marks anything as 'audit'"] == [
            *doubts(read_settings(AUDIT.encode()))
        ]

    @pytest.mark.parametrize(
        ("said", "names"),
        [
            ('point = "7d"\npoints_1m = "1d"\npoints_1h = "7d"', ["points_1m"]),
            ('spans_1d = "400d"', ["spans_1d"]),
            ('span = "7d"\nspans_1m = "7d"\npoints_1m = { bytes = "1GB" }', []),
        ],
    )
    def test_is_told_of_rollups_that_go_before_their_rows(self, said, names):
        told = [*doubts(read_settings(f"[retention]\n{said}".encode()))]

        assert [f"retention.{name}" for name in names] == [each.partition(":")[0] for each in told]

    def test_is_none_of_what_is_whole(self):
        text = AUDIT + ROUTE.format("audit") + '[[processors]]\nkind = "drop"\nmatch.name = "a"\n'

        assert [] == [*doubts(read_settings(text.encode()))]


def test_kinds_of_options_are_those_of_signals():
    assert tuple(SIGNALS) == get_args(Kind)
