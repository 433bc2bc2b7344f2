"""The storm brake: nothing is lost, what is critical passes, it ends, and a restart is no break."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmon_agent.domain.alarms.storms import (
    CALM,
    MOST_HUSHED,
    MOST_KINDS,
    OTHERS,
    SUMS_UP,
    Brake,
    Said,
    Storm,
    brake,
)

BRAKE = Brake(most=3, within_ns=100)
OFF = Brake()
SAID = st.builds(
    Said,
    thread=st.sampled_from("abcdefghij"),
    kind=st.sampled_from(["hot", "full"]),
    severity=st.sampled_from(["info", "warning", "error", "critical"]),
    status=st.sampled_from(["firing", "firing", "resolved", "acknowledged"]),
    begins=st.just(False),
    incidents=st.sampled_from([1, 1, 1, 2, SUMS_UP]),
)
STORIES = st.lists(
    st.tuples(
        st.integers(0, 80),
        st.lists(st.tuples(SAID, st.booleans()).map(lambda both: _begun(*both)), max_size=8),
    ),
    max_size=20,
)


def _begun(said, begins):
    return replace(said, begins=begins and said.status == "firing")


def begun(names, severity="warning"):
    return [Said(thread=name, kind="hot", severity=severity) for name in names]


def over(names):
    return [Said(thread=name, status="resolved", begins=False) for name in names]


def told(story, by=BRAKE, between=lambda storm: storm):
    """Each turn's messages and what became of them, and the calm after the last."""
    storm, now, turns = Storm(), 1, []
    for later, said in [*story, (1_000, [])]:
        now += later
        done = brake(between(storm), said, now, by=by)
        turns.append((said, done))
        storm = done.storm
    return turns


class TestStorms:
    def test_are_said_once_and_summed_up(self):
        first = brake(CALM, begun("abcde"), 10, by=BRAKE)
        second = brake(first.storm, begun("f") + over("d"), 60, by=BRAKE)
        after = brake(second.storm, [], 160, by=BRAKE)

        assert (frozenset({3, 4}), True) == (first.held, first.announced)
        assert (frozenset({0, 1}), False) == (second.held, second.announced)
        assert (3, 2, [("hot", 3)]) == (after.ended.count, after.ended.firing, after.ended.largest)

    @given(STORIES)
    def test_lose_nothing_that_begins(self, story):
        turns = told(story)
        held = [said[n] for said, done in turns for n in done.held]
        counted = sum(done.ended.count for _, done in turns if done.ended)

        assert sum(each.begins for each in held) <= counted
        assert counted <= sum(each.status == "firing" for each in held)

    def test_are_none_of_what_is_repeated_unless_it_was_held(self):
        again = [replace(each, begins=False) for each in begun("abcdefgh")]
        first = brake(CALM, begun("abcdefgh"), 10, by=BRAKE)
        calm = brake(first.storm, [], 500, by=BRAKE)
        second = brake(calm.storm, again, 600, by=BRAKE)

        assert (5, True) == (calm.ended.count, second.announced)
        assert (frozenset({6, 7}), 2) == (second.held, second.storm.count)

    @given(STORIES)
    def test_end_each_as_often_as_they_begin(self, story):
        turns = told(story)

        assert sum(done.announced for _, done in turns) == sum(bool(d.ended) for _, d in turns)
        assert not turns[-1][1].storm.since

    @given(STORIES)
    def test_let_through_what_is_critical_or_sums_up(self, story):
        for said, done in told(story):
            kept = [said[n] for n in done.held]
            assert not any(each.severity == "critical" for each in kept)
            assert not any(each.incidents >= SUMS_UP and each.status == "firing" for each in kept)

    @given(STORIES)
    def test_tell_an_end_to_whoever_heard_the_last_beginning(self, story):
        heard = {}
        for said, done in told(story):
            for n, each in enumerate(said):
                if each.begins:
                    heard[each.thread] = n not in done.held
                elif each.status == "resolved" and heard.pop(each.thread, False):
                    assert n not in done.held

    @given(STORIES)
    def test_go_on_after_a_restart_as_without_one(self, story):
        def restarted(storm):
            return msgspec.json.decode(msgspec.json.encode(storm), type=Storm)

        assert told(story) == told(story, between=restarted)

    @given(STORIES)
    def test_are_none_where_there_is_no_brake(self, story):
        assert not any(done.held or done.announced for _, done in told(story, by=OFF))

    def test_are_over_when_the_brake_is_taken_off(self):
        storm = brake(CALM, begun("abcdef"), 10, by=BRAKE).storm

        assert 3 == brake(storm, [], 11, by=OFF).ended.count

    def test_are_over_when_the_clock_is_set_back(self):
        storm = brake(CALM, begun("abcdef"), 10_000, by=BRAKE).storm

        assert brake(storm, [], 10, by=BRAKE).ended

    def test_last_while_more_than_half_of_what_is_allowed_begins(self):
        storm = brake(CALM, begun("abcdef"), 10, by=BRAKE).storm
        storm = brake(storm, begun("gh"), 100, by=BRAKE).storm

        assert brake(storm, [], 150, by=BRAKE).ended is None

    def test_remember_and_name_only_so_many(self):
        many = [Said(thread=str(n), kind=str(n)) for n in range(MOST_HUSHED + 10)]
        storm = brake(CALM, many, 10, by=BRAKE).storm

        assert MOST_HUSHED == len(storm.hushed)
        assert MOST_HUSHED + 7 == storm.count == sum(storm.kinds.values())
        assert MOST_KINDS + 1 == len(storm.kinds)
        assert OTHERS in storm.kinds
