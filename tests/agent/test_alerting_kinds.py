"""Each kind of rule by what it is for: fed with points, errors and sessions as they come."""

import pytest

from qmon_agent.alerting.evaluation import Cell, evaluate
from qmon_agent.alerting.observed import Observed, Reply
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_sdk.protocol.signals import Error, Log, Point, Session

BAD = {"metric": "requests", "where": {"status": "5*"}}
ALL = {"metric": "requests"}
FULL = {"metric": "temp", "threshold": "> 0.95", "within": "4h", "window": "1h"}
BUDGET = {"bad": BAD, "events": ALL, "objective": 0.99, "min_events": 100}


class Judge:
    """One rule, its cells, and a clock."""

    def __init__(self, kind, **options):
        self.rule = RULES.build(kind, options)
        self.now, self.cells = 1_000_000 * SECOND, {}

    def see(self, seconds=1, **signals):
        """Let time pass, and then show it something."""
        self.now += round(seconds * SECOND)
        batch = Observed(service="shop", time=self.now, **signals)
        for fact in self.rule.notice(batch):
            self._evaluate(fact.instance, fact)
        return self

    def wait(self, seconds):
        self.now += round(seconds * SECOND)
        for instance in self.cells:
            self._evaluate(instance, None)
        return self

    def _evaluate(self, instance, fact):
        about = self.rule.about()
        cell = self.cells.get(instance, Cell())
        done = evaluate(cell, fact, self.now, rule=self.rule, policy=about.policy, name="x")
        assert not done.failed
        self.cells[instance] = done.cell

    @property
    def cell(self):
        [cell] = self.cells.values()
        return cell

    @property
    def state(self):
        return self.cell.episode.unknown or self.cell.episode.state


def gauge(value, **attributes):
    return [Point(metric="temp", value=value, attributes=attributes)]


def requests(good, bad):
    of = {"200": good, "503": bad}
    return [
        Point(metric="requests", kind="counter", value=float(n), attributes={"status": status})
        for status, n in of.items()
    ]


class TestThreshold:
    def test_is_over_only_beyond_the_line_that_clears(self):
        judge = Judge("threshold", metric="temp", threshold="> 80", clear="< 70")

        states = [judge.see(points=gauge(value)).state for value in (81, 75, 79, 69, 75)]

        assert ["firing", "firing", "firing", "inactive", "inactive"] == states

    def test_gets_worse_and_better(self):
        judge = Judge("threshold", metric="temp", threshold="> 80", critical="> 95")

        severities = [judge.see(points=gauge(value)).cell.severity for value in (81, 96, 82)]

        assert ["", "critical", ""] == severities

    def test_refuses_a_line_that_clears_what_it_breaches(self):
        with pytest.raises(ConfigError, match="clear"):
            RULES.build("threshold", {"metric": "temp", "threshold": ">= 80", "clear": "< 90"})

    def test_refuses_a_line_that_is_none(self):
        for option in ("clear", "critical", "critical_clear"):
            wrong = {"metric": "temp", "threshold": "> 80", "critical": "> 90", option: "hot"}
            with pytest.raises(ConfigError, match=option):
                RULES.build("threshold", wrong)


class TestRateOfChange:
    def test_of_a_gauge_is_told_per_time(self):
        judge = Judge("rate_of_change", metric="temp", threshold="> 50", window="1m", per="1m")

        for value in (0, 10, 20, 40):
            judge.see(15, points=gauge(value))

        assert ("firing", pytest.approx(53.3, rel=0.01)) == (judge.state, judge.cell.value)

    def test_of_totals_passes_over_a_reset(self):
        options = {"metric": "temp", "window": "1m", "totals": True, "threshold": "< 0"}
        judge = Judge("rate_of_change", **options)

        for value in (100, 110, 3, 13):
            judge.see(15, points=gauge(value))

        assert ("inactive", pytest.approx(23 * 60 / 45)) == (judge.state, judge.cell.value)

    def test_in_percent_of_a_counter_compares_the_halves(self):
        options = {"metric": "requests", "mode": "percent", "window": "1m", "threshold": "> 90"}
        judge = Judge("rate_of_change", where={"status": "200"}, **options)

        for amount in (1, 1, 1, 2, 2):
            judge.see(12, points=requests(amount, 0))

        assert ("firing", 100.0) == (judge.state, judge.cell.value)

    def test_of_too_few_points_is_unknown(self):
        judge = Judge("rate_of_change", metric="temp", threshold="> 5", window="1m")

        assert "too_few_points" == judge.see(points=gauge(1)).see(points=gauge(99)).state


class TestRatio:
    def test_counts_in_its_window(self):
        judge = Judge("ratio", part=BAD, whole=ALL, threshold="> 0.1", window="60s", min_events=10)

        assert "firing" == judge.see(points=requests(80, 20)).state
        assert "20 % (20 of 100)" == judge.cell.text
        assert "inactive" == judge.see(59, points=requests(400, 0)).state

    def test_with_too_few_events_resolves_nothing(self):
        judge = Judge("ratio", part=BAD, whole=ALL, threshold="> 0.1", window="60s", min_events=10)
        judge.see(points=requests(80, 20))

        judge.wait(300)

        assert "too_few_events" == judge.state
        assert "firing" == judge.cell.episode.state


class TestPercentile:
    def test_is_of_all_points_in_the_window(self):
        judge = Judge("percentile", metric="temp", threshold="> 90", percentile=90, window="5m")

        for value in range(1, 101):
            judge.see(points=gauge(float(value)))

        assert pytest.approx(90, rel=0.03) == judge.cell.value

    def test_refuses_one_there_is_none_of(self):
        with pytest.raises(ConfigError, match="percentile"):
            RULES.build("percentile", {"metric": "temp", "threshold": 1, "percentile": 101})
        with pytest.raises(ConfigError, match=r"did you mean 95\?"):
            RULES.build("percentile", {"metric": "temp", "threshold": 1, "percentile": 0.95})


class TestForecast:
    def test_tells_when_the_disk_is_full(self):
        judge = Judge("forecast", **FULL)

        for minute in range(60):
            judge.see(60, points=gauge(0.5 + minute * 0.002))

        assert ("firing", "will cross 0.95 in 2h46m") == (judge.state, judge.cell.text)

    @pytest.mark.parametrize("value", [lambda n: 0.9, lambda n: 0.9 - n / 1e3, lambda n: n % 2])
    def test_says_nothing_of_what_goes_nowhere(self, value):
        judge = Judge("forecast", **FULL | {"threshold": "> 2"})

        for minute in range(60):
            judge.see(60, points=gauge(float(value(minute))))

        assert "inactive" == judge.state

    def test_refuses_a_line_that_nothing_comes_nearer_to(self):
        with pytest.raises(ConfigError, match="threshold"):
            RULES.build("forecast", FULL | {"threshold": "!= 1"})


class TestBurnRate:
    def test_pages_when_both_windows_burn(self):
        judge = Judge("burn_rate", **BUDGET)

        judge.see(points=requests(80, 20))

        assert ("firing", "critical") == (judge.state, judge.cell.severity)
        assert "lasts 36h" in judge.cell.text.replace("1d12h", "36h")

    def test_is_over_soon_after_it_has_stopped(self):
        judge = Judge("burn_rate", **BUDGET).see(points=requests(80, 20))

        for _ in range(8):
            judge.see(60, points=requests(100, 0))

        assert "critical" != judge.cell.severity or "inactive" == judge.state

    def test_says_when_nothing_happens_at_all(self):
        judge = Judge("burn_rate", **BUDGET).see(points=requests(100, 0))

        assert "sli_absent" == judge.wait(901).state

    def test_refuses_an_objective_that_is_none(self):
        with pytest.raises(ConfigError, match="objective"):
            RULES.build("burn_rate", {**BUDGET, "objective": 1.0})


class TestCrashedSessions:
    def test_need_enough_sessions(self):
        sessions = [Session(status="crashed")] * 2 + [Session()] * 38
        judge = Judge("crashed_sessions", threshold="> 0.04")

        states = [judge.see(sessions=sessions).state for _ in range(2)]

        assert ["too_few_events", "firing"] == states


class TestUsersAffected:
    def test_counts_each_user_once(self):
        judge = Judge("users_affected", threshold=">= 3", window="1m")

        for user in ("ann", "bob", "ann", "bob"):
            judge.see(errors=[Error(type="E", user_id=user)])

        assert ("inactive", "firing") == (
            judge.state,
            judge.see(errors=[Error(type="E", user_id="eve")]).state,
        )

    def test_forgets_those_of_long_ago(self):
        judge = Judge("users_affected", threshold=">= 1", window="1m")

        judge.see(errors=[Error(type="E", user_id="ann")]).wait(61)

        assert "inactive" == judge.state


class TestProbeDown:
    def probe(self, name, value):
        return Point(metric="probe.up", value=value, attributes={"probe.name": name})

    def test_says_why(self):
        judge = Judge("probe_down", system="shop", probe="we*")
        of = {"probe.name": "web", "error.type": "refused"}
        points = [
            self.probe("web", 0.0),
            self.probe("db", 0.0),
            Point(metric="probe.failures", attributes=of),
        ]

        assert ("firing", "is down: refused") == (judge.see(points=points).state, judge.cell.text)

    def test_is_never_down_because_nobody_asked(self):
        judge = Judge("probe_down", system="shop").see(points=[self.probe("web", 1.0)])

        judge.wait(3_600)

        assert ("no_data", "inactive") == (judge.state, judge.cell.episode.state)


class TestCertificateExpiry:
    def test_is_told_in_time_although_nobody_looks_any_more(self):
        judge = Judge("certificate_expiry", system="shop", stale_after="30d")
        left = 15 * 86_400.0
        judge.see(points=[Point(metric="probe.tls.expires_in", value=left)])

        states = [judge.state, judge.wait(86_400).state, judge.cell.text]
        assert ["inactive", "firing", "the certificate ends in 14d"] == states
        assert "critical" == judge.wait(12 * 86_400).cell.severity


class TestAnomaly:
    def test_is_told_when_three_of_five_points_are_strange(self):
        judge = Judge("anomaly", metric="temp", min_samples=50)
        for n in range(200):
            judge.see(60, points=gauge(100.0 + n % 5))
        before = judge.state

        states = [judge.see(60, points=gauge(300.0)).state for _ in range(3)]

        assert ["inactive", "inactive", "inactive", "firing"] == [before, *states]
        assert judge.cell.text.startswith("300 where 10")

    def test_of_too_few_points_is_unknown(self):
        judge = Judge("anomaly", metric="temp")

        assert "too_few_points" == judge.see(points=gauge(1.0)).see(points=gauge(9e9)).state


class TestChangepoint:
    def test_is_told_for_a_while_and_then_the_new_is_usual(self):
        judge = Judge("changepoint", metric="temp", learn=30, lasts="10m")
        for n in range(100):
            judge.see(1, points=gauge(100.0 + n % 5))

        for n in range(10):
            judge.see(1, points=gauge(200.0 + n % 5))

        assert ("firing", True) == (judge.state, "the mean went from 102" in judge.cell.text)
        assert "inactive" == judge.wait(601).state

    def test_passes_over_a_change_that_is_small(self):
        judge = Judge("changepoint", metric="temp", learn=30)
        for n in range(200):
            judge.see(1, points=gauge((100.0 if n < 100 else 110.0) + n % 5))

        assert "inactive" == judge.state


class TestLogPattern:
    def lines(self, *bodies, level="error"):
        return [Log(body=body, level=level, logger="shop.pay") for body in bodies]

    def test_counts_lines_that_say_it(self):
        judge = Judge("log_pattern", text="*timed out*", threshold="> 2", window="1m")

        judge.see(logs=self.lines("it timed out", "fine", "timed out", "has timed out\nagain"))

        assert ("firing", 3.0) == (judge.state, judge.cell.value)
        assert "inactive" == judge.wait(61).state

    def test_looks_at_level_logger_and_expression(self):
        options = {"levels": ["error"], "logger": "shop.*", "text": r"~\btimed? out\b"}
        judge = Judge("log_pattern", **options)

        judge.see(logs=self.lines("it timed out", level="info"))
        assert {} == judge.cells
        assert "firing" == judge.see(logs=self.lines("it timed out")).state

    def test_refuses_an_expression_that_is_none(self):
        with pytest.raises(ConfigError, match="text"):
            RULES.build("log_pattern", {"text": "~("})


class TestEscalatingError:
    def errors(self, n):
        return [Error(type="E", grouping="g")] * n

    def test_is_told_when_it_comes_much_more_often(self):
        judge = Judge("escalating_error").see(errors=self.errors(2))
        judge.see(3_600, errors=self.errors(15))
        before = judge.state

        judge.see(60, errors=self.errors(20))

        assert ["inactive", "firing"] == [before, judge.state]
        assert "35 times this hour, where at most 20 are usual" == judge.cell.text

    def test_is_not_told_of_an_error_that_is_new(self):
        assert "inactive" == Judge("escalating_error").see(errors=self.errors(500)).state


class TestSql:
    OF = "SELECT service, count(*) AS n FROM errors GROUP BY ALL"

    def answer(self, *rows):
        return {"replies": (Reply(sql=self.OF, rows=rows),)}

    def test_compares_the_last_column_and_is_named_by_the_others(self):
        judge = Judge("sql", query=self.OF, threshold="> 5")

        judge.see(**self.answer({"service": "shop", "n": 6}))

        assert ("firing", {"service": "shop"}) == (judge.state, judge.cell.labels)
        assert "firing" == judge.wait(60).state

    def test_does_not_know_without_answers_or_without_a_number(self):
        judge = Judge("sql", query=self.OF, threshold="> 5", every="10s", timeout="1s")

        judge.see(**self.answer({"service": "shop", "n": None}))
        assert "not_a_number" == judge.state
        assert "no_data" == judge.see(**self.answer({"service": "shop", "n": 1})).wait(33).state

    @pytest.mark.parametrize("wrong", [{"timeout": "2m"}, {"timeout": "0s"}, {"query": " "}])
    def test_refuses_what_could_not_be_asked(self, wrong):
        with pytest.raises(ConfigError):
            RULES.build("sql", {"query": self.OF, "threshold": 1} | wrong)
