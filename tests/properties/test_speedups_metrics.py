"""The accelerator's metrics are the pure ones: whatever is added, the same parts come out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.fold import PureShelf
from qmon_sdk.series import KINDS, PurePending, part_of


class Hostile:
    """A value whose own code fails in the middle of being added up."""

    def __float__(self):
        raise RuntimeError

    def __radd__(self, other):
        return 0

    def __bool__(self):
        raise RuntimeError

    __hash__ = None


floats = st.floats(allow_nan=False, allow_infinity=False)
wholes = st.integers(-(1 << 63), (1 << 63) - 1)
numbers = st.one_of(floats, wholes, st.booleans(), st.floats(), st.integers())
anything = st.one_of(
    numbers,
    st.sampled_from([10**400, -(10**400), 1 << 62, -0.0, 5e-324, 1.7e308, "3", None, [1]]),
    st.decimals(),
    st.fractions(),
    st.builds(Hostile),
    st.sampled_from([Decimal("1.5"), Fraction(1, 3), 1j, b"1"]),
)
values = st.one_of(st.lists(floats), st.lists(wholes), st.lists(numbers), st.lists(anything))


def parts(pending, kind, added):
    pending.limit = len(added)
    for value in added:
        pending.add(value)
    taken = pending.taken(kind)
    assert len(pending) == 0
    return None if taken is None else part_of(taken, kind)


class TestPending:
    @given(values)
    def test_shows_the_same_latest_value(self, compiled, added):
        seen = []
        for pending in (PurePending(), compiled.Pending()):
            pending.limit = len(added)
            for value in added:
                pending.add(value)
            latest = pending.latest()
            latest = int(latest) if type(latest) is bool else latest  # added up as one
            seen.append((len(pending), repr(latest)))

        assert seen[0] == seen[1]

    @given(values, st.sampled_from(KINDS))
    def test_folds_to_the_same_part(self, compiled, added, kind):
        expected = parts(PurePending(), kind, added)

        # As text: it tells zeros apart, and the order of buckets.
        assert repr(expected) == repr(parts(compiled.Pending(), kind, added))

    @given(st.lists(floats, min_size=300, max_size=2000), st.sampled_from(KINDS))
    def test_folds_many_values_to_the_same_part(self, compiled, added, kind):
        expected = parts(PurePending(), kind, added)

        assert repr(expected) == repr(parts(compiled.Pending(), kind, added))

    def test_calls_crowded_at_the_same_value(self, compiled):
        assert crowds(PurePending) == crowds(compiled.Pending) == [4, 5]

    @pytest.mark.parametrize("call", [((1, 2), {}), ((), {"amount": 1}), ((1,), {"value": 1})])
    def test_refuses_other_calls(self, compiled, call):
        args, named = call
        with pytest.raises(TypeError):
            compiled.Pending().add(*args, **named)


def crowds(pending):
    class Counting(pending):
        def crowded(self):
            told.append(len(self))

    told = []
    counting = Counting()
    counting.limit = 3
    for value in (1, 2.5, None, 4):
        counting.add(value)
    counting.add(value=5)
    return told


labels = st.dictionaries(st.text(), st.one_of(st.integers(0, 1), st.booleans(), st.text()))
calls = st.tuples(
    st.sampled_from(["a", "b"]),
    st.one_of(st.none(), labels, labels.map(Labels := type("Labels", (dict,), {}))),
)


class TestShelf:
    @given(st.lists(calls))
    def test_finds_the_same_series(self, compiled, said):
        assert found(PureShelf, PurePending, said) == found(compiled.Shelf, compiled.Pending, said)

    def test_looks_for_what_has_no_hash_each_time(self, compiled):
        said = [("a", {"basket": [1]})] * 2

        assert 2 == found(compiled.Shelf, compiled.Pending, said)[0]

    @pytest.mark.parametrize("call", [((), {}), (("a", 1, 2), {}), (("a",), {"labels": {}})])
    def test_refuses_other_calls(self, compiled, call):
        args, named = call
        with pytest.raises(TypeError):
            compiled.Shelf().add(*args, **named)


def found(shelf, pending, said):
    """How often a series had to be looked for, and what is in each in the end."""

    class Learning(shelf):
        missing = 0

        def missed(self, key, name, unit, attributes):
            self.missing += 1
            series = pending()
            series.limit = 1000
            try:
                self.known[key] = series
            except TypeError:
                pass
            return series

        @staticmethod
        def key_of(name, attributes):
            return (name, *attributes, *attributes.values()) if attributes else name

    learning = Learning()
    for name, attributes in said:
        learning.add(name, 2, unit="s", attributes=attributes)
    return learning.missing, {key: len(series) for key, series in learning.known.items()}
