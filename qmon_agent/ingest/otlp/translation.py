"""From the bytes of a request to a parcel of signals, and what its sender is told."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from qmon_agent.ingest.foreign import Group, Parcel
from qmon_agent.ingest.growth import Change, Growth
from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.signals import Error

from .encoding import Encoding, Lane
from .exceptions import sign_of
from .logs import read_logs
from .points import read_metrics
from .reading import Reading
from .spans import read_traces

PROTOCOL = "otlp"
_MOST_SIGNS = 50_000
_KINDS: dict[Lane, str] = {"traces": "span", "metrics": "point", "logs": "log"}

Sign = tuple[str, str, str, str]


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was read."""

    parcel: Parcel
    rejected: dict[str, int]
    """What is not taken, by reason."""
    exemplars: int
    changes: list[Change]
    signs: list[Sign]
    """Of the exceptions that it was the first to tell of."""

    @property
    def count(self) -> int:
        return sum(self.rejected.values())

    @property
    def message(self) -> str:
        return "; ".join(f"{count} {reason}" for reason, count in sorted(self.rejected.items()))


class Translator:
    """Reads messages, and remembers what they have to do with one another."""

    def __init__(self, series: Growth, *, now: Callable[[], int] = time.time_ns) -> None:
        self.series = series
        self._now = now
        self._signs: OrderedDict[Sign, bytes] = OrderedDict()

    def translate(
        self, lane: Lane, body: bytes, encoding: Encoding, *, keep_original: bool = False
    ) -> Translated:
        """Raises WireError for what is no OTLP; may run on any thread."""
        reading = Reading(encoding, now=self._now())
        message = encoding.read(lane, body)
        try:
            changes = self._read(lane, message, reading)
            groups, signs = self._once(reading, body)
        except RecursionError:
            raise FrameError("values within values, too deep to be read") from None
        count = sum(reading.rejected.values())
        parcel = Parcel(
            protocol=PROTOCOL,
            groups=groups,
            original=body,
            dropped={f"{_KINDS[lane]}/invalid": count} if count else {},
            path=lane,
            content_type=encoding.content_type,
            keep_original=keep_original,
        )
        return Translated(
            parcel=parcel,
            rejected=reading.rejected,
            exemplars=reading.exemplars,
            changes=changes,
            signs=signs,
        )

    def kept(self) -> None:
        """A message is on disk: a good moment to let go of what is old."""
        while len(self._signs) > _MOST_SIGNS:
            self._signs.popitem(last=False)
        self.series.forget()

    def refused(self, translated: Translated) -> None:
        """It will be sent again, and shall mean the same then."""
        self.series.take_back(translated.changes)
        for sign in translated.signs:
            self._signs.pop(sign, None)

    def _read(self, lane: Lane, message: Any, reading: Reading) -> list[Change]:
        if lane == "metrics":
            return read_metrics(message, reading, self.series)
        (read_traces if lane == "traces" else read_logs)(message, reading)
        return []

    def _once(self, reading: Reading, body: bytes) -> tuple[tuple[Group, ...], list[Sign]]:
        """Leaves out an exception that another message told of: a span's event, and a line's."""
        signs: list[Sign] = []
        groups = reading.groups
        if not any(type(signal) is Error for _, group in groups for signal in group):
            return groups, signs
        digest = blake2b(body, digest_size=16).digest()
        return tuple(
            (resource, [one for one in group if self._is_new(one, digest, signs)])
            for resource, group in groups
        ), signs

    def _is_new(self, signal: Any, digest: bytes, signs: list[Sign]) -> bool:
        if type(signal) is not Error or not signal.span_id:
            return True
        sign = sign_of(signal)
        if self._signs.setdefault(sign, digest) != digest:
            return False
        signs.append(sign)
        return True


@lru_cache(1)
def protobuf() -> Encoding:
    """Imported with the first message that needs it, for its weight."""
    from .protobuf import ProtobufEncoding

    return ProtobufEncoding()
