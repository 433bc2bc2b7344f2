"""The caller's trace, out of W3C headers: whatever is not exactly right is as good as absent."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qmon_sdk.recorder.cells import Cell

MAX_CARRIED = 8192
"""Characters of `tracestate` or `baggage` that are kept: the specification's own limit."""

_HEX = frozenset("0123456789abcdef-")
_LENGTH = 55  # version, trace id, parent id, flags: 2 + 32 + 16 + 2 digits and three dashes
_SAMPLED = 1


def parent_of(traceparent: str) -> tuple[int, int, int, bool] | None:
    """Read a `traceparent`: both halves of the trace id, the parent's span id, and whether it is kept."""
    text = traceparent.strip()
    version, trace, parent, flags = text[:2], text[3:35], text[36:52], text[53:55]
    dashed = text[2:3] == text[35:36] == text[52:53] == "-"
    # Later versions may say more behind another dash; version 0 may not, and 255 is forbidden.
    ended = len(text) == _LENGTH or (version != "00" and text[_LENGTH : _LENGTH + 1] == "-")
    head = version + trace + parent + flags
    if not dashed or not ended or version == "ff" or "-" in head or not _HEX.issuperset(head):
        return None
    high, low, span = int(trace[:16], 16), int(trace[16:], 16), int(parent, 16)
    return (high, low, span, bool(int(flags, 16) & _SAMPLED)) if span and (high or low) else None


def take_place(cell: Cell, place: tuple[int, int, int, bool]) -> int:
    """Put a cell into the caller's trace; returns the parent's span id."""
    cell.trace_hi, cell.trace_lo, parent, sampled = place
    cell.rows = cell.lane.rows if sampled else cell.lane.wasted
    return parent


def header_of(cell: Cell) -> str:
    """Write the place of a cell as a header of the form of `traceparent`."""
    return f"00-{cell.trace_hi:016x}{cell.trace_lo:016x}-{int(cell.span):016x}-{int(cell.kept):02x}"
