"""Limits, repeats and folds: what processors do that remember."""

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_sdk.protocol.signals import Error, Event, Log, Point, Span


@pytest.fixture
def sieve(sifting):
    return sifting.Sieve


class TestRateLimit:
    def test_drops_what_is_beyond_and_fills_up_again(self, sieve):
        limit = sieve("rate_limit", per_s=2, burst=3)
        limit.put(*[Log()] * 5)
        limit.now += 1_000_000_000
        limit.put(*[Log()] * 5)

        assert (5, 5) == (len(limit.kept), limit.dropped)

    def test_takes_nothing_from_the_others(self, sieve):
        limit = sieve("rate_limit", per_s=1, by=["service"])
        limit.put(*[Log()] * 100, service="loud")
        limit.put(Log(), service="quiet")

        assert ["loud", "quiet"] == [lot.resource.service for lot in limit.lots if lot.rows]

    @pytest.mark.parametrize(
        ("by", "signals"),
        [
            (["kind"], [Log(), Event()]),
            (["name"], [Span(name="a"), Span(name="b")]),
            (["level"], [Log(level="info"), Log(level="error")]),
            (["body"], [Error(message="a"), Error(message="b")]),
            (["tenant"], [Span(attributes={"tenant": "a"}), Span()]),
        ],
    )
    def test_tells_apart_what_it_is_asked_to(self, sieve, by, signals):
        limit = sieve("rate_limit", per_s=1, by=by)
        for signal in (*signals, *signals):
            limit.put(signal)

        assert (2, 2) == (len(limit.kept), limit.dropped)

    def test_keeps_a_share_of_the_rest_that_says_its_weight(self, sieve):
        limit = sieve("rate_limit", per_s=1, by=["kind"], excess="sample", excess_rate=0.5)
        limit.put(*(Span(trace_id=f"{n:032x}") for n in (1, 2, (1 << 56) - 1)))
        limit.put(*(Log(body=str(n)) for n in range(200)))

        weights = [each.attributes.get("qmon.sampling.weight") for each in limit.kept]
        assert [None, "2", None] == weights[:3]
        assert 60 < weights.count("2") < 140

    def test_has_a_bucket_for_those_there_is_no_room_for(self, sieve):
        limit = sieve("rate_limit", per_s=1, by=["body"], max_keys=3)
        limit.put(*(Log(body=str(n)) for n in range(10)))

        assert 4 == len(limit.kept)

    def test_refuses_a_share_that_is_none(self, sieve):
        with pytest.raises(ConfigError, match="excess_rate"):
            sieve("rate_limit", per_s=1, excess_rate=2)


class TestDeduplicate:
    def test_lets_the_first_pass_and_then_tells_how_often(self, sieve):
        repeats = sieve("deduplicate", within_s=60)
        repeats.put(*[Log(body="no", level="error")] * 3)
        repeats.wait(30)
        assert not repeats.made
        repeats.wait(10)

        assert (1, 2) == (len(repeats.kept), repeats.dropped)
        assert [{"qmon.repeated": "2"}] == [each.attributes for each in repeats.made]
        assert "no" == repeats.made[0].body

    @pytest.mark.parametrize(
        "line",
        [
            "2026-01-02 03:04:0{},123 ERROR no",
            "[2026-01-02T03:04:0{}.5Z] no",
            "2026/01/02 03:04:0{} [error] no",
            "Jan  2 03:04:0{} box cron: no",
            "[Fri Jan 02 03:04:0{}.123456 2026] [error] no",
            "[02/Jan/2026:03:04:0{} +0000] no",
            "E0102 03:04:0{}.123456 7 main.go:1] no",
            "03:04:0{} no",
            "176722560{}.25 no",
        ],
    )
    def test_looks_behind_the_time_that_a_line_begins_with(self, sieve, line):
        repeats = sieve("deduplicate", within_s=60)
        repeats.put(*(Log(body=line.format(second)) for second in range(3)))

        assert [line.format(0)] == [each.body for each in repeats.kept]

    @pytest.mark.parametrize(
        "line",
        [
            "order 2026-01-02 03:04:0{} no",
            "2026-01-02 03:04:0{}",
            "1.2.3.{} no",
            "176722560{}no",
            "10{} orders no",
        ],
    )
    def test_leaves_alone_what_is_no_time_of_the_line(self, sieve, line):
        repeats = sieve("deduplicate", within_s=60)
        repeats.put(*(Log(body=line.format(second)) for second in range(3)))

        assert 3 == len(repeats.kept)

    def test_begins_anew_when_the_window_is_over(self, sieve):
        repeats = sieve("deduplicate", within_s=60)
        for _ in range(3):
            repeats.put(Log(body="no"))
            repeats.wait(60)

        assert (3, 0) == (len(repeats.kept), len(repeats.made))

    def test_holds_the_record_of_the_first(self, sieve):
        repeats = sieve("deduplicate")
        repeats.put(Log(body="a"))
        repeats.put(Log(body="b"))
        assert repeats.processor.holds is None
        repeats.put(Log(body="b"))

        assert 2 == repeats.processor.holds

    def test_keeps_within_its_memory(self, sieve):
        repeats = sieve("deduplicate", max_bytes=50_000)
        for number in range(100):
            repeats.put(*[Log(body=f"{number}" + "x" * 5_000)] * 2)

        assert repeats.processor.size <= 60_000
        repeats.end()
        assert 100 == len(repeats.made)

    def test_leaves_alone_what_a_processor_made(self, sieve):
        first, second = sieve("deduplicate"), sieve("deduplicate")
        first.put(*[Log(body="a")] * 2)
        (told,) = first.end()

        assert (told,) == second.processor.process(told)


class TestAggregate:
    def test_makes_one_point_of_a_series_each_interval(self, sieve):
        folded = sieve("aggregate", every_s=10)
        for value in (1.0, 2.0, 4.0):
            folded.put(Point(metric="sold", kind="counter", value=value, count=1))
        folded.wait(11)

        (point,) = folded.made
        assert ("sold", "counter", 7.0, 3) == (point.metric, point.kind, point.value, point.count)
        assert 0 == point.time % 10_000_000_000
        assert 3 == folded.dropped

    @pytest.mark.parametrize(
        ("gauges", "value"),
        [("last", 2.0), ("mean", 3.0), ("min", 2.0), ("max", 4.0), ("sum", 9.0)],
    )
    def test_says_of_a_gauge_what_it_is_asked_to(self, sieve, gauges, value):
        folded = sieve("aggregate", gauges=gauges)
        folded.put(*(Point(metric="depth", value=each) for each in (3.0, 4.0, 2.0)))
        folded.end()

        assert [value] == [point.value for point in folded.made]

    def test_merges_distributions(self, sieve):
        one = Point(metric="t", kind="distribution", value=3, count=2, minimum=1, maximum=2,
                    buckets={1: 2})  # fmt: skip
        folded = sieve("aggregate")
        folded.put(one, one.replace(minimum=0.5, buckets={1: 1, 7: 1}))
        folded.end()

        (point,) = folded.made
        assert (6, 4, 0.5, 2, {1: 3, 7: 1}) == (
            point.value, point.count, point.minimum, point.maximum, point.buckets,
        )  # fmt: skip

    @pytest.mark.parametrize("options", [{"without": ["pod"]}, {"only": ["route"]}])
    def test_leaves_out_labels(self, sieve, options):
        folded = sieve("aggregate", **options)
        for pod in "ab":
            folded.put(Point(metric="m", kind="counter", attributes={"pod": pod, "route": "/"}))
        folded.end()

        assert [{"route": "/"}] == [point.attributes for point in folded.made]

    @pytest.mark.parametrize(("per", "series"), [("process", 3), ("host", 2), ("service", 1)])
    def test_folds_the_points_of_those_it_is_asked_to(self, sieve, per, series):
        folded = sieve("aggregate", per=per)
        for pid, host in ((1, "a"), (2, "a"), (3, "b")):
            folded.put(Point(metric="m", kind="counter", value=1), pid=pid, host=host)
        folded.end()

        assert series == len(folded.made)
        assert 3 == sum(point.value for point in folded.made)

    @pytest.mark.parametrize(("per", "sdk"), [("process", "ours"), ("host", "agent")])
    def test_says_that_the_agent_speaks_for_more_than_one_process(self, sieve, per, sdk):
        folded = sieve("aggregate", per=per)
        folded.put(Point(metric="m", kind="counter", value=1), sdk="ours")

        assert [sdk] == [lot.resource.sdk for lot in folded.end()]

    def test_counts_other_signals(self, sieve):
        count = {"metric": "log.lines", "by": ["level"], "match": {"kind": "log"}}
        folded = sieve("aggregate", count=[count])
        folded.put(*[Log(level="info")] * 3, Log(level="error"))
        folded.put(Event())
        folded.end()

        told = {point.attributes["level"]: point.value for point in folded.made}
        assert {"info": 3, "error": 1} == told
        assert (5, 0) == (len(folded.kept), folded.dropped)

    def test_drops_what_it_counts_if_it_is_asked_to(self, sieve):
        count = {"metric": "debug", "match": {"level": "debug"}, "keep": False}
        folded = sieve("aggregate", count=[count])
        folded.put(Log(level="debug"), Log(level="info"))

        assert (["info"], 1) == ([each.level for each in folded.kept], folded.dropped)

    def test_lets_pass_what_it_has_no_room_for(self, sieve):
        folded = sieve("aggregate", max_series=2)
        folded.put(*(Point(metric=str(n), kind="counter") for n in range(5)))
        folded.end()

        assert (3, 2) == (len(folded.kept), len(folded.made))

    def test_gives_an_interval_the_same_name_when_it_is_made_again(self, sieve):
        whole, again = sieve("aggregate"), sieve("aggregate")
        for value in (1.0, 2.0):
            whole.put(Point(metric="m", kind="counter", value=value))
        again.put(Point(metric="m", kind="counter", value=2.0))

        assert [lot.name for lot in whole.end()] == [lot.name for lot in again.end()]
