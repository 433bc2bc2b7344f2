"""Budgets of series and names: what is under them is never touched, what is over is told of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.ingest.cardinality import Cardinality
from qmon_agent.ingest.distinct import Distinct
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.series import OVERFLOW, OVERFLOW_NAME
from qmon_agent.settings import Cardinality as Options
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.amending import amend
from qmon_sdk.protocol.columns import Block, blocks_of, rows_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_frame, encode_frame, pack, unpack
from qmon_sdk.protocol.signals import Event, Point, Span

ADA, BOB = Peer(name="ada"), Peer(name="bob")


class Watched:
    """Frames sent one after the other, as they would be kept."""

    def __init__(self, **options):
        self.now = 0.0
        self.vitals = Vitals()
        self.cardinality = Cardinality(Options(**options), vitals=self.vitals, now=lambda: self.now)

    def keep(self, signals, *, peer=ADA, service="shop"):
        frame = Frame(process=bytes(16), resource=Resource(service=service),
                      blocks=blocks_of(signals))  # fmt: skip
        data = encode_frame(frame)
        kept = decode_frame(amend(data, self.cardinality.over_in(decode_frame(data), peer)))
        return [row for block in kept.blocks for row in rows_of(block)]

    def over(self, rows):
        return [row.value for row in rows if row.attributes == OVERFLOW]


def points(*values, metric="hits", label="user"):
    return [
        Point(metric=metric, value=float(value), attributes={label: str(value)}) for value in values
    ]


class TestSeries:
    def test_of_a_metric_beyond_its_budget_are_one_series_and_keep_their_values(self):
        watched = Watched(series_per_metric=2)

        rows = watched.keep(points(1, 2, 3, 4))

        assert [3.0, 4.0] == watched.over(rows)
        assert 10 == sum(row.value for row in rows)
        assert 2 == watched.vitals.count("cardinality_overflow", kind="point")

    def test_that_were_there_before_stay_when_the_budget_is_used_up(self):
        watched = Watched(series_per_metric=2)
        watched.keep(points(1, 2))

        rows = watched.keep(points(9, 1, 8, 2))

        assert [9.0, 8.0] == watched.over(rows)

    def test_are_the_same_in_whatever_order_their_attributes_stand(self):
        watched = Watched(series_per_metric=1)
        watched.keep([Point(metric="hits", attributes={"a": "1", "b": "2"})])

        rows = watched.keep(
            [Point(metric="hits", attributes=one) for one in ({"b": "2", "a": "1"}, {"a": "2"})]
        )

        assert [{"a": "1", "b": "2"}, OVERFLOW] == [row.attributes for row in rows]

    def test_of_one_service_leave_others_theirs(self):
        watched = Watched(series_per_service=2)
        watched.keep(points(*range(10)), service="noisy")

        rows = watched.keep(points(1, 2), service="quiet")

        assert not watched.over(rows)

    def test_of_one_sender_are_few_under_however_many_names_of_services(self):
        watched = Watched(series_per_peer=3, series=100)
        for number in range(10):
            watched.keep(points(1), peer=ADA, service=f"made-up-{number}")

        rows = watched.keep(points(1, 2), peer=BOB, service="quiet")

        assert not watched.over(rows)
        assert 5 == len(watched.cardinality.series)

    def test_of_a_metric_nobody_knows_yet_lose_its_name_where_there_is_no_room(self):
        watched = Watched(series_per_service=1)
        watched.keep(points(1, metric="known"))

        rows = watched.keep([*points(2, metric="known"), *points(3, metric="unknown")])

        assert [("known", OVERFLOW), (OVERFLOW_NAME, OVERFLOW)] == [
            (row.metric, row.attributes) for row in rows
        ]

    def test_make_room_when_they_are_silent(self):
        watched = Watched(series_per_metric=2, forget_after_s=100)
        watched.keep(points(1, 2))
        watched.now = 60
        watched.keep(points(2))
        watched.now = 120

        rows = watched.keep(points(2, 3, 4))

        assert [4.0] == watched.over(rows)

    def test_are_all_forgotten_after_a_long_silence(self):
        watched = Watched(series_per_metric=2, forget_after_s=100)
        watched.keep(points(1, 2))
        watched.now = 1000

        assert not watched.over(watched.keep(points(3, 4)))
        assert 2 == len(watched.cardinality.series)

    def test_that_contradict_themselves_are_left_to_the_store(self):
        watched = Watched()
        block = Block(kind="point", rows=2, columns=(0, ["d", b"x", []], "gauge", 0.0, "", 1, 0.0,
                                                     0.0, {}, ["k", b"", b"", [], []]))  # fmt: skip

        assert {} == watched.cardinality.over_in(Frame(blocks=(block,)), ADA)
        assert 1 == watched.vitals.count("cardinality_unreadable")

    def test_tell_which_label_makes_them_many(self):
        watched = Watched()
        for number in range(300):
            watched.keep([Point(metric="hits", attributes={"user": str(number), "code": "200"})])

        labels = watched.cardinality.labels["shop", "hits"]

        assert 1 == labels["code"].estimate()
        assert 300 == pytest.approx(labels["user"].estimate(), rel=0.15)

    @pytest.mark.parametrize("at_once", [50, 1_000, 3_000])
    @pytest.mark.parametrize("most", [100, 10_000])
    def test_tell_how_many_values_a_label_has_however_they_come(self, at_once, most):
        watched = Watched(series_per_metric=most)
        for start in range(0, 3_000, at_once):
            watched.keep(points(*range(start, start + at_once)))

        labels = watched.cardinality.labels["shop", "hits"]

        assert 3_000 == pytest.approx(labels["user"].estimate(), rel=0.15)

    def test_tell_of_each_label_what_it_makes_of_them(self):
        watched = Watched()
        for number in range(1_000):
            labels = {"a": str(number % 50), "b": str(number // 50)}
            watched.keep([Point(metric="hits", attributes=labels)])

        found = watched.cardinality.labels["shop", "hits"]

        assert (50, 20) == pytest.approx(tuple(found[each].estimate() for each in "ab"), rel=0.15)

    def test_of_the_metric_that_explodes_are_looked_into_among_many_that_do_not(self):
        watched = Watched()
        for number in range(200):
            watched.keep(points(*range(10), metric=f"calm.{number}"))
        for start in range(0, 1_000, 10):
            watched.keep(points(*range(start, start + 10), metric="explodes"))

        labels = watched.cardinality.labels

        assert 1_000 == pytest.approx(labels["shop", "explodes"]["user"].estimate(), rel=0.15)
        assert 128 == len(labels)


class TestDistinct:
    @given(st.integers(0, 20_000), st.integers(0, 1 << 60))
    @settings(max_examples=30, deadline=None)
    def test_is_within_a_sixth_of_what_there_was(self, number, start):
        distinct = Distinct()
        distinct.add(str(start + each) for each in range(number))
        distinct.add(str(start + each) for each in range(number // 2))  # once more

        # Five times the standard error, so that chance does not fail it.
        assert number == pytest.approx(distinct.estimate(), rel=0.16, abs=2)


class TestNames:
    @pytest.mark.parametrize(("kind", "option"), [(Span, "span_names"), (Event, "event_names")])
    def test_beyond_the_budget_are_one(self, kind, option):
        watched = Watched(**{option: 2})

        rows = watched.keep([kind(name=name, user_id="u") for name in ("a", "b", "c", "a", "d")])

        assert ["a", "b", OVERFLOW_NAME, "a", OVERFLOW_NAME] == [row.name for row in rows]
        assert {"u"} == {row.user_id for row in rows}

    def test_of_a_sender_are_few_under_however_many_names_of_services(self):
        watched = Watched(span_names=2)
        for number in range(100):
            watched.keep([Span(name="x")], service=f"made-up-{number}")

        assert "y" == watched.keep([Span(name="y")], peer=BOB, service="quiet")[0].name
        assert 9 == len(watched.cardinality.names["span"])


def test_what_a_newer_writer_appended_stays_in_an_amended_frame():
    parts = unpack(encode_frame(Frame(process=bytes(16), blocks=blocks_of([Span(name="a")]))))
    parts[5][0].append("block of tomorrow")
    data = encode_frame(Frame(process=bytes(16)))
    newer = bytes([0x98]) + data[1:29] + b"".join(map(pack, [*parts[3:], "frame of tomorrow"]))

    amended = amend(newer, {(0, 4): "b"})

    assert ("b", "block of tomorrow", "frame of tomorrow") == (
        unpack(amended)[5][0][2][4], unpack(amended)[5][0][3], unpack(amended)[7]
    )  # fmt: skip
    assert newer[:29] == amended[:29]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("mn"), st.integers(0, 6),
                  st.sampled_from((ADA, BOB)), st.sampled_from((0, 0, 30, 200)))
    ),
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 12), st.integers(1, 15),
)  # fmt: skip
def test_budgets_are_kept_and_nothing_under_them_is_refused(told, metric, service, peer, whole):
    """However it is sent: no level exceeds its budget, and a refusal has a full one behind it."""
    watched = Watched(series_per_metric=metric, series_per_service=service, series_per_peer=peer,
                      series=whole, forget_after_s=100)  # fmt: skip
    census = watched.cardinality.series
    for name, metric_name, value, sender, pause in told:
        watched.now += pause
        levels = (census.groups(), census.services(), census.peers())
        before = [account for level in levels for account in level.values()]
        was_full = len(census) >= whole or any(one.count >= one.most for one in before)
        rows = watched.keep(points(value, metric=metric_name), service=name, peer=sender)

        assert was_full or not watched.over(rows)
        assert len(census) <= whole
        for level in (census.groups(), census.services(), census.peers()):
            assert all(0 < account.count <= account.most for account in level.values())
            assert len(census) == sum(account.count for account in level.values())
