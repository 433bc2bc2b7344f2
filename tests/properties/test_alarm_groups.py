"""Groups: whatever happens, everybody hears of what they shall, once, and never of an end first."""

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.groups import (
    Alarm,
    Endpoint,
    Quiet,
    dispatch,
    join,
    next_due,
)
from qmon_agent.domain.alarms.route_tree import Branch, plant

WAIT, INTERVAL, REPEAT = 30, 300, 700
ROOT = plant(
    Branch(
        receiver="team",
        group_by=("g",),
        group_wait_ns=WAIT,
        group_interval_ns=INTERVAL,
        repeat_interval_ns=REPEAT,
    )
)
RECEIVERS = {"team": (Endpoint(channel="all"), Endpoint(channel="begins", send_resolved=False))}
STEPS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from("ab"), st.integers(0, 3), st.booleans()),
    max_size=30,
)
"""Seconds later, in this group, this alert begins or ends."""


class Play:
    """What is told of a story, asked whenever something is due."""

    def __init__(self, quiet=None):
        self.groups, self.now, self.told, self.firing = {}, 1_000, [], {}
        self.quiet = quiet or Quiet()

    def let(self, seconds):
        end = self.now + seconds
        while (due := next_due(self.groups)) is not None and due <= end:
            self.now = max(self.now, due)
            self._dispatch(())
        self.now = end

    def happen(self, name, *, fires, group="a"):
        began = self.firing.pop(name, self.now)
        ended = 0 if fires else self.now
        if fires:
            self.firing[name] = began
        labels = {"g": group, "name": name}
        self._dispatch([Alarm(id=name, labels=labels, starts_at=began, resolved_at=ended)])

    def of(self, channel):
        return [(at, said) for at, said in self.told if said.channel == channel]

    def reasons(self, channel="all"):
        return [(at - 1_000, said.reason) for at, said in self.of(channel)]

    def _dispatch(self, news):
        self.groups, said = dispatch(
            self.groups, news, self.now, root=ROOT, receivers=RECEIVERS, quiet=self.quiet
        )
        self.told += [(self.now, each) for each in said]


def played(steps):
    play = Play()
    for seconds, group, number, fires in steps:
        play.let(seconds)
        play.happen(f"{group}{number}", fires=fires, group=group)
    return play


class TestAStory:
    def test_is_told_as_alertmanager_tells_it(self):
        play = Play()
        play.happen("x", fires=True)
        play.let(WAIT + 10)
        play.happen("y", fires=True)
        play.let(INTERVAL)
        play.happen("y", fires=False)
        play.let(INTERVAL)
        play.happen("x", fires=False)
        play.let(2 * INTERVAL)

        assert [
            (30, "first"),
            (330, "new_alerts"),
            (630, "new_resolved"),
            (930, "all_resolved"),
        ] == play.reasons()
        assert [(30, "first"), (330, "new_alerts")] == play.reasons("begins")
        assert not play.groups

    def test_is_repeated_at_the_first_look_after_the_interval(self):
        play = Play()
        play.happen("x", fires=True)
        play.let(2_000)

        assert [(30, "first"), (930, "repeat"), (1_830, "repeat")] == play.reasons()

    def test_of_what_ends_while_it_waits_is_not_told(self):
        play = Play()
        play.happen("x", fires=True)
        play.let(WAIT - 1)
        play.happen("x", fires=False)
        play.let(1_000)

        assert not play.told
        assert not play.groups

    def test_waits_no_more_where_it_waited_elsewhere(self):
        play = Play()
        play.firing["x"] = play.now - WAIT - 1
        play.happen("x", fires=True)

        assert [(0, "first")] == play.reasons()

    def test_of_what_is_silenced_goes_on_without_it(self):
        play = Play(Quiet(alarms={"y"}))
        play.happen("x", fires=True)
        play.happen("y", fires=True)
        play.let(INTERVAL)

        assert [["x"]] == [[each.id for each in said.alarms] for _, said in play.of("all")]

    def test_of_what_was_told_has_an_end_though_it_is_silenced(self):
        play = Play()
        play.happen("x", fires=True)
        play.let(WAIT)
        play.quiet = Quiet(alarms={"x"})
        play.happen("x", fires=False)
        play.let(INTERVAL)

        assert [(30, "first"), (330, "all_resolved")] == play.reasons()

    def test_that_ends_in_a_time_of_quiet_is_told_after_it(self):
        play = Play()
        play.happen("x", fires=True)
        play.let(WAIT)
        play.quiet = Quiet(routes={ROOT.name})
        play.happen("x", fires=False)
        play.let(2 * INTERVAL)
        play.quiet = Quiet()
        play.let(INTERVAL)

        assert [(30, "first"), (930, "all_resolved")] == play.reasons()


class TestGroups:
    @given(STEPS)
    def test_never_begin_with_an_end(self, steps):
        firsts = {said.key: said for _, said in played(steps).told[::-1]}
        for first in firsts.values():
            assert ("first", "firing") == (first.reason, first.status)

    @given(STEPS)
    def test_tell_all_that_goes_on_in_time(self, steps):
        play = played(steps)
        play.let(WAIT + INTERVAL)
        told = {each.id for _, said in play.of("all") for each in said.alarms}

        assert set(play.firing) <= told

    @given(STEPS)
    def test_have_told_every_end_when_they_are_gone(self, steps):
        play = played(steps)
        for name in [*play.firing]:
            play.happen(name, fires=False, group=name[0])
        play.let(WAIT + INTERVAL)
        last = {said.key: said.status for _, said in play.of("all")}

        assert not play.groups
        assert set(last.values()) <= {"resolved"}

    @given(STEPS)
    def test_tell_some_channels_of_no_end(self, steps):
        assert all(each.fires for _, said in played(steps).of("begins") for each in said.alarms)

    @given(STEPS)
    def test_say_nothing_twice_before_it_is_time(self, steps):
        before = {}
        for at, said in played(steps).of("all"):
            told, last = before.get(said.key, (None, 0))
            now = {(each.id, each.fires) for each in said.alarms}
            assert told is None or not now <= told or at - last >= REPEAT or said.reason != "repeat"
            before[said.key] = (now, at)

    @given(STEPS)
    def test_are_never_looked_at_more_often_than_they_say(self, steps):
        looks = {}
        for at, said in played(steps).of("all"):
            before = looks.get(said.key)
            assert said.reason == "first" or before is None or at - before >= INTERVAL
            looks[said.key] = at


class TestJoining:
    @given(
        STEPS,
        st.lists(
            st.builds(
                Alarm,
                id=st.sampled_from("abcdef"),
                labels=st.sampled_from([{"g": "a"}, {"g": "b"}]),
                starts_at=st.integers(900, 2_000),
                resolved_at=st.sampled_from([0, 1_500]),
            )
        ),
    )
    def test_together_is_joining_one_by_one(self, steps, news):
        before = played(steps).groups
        known = {key: (group, dict(group.alarms)) for key, group in before.items()}
        one_by_one = before
        for alarm in news:
            one_by_one = join(one_by_one, [alarm], 2_000, root=ROOT)

        assert one_by_one == join(before, news, 2_000, root=ROOT)
        # Nothing happens to what was there before.
        assert known == {key: (group, dict(group.alarms)) for key, group in before.items()}
