"""StatsD and DogStatsD: an agent of Datadog's, Telegraf, or a statsd, by datagrams."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Literal, cast

from qmon_agent.forward.batch import Batch
from qmon_sdk.protocol.buckets import bucket_value
from qmon_sdk.protocol.signals import Point

from ._documents import Document, documents_of
from ._places import host_and_port
from ._resuming import Message, ResumingSink

_NAME = str.maketrans(dict.fromkeys(":|@#\n ", "_"))
_TAG = str.maketrans(dict.fromkeys("|,\n#", "_"))
# What goes through a network in one piece, and through a socket of the same machine.
_UDP_BYTES, _UNIX_BYTES = 1432, 8192


class StatsdSink(ResumingSink, kw_only=True, forbid_unknown_fields=True):
    """Points as lines. Nobody answers a datagram: what is lost on the way is not known."""

    address: str
    """Where to: `host:port`, or `unix:/path` of a datagram socket."""
    tags: Literal["datadog", "none"] = "datadog"
    """Whether lines have tags, which plain statsd does not know."""
    prefix: str = ""
    """What all names begin with."""
    _socket: Any = None

    def __post_init__(self) -> None:
        if not self.address.startswith("unix:"):
            host_and_port("address", self.address)

    def describe(self) -> Mapping[str, Any]:
        return {"address": self.address}

    def messages(self, batch: Batch) -> Iterator[Message]:
        """As many lines as a datagram has room for; a line is never torn."""
        most = _UNIX_BYTES if self.address.startswith("unix:") else _UDP_BYTES
        lines: list[bytes] = []
        size = rows = rejected = 0
        for document in documents_of(batch, ("point",)):
            told = [*self._lines(document)]
            needed = sum(map(len, told)) + len(told)
            if lines and size + needed > most:
                yield Message(data=b"\n".join(lines), rows=rows, rejected=rejected)
                lines, size, rows, rejected = [], 0, 0, 0
            lines, size = lines + told, size + needed
            rows, rejected = rows + bool(told), rejected + (not told)
        if lines or rejected:
            yield Message(data=b"\n".join(lines), rows=rows, rejected=rejected)

    def give(self, message: Message) -> None:
        """A distribution with many buckets may be more than one datagram."""
        most = _UNIX_BYTES if self.address.startswith("unix:") else _UDP_BYTES
        piece: list[bytes] = []
        size = 0
        for line in message.data.split(b"\n"):
            if piece and size + len(line) > most:
                self._open().send(b"\n".join(piece))
                piece, size = [], 0
            piece.append(line)
            size += len(line) + 1
        if message.data:
            self._open().send(b"\n".join(piece))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _open(self) -> socket.socket:
        """Connected, so that a port where nobody listens is told as an error."""
        if self._socket is None:
            if self.address.startswith("unix:"):
                made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                place: Any = self.address.removeprefix("unix:")
            else:
                place = host_and_port("address", self.address)
                family = socket.getaddrinfo(place[0], place[1], type=socket.SOCK_DGRAM)[0][0]
                made = socket.socket(family, socket.SOCK_DGRAM)
            self._socket = made
            made.connect(place)
        opened: socket.socket = self._socket
        return opened

    def _lines(self, document: Document) -> Iterator[bytes]:
        point = cast("Point", document.row)
        name = f"{self.prefix}{point.metric}".translate(_NAME) or "_"
        tags = self._tags(document)
        for value, form in _values(point):
            yield f"{name}:{value:.15g}|{form}{tags}".encode("utf-8", "replace")

    def _tags(self, document: Document) -> str:
        if self.tags == "none":
            return ""
        told = {**document.resource, **document.row.attributes}
        pairs = (f"{key}:{value}".translate(_TAG) for key, value in sorted(told.items()))
        joined = ",".join(pairs)
        return f"|#{joined}" if joined else ""


def _values(point: Point) -> Iterator[tuple[float, str]]:
    """A distribution is its buckets, each a value that stands for so many: their share is said."""
    if point.kind == "distribution":
        for index, count in sorted(point.buckets.items()):
            if count > 0:
                yield bucket_value(index), "h" if count == 1 else f"h|@{1 / count:.15g}"
    elif isfinite(point.value):
        kind = "c" if point.kind == "counter" else "g"
        if kind == "g" and point.value < 0:
            yield 0.0, kind  # a gauge with a sign is a step from where it was
        yield point.value, kind
