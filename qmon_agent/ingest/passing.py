"""Frames made of what came through the processors, under names that a repetition has as well.

What comes of a record at once is a frame of the record's own name, with its ledger; beside it one
for each mark or speaker, of which a frame can have only one. What was held back and what was added
is named by what it is made of. The record's own frame comes last: where it is, the others are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import count

import msgspec

from qmon_agent.domain.routing import EVERYWHERE, ROUTES, Routes, speaker_of, spoken_by
from qmon_agent.ingest.chain import Fallen, Passed
from qmon_agent.ingest.foreign import DROPPED, ORIGINAL, dropped_of
from qmon_agent.ingest.lots import Lot, Origin
from qmon_sdk.protocol.columns import Block
from qmon_sdk.protocol.frames import (
    MAX_FRAME_BYTES,
    Frame,
    Resource,
    assemble,
    pack,
    pack_block,
)
from qmon_sdk.protocol.signals import FIELDS

_BUCKET_NS = 600 * 10**9
_TOLD_BYTES = 64 * 1024  # room for a frame's name, and for what it tells
_LEAST_BYTES = 512 * 1024
_NO_LEDGER = pack(None)
# Not for others to say, or not so any more behind the processors.
_OURS = frozenset({DROPPED, ORIGINAL, ROUTES})

Counts = dict[str, int]


class Made(msgspec.Struct, frozen=True, gc=False):
    """A frame, and the name it is known by."""

    process: bytes
    sequence: int
    payload: bytes
    is_last: bool = False
    """Whether it is a record's own: to be kept behind all others of the record."""
    is_apart: bool = False
    """Whether it may come later than the rest of its record."""


def lots_of(frame: Frame, origin: Origin) -> list[Lot]:
    """A record, as the processors see it."""
    return [
        Lot(frame.resource, each, origin=origin) for each in frame.blocks if each.kind in FIELDS
    ]


class Framer:
    """Makes frames for one agent; what it adds itself bears its `identity`."""

    def __init__(self, identity: bytes) -> None:
        self._identity = identity

    def frames(
        self, payload: bytes, frame: Frame, *, lots: Sequence[Lot], passed: Passed
    ) -> Iterator[Made]:
        """All that has become of a record, in the order to keep it; `lots` is what went in."""
        here, others = _told_apart(passed, lots[0].origin if lots else None)
        yield from self.apart(others)
        if _is_as_it_came(frame, lots, here):
            yield Made(frame.process, frame.sequence, payload, is_last=True)
        else:
            yield from _own(frame, here)

    def lost(self, frame: Frame, lots: Sequence[Lot]) -> Iterator[Made]:
        """What is left of a record when nothing of its signals may be kept."""
        fallen = [
            Fallen(origin=lot.origin, name=b"", kind=lot.kind, by="chain", number=lot.rows)
            for lot in lots
        ]
        yield from _own(frame, Passed([], fallen))

    def apart(self, passed: Passed) -> Iterator[Made]:
        """What was held, or added: each name of a record for itself."""
        named: dict[tuple[Origin, bytes], Passed] = {}
        for lot in passed.lots:
            named.setdefault((lot.origin, lot.name), Passed([], [])).lots.append(lot)
        for one in passed.fallen:
            named.setdefault((one.origin, one.name), Passed([], [])).fallen.append(one)
        for (origin, name), theirs in named.items():
            yield from self._named(origin, name, theirs)

    def _named(self, origin: Origin, name: bytes, passed: Passed) -> Iterator[Made]:
        whose = origin.process or self._identity
        bucket = origin.time // _BUCKET_NS
        what = name or _digest(*(pack_block(lot.block()) for lot in passed.lots))
        made = _digest(what, origin.sequence.to_bytes(8, "big"))
        parts = _Parts(
            _digest(b"apart", whose, bucket.to_bytes(8, "big")),
            int.from_bytes(made[:8], "big"),
            sent=origin.time or _newest(passed.lots),
            speaker=origin.speaker or origin.process,
        )
        lost = _numbers(passed.fallen)
        bodies = [one for group in _groups(passed.lots) for one in _packed(group, lost)]
        if lost:
            # In the first of them: read again, the record may come to another end, and a frame
            # with nothing but a number would not be known for a repeat of one with signals.
            bodies = bodies or [(Resource(), [])]
            bodies[0][1].append(pack_block(_told(lost)))
        for resource, body in bodies:
            yield _later(parts.next(resource, body))


class _Group(msgspec.Struct):
    """Lots that fit into one frame."""

    resource: Resource
    routes: Routes
    lots: list[Lot]

    def marks(self) -> list[bytes]:
        return [] if self.routes == EVERYWHERE else [pack_block(self.routes.block())]


class _Parts:
    """Frames numbered beside one name."""

    def __init__(self, process: bytes, sequence: int, *, sent: int, speaker: bytes) -> None:
        self._process = process
        self._sequence = sequence
        self._sent = sent
        self._numbers = count()
        self._speaker = [pack_block(spoken_by(speaker))] if speaker else []

    def of(self, group: _Group, lost: Counts) -> Iterator[Made]:
        """As many frames as it takes; what no frame can carry is counted in `lost`."""
        for resource, body in _packed(group, lost):
            yield self.next(resource, body)

    def next(self, resource: Resource, blocks: list[bytes]) -> Made:
        number = next(self._numbers).to_bytes(4, "big")
        process = _digest(b"part", self._process, number)
        payload = assemble(
            head=(process, self._sequence, self._sent),
            resource=pack(list(resource)),
            blocks=[*blocks, *self._speaker],
            ledger=_NO_LEDGER,
        )
        return Made(process, self._sequence, payload)


def _packed(group: _Group, lost: Counts) -> Iterator[tuple[Resource, list[bytes]]]:
    for body in _bodies(group.lots, MAX_FRAME_BYTES - _room(group.resource), lost):
        yield group.resource, [*body, *group.marks()]


def _later(made: Made) -> Made:
    return msgspec.structs.replace(made, is_apart=True)


def _told_apart(passed: Passed, origin: Origin | None) -> tuple[Passed, Passed]:
    """What is of this record and came at once, and all else."""
    here, others = Passed([], []), Passed([], [])
    for lot in passed.lots:
        (here if lot.origin is origin and not lot.name else others).lots.append(lot)
    for one in passed.fallen:
        (here if one.origin is origin and not one.name else others).fallen.append(one)
    return here, others


def _is_as_it_came(frame: Frame, lots: Sequence[Lot], here: Passed) -> bool:
    if here.fallen or len(here.lots) != len(lots):
        return False
    if any(block.kind in {ORIGINAL, ROUTES} for block in frame.blocks):
        return False
    return all(one is other for one, other in zip(lots, here.lots, strict=True))


def _own(frame: Frame, here: Passed) -> Iterator[Made]:
    """The frame of the record's name, with one group in it and all that the record is besides."""
    groups = _groups(here.lots)
    own = next((group for group in groups if group.routes == EVERYWHERE), None)
    own = own or _Group(frame.resource, EVERYWHERE, [])
    ledger = pack(None if frame.ledger is None else list(frame.ledger))
    rest = [
        pack_block(block)
        for block in frame.blocks
        if block.kind not in FIELDS and block.kind not in _OURS
    ]
    lost = dropped_of(frame)
    _add(lost, _numbers(here.fallen))
    parts = _Parts(frame.process, frame.sequence, sent=frame.sent, speaker=speaker_of(frame))
    for group in groups:
        if group is not own:
            yield from parts.of(group, lost)
    room = MAX_FRAME_BYTES - _room(own.resource) - len(ledger) - sum(map(len, rest))
    if room >= _LEAST_BYTES:
        bodies = [*_bodies(own.lots, room, lost)] or [[]]
    else:  # all of them come beside it
        bodies = [[], *_bodies(own.lots, MAX_FRAME_BYTES - _room(own.resource), lost)]
    for body in bodies[1:]:
        yield parts.next(own.resource, body)
    told = [pack_block(_told(lost))] if lost else []
    payload = assemble(
        head=(frame.process, frame.sequence, frame.sent),
        resource=pack(list(own.resource)),
        blocks=[*bodies[0], *rest, *told],
        ledger=ledger,
    )
    yield Made(frame.process, frame.sequence, payload, is_last=True)


def _groups(lots: Iterable[Lot]) -> list[_Group]:
    """Together what has the same speaker and marks."""
    groups: list[_Group] = []
    for lot in lots:
        for group in groups:
            if group.routes == lot.routes and group.resource == lot.resource:
                group.lots.append(lot)
                break
        else:
            groups.append(_Group(lot.resource, lot.routes, [lot]))
    return groups


def _bodies(lots: Iterable[Lot], room: int, lost: Counts) -> Iterator[list[bytes]]:
    """Packed blocks, as many at once as there is room for."""
    body: list[bytes] = []
    size = 0
    for lot in lots:
        for packed in _cut(lot, room, lost):
            if body and size + len(packed) > room:
                yield body
                body, size = [], 0
            body.append(packed)
            size += len(packed)
    if body:
        yield body


def _cut(lot: Lot, room: int, lost: Counts) -> Iterator[bytes]:
    """One block, or as many halves as it takes."""
    packed = pack_block(lot.block())
    if len(packed) <= room:
        yield packed
    elif lot.rows == 1:
        _add(lost, {f"{lot.kind}/oversize": 1})
    else:
        middle = lot.rows // 2
        yield from _cut(lot.part(lot.signals[:middle]), room, lost)
        yield from _cut(lot.part(lot.signals[middle:]), room, lost)


def _room(resource: Resource) -> int:
    """What of a frame is not for blocks."""
    return _TOLD_BYTES + len(pack(list(resource)))


def _numbers(fallen: Iterable[Fallen]) -> Counts:
    numbers: Counts = {}
    for one in fallen:
        _add(numbers, {f"{one.kind}/processor:{one.by}": one.number})
    return numbers


def _newest(lots: Sequence[Lot]) -> int:
    """When it was said that came in no record: the same, however often it is made."""
    times: list[int] = [signal[0] for lot in lots for signal in lot.signals]
    return max([0, *times])


def _told(lost: Counts) -> Block:
    return Block(kind=DROPPED, rows=0, columns=([*lost], [*lost.values()]))


def _add(to: Counts, what: Counts) -> None:
    for name, n in what.items():
        to[name] = to.get(name, 0) + n


def _digest(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
