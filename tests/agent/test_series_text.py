"""Values of a series in a short notation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.series_text import MOST, parse_values

WHOLE = st.integers(-1_000, 1_000)


class TestValues:
    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("5", (5,)),
            ("-2+4x3", (-2, 2, 6, 10)),
            ("1-2x4", (1, -1, -3, -5, -7)),
            ("1x4", (1, 1, 1, 1, 1)),
            ("1 _x3 stale", (1, None, None, None, None)),
            ("_ 0+.5x2", (None, 0, 0.5, 1)),
            ("1e3 -Inf 7x0", (1000, float("-inf"), 7)),
        ],
    )
    def test_are_those_of_prometheus(self, text, values):
        assert values == parse_values(text)

    def test_may_be_no_number(self):
        (value,) = parse_values("NaN")

        assert value != value  # noqa: PLR0124 - only NaN is not itself

    @given(WHOLE, WHOLE, st.integers(0, 50))
    def test_grow_by_a_step(self, first, step, times):
        values = parse_values(f"{first}{step:+}x{times}")

        assert tuple(first + n * step for n in range(times + 1)) == values

    @pytest.mark.parametrize("text", ["", " ", "five", "1+x3", "1+2", "x3", "1x", "--1", "1x-2"])
    def test_that_nobody_understands_are_refused(self, text):
        with pytest.raises(ConfigError):
            parse_values(text)

    @pytest.mark.parametrize("times", [MOST, MOST + 1, 10**30])
    def test_are_so_many_at_most(self, times):
        with pytest.raises(ConfigError, match="more than"):
            parse_values(f"1x{times}")

    @given(st.text(max_size=40))
    def test_are_read_or_refused_whatever_is_written(self, text):
        try:
            assert parse_values(text)
        except ConfigError as problem:
            assert problem.reason
