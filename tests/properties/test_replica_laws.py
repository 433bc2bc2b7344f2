"""Instances of a service: what they come to is the same in whatever order their points come."""

import math

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.replicas import MOST, Word, combined, heard, numbers

SILENCE = 300 * SECOND
VALUES = st.floats(-100, 100) | st.just(math.nan)
TOLD = st.lists(st.tuples(st.sampled_from("abc"), VALUES), min_size=1, max_size=30)


def known_after(told, *, step=1, known=None):
    """Each tells in its turn, seconds apart; how it stands after the last."""
    now = newest = 1_000 * SECOND
    for name, value in told:
        known = heard(known or {}, Word(name, value), now=now, newest=newest, silence=SILENCE)
        now, newest = now + round(step * SECOND), now
    return known


def joined(known, across="any"):
    return combined(numbers(known).values(), across, worst=lambda values: values[-1])


def interleaved(told, random):
    """In another order, but each one's own points in theirs."""
    waiting = {name: [each for each in told if each[0] == name] for name in "abc"}
    names = [name for name, _ in told]
    random.shuffle(names)
    return [waiting[name].pop(0) for name in names]


class TestInstances:
    @given(TOLD, st.randoms(), st.sampled_from(["any", "sum", "avg", "min", "max"]))
    def test_come_to_the_same_in_any_order(self, told, random, across):
        one, other = known_after(told), known_after(interleaved(told, random))

        assert repr(joined(one, across)) == repr(joined(other, across))

    @given(TOLD, st.floats(0, 100))
    def test_lie_between_the_lowest_and_the_highest(self, told, step):
        known = known_after(told, step=step)
        said, found = numbers(known).values(), [joined(known, each) for each in ("min", "max")]

        assert repr([min(said), max(said)] if said else [math.nan] * 2) == repr(found)
        if said:
            assert math.isclose(joined(known, "sum"), math.fsum(said))
            assert found[0] - 1e-9 <= joined(known, "avg") <= found[1] + 1e-9

    @given(TOLD, st.integers(1, 10**6))
    def test_are_not_gone_because_nobody_spoke(self, told, pause):
        known = known_after(told, step=0.1)
        later = (1_000 + pause) * SECOND + 4 * SECOND
        name, newest = told[-1][0], max(row[1] for row in known.values())
        after = heard(known, Word(name, 1.0), now=later, newest=newest, silence=SILENCE)

        assert known.keys() == after.keys()

    @given(st.integers(1, 300))
    def test_are_bounded_and_the_newest_are_kept(self, number):
        known = known_after([(str(n), float(n)) for n in range(number)], step=0.01)

        assert {str(n) for n in range(max(0, number - MOST), number)} == known.keys()

    @given(TOLD, st.integers(0, 100))
    def test_that_told_once_are_gone_where_another_process_has_begun_since(self, told, ago):
        known = known_after(told)
        now = 2_000 * SECOND
        word = Word("d", 1.0, began=now - ago * SECOND)
        after = heard(known, word, now=now, newest=now - SECOND, silence=10**6 * SECOND)

        assert {name for name, row in known.items() if row[2] >= 0} | {"d"} == after.keys()

    @given(TOLD)
    def test_of_a_clock_set_back_are_none_of_the_future(self, told):
        known = known_after(told)
        after = heard(known, Word("a", 1.0), now=SECOND, newest=10**12, silence=SILENCE)

        assert all(row[1] <= SECOND for row in after.values())
