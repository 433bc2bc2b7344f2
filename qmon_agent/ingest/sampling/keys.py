"""What tells signals apart, as somebody has chosen: fields, attributes, or who speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.matching import BODIES, NAMES, PLACES
from qmon_sdk.protocol.signals import Signal

_OF_SPEAKER = frozenset(("service", "release", "environment", "host"))
_CALLED = {"name": NAMES, "body": BODIES}

Read = Callable[[Signal], Any]
Key = tuple[Any, ...]


class Keys:
    """Reads the same things of every signal; what one has not is empty."""

    def __init__(self, by: Sequence[str]) -> None:
        """`service`, `host`, `kind`, `name`, `body`, any field of a signal, or an attribute."""
        self._by = tuple(by)

    def of(self, lot: Lot) -> Callable[[Signal], Key]:
        """The reader of a lot's signals."""
        reads = [_reader(each, lot) for each in self._by]
        if not any(map(callable, reads)):
            same = tuple(reads)
            return lambda _: same
        return lambda signal: tuple(read(signal) if callable(read) else read for read in reads)

    def labels(self, key: Key) -> dict[str, str]:
        """A key as attributes."""
        return {name: str(value) for name, value in zip(self._by, key, strict=True) if value}


def _reader(what: str, lot: Lot) -> Read | str:
    """How to read it, or what it is for all of them."""
    if what == "kind":
        return lot.kind
    if what in _OF_SPEAKER:
        return str(getattr(lot.resource, what))
    places = PLACES[lot.kind]
    place = places.get(_CALLED[what].get(lot.kind, "") if what in _CALLED else what)
    if place is not None:
        return lambda signal: signal[place]
    if what in _CALLED:
        return ""
    labels, otherwise = places["attributes"], lot.resource.attributes.get(what, "")
    return lambda signal: signal[labels].get(what, otherwise)
