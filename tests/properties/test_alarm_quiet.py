"""What keeps messages back: silences, inhibition, times of quiet, windows, flapping."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmon_agent.domain.alarms import interval_text as read
from qmon_agent.domain.alarms import windows
from qmon_agent.domain.alarms.flapping import (
    LOOKS,
    STEADY,
    Flaps,
    Tolerance,
    look,
    percent_of,
    steady_at,
)
from qmon_agent.domain.alarms.inhibition import InhibitRule, inhibitors, sources_of
from qmon_agent.domain.alarms.intervals import TimeInterval, closed_by
from qmon_agent.domain.alarms.matcher_text import parse_matchers
from qmon_agent.domain.alarms.silences import Silence, after_firing, expire, problems_of
from qmon_agent.domain.alarms.windows import NOT_BEGUN, Window, begin, is_in_use, is_open
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError

HOUR = 3_600 * SECOND
DB = parse_matchers("team=db")
SILENCE = Silence(id="1", matchers=DB, starts_at=100, ends_at=200)
INSTANTS = st.integers(0, 4_000_000_000).map(lambda seconds: seconds * SECOND)


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


class TestSilences:
    @pytest.mark.parametrize(
        ("now", "state"), [(99, "pending"), (100, "active"), (199, "active"), (200, "expired")]
    )
    def test_hold_from_their_start_up_to_their_end(self, now, state):
        assert state == SILENCE.state(now)
        assert (state == "active") is SILENCE.mutes({"team": "db"}, now)

    @given(st.integers(0, 300))
    def test_are_over_when_somebody_ends_them(self, now):
        assert "expired" == expire(SILENCE, now).state(now)

    def test_end_with_what_they_muted_where_they_shall(self):
        waiting = after_firing(replace(SILENCE, until_resolved=True), [{"team": "web"}], 110)
        muting = after_firing(waiting, [{"team": "db"}], 120)
        over = after_firing(muting, [], 130)

        assert ["active", "active", "expired"] == [
            each.state(130) for each in (waiting, muting, over)
        ]

    @pytest.mark.parametrize("matchers", ["", "team!=db", 'team=~".*"'])
    def test_are_not_made_of_everything(self, matchers):
        assert problems_of(replace(SILENCE, matchers=parse_matchers(matchers)))

    def test_are_not_made_backwards(self):
        assert problems_of(replace(SILENCE, ends_at=100))
        assert not problems_of(SILENCE)


class TestInhibition:
    RULE = InhibitRule(
        source=parse_matchers("severity=critical"),
        target=parse_matchers("severity=~warning|critical"),
        equal=("host",),
    )

    def mutes(self, labels, firing):
        return inhibitors([self.RULE], labels, sources_of([self.RULE], firing))

    def test_mutes_what_something_worse_explains(self):
        firing = {"worse": {"severity": "critical", "host": "a"}}

        assert ("worse",) == self.mutes({"severity": "warning", "host": "a"}, firing)
        assert () == self.mutes({"severity": "warning", "host": "b"}, firing)

    def test_takes_a_missing_label_for_an_empty_one(self):
        firing = {"worse": {"severity": "critical", "host": ""}}

        assert ("worse",) == self.mutes({"severity": "warning"}, firing)

    @given(st.lists(st.sampled_from("ab"), max_size=4))
    def test_never_mutes_what_is_a_source_and_a_target_by_such(self, hosts):
        firing = {str(n): {"severity": "critical", "host": host} for n, host in enumerate(hosts)}

        assert not any(self.mutes(labels, firing) for labels in firing.values())


class TestTimeIntervals:
    def test_begin_with_their_start_and_end_before_their_end(self):
        office = TimeInterval(times=(read.parse_times("09:00", "17:00"),))

        shown = [
            office.holds(at(f"2026-03-02T{time}")) for time in ("08:59", "09:00", "16:59", "17:00")
        ]
        assert [False, True, True, False] == shown

    @given(INSTANTS)
    def test_of_the_last_days_hold_in_every_month(self, now):
        tomorrow = datetime.fromtimestamp(now // SECOND, UTC) + timedelta(days=1)
        last = TimeInterval(days_of_month=(read.parse_days("-1"),))

        assert (tomorrow.day == 1) == last.holds(now)

    def test_of_days_that_a_month_has_not_hold_never_in_it(self):
        late = TimeInterval(days_of_month=(read.parse_days("31"), read.parse_days("30:31")))

        assert not late.holds(at("2026-02-28T12:00"))

    def test_go_by_the_clocks_of_their_place_through_the_year(self):
        office = TimeInterval(times=((540, 1020),), zone="Europe/Berlin")

        assert [True, True] == [
            office.holds(at(day)) for day in ("2026-01-05T08:00", "2026-07-06T07:00")
        ]
        assert [False, False] == [
            office.holds(at(day)) for day in ("2026-01-05T07:59", "2026-07-06T06:59")
        ]

    @given(INSTANTS, st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]))
    def test_of_all_days_hold_always(self, now, zone):
        every = TimeInterval(
            times=((0, 1440),), weekdays=((0, 6),), days_of_month=((1, -1),), zone=zone
        )

        assert every.holds(now)

    def test_close_a_route_when_muted_or_not_active(self):
        weekend = {"weekend": (TimeInterval(weekdays=((6, 6), (0, 0))),)}
        saturday, monday = at("2026-03-07T12:00"), at("2026-03-09T12:00")

        closed = [
            closed_by(weekend, now, mute=mute, active=active)
            for now in (saturday, monday)
            for mute, active in ((["weekend"], []), ([], ["weekend"]), ([], []))
        ]
        assert [("weekend",), (), (), (), ("weekend",), ()] == closed

    @pytest.mark.parametrize(
        ("reader", "text"),
        [
            (read.parse_weekdays, "mondey"),
            (read.parse_weekdays, "friday:monday"),
            (read.parse_months, "13"),
            (read.parse_days, "0"),
            (read.parse_days, "-1:5"),
            (read.parse_days, "20:-20"),
            (read.parse_days, "30:-1"),
            (read.parse_years, "next"),
            (read.parse_zone, "Mars/Olympus"),
            (lambda text: read.parse_times(*text.split()), "17:00 09:00"),
            (lambda text: read.parse_times(*text.split()), "9:00 17:00"),
        ],
    )
    def test_say_what_is_wrong(self, reader, text):
        with pytest.raises(ConfigError):
            reader(text)


class TestWindows:
    def test_open_once(self):
        once = Window(name="move", starts_at=100, ends_at=200)

        assert [False, True, False] == [is_open(once, now) for now in (99, 100, 200)]

    def test_open_again_and_again_by_the_clocks_of_a_place(self):
        nightly = Window(name="n", schedule="0 2 * * *", opens_ns=HOUR, zone="Europe/Berlin")

        for winter, summer in (("00:59", "23:59"), ("01:00", "00:00"), ("02:00", "01:00")):
            assert (winter == "01:00") is is_open(nightly, at(f"2026-01-05T{winter}"))
            assert (summer == "00:00") is is_open(nightly, at(f"2026-07-05T{summer}"))

    def test_that_are_flexible_begin_with_the_first_failure_in_them(self):
        flexible = Window(name="f", starts_at=100, ends_at=200, lasts_ns=150, is_flexible=True)
        begun = begin(flexible, begin(flexible, NOT_BEGUN, 99), 180)

        used = [is_in_use(flexible, begun, now) for now in (179, 180, 329, 330)]
        assert [False, True, True, False] == used
        assert begun == begin(flexible, begun, 199)

    def test_that_are_flexible_are_used_once_in_each_opening(self):
        weekly = Window(
            name="f", schedule="0 2 * * 1", opens_ns=4 * HOUR, lasts_ns=HOUR, is_flexible=True
        )
        first = begin(weekly, NOT_BEGUN, at("2026-03-02T02:30"))
        same = begin(weekly, first, at("2026-03-02T05:00"))
        next_week = begin(weekly, first, at("2026-03-09T03:00"))

        assert first == same
        assert at("2026-03-09T03:00") == next_week.at

    def test_are_about_what_they_name(self):
        assert windows.is_about(Window(name="w", matchers=DB), {"team": "db"})
        assert not windows.is_about(Window(name="w", matchers=DB), {"team": "web"})


class TestFlapping:
    BY = Tolerance(window_ns=LOOKS * 10)
    MOMENTS = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60)

    def after(self, moments):
        flaps, now = Flaps(), 0
        for passed, changed in moments:
            now += passed
            flaps = look(flaps, now, by=self.BY, changed=changed)
        return flaps, now

    def test_begins_above_thirty_percent_and_ends_at_twentyfive(self):
        flaps, shown = Flaps(), []
        for n in range(32):
            flaps = look(flaps, n * 10, by=self.BY, changed=n < 12)
            shown.append((percent_of(flaps.changes), flaps.is_flapping))

        entered = next(n for n, (_, flapping) in enumerate(shown) if flapping)
        left = next(n for n, (_, flapping) in enumerate(shown) if n > entered and not flapping)
        assert shown[entered - 1][0] <= 30 < shown[entered][0]
        assert shown[left][0] <= 25 < shown[left - 1][0]

    @given(st.lists(st.integers(0, 10), min_size=6, max_size=6))
    def test_begins_with_the_sixth_change_however_fast_they_come(self, passed):
        flaps, now, seen = Flaps(), 0, []
        for each in passed:
            now += each
            flaps = look(flaps, now, by=self.BY, changed=True)
            seen.append(flaps.is_flapping)

        assert [False] * 5 + [True] == seen

    @given(MOMENTS)
    def test_is_over_when_it_says_so_and_not_before(self, moments):
        flaps, _ = self.after(moments)
        over = steady_at(flaps, by=self.BY)

        assert flaps.is_flapping is (over is not None)
        if over is not None:
            assert look(flaps, over - 1, by=self.BY).is_flapping
            assert not look(flaps, over, by=self.BY).is_flapping

    @given(MOMENTS, st.integers(0, 900))
    def test_does_not_depend_on_how_often_it_is_looked_at(self, moments, later):
        flaps, now = self.after(moments)
        between = look(flaps, now + later // 2, by=self.BY)

        seen_between = look(between, now + later, by=self.BY)
        assert look(flaps, now + later, by=self.BY).changes == seen_between.changes

    @given(MOMENTS, st.integers(0, 10_000))
    def test_goes_on_when_the_clock_is_set_back(self, moments, back):
        flaps, now = self.after(moments)
        set_back = look(flaps, max(now - back, 0), by=self.BY)

        over = look(set_back, set_back.look * 10 + LOOKS * 10, by=self.BY)
        assert (0, False) == (over.changes, over.is_flapping)

    @given(MOMENTS)
    def test_is_none_where_it_is_switched_off(self, moments):
        flaps, now = self.after(moments)

        assert STEADY == look(flaps, now, by=Tolerance(), changed=True)
