"""What the main process and the store worker say to each other, over one socket pair."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import msgspec

from qmon_agent.domain.retention import Hold
from qmon_agent.journal import Position

from .answers import Erased, QueryResult, StateTable, StoreStatus
from .layouts import Layout
from .manifest import Within
from .options import TelemetryOptions

LENGTH_BYTES = 4
MAX_MESSAGE_BYTES = 256 << 20


class Said(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Anything said over the link."""


class Begin(Said, frozen=True, kw_only=True):
    """To the worker, first: be this store."""

    options: TelemetryOptions
    journal_end: Position | None = None
    """Where the journal ended when the agent started, if it said so."""
    holds: tuple[Hold, ...] = ()
    careful: bool = False
    """It died several times without getting on: take one frame at a time and find the culprit."""


class Committed(Said, frozen=True, kw_only=True):
    """To the worker: the journal may be read up to here."""

    place: Position


class Ask(Said, frozen=True, kw_only=True):
    """To the worker: answer this query."""

    number: int
    sql: str
    limit: int
    timeout_s: float
    state: Mapping[str, StateTable]
    within: Within | None = None
    as_json: Layout | None = None


class Stream(Said, frozen=True, kw_only=True):
    """To the worker: answer this query as a file, piece by piece."""

    number: int
    sql: str
    form: str
    limit: int
    timeout_s: float
    state: Mapping[str, StateTable]


class Taken(Said, frozen=True, kw_only=True):
    """To the worker: a piece was passed on, and there is room for another."""

    number: int


class Cancel(Said, frozen=True, kw_only=True):
    """To the worker: nobody waits for this answer any more."""

    number: int


class Inspect(Said, frozen=True, kw_only=True):
    """To the worker: how are you."""

    number: int


class Export(Said, frozen=True, kw_only=True):
    """To the worker: move everything hot into segments now."""

    number: int


class Look(Said, frozen=True, kw_only=True):
    """To the worker: read these segments again now, and set aside what is damaged."""

    number: int
    files: tuple[str, ...]


class Holds(Said, frozen=True, kw_only=True):
    """To the worker: nothing that fits one of these may be given up; answered when it is heard."""

    number: int
    holds: tuple[Hold, ...]


class Forget(Said, frozen=True, kw_only=True):
    """To the worker: give up what is known of a user up to a record, then begin anew."""

    number: int
    user: str
    upto: int


class Stop(Said, frozen=True, kw_only=True):
    """To the worker: store what is committed, as far as a moment allows, close, leave."""


class Progress(Said, frozen=True, kw_only=True):
    """From the worker: stored and exported up to here."""

    stored: Position
    exported: Position
    counts: Mapping[str, int]
    trouble: str = ""
    """Why nothing can be stored now."""


class Ended(Said, frozen=True, kw_only=True):
    """From the worker, the last it says: why it leaves without having been told to."""

    reason: str
    anew: bool = False
    """Nothing is wrong: the next one is to begin with an empty hot file."""


class Answer(Said, frozen=True, kw_only=True):
    """From the worker: what was asked for."""

    number: int
    result: QueryResult | None = None
    status: StoreStatus | None = None
    erased: Erased | None = None
    set_aside: tuple[str, ...] = ()


class Piece(Said, frozen=True, kw_only=True):
    """From the worker: some of an answer that comes piece by piece, and how many rows until it."""

    number: int
    data: bytes
    rows: int
    missing: tuple[str, ...] = ()
    """Of the first: a sentence for each damaged segment that is left out."""


class Refusal(Said, frozen=True, kw_only=True):
    """From the worker: why a query has no answer."""

    number: int
    message: str


class Buried(Said, frozen=True, kw_only=True):
    """From the worker: a frame that no table takes."""

    record_id: int
    payload: bytes
    reason: str


ToWorker = (
    Begin
    | Committed
    | Ask
    | Stream
    | Taken
    | Cancel
    | Inspect
    | Export
    | Look
    | Holds
    | Forget
    | Stop
)
FromWorker = Progress | Ended | Answer | Piece | Refusal | Buried

encode = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def packed(message: Said) -> bytes:
    """A message as it travels: its length, then itself."""
    body = encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def receive(link: socket.socket) -> bytes | None:
    """Wait for one message; None when the other side is gone."""
    head = _exactly(link, LENGTH_BYTES)
    return _exactly(link, int.from_bytes(head, "big")) if head else None


def _exactly(link: socket.socket, size: int) -> bytes | None:
    buffer = bytearray(size)
    view, got = memoryview(buffer), 0
    while got < size:
        try:
            n = link.recv_into(view[got:])
        except OSError:
            return None
        if not n:
            return None
        got += n
    return bytes(buffer)
