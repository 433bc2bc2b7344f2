"""What clients of other tools send: made frames of ours, their own bytes beside them if wanted.

A sender of another protocol numbers nothing, but it repeats what it got no answer to. So a frame
made here is named by its content: process = protocol and the ten minutes it came in, sequence = a
digest of the message's bytes. The same message once more, up to ten minutes later, is a duplicate.
Whose signals they are, a frame says beside its name: replicas of a service are not one another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256

import msgspec

from qmon_agent.domain.routing import spoken_by
from qmon_agent.ingest.cardinality import LOOKED_INTO
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_sdk.protocol.columns import Block, blocks_of
from qmon_sdk.protocol.frames import (
    MAX_FRAME_BYTES,
    Frame,
    Head,
    Resource,
    assemble,
    pack,
    pack_block,
)
from qmon_sdk.protocol.signals import Signal

DROPPED = "dropped"
"""Kind of the block without rows that says what a message told of and is not kept: names
`kind/reason`, numbers. The books add it up."""
ORIGINAL = "original"
"""Kind of the block without rows that carries a message as it came: protocol, path, content type,
bytes, and how many signals were made of them. It is in no table and in no count. In the frames of
those signals, it names the protocol alone: their bytes are passed on already."""

_BUCKET_S = 600
_ROWS = 20_000
_ROOM_BYTES = 64 * 1024  # for the rest of a frame beside the original
_HEAD_BYTES = 64  # for a frame's name, and for what stands between its parts
_WITH_BYTES = 4  # columns of the block that has the original; the next tells how many rows it made
_AT_ONCE_BYTES = 64 * 1024
"""Beyond this, a message is packed on a thread: the loop has others to listen to."""
_NO_LEDGER = pack(None)
_WHICH = (
    "service.namespace", "service.instance.id",
    "k8s.namespace.name", "k8s.pod.name", "container.id",
)  # fmt: skip
"""Attributes of a resource that tell one replica of a service from another."""

Group = tuple[Resource, Sequence[Signal]]


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One message of another protocol, translated: its signals, by who speaks in it."""

    protocol: str
    """The source's name: `otlp`, `sentry`, ..."""
    groups: tuple[Group, ...]
    original: bytes
    """The message's bytes, unpacked; it is recognised by them when it comes again."""
    identity: bytes = b""
    """What it is recognised by instead, where a sender does not repeat itself to the letter."""
    dropped: Mapping[str, int] = {}
    """What was in it, or what it tells of, and is not kept: `kind/reason` to number."""
    path: str = ""
    """Where it was sent to, when the protocol has more than one place: `traces`."""
    content_type: str = ""
    keep_original: bool = False
    """Whether a sink passes the bytes on as they are."""


_BEGAN = time.time() - time.monotonic()


def steady() -> float:
    """The time, by a clock that nobody sets: what is sent again keeps its name when ours is."""
    return _BEGAN + time.monotonic()


async def take_parcel(
    intake: Intake, parcel: Parcel, peer: Peer, *, now: Callable[[], float] = steady
) -> Outcome:
    """Keep a message; the worst that happened to one of its frames is what happened to it.

    Sent again after `REFUSED`, only what is missing is stored.
    """
    if len(parcel.original) < _AT_ONCE_BYTES:
        made = _Made(parcel)
    else:
        made = await asyncio.to_thread(_Made, parcel)
    bucket = int(now()) // _BUCKET_S
    processes = [_process(parcel.protocol, number) for number in (bucket, bucket - 1)]
    naming = _Naming(intake, made.digest, processes=processes)
    answers = []
    for body in made.bodies:
        head = naming.next()
        if body is None:
            answers.append(intake.reject_made(head, "oversize", peer))
        else:
            frame, seen = body.headed(head), body.seen(head)
            answers.append(intake.take_made(frame, head, peer=peer, made_of=seen))
    # Waiting for one by itself saves the loop a turn.
    outcomes = [await answers[0]] if len(answers) == 1 else await asyncio.gather(*answers)
    outcome = worst(outcomes)
    lost = made.bodies.count(None)
    return msgspec.structs.replace(outcome, lost=lost) if lost else outcome


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Refused before rejected before stored before duplicate; nothing at all is stored."""
    order = (Fate.REFUSED, Fate.REJECTED, Fate.STORED, Fate.DUPLICATE)
    return min(outcomes, key=lambda one: order.index(one.fate), default=Outcome(fate=Fate.STORED))


def dropped_of(frame: Frame) -> dict[str, int]:
    """What a frame says to be dropped, `kind/reason` to number."""
    found: dict[str, int] = {}
    for block in frame.blocks:
        if block.kind == DROPPED and len(block.columns) == 2:  # noqa: PLR2004 - names and numbers
            names, numbers = (each if isinstance(each, list) else [] for each in block.columns)
            pairs = zip(names, numbers, strict=False)
            found |= {n: k for n, k in pairs if isinstance(n, str) and isinstance(k, int)}
    return found


def original_of(frame: Frame) -> tuple[str, str, str, bytes] | None:
    """Protocol, path, content type and bytes of the message a frame was made of, if it has them."""
    for block in frame.blocks:
        if block.kind == ORIGINAL and len(block.columns) >= _WITH_BYTES:
            protocol, path, content_type, data, *_ = block.columns
            return protocol, path, content_type, data
    return None


def rows_of_original(frame: Frame) -> int:
    """How many signals were made of the message whose bytes a frame carries."""
    for block in frame.blocks:
        if block.kind == ORIGINAL and len(block.columns) > _WITH_BYTES:
            return int(block.columns[_WITH_BYTES])
    return 0


def is_beside_original(frame: Frame, protocol: str) -> bool:
    """Whether its signals travel as they came, too: in a frame before it, of this protocol."""
    return any(
        block.kind == ORIGINAL and block.columns[:1] == (protocol,) for block in frame.blocks
    ) and not original_of(frame)


class _Body(msgspec.Struct, frozen=True):
    """All of a frame but its name."""

    resource: bytes
    blocks: tuple[bytes, ...]
    made_of: tuple[Resource, tuple[Block, ...]] | None = None
    """Who speaks and of what, where nobody looks into the columns."""

    def seen(self, head: Head) -> Frame | None:
        if self.made_of is None:
            return None
        resource, blocks = self.made_of
        return Frame(
            process=head.process, sequence=head.sequence, sent=0, resource=resource, blocks=blocks
        )

    def headed(self, head: Head) -> bytes:
        return assemble(
            head=(head.process, head.sequence, time.time_ns()),
            resource=self.resource,
            blocks=self.blocks,
            ledger=_NO_LEDGER,
        )


class _Made:
    """A parcel as the bodies of its frames: what takes long, and can be done on any thread.

    The original comes first, in a frame of its own: what the rows are cut into does not move it.
    The frames of the rows say that it is there. One row that fits into no frame is `None`.
    """

    def __init__(self, parcel: Parcel) -> None:
        # Processors have SHA-256 in hardware: half the time of BLAKE2.
        digest = sha256(f"{parcel.path}\0{parcel.content_type}\0".encode())
        digest.update(parcel.identity or parcel.original)
        self.digest = digest.digest()
        self.bodies: list[_Body | None] = []
        self._beside: tuple[Block, ...] = ()
        if parcel.keep_original and len(parcel.original) < MAX_FRAME_BYTES - _ROOM_BYTES:
            self._add_original(parcel)
        if parcel.dropped:
            told = ([*parcel.dropped], [*parcel.dropped.values()])
            block = Block(kind=DROPPED, rows=0, columns=told)
            self.bodies.append(_Body(pack(list(Resource())), (pack_block(block),)))
        for resource, signals in parcel.groups:
            speaker = spoken_by(speaker_by(parcel.protocol, resource))
            who = _Who(resource, pack(list(resource)), (*self._beside, speaker))
            for start in range(0, len(signals), _ROWS):
                self._cut(who, signals[start : start + _ROWS])

    def _add_original(self, parcel: Parcel) -> None:
        told = (parcel.protocol, parcel.path, parcel.content_type, parcel.original)
        rows = sum(len(signals) for _, signals in parcel.groups)
        resource = parcel.groups[0][0] if parcel.groups else Resource()
        block = Block(kind=ORIGINAL, rows=0, columns=(*told, rows))
        self.bodies.append(_Body(pack(list(resource)), (pack_block(block),)))
        self._beside = (Block(kind=ORIGINAL, rows=0, columns=(parcel.protocol,)),)

    def _cut(self, who: _Who, signals: Sequence[Signal]) -> None:
        """One frame, or as many halves as it takes."""
        blocks = (*blocks_of(signals), *who.told)
        is_seen = LOOKED_INTO.isdisjoint(block.kind for block in blocks)
        made_of = (who.resource, blocks) if is_seen else None
        body = _Body(who.packed, tuple(map(pack_block, blocks)), made_of)
        if len(who.packed) + sum(map(len, body.blocks)) < MAX_FRAME_BYTES - _HEAD_BYTES:
            self.bodies.append(body)
        elif len(signals) == 1:
            self.bodies.append(None)
        else:
            middle = len(signals) // 2
            self._cut(who, signals[:middle])
            self._cut(who, signals[middle:])


class _Who(msgspec.Struct, frozen=True):
    """Who speaks in some frames, and what is told beside their signals."""

    resource: Resource
    packed: bytes
    told: tuple[Block, ...]


class _Naming:
    """Names the frames of one message, each by its number in it."""

    def __init__(self, intake: Intake, digest: bytes, *, processes: list[bytes]) -> None:
        self._intake = intake
        self._digest = digest
        self._processes = processes
        self._count = 0

    def next(self) -> Head:
        """The name of the next frame: the one it was stored under, or is about to be."""
        sequence = _sequence(self._digest, self._count)
        self._count += 1
        for process in self._processes:
            if self._intake.knows(process, sequence):
                return Head(process=process, sequence=sequence)
        return Head(process=self._processes[0], sequence=sequence)


def speaker_by(protocol: str, resource: Resource) -> bytes:
    """The process instance, as far as a resource tells it: the same for as long as it says so."""
    who, told = resource, resource.attributes
    which = (told.get(name, "") for name in _WHICH)
    said = (protocol, who.service, who.environment, who.host, str(who.pid), *which)
    return blake2b("\0".join(said).encode("utf-8", "replace"), digest_size=16).digest()


def _process(protocol: str, bucket: int) -> bytes:
    return blake2b(f"{protocol}/{bucket}".encode(), digest_size=16).digest()


def _sequence(digest: bytes, index: int) -> int:
    made = blake2b(digest, digest_size=8, key=index.to_bytes(8, "big"))
    return int.from_bytes(made.digest(), "big")
