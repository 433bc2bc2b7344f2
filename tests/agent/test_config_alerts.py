"""Mistakes in alerts, routes and duty that `check-config` names, and what it only doubts."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from qmon_agent.app.checking import load_plugins
from qmon_agent.app.statements import wrong_statements
from qmon_agent.cli._program import program
from qmon_agent.domain.errors import QmonError

HOT = '[[alerts]]\nname = "hot"\nmetric = "temp"\nthreshold = "> 5"\n'
BOTH = '[[alerts]]\nname = "{}"\nrule = "composite"\noptions.expression = "{}"\n'
ASKS = '[[alerts]]\nname = "asks"\nrule = "sql"\nthreshold = "> 5"\noptions.query = "{}"\n'
CHATS = "[channels.console]\n[channels.file]\npath = 'a'\n"
TREE = CHATS + '[routing]\nreceiver = "console"\n'
ROUTE = '[[routing.routes]]\nreceiver = "file"\n'
DUTY = (
    '[oncall.people]\nann = ["file"]\n'
    '[[oncall.schedules.day.layers]]\npeople = ["ann"]\nstarts = "2026-01-05"\n'
)
WRONG = {
    BOTH.format("a", "a"): ("alerts.a.expression", "'a' -> 'a'"),
    BOTH.format("a", "b and hot") + BOTH.format("b", "a") + HOT: (
        "alerts.a.expression",
        "the alert is about itself: 'a' -> 'b' -> 'a'",
    ),
    ASKS.format("SELEC 1"): ("alerts.asks.query", "syntax error"),
    ASKS.format("DELETE FROM logs"): ("alerts.asks.query", "DELETE is not allowed"),
    ASKS.format("SELECT 1; SELECT 2"): ("alerts.asks.query", "one statement"),
    ASKS.format("SELECT count(*) FROM error"): ("alerts.asks.query", "mean 'errors'"),
    ASKS.format("SELECT servce FROM errors"): ("alerts.asks.query", "servce"),
    ASKS.format("SELECT titel FROM incidents"): ("alerts.asks.query", "titel"),
    ASKS.format("SELECT count(*) AS n FROM errors") + 'options.column = "m"': (
        "alerts.asks.column",
        "no column 'm'",
    ),
    TREE + DUTY + 'turn = "week"': (
        "oncall.schedules.day.layers[0].turn",
        "'week' is none of 'hours', 'days', 'weeks'; did you mean 'weeks'",
    ),
    TREE + DUTY + 'trun = "weeks"': ("oncall.schedules.day.layers[0].trun", "mean 'turn'"),
    HOT + 'options.clear = "< 7"': ("alerts.hot.clear", "between the two"),
    HOT + 'options.clear = "> 4"': ("alerts.hot.clear", "lies on its other side (<)"),
    "[sinks]\nloki = 3": ("sinks.loki", "has to be a table, as `[sinks.loki]`, not 3"),
    "alerts = [3]": ("alerts[0]", "as `[[alerts]]`"),
    '[retention]\nspan = "7"': ("retention.span", "'7' has no unit (write 7s, 7m, 7h or 7d)"),
    "[store]\nmost_rows = { reed = 5 }": (
        "store.most_rows.reed",
        "is none of 'read', 'operator', 'admin'; did you mean 'read'?",
    ),
    '[retention]\nspan = ""': ("retention.span", "it is empty"),
    '[retention]\nspan = "soon"': ("retention.span", "write for example 30m, 2h, 7d"),
    '[retention]\nlog = { age = "1d", byte = 3 }': ("retention.log.byte", "did you mean 'bytes'"),
    '[retention]\nlog = { bytes = "many" }': ("retention.log.bytes", "500MB, 20GiB"),
    "[retention.services.shop]\nspam = 1": ("retention.services.shop.spam", "'span'"),
    '[retention.services]\nshop = "3d"': ("retention.services.shop", '{ span = "30d" }'),
    "[retention]\nservice = 3": ("retention.service", "'services'"),
    '[retention]\npoints_1n = "30d"': ("retention.points_1n", "points_1m"),
    "[retention]\nspan = true": ("retention.span", "a text or a number, not True"),
    '[sources.tcp]\nlisten = "127.0.0.1:65536"': ("sources.tcp.listen", "65536"),
}
RIGHT = [
    '[retention]\npoints_1m = "30d"\nspans_1h = { age = "400d", bytes = "2GB" }',
    ASKS.format("SELECT service, count(*) AS n FROM errors GROUP BY ALL") + 'options.column = "n"',
    ASKS.format("-- how many\\nWITH a AS (FROM logs) SELECT count(*) FROM a;"),
    ASKS.format("SELECT count(*) FROM spans WHERE time > now() - INTERVAL 5 MINUTE"),
    ASKS.format("SELECT alert_name, count(*) FROM incidents GROUP BY ALL"),
    BOTH.format("a", "b and hot") + BOTH.format("b", "hot") + HOT,
]
DOUBTFUL = {
    HOT.replace("> 5", "> 5 for 1m") + 'for = "2m"': (
        "alerts.hot.for: the threshold says 1m; 2m holds"
    ),
    HOT + TREE + ROUTE + 'matchers = ["severity=warnin"]': (
        "routing.routes[0].matchers: no alert of ours has the severity 'warnin'; "
        "did you mean 'warning'?"
    ),
    HOT + TREE + ROUTE + "matchers = ['severity=~\"crtical|error\"']": (
        "routing.routes[0].matchers: no alert of ours has the severity 'crtical'; "
        "did you mean 'critical'?"
    ),
    HOT + TREE + ROUTE + "[[routing.inhibit_rules]]\nsource_matchers = ['alertname=hot']\n"
    "target_matchers = ['alertname=hot']": (
        "routing.inhibit_rules[0]: its sources are its targets, and such do not mute each other"
    ),
    HOT + TREE + ROUTE + 'matchers = ["alertname=hto"]': (
        "routing.routes[0].matchers: there is no alert 'hto'; did you mean 'hot'?"
    ),
    HOT + TREE + ROUTE + 'matchers = ["alertname=~col.*"]': (
        "routing.routes[0].matchers: no alert has a name that fits 'col.*'"
    ),
    HOT
    + "[[maintenance]]\nname = 'm'\nmatchers = ['alertname=hoot']\nschedule = '0 2 * * 0'\n"
    + "lasts = '1h'": "maintenance.m.matchers: there is no alert 'hoot'; did you mean 'hot'?",
    TREE
    + ROUTE
    + "[[routing.inhibit_rules]]\nsource_matchers = ['alertname=cold']\n"
    + "target_matchers = ['severity=info']": (
        "routing.inhibit_rules[0].source_matchers: there is no alert 'cold'"
    ),
    TREE + ROUTE + '[[routing.routes]]\nmatchers = ["service=a"]': (
        "routing.routes[0]: it takes everything, so that nothing gets to routes[1]; "
        "put it last, or say `continue = true`"
    ),
    TREE: "channels.file: no route, alert or schedule leads to it",
    TREE + ROUTE + '[routing.receivers.crew]\nchannels = ["file"]': (
        "routing.receivers.crew: no route leads to it"
    ),
    TREE + ROUTE + DUTY: "oncall.schedules.day: no receiver that is used names it",
    TREE + ROUTE + "[[routing.time_intervals.nights]]": (
        "routing.time_intervals.nights: nobody uses it"
    ),
    HOT.replace("metric", "rule = 'crashed_sessions'\n#").replace("> 5", "> 5 for 1m"): (
        "alerts.hot.threshold: a share is from 0 to 1, not in percent; did you mean '> 0.05'?"
    ),
}
WHOLE = [
    TREE + ROUTE,
    TREE + '[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = 1\nchannels = ["file"]',
    TREE + ROUTE + 'continue = true\n[[routing.routes]]\nmatchers = ["service=a"]',
    TREE.replace('"console"', '"crew"')
    + '[routing.receivers.crew]\nchannels = ["console"]\noncall = ["day"]\n'
    + DUTY,
    HOT + TREE + ROUTE + 'matchers = ["alertname=~h.*", "severity!=info"]',
    CHATS,
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "qmon.toml"


def problems_in(file, text):
    file.write_text(text)
    try:
        load_plugins(file, also=wrong_statements)
    except QmonError as problem:
        return [problem, *problem.others]
    return []


def check(file, text, *options):
    file.write_text(text)
    return CliRunner().invoke(
        program, ["check-config", "--config", str(file), *options], standalone_mode=False
    )


class TestMistake:
    @pytest.mark.parametrize("text", WRONG)
    def test_is_told_once_with_its_place_and_what_to_do(self, file, text):
        path, words = WRONG[text]

        (problem,) = problems_in(file, text)

        assert path == problem.path
        assert words in str(problem)

    @pytest.mark.parametrize("text", RIGHT)
    def test_is_none_that_is_meant(self, file, text):
        assert [] == problems_in(file, text)

    def test_of_duty_does_not_hide_others(self, file):
        text = TREE + DUTY + 'turn = "week"\n' + HOT.replace("threshold", "treshold")

        assert {"oncall.schedules.day.layers[0].turn", "alerts[0].treshold"} <= {
            each.path for each in problems_in(file, text)
        }


class TestDoubt:
    @pytest.mark.parametrize("text", DOUBTFUL)
    def test_is_a_warning(self, file, text):
        done = check(file, text, "--json")

        assert [DOUBTFUL[text]] == json.loads(done.stdout)["warnings"]
        assert not done.return_value

    @pytest.mark.parametrize("text", WHOLE)
    def test_is_none_of_what_is_whole(self, file, text):
        assert "" == check(file, text).stderr

    def test_is_an_error_for_the_strict(self, file):
        done = check(file, TREE, "--strict")

        assert 3 == done.return_value
        assert f"warning: {file}: channels.file" in done.stderr
        assert not check(file, TREE + ROUTE, "--strict").return_value
