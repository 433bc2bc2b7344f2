"""Attributes of spans whose rows are in no frame yet, by the numbers that the rows know them by."""

from __future__ import annotations

from itertools import count

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.arrays import U32, U64, unpacked
from qmon_sdk.protocol.columns import WRITERS
from qmon_sdk.protocol.frames import Packed
from qmon_sdk.protocol.signals import NO_LABELS

from .packing import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .byte_rings import PureNotes

    Sites = list[dict[str, str]]
    Columns = tuple[Any, tuple[str, ...] | None, tuple[str, ...] | None]

_UNNOTED = 1 << 62  # numbers for attributes that are in no note


class PureExtras:
    """Keeps what was said of spans until a flush takes it; the accelerator has one of its own."""

    def __init__(
        self,
        scrub: Callable[[Mapping[str, Any]], dict[str, str]] | None = None,
        notes: PureNotes | None = None,
    ) -> None:
        """Write attributes by `scrub`, without which nothing is kept; and to the notes, if any."""
        self._scrub = scrub
        self._notes = notes
        self._kept: dict[int, dict[str, str]] = {}
        self._unnoted = count(_UNNOTED)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, said: Mapping[str, Any], apart: dict[str, str] = NO_LABELS) -> int:
        """Keep attributes, and what is no attribute `apart`; returns what the row says of them."""
        if self._scrub is None:
            return 0
        labels = self._scrub(said)
        if apart:
            labels = {**labels, **apart}
        if not labels:
            return 0
        notes = self._notes
        number = notes.add(flight.EXTRA, packed(labels)) if notes is not None else 0
        number = number or next(self._unnoted)
        self._kept[number] = labels
        return number

    def take(self, number: int) -> dict[str, str]:
        """Take the attributes kept under a number."""
        return self._kept.pop(number, None) or {}

    def columns(self, sites: Sites, places: bytes, numbers: bytes) -> Columns:
        """Take the attributes of rows as a column; and their events and links, `None` for no row.

        `sites` are the attributes of the rows' sites, `places` each row's place among them (u32;
        empty where there is but one), `numbers` each row's number (u64).
        """
        said = [self.take(number) if number else NO_LABELS for number in unpacked(U64, numbers)]
        events = tuple([kept.pop(flight.EVENTS, "") if kept else "" for kept in said])
        links = tuple([kept.pop(flight.LINKS, "") if kept else "" for kept in said])
        around = [sites[place] for place in unpacked(U32, places)] if places else sites * len(said)
        both = [{**site, **kept} if kept else site for site, kept in zip(around, said, strict=True)]
        return WRITERS["Labels"](tuple(both)), events, links


Extras = PureExtras
if not TYPE_CHECKING and speedups is not None:
    Extras = speedups.Extras


def columns_of(
    extras: Extras, sites: Sites, *, places: bytes, numbers: bytes, packed: bool = False
) -> list[Any]:
    """Write what is not the same for all spans of a site: attributes, events, links.

    With `packed`, columns may come as they stand in a frame.
    """
    asked: Any = (sites, places, numbers)
    found: Any = extras.columns(*asked, *((True,) if packed and Extras is not PureExtras else ()))
    if found is NotImplemented:  # of the accelerator: a site's attributes are no texts
        found = PureExtras.columns(extras, sites, places, numbers)
    labels, events, links = found
    if type(labels) is bytes:
        labels = Packed(labels)
    return [labels, *("" if texts is None else WRITERS["Text"](texts) for texts in (events, links))]
