"""Duty: somebody is on call at every moment, and is told until somebody takes an incident on."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmon_agent.domain.alarms import handling
from qmon_agent.domain.alarms.calling import Endpoint
from qmon_agent.domain.alarms.handling import UNHANDLED
from qmon_agent.domain.alarms.intervals import TimeInterval
from qmon_agent.domain.alarms.rotations import DutySchedule, Override, Rotation, on_call, turns
from qmon_agent.domain.clock import SECOND

PEOPLE = ("ann", "bob", "cem")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago")
DAY = 86_400 * SECOND
WEEKLY = Rotation(people=PEOPLE, starts="2026-01-05", at="09:00", zone="Europe/Berlin")
ROTATIONS = st.builds(
    Rotation,
    people=st.just(PEOPLE),
    starts=st.just("2026-01-05"),
    at=st.sampled_from(["00:00", "02:30", "09:00"]),
    turn=st.sampled_from(["hours", "days", "weeks"]),
    length=st.integers(1, 4),
    zone=st.sampled_from(ZONES),
)
MOMENTS = st.integers(0, 800 * 86_400).map(
    lambda seconds: at("2026-01-06T12:00") + seconds * SECOND
)


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


class TestRotations:
    @given(ROTATIONS, MOMENTS)
    def test_leave_no_moment_without_somebody(self, rotation, now):
        assert rotation.on_call(now) in PEOPLE

    @given(ROTATIONS, MOMENTS)
    def test_go_on_in_their_order(self, rotation, now):
        turns = [rotation.on_call(now + hour * 3_600 * SECOND) for hour in range(240)]
        changes = [(a, b) for a, b in pairwise(turns) if a != b]

        assert all(b == PEOPLE[(PEOPLE.index(a) + 1) % 3] for a, b in changes)

    @pytest.mark.parametrize("monday", ["2026-03-23", "2026-03-30", "2026-10-19", "2026-10-26"])
    def test_change_at_the_same_time_by_the_wall_when_clocks_are_set(self, monday):
        change = at(f"{monday}T09:00", "Europe/Berlin")

        assert WEEKLY.on_call(change - 1) != WEEKLY.on_call(change)
        assert WEEKLY.on_call(change) == WEEKLY.on_call(change + 6 * DAY)

    def test_of_hours_go_by_real_time(self):
        hourly = replace(WEEKLY, turn="hours", length=8)
        night = at("2026-03-28T21:00", "Europe/Berlin")
        turns = [hourly.on_call(night + hour * 3_600 * SECOND) for hour in range(24)]

        assert {8} == {turns.count(person) for person in PEOPLE}

    def test_have_nobody_before_they_start(self):
        assert "" == WEEKLY.on_call(at("2026-01-05T07:59"))
        assert "ann" == WEEKLY.on_call(at("2026-01-05T08:00"))

    def test_are_listed_from_turn_to_turn(self):
        schedule = DutySchedule(name="duty", layers=(WEEKLY,))
        start = at("2026-03-24T12:00")
        listed = [*turns(schedule, start, start + 14 * DAY)]

        monday = at("2026-03-30T09:00", "Europe/Berlin")
        assert [start, monday, monday + 7 * DAY] == [moment for moment, _ in listed]

    def test_count_only_at_their_times(self):
        nights = replace(WEEKLY, only=(TimeInterval(times=((0, 480),)),))
        schedule = DutySchedule(name="duty", layers=(WEEKLY, replace(nights, people=("nia",))))

        assert "nia" == on_call(schedule, at("2026-01-06T07:59"))
        assert "ann" == on_call(schedule, at("2026-01-06T08:00"))

    @given(MOMENTS, MOMENTS)
    def test_give_way_to_overrides(self, start, now):
        override = Override(person="dee", starts_at=start, ends_at=start + DAY)
        schedule = DutySchedule(name="duty", layers=(WEEKLY,), overrides=(override,))
        expected = "dee" if start <= now < start + DAY else WEEKLY.on_call(now)

        assert expected == on_call(schedule, now)
        assert (now, expected) == next(turns(schedule, now, now + 1))


class TestHandling:
    def test_by_one_who_takes_it_on_for_a_time_ends_by_itself(self):
        taken = handling.acknowledge(UNHANDLED, "ann", 100, until=200)

        assert [True, False] == [taken.is_acked(199), taken.is_acked(200)]
        assert (UNHANDLED, ("ack_expired",)) == handling.let_time_pass(taken, 200)

    @pytest.mark.parametrize("sticky", [True, False])
    def test_stays_when_it_gets_worse_only_where_it_sticks(self, sticky):
        taken = handling.acknowledge(UNHANDLED, "ann", 100, sticky=sticky)

        assert sticky is handling.severity_changed(taken).is_acked(150)

    def test_remembers_who_it_was_given_to(self):
        given_to = handling.assign(handling.acknowledge(UNHANDLED, "ann", 100), "bob")

        assert "bob" == handling.give_back(given_to).assignee

    @given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 100))
    def test_ends_when_it_says_it_will(self, acked, snoozed, now):
        held = handling.snooze(handling.acknowledge(UNHANDLED, "ann", 0, until=0), snoozed)
        held = replace(held, acked_at=1, acked_until=acked)
        end = handling.next_end(held, now)
        passed, _ = handling.let_time_pass(held, now)

        assert min((t for t in (acked, snoozed) if t > now), default=None) == end
        assert passed.is_quiet(now) is (end is not None)


class TestCalls:
    @given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 99), st.integers(1, 999))
    def test_come_as_often_as_they_shall_and_a_round_apart(self, after, rounds, length, since):
        endpoint = Endpoint(channel="boss", after_ns=after, rounds=rounds, round_ns=length)
        calls, now = [], since
        while (call := endpoint.next_call(since, now)) is not None:
            assert call > now
            assert endpoint.last_call(since, call) == call
            assert endpoint.last_call(since, call - 1) < call
            calls.append(call)
            now = call

        assert [since + after + n * length for n in range(1, rounds + 1)] == calls

    @given(st.integers(0, 50), st.integers(0, 999), st.integers(0, 999))
    def test_are_none_where_nothing_is_repeated_or_nobody_waits(self, after, since, now):
        once = Endpoint(channel="boss", after_ns=after)
        waits_not = Endpoint(channel="boss", after_ns=after, rounds=2, round_ns=9)

        assert (0, None) == (once.last_call(since, now), once.next_call(since, now))
        assert (0, None) == (waits_not.last_call(0, now), waits_not.next_call(0, now))
