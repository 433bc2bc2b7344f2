"""What tells signals apart, as somebody has chosen: fields, attributes, or who speaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.matching import BODIES, NAMES, PLACES
from qmon_sdk.protocol.signals import Signal

_OF_SPEAKER = frozenset(("service", "release", "environment", "host"))
_CALLED = {"name": NAMES, "body": BODIES}

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_OWN_TIME = re.compile(
    rf"""[\[(<]?
    (?: \d{{4}}[-/]\d\d[-/]\d\d (?:[T ]|[ ]-[ ]) {_CLOCK} [ ]?(?:Z|UTC|[+-]\d\d:?\d\d)?
      | (?:[A-Z][a-z]{{2}}[ ])? [A-Z][a-z]{{2}}[ ]{{1,2}}\d{{1,2}}[ ] {_CLOCK} (?:[ ]\d{{4}})?
      | \d\d/[A-Z][a-z]{{2}}/\d{{4}}:{_CLOCK} (?:[ ][+-]\d{{4}})?
      | [DIWEF]\d{{4}}[ ] {_CLOCK}
      | {_CLOCK}
      | 1\d{{9}}(?:\.\d{{1,9}}|\d{{3}})?
    ) (?=[\])>\s:,|]) [\])>:,|]* \s*""",
    re.VERBOSE,
)
"""How loggers begin a line: ISO, syslog, web servers, klog, a clock alone, seconds since 1970."""

Read = Callable[[Signal], Any]
Key = tuple[Any, ...]


class Keys:
    """Reads the same things of every signal; what one has not is empty."""

    def __init__(self, by: Sequence[str], *, timeless: bool = False) -> None:
        """`service`, `host`, `kind`, `name`, `body`, any field of a signal, or an attribute.

        `timeless`: what a log says is read behind the time that its line begins with.
        """
        self._by = tuple(by)
        self._timeless = timeless

    def of(self, lot: Lot) -> Callable[[Signal], Key]:
        """The reader of a lot's signals."""
        reads = [self._reader(each, lot) for each in self._by]
        if not any(map(callable, reads)):
            same = tuple(reads)
            return lambda _: same
        return lambda signal: tuple(read(signal) if callable(read) else read for read in reads)

    def _reader(self, what: str, lot: Lot) -> Read | str:
        read = _reader(what, lot)
        if self._timeless and lot.kind == "log" and what == "body" and callable(read):
            return lambda signal: without_time(read(signal))
        return read

    def labels(self, key: Key) -> dict[str, str]:
        """A key as attributes."""
        return {name: str(value) for name, value in zip(self._by, key, strict=True) if value}


def without_time(said: str) -> str:
    """A line behind the time it begins with, if it does and says something besides."""
    found = _OWN_TIME.match(said)
    return said[found.end() :] or said if found else said


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
