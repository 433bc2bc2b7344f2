"""What clients of other tools send: made frames of ours, their own bytes beside them if wanted.

A sender of another protocol numbers nothing, but it repeats what it got no answer to. So a frame
made here is named by its content: process = protocol and the ten minutes it came in, sequence = a
digest of the message's bytes. The same message once more, up to ten minutes later, is a duplicate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

import msgspec

from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_sdk.protocol.columns import Block, blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, Frame, Head, Resource, encode_frame
from qmon_sdk.protocol.signals import Signal

ORIGINAL = "original"
"""Kind of the block without rows that carries a message as it came: protocol, path, content type,
bytes. It is in no table and in no count."""

_BUCKET_S = 600
_ROWS = 20_000
_ROOM_BYTES = 64 * 1024  # for the rest of a frame beside the original

Group = tuple[Resource, Sequence[Signal]]


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One message of another protocol, translated: its signals, by who speaks in it."""

    protocol: str
    """The source's name: `otlp`, `sentry`, ..."""
    groups: tuple[Group, ...]
    original: bytes
    """The message's bytes, unpacked; it is recognised by them when it comes again."""
    path: str = ""
    """Where it was sent to, when the protocol has more than one place: `traces`."""
    content_type: str = ""
    keep_original: bool = False
    """Whether a sink passes the bytes on as they are."""


async def take_parcel(
    intake: Intake, parcel: Parcel, peer: Peer, *, now: Callable[[], float] = time.time
) -> Outcome:
    """Keep a message; the worst that happened to one of its frames is what happened to it.

    Sent again after `REFUSED`, only what is missing is stored.
    """
    naming = _Naming(intake, parcel, int(now()) // _BUCKET_S)
    answers = [
        intake.take_made(encoded, head) if encoded else intake.reject_made(head, "oversize", peer)
        for head, encoded in _frames(parcel, naming)
    ]
    return worst(await asyncio.gather(*answers))


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Refused before rejected before stored before duplicate; nothing at all is stored."""
    order = (Fate.REFUSED, Fate.REJECTED, Fate.STORED, Fate.DUPLICATE)
    return min(outcomes, key=lambda one: order.index(one.fate), default=Outcome(fate=Fate.STORED))


def original_of(frame: Frame) -> tuple[str, str, str, bytes] | None:
    """Protocol, path, content type and bytes of the message a frame was made of, if it has them."""
    for block in frame.blocks:
        if block.kind == ORIGINAL and len(block.columns) == 4:  # noqa: PLR2004 - as written below
            protocol, path, content_type, data = block.columns
            return protocol, path, content_type, data
    return None


class _Naming:
    """Names the frames of one message, each by its number in it."""

    def __init__(self, intake: Intake, parcel: Parcel, bucket: int) -> None:
        self._intake = intake
        self._parcel = parcel
        self._processes = [_process(parcel.protocol, number) for number in (bucket, bucket - 1)]
        self._count = 0

    def next(self) -> Head:
        """The name of the next frame: the one it was stored under, if it was."""
        sequence = _sequence(self._parcel, self._count)
        self._count += 1
        for process in self._processes:
            if self._intake.knows(process, sequence):
                return Head(process=process, sequence=sequence)
        return Head(process=self._processes[0], sequence=sequence)


def _frames(parcel: Parcel, naming: _Naming) -> Iterator[tuple[Head, bytes]]:
    """Frames of a bounded number of rows, encoded; nothing for one row that fits into none.

    The original comes first, in a frame of its own: what the rows are cut into does not move it.
    """
    if parcel.keep_original and len(parcel.original) < MAX_FRAME_BYTES - _ROOM_BYTES:
        told = (parcel.protocol, parcel.path, parcel.content_type, parcel.original)
        resource = parcel.groups[0][0] if parcel.groups else Resource()
        head = naming.next()
        yield head, _encoded(head, resource, (Block(kind=ORIGINAL, rows=0, columns=told),))
    for resource, signals in parcel.groups:
        for start in range(0, len(signals), _ROWS):
            yield from _cut(resource, signals[start : start + _ROWS], naming)


def _cut(
    resource: Resource, signals: Sequence[Signal], naming: _Naming
) -> Iterator[tuple[Head, bytes]]:
    """One frame, or as many halves as it takes."""
    head = naming.next()
    encoded = _encoded(head, resource, blocks_of(signals))
    if encoded or len(signals) == 1:
        yield head, encoded
        return
    middle = len(signals) // 2
    yield from _cut(resource, signals[:middle], naming)
    yield from _cut(resource, signals[middle:], naming)


def _encoded(head: Head, resource: Resource, blocks: tuple[Block, ...]) -> bytes:
    """The frame, or nothing if it is larger than a frame may be."""
    frame = Frame(
        process=head.process,
        sequence=head.sequence,
        sent=time.time_ns(),
        resource=resource,
        blocks=blocks,
    )
    try:
        return encode_frame(frame)
    except OversizeError:
        return b""


def _process(protocol: str, bucket: int) -> bytes:
    return blake2b(f"{protocol}/{bucket}".encode(), digest_size=16).digest()


def _sequence(parcel: Parcel, index: int) -> int:
    digest = blake2b(digest_size=8, key=index.to_bytes(8, "big"))
    digest.update(f"{parcel.path}\0{parcel.content_type}\0".encode())
    digest.update(parcel.original)
    return int.from_bytes(digest.digest(), "big")
