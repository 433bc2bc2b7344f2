"""What goes along when one thread gives work to another: the place in the trace, and the scope."""

from __future__ import annotations

from qmon_sdk.context import EMPTY, REQUEST, SCOPE
from qmon_sdk.recorder.cells import CELL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.context import Scope
    from qmon_sdk.recorder.cells import Cell

    Luggage = tuple[Cell, Scope, Any]


def packed() -> Luggage | None:
    """Take what is known here; `None` outside of every span and scope."""
    cell, scope = CELL.get(), SCOPE.get()
    if not cell.span:
        return None if scope is EMPTY else (cell, scope, REQUEST.get())
    # A copy: the cell itself goes on with the calls of its thread.
    return cell.child(cell.span), scope, REQUEST.get()


def unpack(luggage: Luggage) -> Luggage:
    """Stand where it was packed, as far as qmon knows; returns where this thread stood before."""
    before = CELL.get(), SCOPE.get(), REQUEST.get()
    CELL.set(luggage[0])
    SCOPE.set(luggage[1])
    REQUEST.set(luggage[2])
    return before
