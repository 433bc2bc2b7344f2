"""Draws flight rings by hand, following `protocol.flight` and nobody's code."""

from __future__ import annotations

import time
from pathlib import Path

import msgpack

from qmon_sdk.protocol import flight
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.flight import LENGTH, WORD
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, encode_frame, pack_length
from qmon_sdk.protocol.signals import FIELDS, SIGNALS, Log

PROCESS = bytes(range(100, 116))
SECOND = 10**9
BORN = time.time_ns() - 60 * SECOND


class DrawnRing:
    """A ring that says what it is told to; times are nanoseconds since 1970."""

    def __init__(self, process: bytes = PROCESS, **head: int) -> None:
        self.process = process
        self.data = bytearray(flight.SIZE)
        self.names_end = flight.NAMES_AT
        self.noted, self.frames_end, self.rows, self.slots = 8, 0, 0, 0
        self.numbers: dict[tuple, int] = {}
        self.resource = Resource(service="shop", release="1.2", host="here", started=BORN)
        self.data[: len(flight.MAGIC)] = flight.MAGIC
        self.data[flight.PROCESS : flight.PROCESS + 16] = process
        self.word(flight.STATE, head.get("state", flight.FLYING))
        self.word(flight.PID, head.get("pid", 0))
        self.word(flight.STARTED, head.get("started", 0))
        self.word(flight.PID_NAMESPACE, head.get("namespace", 0))
        self.word(flight.NOTED, 8)
        self._blob(flight.RESOURCE_AT, list(self.resource))

    def word(self, at: int, value: int) -> None:
        WORD.pack_into(self.data, at, value)

    def site(self, name: str, kind: str = "internal", **attributes: str) -> int:
        key = (name, kind, *attributes.items())
        if key not in self.numbers:
            self.numbers[key] = number = len(self.numbers) + 1
            said = msgpack.packb([number, name, kind, attributes])
            LENGTH.pack_into(self.data, self.names_end, len(said))
            self.data[self.names_end + 4 : self.names_end + 4 + len(said)] = said
            self.names_end += 4 + len(said)
        return self.numbers[key]

    def person(self, number: int, user: str, session: str) -> int:
        at = flight.PEOPLE_AT + number % flight.PEOPLE * flight.PERSON_BYTES
        text = (user + session).encode()
        flight.PERSON.pack_into(
            self.data, at, number, len(user.encode()), len(session.encode()), text
        )
        return number

    def span(
        self, name: str = "work", *, span: int, start: int = BORN, took: int = 5, **more
    ) -> None:
        what = self.site(name) | more.get("status", 0) << flight.STATUS_SHIFT
        extra = self.note(flight.EXTRA, msgpack.packb(more["extra"])) if "extra" in more else 0
        chunk, place = divmod(self.rows, flight.ROWS)
        self.rows += 1
        at = flight.CHUNKS_AT + (chunk + 1) * flight.CHUNK_BYTES + flight.CHUNK_HEAD
        row = (start, took, 1, 2, more.get("parent", 0), what, more.get("who", 0), extra, span)
        flight.ROW.pack_into(self.data, at + place * flight.ROW_BYTES, *row)

    def open(self, name: str, *, span: int, start: int = BORN, thread: int = 7, **more) -> None:
        self.slots += 1
        at = flight.OPENS_AT + self.slots * flight.OPEN_BYTES
        what = self.site(name, more.get("kind", "internal"))
        if text := more.get("text", "").encode():
            what |= flight.HAS_TEXT
            self.data[at + flight.OPEN_TEXT : at + flight.OPEN_TEXT + len(text)] = text
        high, low = (0, 0) if more.get("inherits") else (1, 2)
        what |= flight.INHERITS if more.get("inherits") else 0
        slot = (high, low, more.get("who", 0), what, more.get("parent", 0), thread, start, span)
        flight.OPEN.pack_into(self.data, at, *slot)

    def session(self, identity: str, user: str, *, started: int = BORN, errors: int = 0) -> None:
        at = flight.SESSIONS_AT + flight.SESSION_BYTES
        session = (started, errors, identity.encode(), b"application", user.encode())
        flight.SESSION.pack_into(self.data, at + 8, *session)
        self.word(at, 1)

    def log(self, **fields: object) -> int:
        log = Log(**{"time": BORN, **fields})
        return self.note(flight.LOG, msgpack.packb([getattr(log, f.name) for f in FIELDS["log"]]))

    def crumb(self, text: str) -> int:
        return self.note(flight.CRUMB, text.encode())

    def note(self, kind: int, payload: bytes) -> int:
        size = flight.NOTE.size + (len(payload) + 7 & ~7)
        if self.noted % flight.NOTES_BYTES + size > flight.NOTES_BYTES:
            self.noted += flight.NOTES_BYTES - self.noted % flight.NOTES_BYTES
        position, self.noted = self.noted, self.noted + size
        at = flight.NOTES_AT + position % flight.NOTES_BYTES
        flight.NOTE.pack_into(self.data, at, position, len(payload), kind, 0)
        self.data[at + flight.NOTE.size : at + flight.NOTE.size + len(payload)] = payload
        self.word(flight.NOTED, self.noted)
        return position

    def hold(self, *signals, sequence: int, live: int = 1) -> bytes:
        frame = encode_frame(
            Frame(
                process=self.process,
                sequence=sequence,
                resource=self.resource,
                blocks=blocks_of(signals),
                ledger=Ledger(),
            )
        )
        message = pack_length(frame)
        at = flight.FRAMES_AT + self.frames_end
        flight.HELD.pack_into(self.data, at, len(message), sequence, 0, live)
        start = at + flight.HELD.size
        self.data[start : start + len(message)] = message
        self.frames_end += flight.HELD.size + (len(message) + 7 & ~7)
        self.word(flight.FRAMES_HEAD, self.frames_end)
        self.word(flight.SEQUENCE, sequence)
        for signal in signals:
            place = list(SIGNALS.values()).index(type(signal))
            at = flight.CAPTURED + 8 * place
            self.word(at, WORD.unpack_from(self.data, at)[0] + 1)
        return frame

    def sample(self, place: int, time: int, *, rss: int, cpu: int = 0) -> None:
        at = flight.SAMPLES_AT + place * flight.SAMPLE.size
        flight.SAMPLE.pack_into(self.data, at, time, rss, cpu, 1)

    def write(self, folder: Path, agent: str) -> Path:
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{agent}.{self.process.hex()}{flight.SUFFIX}"
        path.write_bytes(self.data)
        return path

    def _blob(self, at: int, value: object) -> None:
        said = msgpack.packb(value)
        LENGTH.pack_into(self.data, at, len(said))
        self.data[at + 4 : at + 4 + len(said)] = said
