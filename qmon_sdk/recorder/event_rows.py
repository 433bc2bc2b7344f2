"""Product events between their call and their frame: in the accelerator's bytes, or as records."""

from __future__ import annotations

import os
from itertools import count

from msgpack import unpackb

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import pack_block
from qmon_sdk.protocol.signals import Event, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from qmon_sdk.protocol.signals import Signal
    from qmon_sdk.scrub import Scrubber

    from .byte_rings import Waiting

SEQUENCE = count(1)
"""Numbers events that belong to no session."""
_OF_SCOPE = ("user_id", "anonymous_id", "session_id", "session", "flags")


def quick_events(
    notes: Any, waiting: list[Waiting], scrubber: Scrubber, *, most: int, most_bytes: int
) -> Any:
    """Make what keeps plain events in one step; `None` where there is no accelerator for it."""
    if speedups is None or type(scrubber.labels) is not speedups.Labels:
        return None
    from qmon_sdk.context import Scope

    names = [field.name for field in Scope.FIELDS]
    places = tuple(map(names.index, _OF_SCOPE))
    labels: Any = scrubber.labels
    return speedups.Events(
        notes, waiting, labels, SEQUENCE, places, most, most_bytes, os.urandom(32)
    )


def by_kind(signals: Sequence[Signal | bytes]) -> dict[str, Sequence[Any]]:
    """Part signals by their kind; an event's bytes are one, unless there are others as records."""
    sorts = dict.fromkeys(map(type, signals))
    if len(sorts) == 1:
        return {_kind_of(signals[0]): signals}
    if Event in sorts and bytes in sorts:
        signals = [_unpacked(one) if type(one) is bytes else one for one in signals]
    kinds: dict[str, list[Any]] = {}
    for one in signals:
        kinds.setdefault(_kind_of(one), []).append(one)
    return kinds  # type: ignore[return-value]


def packed_block(kind: str, signals: Sequence[Any]) -> bytes:
    """Write a block of signals of one kind as it stands in a frame."""
    if type(signals[0]) is bytes:
        written = speedups.event_block(tuple(signals))
        if written is not NotImplemented:
            return bytes(written)
        signals = [_unpacked(one) for one in signals]
    return pack_block(block_of(kind, signals))


def _kind_of(signal: Signal | bytes) -> str:
    return "event" if type(signal) is bytes else kind_of(signal)  # type: ignore[arg-type]


def _unpacked(packed: bytes) -> Event:
    return tuple.__new__(Event, unpackb(packed))  # type: ignore[type-var]
