"""Schedules: the same as another implementation of cron says, also where clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.schedules import next_run
from qmon_sdk.protocol.schedules import Crontab, Every, ScheduleError, parse_schedule, schedule_text

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Casablanca",
)


def numbers(least, most):
    return st.integers(least, most).map(str)


def fields(least, most):
    number = numbers(least, most)
    pairs = st.tuples(st.integers(least, most), st.integers(least, most))
    # The other one reads 1-1/2 as 1/2, which no cron does.
    ranges = pairs.filter(lambda p: p[0] != p[1]).map(lambda p: f"{min(p)}-{max(p)}")
    steps = st.tuples(st.just("*") | ranges, st.integers(1, 30)).map(lambda p: f"{p[0]}/{p[1]}")
    lists = st.lists(number | ranges, min_size=1, max_size=3).map(",".join)
    return st.just("*") | number | lists | steps


CRONTABS = st.tuples(
    fields(0, 59), fields(0, 23), st.just("*") | fields(1, 28), fields(1, 12), fields(0, 6)
).map(" ".join)
DAILY = st.tuples(fields(0, 59), fields(0, 3), st.just("*"), st.just("*"), st.just("*")).map(
    " ".join
)
# Around the days on which clocks are set, where the trouble is.
CHANGES = [
    datetime(year, month, day, tzinfo=UTC)
    for year in (2024, 2025, 2026)
    for month, day in ((3, 9), (3, 29), (4, 5), (10, 4), (10, 26), (11, 2))
]
MOMENTS = st.one_of(
    st.integers(1_600_000_000, 2_000_000_000),
    st.tuples(st.sampled_from(CHANGES), st.integers(0, 3 * 86_400)).map(
        lambda p: int(p[0].timestamp()) - 86_400 + p[1]
    ),
)


def by_another(schedule, after, zone):
    """What cronsim says: it goes on from a moment that it takes for a run."""
    start = datetime.fromtimestamp(after, ZoneInfo(zone) if zone != "UTC" else UTC)
    return int(next(CronSim(schedule, start)).timestamp())


class TestNextRun:
    @settings(max_examples=300)
    @given(schedule=CRONTABS, after=MOMENTS, zone=st.sampled_from(ZONES))
    def test_is_what_another_implementation_says(self, schedule, after, zone):
        assert by_another(schedule, after, zone) * SECOND == next_run(
            schedule, after * SECOND, zone
        )

    @settings(max_examples=300)
    @given(schedule=DAILY, after=MOMENTS, zone=st.sampled_from(ZONES))
    def test_is_the_same_where_clocks_are_set(self, schedule, after, zone):
        assert by_another(schedule, after, zone) * SECOND == next_run(
            schedule, after * SECOND, zone
        )

    @given(schedule=CRONTABS, after=MOMENTS, zone=st.sampled_from(ZONES))
    def test_is_later_and_nothing_is_in_between(self, schedule, after, zone):
        first = next_run(schedule, after * SECOND, zone)
        assert first > after * SECOND
        assert first == next_run(schedule, first - 1, zone)

    def test_knows_clocks_that_are_set_by_half_an_hour(self):
        night = int(datetime(2026, 4, 4, 14, 59, tzinfo=UTC).timestamp())  # 1:59, and then 1:30
        following = [night * SECOND]
        for _ in range(3):
            following.append(next_run("*/30 * * * *", following[-1], "Australia/Lord_Howe"))
        assert [60, 1800, 1800] == [(b - a) // SECOND for a, b in pairwise(following)]

    def test_waits_for_a_day_that_comes_once_in_a_generation(self):
        first = next_run("0 0 29 2 */7", 0)
        second = next_run("0 0 29 2 */7", first)
        assert [1976, 2004] == [
            datetime.fromtimestamp(at // SECOND, UTC).year for at in (first, second)
        ]

    @given(seconds=st.integers(1, 10**6), after=MOMENTS)
    def test_of_an_interval_is_that_much_later(self, seconds, after):
        assert after * SECOND + seconds * SECOND == next_run(f"every {seconds}s", after * SECOND)


class TestText:
    @given(schedule=CRONTABS)
    def test_of_a_schedule_is_read_back(self, schedule):
        assert schedule_text(schedule) == schedule_text(schedule_text(f"  {schedule} "))
        assert isinstance(parse_schedule(schedule), Crontab)

    @given(seconds=st.integers(1, 366 * 86_400))
    def test_of_an_interval_is_read_back(self, seconds):
        assert Every(seconds=seconds) == parse_schedule(schedule_text(timedelta(seconds=seconds)))

    @example("every")
    @example("0 0 31 2 *")
    @given(st.text(max_size=30) | st.lists(st.text(max_size=6), max_size=6).map(" ".join))
    def test_that_is_none_is_a_named_error_and_nothing_else(self, text):
        try:
            parse_schedule(text)
        except ScheduleError as error:
            assert str(error)

    @pytest.mark.parametrize("said", [None, True, -5, 0, float("nan"), float("inf"), [], 10**12])
    def test_or_value_that_is_none_is_a_named_error(self, said):
        with pytest.raises(ScheduleError):
            parse_schedule(said)
