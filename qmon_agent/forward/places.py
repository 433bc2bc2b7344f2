"""Where a sink is in the journal: two durable cursors, told apart by how their names begin."""

from __future__ import annotations

from collections.abc import Mapping

from qmon_agent.journal import START, Cursors, Position

SINK = "sink."
SENDING = "sending."


def sink_cursor(name: str) -> str:
    """Behind what has arrived; holds back trimming."""
    return f"{SINK}{name}"


def sending_cursor(name: str) -> str:
    """Behind the batch that is on its way, always at or ahead of the other."""
    return f"{SENDING}{name}"


def hold_back(cursors: Cursors, name: str) -> Position:
    """The sink's place; one that never sent gets the one before the first record, durably."""
    if (known := cursors.load(sink_cursor(name))) is not None:
        return known
    try:
        cursors.save(sink_cursor(name), START)
    except OSError:
        # A disk that does not even take this takes no records either that could be trimmed.
        pass
    return START


def forget_strangers(cursors: Cursors, names: Mapping[str, object]) -> None:
    """Sinks that are configured no more hold back nothing, and begin anew if they come back."""
    for cursor in cursors.all():
        if cursor.startswith((SINK, SENDING)) and cursor.partition(".")[2] not in names:
            cursors.remove(cursor)


def under_way(cursors: Cursors, name: str, position: Position) -> int | None:
    """The last record of the batch that was on its way when it ended; None: there was none."""
    sending = cursors.load(sending_cursor(name))
    return sending.record_id if sending is not None and sending > position else None
