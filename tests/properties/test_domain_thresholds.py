"""Thresholds and durations: what is written is read back, and means what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import InvalidThresholdError
from qmon_agent.domain.thresholds import OPERATORS, Threshold, parse_threshold

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NANOS = st.integers(0, 10**18)
THRESHOLDS = st.builds(
    Threshold,
    operator=st.sampled_from(sorted(OPERATORS)),
    bound=NUMBERS,
    for_ns=NANOS,
    keep_firing_ns=NANOS,
)


class TestDurations:
    @given(NANOS)
    def test_are_read_back_to_the_nanosecond(self, nanos):
        assert nanos == parse_duration(print_duration(nanos))

    @pytest.mark.parametrize(
        ("text", "nanos"),
        [("1h30m", 5_400 * 10**9), ("1.5s", 1_500_000_000), ("10", 10**10), ("", 0)],
    )
    def test_are_written_as_people_write_them(self, text, nanos):
        assert nanos == parse_duration(text)

    @pytest.mark.parametrize("text", ["10 parsecs", "-5s", "s", "5s5"])
    def test_refuse_what_is_none(self, text):
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(text)


class TestThresholds:
    @given(THRESHOLDS)
    def test_are_read_back_as_they_were_written(self, threshold):
        assert threshold == parse_threshold(str(threshold))

    @given(THRESHOLDS, NUMBERS)
    def test_are_crossed_as_the_operator_says(self, threshold, value):
        expected = OPERATORS[threshold.operator](value, threshold.bound)

        assert expected == parse_threshold(str(threshold)).crossed_by(value)

    @given(THRESHOLDS)
    def test_are_never_crossed_by_what_is_no_number(self, threshold):
        assert not threshold.crossed_by(float("nan"))

    def test_take_a_bare_number_as_at_least(self):
        assert Threshold(operator=">=", bound=5.0) == parse_threshold(5)

    @given(st.text(max_size=30))
    def test_say_so_when_they_cannot_be_read(self, text):
        try:
            parse_threshold(text)
        except InvalidThresholdError as error:
            assert error.text == text

    @pytest.mark.parametrize("text", ["", "high", "> high", "5 5", "> 1e999", "> 5 for ever"])
    def test_refuse_what_is_none(self, text):
        with pytest.raises(InvalidThresholdError, match="write for example"):
            parse_threshold(text)
