"""Laws of uptime: no time is lost or counted twice, and maintenance is none of it that was down."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.components import merged
from qmon_agent.domain.availability import (
    DOWN,
    STATES,
    Stretch,
    by_day,
    day_begins,
    excused,
    overlapping,
    timeline,
    total,
    uptime_of,
    worst_of,
)
from qmon_agent.domain.clock import SECOND

HOUR = 3_600 * SECOND
SINCE = 1_774_000_000 * SECOND  # some days before the clocks of Europe are set
UNTIL = SINCE + 20 * 24 * HOUR
moments = st.integers(SINCE - 24 * HOUR, UNTIL + 24 * HOUR)
stretches = st.lists(
    st.builds(lambda at, end, state: Stretch(min(at, end), max(at, end), state),
              moments, moments, st.sampled_from(STATES)),
    max_size=12,
)  # fmt: skip
spans = st.lists(st.tuples(moments, moments).map(lambda pair: tuple(sorted(pair))), max_size=6)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia"])


def length(pieces, states=STATES):
    return sum(each.end - each.start for each in pieces if each.state in states)


class TestTimeline:
    @given(stretches)
    def test_is_all_of_the_time_without_a_gap(self, found):
        line = timeline(found, SINCE, UNTIL)

        assert (SINCE, UNTIL) == (line[0].start, line[-1].end)
        assert all(one.end == two.start for one, two in pairwise(line))

    @given(stretches, st.integers(SINCE, UNTIL - 1))
    def test_is_at_each_moment_as_bad_as_the_worst_that_is_said(self, found, at):
        [here] = [e for e in timeline(found, SINCE, UNTIL) if e.start <= at < e.end]

        assert here.state == worst_of(e.state for e in found if e.start <= at < e.end)

    @given(stretches)
    def test_counts_what_is_said_twice_once(self, found):
        assert timeline(found, SINCE, UNTIL) == timeline([*found, *found], SINCE, UNTIL)

    @given(stretches, st.integers(SINCE, UNTIL))
    def test_of_parts_is_that_of_the_whole(self, found, cut):
        parts = [*timeline(found, SINCE, cut), *timeline(found, cut, UNTIL)]

        assert length(parts, DOWN) == length(timeline(found, SINCE, UNTIL), DOWN)

    def test_of_no_time_is_empty(self):
        assert [] == by_day(timeline([], SINCE, SINCE), "UTC")


class TestDays:
    @given(stretches, zones)
    def test_have_shares_and_together_all_there_is(self, found, zone):
        line = timeline(found, SINCE, UNTIL)
        days = by_day(line, zone)

        assert all(0.0 <= day.uptime <= 1.0 for day in days)
        assert total(days) == {s: length(line, {s}) for s in {each.state for each in line}}
        assert uptime_of(total(days)) == 1.0 - length(line, DOWN) / (UNTIL - SINCE)

    @given(stretches, zones)
    def test_are_those_of_the_place_each_once(self, found, zone):
        days = [day.date for day in by_day(timeline(found, SINCE, UNTIL), zone)]
        place = ZoneInfo(zone)

        assert sorted(set(days)) == days
        assert f"{datetime.fromtimestamp(SINCE // SECOND, place):%Y-%m-%d}" == days[0]
        assert f"{datetime.fromtimestamp((UNTIL - 1) // SECOND, place):%Y-%m-%d}" == days[-1]

    @pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-03-28", 24)])
    def test_are_as_long_as_the_clocks_say(self, day, hours):
        line = timeline([], SINCE, UNTIL)
        [found] = [each for each in by_day(line, "Europe/Berlin") if each.date == day]

        assert {"operational": hours * HOUR} == found.nanos

    def test_begin_at_midnight_of_the_place(self):
        began = day_begins(SINCE, "Asia/Tokyo", days_before=2)

        assert 0 == (began + 9 * HOUR) % (24 * HOUR)
        assert 2 * 24 * HOUR <= SINCE - began < 3 * 24 * HOUR


class TestMaintenance:
    @given(st.builds(Stretch, moments, moments, st.just("major_outage")), spans)
    def test_is_cut_out_of_what_was_down_and_nothing_else_is(self, met, work):
        pieces = list(excused(met, work))
        down = timeline([met], SINCE, UNTIL)
        both = timeline([Stretch(*span, "degraded_performance") for span in work], SINCE, UNTIL)
        meant = {each for span in both for each in [span] if each.state != "operational"}
        overlap = sum(
            max(0, min(one.end, two.end) - max(one.start, two.start))
            for one in down if one.state in DOWN for two in meant
        )  # fmt: skip

        left = length(timeline(pieces, SINCE, UNTIL), DOWN)
        assert length(down, DOWN) - overlap == left

    @given(st.builds(Stretch, moments, moments, st.just("major_outage")), spans)
    def test_that_a_stretch_does_not_meet_changes_nothing_in_it(self, met, work):
        assume(met.start < met.end)
        found = merged(work)

        assert [*excused(met, found)] == [*excused(met, overlapping(found, met))]

    @given(spans)
    def test_is_never_downtime(self, work):
        whole = [(SINCE - HOUR, UNTIL + HOUR), *work]
        pieces = excused(Stretch(SINCE, UNTIL, "major_outage"), whole)

        assert 1.0 == uptime_of(total(by_day(timeline(pieces, SINCE, UNTIL), "UTC")))
