"""When a budget is full is foretold of what grows steadily, and of nothing else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.filling import AHEAD, DAY_S, HOUR_S, LEAST_S, UNKNOWN, Filling, filled

EVERY_S = 300.0
SPANS = st.integers(int(LEAST_S / EVERY_S), 288)
SIZES = st.integers(0, 1 << 44)


def line(count, start, pace):
    """So many sizes after the first, one every five minutes."""
    return [(9.0 + EVERY_S * n, start + pace * n) for n in range(count + 1)]


@given(SPANS, SIZES, st.integers(1, 1 << 30), st.integers(1, 10_000))
def test_steady_growth_is_foretold_to_the_moment(count, start, pace, more):
    samples = line(count, start, pace)
    told = filled(samples, samples[-1][1] + pace * more)

    if more < AHEAD * count * 0.99:
        assert told.verdict == "full_in"
        assert told.days * DAY_S == pytest.approx(more * EVERY_S, rel=1e-3, abs=1.0)
    elif more > AHEAD * count * 1.01:
        assert told == Filling(verdict="not_before", days=AHEAD * count * EVERY_S / DAY_S)


@given(SPANS, SIZES, st.integers(0, 1 << 20), st.integers(1, 1 << 44))
def test_what_does_not_grow_is_not_full_before_the_end_of_what_is_believed(
    count, start, pace, more
):
    samples = line(count, start + pace * count, -pace)

    assert filled(samples, samples[-1][1] + more).verdict == "not_before"


@given(st.integers(0, int(LEAST_S / EVERY_S) - 1), SIZES, st.integers(0, 1 << 30))
def test_too_short_a_past_says_nothing(count, start, pace):
    samples = line(count, start, pace)

    assert filled(samples, samples[-1][1] + 1) == UNKNOWN


@given(st.lists(st.tuples(st.floats(0, 1e6), SIZES), min_size=1).map(sorted), st.data())
def test_what_is_over_is_full_now(samples, data):
    budget = data.draw(st.integers(0, samples[-1][1]))

    assert filled(samples, budget) == Filling(verdict="full_in", days=0.0)


@given(st.lists(st.tuples(st.floats(0, 1e6), SIZES)).map(sorted), st.integers(1, 1 << 44))
def test_what_is_said_is_never_in_the_past_nor_beyond_what_is_believed(samples, budget):
    told = filled(samples, budget)

    seen = samples[-1][0] - samples[0][0] if samples else 0.0
    assert (told.days is None) == (told.verdict == "unknown")
    assert 0.0 <= (told.days or 0.0) <= AHEAD * max(seen, LEAST_S) / DAY_S


@given(SPANS, st.integers(1, 1 << 30), st.integers(1, 1 << 30), st.integers(1, 1 << 40))
def test_a_larger_budget_is_not_full_sooner(count, pace, budget, more):
    samples = line(count, 0, pace)
    soon, late = (
        filled(samples, samples[-1][1] + budget),
        filled(samples, samples[-1][1] + budget + more),
    )

    assert soon.days <= late.days * (1 + 1e-9)


def test_what_comes_and_goes_is_never_said_to_be_full_soon():
    dice = random.Random(6)
    samples = [(EVERY_S * n, 80 + dice.randrange(10)) for n in range(289)]

    assert filled(samples, 100).verdict in {"unknown", "not_before"}


def test_the_least_that_is_believed_is_three_days():
    assert AHEAD * LEAST_S == 72 * HOUR_S
