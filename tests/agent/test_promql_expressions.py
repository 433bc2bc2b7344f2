"""PromQL over a window of samples: what the differential cannot ask of the real thing."""

import math

import pytest

from qmon_agent.alerting.promql import Expressions, Settings, Window, evaluate, labels_of
from qmon_agent.alerting.promql.evaluation import Moment
from qmon_agent.alerting.promql.patterns import PatternError, pattern_of
from qmon_agent.alerting.promql.tree import PromqlError, UnsupportedError

CLOSED = Settings(closed=True)


class Bench:
    """A window that is fed by hand, and asked."""

    def __init__(self, *texts):
        expressions = Expressions()
        self.nodes = [expressions.parse(text) for text in texts]
        self.window = Window()
        self.window.watch([wanted for node in self.nodes for wanted in node.walk()])

    def feed(self, name, *values, every=15, **labels):
        key = labels_of({"__name__": name, **labels})
        return [self.window.add(key, n * every * 1000, value) for n, value in enumerate(values)]

    def ask(self, at, settings=None):
        moment = Moment(self.window, at * 1000, settings=settings or Settings())
        return [
            {str(labels): value for labels, value in evaluate(node, moment).items()}
            for node in self.nodes
        ]


class TestRanges:
    def test_have_their_later_end_only_as_since_prometheus_3(self):
        bench = Bench("count_over_time(c[1m])")
        bench.feed("c", *range(9))

        assert [[{"{}": 4.0}], [{"{}": 5.0}]] == [bench.ask(60), bench.ask(60, CLOSED)]

    def test_of_counters_are_never_carried_below_zero(self):
        bench = Bench("increase(c[2m])")
        bench.feed("c", 1.0, 51.0, 101.0, every=10)

        assert [{"{}": pytest.approx(101.0 + 50.0)}] == bench.ask(30)


class TestLookback:
    def test_ends_with_five_minutes_and_without_them(self):
        bench = Bench("g")
        bench.feed("g", 1.0)

        answers = [bench.ask(299)[0], bench.ask(300)[0], bench.ask(300, CLOSED)[0]]
        assert [{"g{}": 1.0}, {}, {"g{}": 1.0}] == answers


class TestSpread:
    @pytest.mark.parametrize(("settings", "spread"), [(Settings(), math.nan), (CLOSED, 0.0)])
    def test_of_one_value_that_is_no_number_is_none_since_prometheus_3(self, settings, spread):
        bench = Bench("stddev(g)")
        bench.feed("g", math.nan)

        assert [{"{}": pytest.approx(spread, nan_ok=True)}] == bench.ask(0, settings)


class TestShared:
    def test_parts_are_one_node(self):
        first, second = Bench("rate(c[1m]) > 1", "sum(rate(c[1m]))").nodes

        assert first.children[0] is second.children[0]
        assert first.children[0].shared

    def test_parts_have_the_values_of_their_own_time(self):
        bench = Bench("g", "max_over_time(g[1m:15s])")
        bench.feed("g", 9.0, 1.0, 2.0)

        assert [{"g{}": 2.0}, {"{}": 9.0}] == bench.ask(45)


class TestNamesWithDots:
    def test_are_written_in_quotes_as_in_prometheus_3(self):
        bench = Bench('{"system.cpu.utilization", "host.name"="a"}')
        bench.feed("system.cpu.utilization", 1.0, **{"host.name": "a"})
        bench.feed("system.cpu.utilization", 1.0, **{"host.name": "b"})

        assert ['system.cpu.utilization{host.name="a"}'] == list(bench.ask(0)[0])


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("sum(c", "parenthesis"),
            ("c @ 5", "recent"),
            ('c{a="1" or b="2"}', "`or`"),
            ("no_such(c)", "unknown function"),
            ("double_exponential_smoothing(c[1m], 0.1, 0.1)", "not supported"),
            ('label_replace(c, "1", "", "a", "")', "name of a label"),
            (r'c{a=~"\\pL"}', "not supported"),
            ("(" * 3_000 + "c" + ")" * 3_000, "too deep"),
            ("c" * 17_000, "longer"),
        ],
    )
    def test_says_why(self, text, reason):
        with pytest.raises(UnsupportedError, match=reason):
            Expressions().parse(text)

    def test_is_not_what_stands_in_backticks(self):
        bench = Bench('c{a=~`\\d+"`}')
        bench.feed("c", 1.0, a='5"')
        bench.feed("c", 1.0, a='x"')

        assert 1 == len(bench.ask(0)[0])


class TestErrors:
    @pytest.mark.parametrize(
        "text", ["c + on() c", "c == on() group_left g", 'label_join(c, "a", "")']
    )
    def test_are_no_empty_answers(self, text):
        bench = Bench(text)
        for name in "cg":
            bench.feed(name, 1.0, a="1")
            bench.feed(name, 1.0, a="2")

        with pytest.raises(PromqlError):
            bench.ask(0)

    def test_end_a_subquery_of_too_many_steps(self):
        with pytest.raises(PromqlError, match="steps"):
            Bench("max_over_time(g[1d:1s])").ask(100_000)


class TestPatterns:
    @pytest.mark.parametrize(
        ("text", "value", "matches"),
        [
            ("[[:alpha:]]+", "ab", True),
            ("[^[:digit:]]", "5", False),
            ("a$", "a\n", False),
            (r"[$]\z", "$", True),
            ("(?<n>x)y", "xy", True),
            (r"\d", "٣", False),
            ("[]a]", "]", True),
        ],
    )
    def test_mean_what_they_mean_to_re2(self, text, value, matches):
        assert matches is bool(pattern_of(text).fullmatch(value))

    @pytest.mark.parametrize(
        "text", [r"(a)\1", "(?=a)", "(?<!a)b", "a++", "(", "[[:nope:]]", "a(?i)"]
    )
    def test_that_re2_has_not_are_refused(self, text):
        with pytest.raises(PatternError):
            pattern_of(text)
