"""Charts: whatever the values, a picture of the size it shall have, with its values in it."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.charts import HEIGHT, WIDTH, drawn

END = 1_000
POINTS = st.lists(st.tuples(st.integers(-10, END + 10), st.floats()), max_size=50)


def pixels_of(png):
    """Reads the picture as its format has it: chunks with sums, rows of a byte for each pixel."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size)[0] == zlib.crc32(kind + content)
        chunks[kind], at = content, at + 12 + size
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert [8, 3, 0, 0, 0] == form
    data = zlib.decompress(chunks[b"IDAT"])
    rows = [data[y * (width + 1) : (y + 1) * (width + 1)] for y in range(height)]
    assert not any(row[0] for row in rows)
    return [row[1:] for row in rows]


def columns_with(rows, colour):
    return {x for row in rows for x, pixel in enumerate(row) if pixel == colour}


class TestDrawn:
    @given(POINTS, st.none() | st.floats())
    def test_is_a_picture_of_its_size_whatever_the_values(self, points, bound):
        rows = pixels_of(drawn(points, start=0, end=END, bound=bound))

        assert (WIDTH, HEIGHT) == (len(rows[0]), len(rows))
        assert {len(row) for row in rows} == {WIDTH}

    @given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
    def test_shows_every_value_at_its_time(self, values):
        points = [(n * END // len(values), value) for n, value in enumerate(values)]

        shown = columns_with(pixels_of(drawn(points, start=0, end=END)), 2)

        expected = {6 + at * (WIDTH - 13) // END for at, _ in points}
        assert expected <= shown

    def test_rises_with_the_value_and_crosses_the_line(self):
        rows = pixels_of(drawn([(0, 1.0), (100, 9.0)], start=0, end=END, bound=5.0))

        tops = [next(y for y, row in enumerate(rows) if row[x] == 2) for x in (6, 6 + 46)]
        line = next(y for y, row in enumerate(rows) if row[WIDTH - 20] == 3)
        assert tops[0] > line > tops[1]

    def test_draws_nothing_where_nothing_came(self):
        rows = pixels_of(drawn([(0, 1.0), (END, 2.0)], start=0, end=END))

        assert 200 not in columns_with(rows, 2)

    @pytest.mark.parametrize("points", [[], [(5, float("nan"))], [(-1, 1.0)]])
    def test_may_be_empty(self, points):
        assert not columns_with(pixels_of(drawn(points, start=0, end=END)), 2)
