"""What a span has besides attributes: columns of its own, which cost nothing unused."""

from __future__ import annotations

from qmon_sdk.context import EMPTY
from qmon_sdk.protocol.signals import FIELDS
from qmon_sdk.recorder.cells import MORE, here, write_row
from qmon_sdk.recorder.sites import Site

BEGAN = 1_500_000_000_123_456_789


def written(name, extra):
    cell = here()
    row = (Site(name), EMPTY, "unset", 1, 2, next(cell.ids), 0, 10, 5, extra)
    write_row(cell, row)


class TestWhatASpanHasBesides:
    def test_goes_into_columns_of_its_own(self, told):
        written("told", {"a": 1, MORE: ("[1]", "[2]", None)})
        written("plain", None)

        span = told.span("told")
        assert ("[1]", "[2]", {"a": "1"}) == (span.events, span.links, span.attributes)
        assert ("", "", {}) == (*told.span("plain")[-2:], told.span("plain").attributes)

    def test_may_be_when_it_began(self, told):
        written("before 1970", {MORE: ("", "", -5)})
        written("long ago", {MORE: ("", "", BEGAN)})

        assert (-5, BEGAN) == (told.span("before 1970").time, told.span("long ago").time)

    def test_costs_a_byte_a_column_when_it_is_nothing(self, told):
        written("plain", {"a": 1})
        told.all("span")

        blocks = [block for frame in told.frames for block in frame.blocks if block.kind == "span"]
        columns = dict(
            zip([field.name for field in FIELDS["span"]], blocks[0].columns, strict=True)
        )
        assert ("", "") == (columns["events"], columns["links"])
