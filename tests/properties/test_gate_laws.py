"""Gates of scans: what counts is the newest commit, in whatever pieces and order it is told."""

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.gates import Gate, failing, measured, missing
from qmon_agent.domain.thresholds import parse_threshold

LINES = {"a": parse_threshold("< 5"), "b": parse_threshold("> 5")}
VALUES = st.dictionaries(st.sampled_from("abc"), st.floats(0, 10), min_size=1)
PIECES = st.lists(st.sampled_from("abc"), min_size=1, max_size=9)


class TestGate:
    @given(st.lists(st.tuples(st.integers(0, 9), VALUES), min_size=1), st.randoms())
    def test_is_the_newest_commit_whatever_comes_first(self, told, random):
        # A commit is scanned once here: its number is its time.
        told = [(at, str(at), values) for at, values in dict(told).items()]
        random.shuffle(told)
        gate = Gate()
        for at, commit, values in told:
            gate = measured(gate, Gate(at=at, commit=commit, values=values))

        assert (gate.at, gate.commit, gate.values) == max(told, key=lambda each: each[0])

    @given(VALUES, PIECES)
    def test_is_the_same_told_in_pieces(self, values, pieces):
        gate = Gate()
        for name in [*pieces, *values]:
            if name in values:
                gate = measured(gate, Gate(at=1, commit="c", values={name: values[name]}))

        assert values == gate.values

    @given(VALUES)
    def test_fails_or_lacks_or_passes(self, values):
        known = [name for name in LINES if name in values]

        assert set(missing(LINES, values)) == LINES.keys() - set(known)
        bad = {"a": values.get("a", 9) < 5, "b": values.get("b", 0) > 5}
        assert [name for name in LINES if bad[name]] == failing(LINES, values)
