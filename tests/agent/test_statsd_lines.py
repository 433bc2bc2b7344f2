"""Lines of StatsD as its servers read them: tables of what is meant, and of what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.statsd_fold import StatsdFold
from qmon_agent.ingest.statsd_lines import read_check, read_event
from qmon_agent.ingest.uniques import Uniques
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.buckets import quantile

NOW = 1_700_000_000_000_000_000
NOBODY = ("", "", "", "")


class Folding:
    """A fold, and what it drains."""

    def __init__(self, **options):
        self.vitals = Vitals()
        usual = {"max_series": 100, "signed": "by_line"}
        self.fold = StatsdFold(self.vitals, **{**usual, **options})

    def points(self, *lines):
        self.fold.take("\n".join(lines).encode())
        return [point for group in self.fold.drain(NOW).values() for point in group]

    def refused(self, reason):
        return self.vitals.count("statsd_lines_rejected", reason=reason)


@pytest.fixture
def folding():
    return Folding()


class TestValues:
    @pytest.mark.parametrize(
        ("lines", "kind", "value"),
        [
            (["a:1|c", "a:2|c"], "counter", 3),
            (["a:1|c|@0.1"], "counter", 10),
            (["a:1:2:3|c"], "counter", 6),
            (["a:-4|c"], "counter", -4),
            (["a:5|g", "a:7|g"], "gauge", 7),
            (["a:5|g", "a:+2|g", "a:-1|g"], "gauge", 6),
            (["a:-5|g"], "gauge", -5),
            (["a:5|g|#x:y", "a:-2|g|#x:y"], "gauge", -2),
            (["a:5|g|@0.5"], "gauge", 5),
            (["a:5|ms", "a:7|ms"], "distribution", 12),
            (["a:5|ms|@0.5"], "distribution", 10),
            (["a:5|h", "a:1.5|h"], "distribution", 6.5),
            (["a:1|d|c:ci-abc|e:it-false|card:low"], "distribution", 1),
            (["a:x|s", "a:y|s", "a:x|s"], "gauge", 2),
            (["a:x:y:z|s"], "gauge", 3),
            (["a:1e3|c\r"], "counter", 1000),
            (["größe:1|c"], "counter", 1),
        ],
    )
    def test_add_up_to(self, folding, lines, kind, value):
        assert [(kind, value)] == [(one.kind, one.value) for one in folding.points(*lines)]

    def test_of_timers_say_their_unit_and_their_quantiles(self, folding):
        (point,) = folding.points(*(f"a:{n}|ms" for n in range(1, 2001)))

        assert ("ms", 2000, 1, 2000) == (point.unit, point.count, point.minimum, point.maximum)
        assert quantile(point.buckets, 0.5) == pytest.approx(1000, rel=0.03)

    def test_count_as_often_as_their_rate_says_in_the_long_run(self, folding):
        (point,) = folding.points(*["a:1|h|@0.3"] * 300)

        assert (
            1000 == pytest.approx(point.count, abs=1) == pytest.approx(sum(point.buckets.values()))
        )

    def test_have_tags_a_container_and_who_speaks(self, folding):
        line = "a:1|c|#service:shop,env:prod,version:1.2,b:x,b:y,flag|c:ci-f00|T1700000000"
        folding.fold.take(line.encode())

        ((speaker, (point,)),) = folding.fold.drain(NOW).items()

        assert ("shop", "prod", "1.2", "") == speaker
        assert {"b": "x,y", "flag": "true", "container.id": "f00"} == point.attributes
        assert 1_700_000_000_000_000_000 == point.time

    def test_of_other_times_are_points_of_their_own(self, folding):
        points = folding.points("a:1|c|T1600000000", "a:2|c|T1600000001", "a:3|c")

        assert [(NOW, 3), (1600000000 * 10**9, 1), (1600000001 * 10**9, 2)] == [
            (one.time, one.value) for one in points
        ]

    def test_are_told_once(self, folding):
        assert [1] == [one.value for one in folding.points("a:1|c")]
        assert [] == folding.points("")

    def test_of_a_gauge_are_what_the_next_difference_is_added_to(self, folding):
        folding.points("a:10|g")

        assert [7] == [one.value for one in folding.points("a:-3|g")]

    @pytest.mark.parametrize(("signed", "value"), [("values", -3), ("differences", 2)])
    def test_with_a_sign_are_what_the_option_says(self, signed, value):
        points = Folding(signed=signed).points("a:5|g|#x:y", "a:-3|g|#x:y")

        assert [value] == [one.value for one in points]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("a", "no_type"),
            ("a:1", "no_type"),
            (":1|c", "no_name"),
            ("a:1|q", "unknown_type"),
            ("a:|c", "bad_value"),
            ("a:one|c", "bad_value"),
            ("a:nan|g", "bad_value"),
            ("a:inf|g", "bad_value"),
            ("a:1_0|c", "bad_value"),
            ("a:1e999|c", "bad_value"),
            ("a:|s", "bad_value"),
            ("a:1|c|@0", "bad_rate"),
            ("a:1|c|@2", "bad_rate"),
            ("a:1|c|@x", "bad_rate"),
            ("a:1|c|Tnow", "bad_time"),
            ("_e{5,4}:short", "bad_event"),
            ("_e{x,4}:title|text", "bad_event"),
            ("_sc|name", "bad_service_check"),
            ("_sc|name|9", "bad_service_check"),
            ("_sc||0", "bad_service_check"),
        ],
    )
    def test_is_counted_with_its_reason(self, folding, line, reason):
        assert [] == folding.points(line)
        assert 1 == folding.refused(reason)

    def test_spoils_nothing_beside_it(self, folding):
        assert [4] == [one.value for one in folding.points("a:1:x:3|c", "a:y|c")]
        assert 2 == folding.refused("bad_value")

    def test_is_a_sum_that_is_no_number(self, folding):
        assert [] == folding.points("a:1e308|c", "a:1e308|c", "a:1e308|c")
        assert 1 == folding.refused("not_finite")


class TestBounds:
    def test_add_up_what_is_too_much_in_one_series_per_metric(self):
        folding = Folding(max_series=2)
        points = folding.points(*(f"a:1|c|#user:{n}" for n in range(10)))

        labels = [(one.value, one.attributes) for one in points]
        assert (8, {"otel.metric.overflow": "true"}) == labels[-1]
        assert 10 == sum(one.value for one in points)
        assert 8 == folding.vitals.count("statsd_overflow")

    def test_refuse_more_metrics_than_that(self):
        folding = Folding(max_series=2)
        folding.points(*(f"m{n}:1|c" for n in range(10)))

        assert 4 == len(folding.fold)
        assert 6 == folding.refused("too_many_series")

    def test_make_room_for_what_is_new_after_a_minute(self):
        folding = Folding(max_series=2)
        folding.points("a:1|c", "b:1|c")
        for _ in range(61):
            folding.points("")

        assert [{}] == [one.attributes for one in folding.points("c:1|c")]

    def test_are_for_speakers_too(self):
        folding = Folding(max_series=1000)
        folding.fold.take("\n".join(f"a:1|c|#host:h{n}" for n in range(300)).encode())

        drained = folding.fold.drain(NOW)

        assert 257 == len(drained)
        assert 44 == sum(one.value for one in drained[NOBODY])


class TestEvents:
    def test_are_read_by_their_lengths_in_bytes(self):
        line = "_e{7,6}:größe|b\\nc|d|d:1600000000|h:web1|#service:shop"
        event, speaker = read_event(line.encode())

        assert ("größe", "b\nc|d") == (event.name, event.attributes["message"])
        assert ("shop", "", "", "web1") == speaker

    def test_have_what_dogstatsd_says_of_them(self):
        line = b"_e{5,4}:title|text|d:1600000000|k:key|p:low|s:src|t:error|#x:y|c:ci-1"
        event, _ = read_event(line)

        assert 1600000000 * 10**9 == event.time
        assert {
            "message": "text",
            "aggregation_key": "key",
            "priority": "low",
            "source": "src",
            "level": "error",
            "x": "y",
            "container.id": "1",
        } == event.attributes


class TestServiceChecks:
    @pytest.mark.parametrize(
        ("status", "told"), [("0", "ok"), ("1", "warning"), ("2", "error"), ("3", "unknown")]
    )
    def test_are_check_ins(self, status, told):
        line = f"_sc|db.can_connect|{status}|d:1600000000|h:db1|#env:prod,x:y|m:no | really"
        checkin, speaker = read_check(line.encode())

        assert ("db.can_connect", told) == (checkin.monitor, checkin.status)
        assert {"x": "y", "message": "no | really"} == checkin.attributes
        assert ("", "prod", "", "db1") == speaker


class TestUniques:
    @pytest.mark.parametrize("number", [0, 1, 1024, 5_000, 50_000])
    def test_are_exact_when_few_and_close_when_many(self, number):
        uniques = Uniques()
        for _ in range(2):
            for n in range(number):
                uniques.add(f"user-{n}".encode())

        assert uniques.count() == pytest.approx(number, rel=0 if number <= 1024 else 0.06)


class TestWhateverComes:
    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_harms_nobody(self, parts):
        folding = Folding()
        for kind in (b"c", b"g", b"ms", b"s"):
            folding.fold.take(b"|".join(parts) + b":1|" + kind + b"|#" + b",".join(parts))
        folding.fold.take(b"_e{" + b"}:".join(parts) + b"\n_sc|" + b"|".join(parts))

        folding.fold.drain(NOW)

    @given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=50), st.integers(1, 49))
    def test_adds_up_to_the_same_in_any_packets(self, numbers, cut):
        whole, parts = Folding(), Folding()
        lines = [f"a:{n}|c\nb:{n}|h" for n in numbers]
        parts.fold.take("\n".join(lines[:cut]).encode())

        assert whole.points(*lines) == parts.points(*lines[cut:])
