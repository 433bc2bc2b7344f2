"""What a Prometheus, or whoever speaks like one, writes to us."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from qmon_agent.domain.bounds import Amount, Bytes
from qmon_agent.ingest.entrance import Entrance, Headers, Receive, Scope, Send
from qmon_agent.ingest.exchange import body_of, peer_of
from qmon_agent.ingest.foreign import Parcel, take_parcel
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.remote_messages import (
    V1,
    V2,
    MessageError,
    declared_size,
    unpacked,
)
from qmon_agent.ingest.remote_points import RemotePoints, Told
from qmon_agent.ingest.remote_series import MessageReader
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.sources._mounted import MountedSource

_ON_THE_LOOP_BYTES = 4 * 1024
_PROBLEMS = 5  # are told to the sender; it logs what it is answered


# A Prometheus drops what gets one of these, and repeats what gets a 503.
_MAY_COME_AGAIN = {408, 429}


def refusal_of(_: Headers, status: int, reason: str) -> tuple[int, str, bytes]:
    """What the gate says no with, as a Prometheus understands it."""
    status = 503 if status in _MAY_COME_AGAIN else status
    return status, "text/plain; charset=utf-8", reason.encode()


class RemoteWriteSource(MountedSource, kw_only=True, forbid_unknown_fields=True):
    """`[sources.remote_write]`: `POST /api/v1/write`, versions 1.0 and 2.0."""

    entrance: ClassVar[Entrance] = Entrance(
        paths=("/api/v1/write",), packings=frozenset({"snappy"}), refusal_of=refusal_of
    )

    max_unpacked_bytes: Bytes = 32 << 20
    """Of one message, unpacked."""
    max_series: Amount = 200_000
    """Counters and histograms whose last value is remembered, the longest silent forgotten."""
    keep_original: bool = False
    """Whether messages are kept as they came as well, for a sink that passes them on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._points = RemotePoints(self.max_series)
        self._reader = MessageReader()
        self._turn = asyncio.Lock()

    async def start(self, door: Door) -> None:
        self._reader = MessageReader(door.recollections)
        await super().start(door)

    async def stop(self) -> None:
        await super().stop()
        self._reader.forget()

    def describe(self) -> Mapping[str, Any]:
        return {"paths": [*self.entrance.paths], "series": len(self._points)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application. What may come again is answered by 503: a Prometheus drops what
        gets a 429, unless it is told otherwise.
        """
        door = self._door
        body = await body_of(receive)
        peer = peer_of(scope)
        if door is None:
            await _answer(send, 503, "the agent is stopping")
            return
        if wait_s := door.intake.wait_before(peer, len(body)):
            await _answer(send, 503, "over budget", wait_s=wait_s)
            return
        try:
            kind = _kind(scope)
            workroom = door.intake.admission.workroom
            limit = min(self.max_unpacked_bytes, workroom.largest)
            size = declared_size(body, most=limit)
            # One after the other: what a counter grew by depends on what was told before.
            async with workroom.work(size, peer), self._turn:
                told, outcome = await self._take(door, body, kind=kind, peer=peer)
        except MessageError as problem:
            door.vitals.add("bodies_rejected", reason="remote_write")
            await _answer(send, problem.status, str(problem))
            return
        await _answer_told(send, told, outcome)

    async def _take(
        self, door: Door, body: bytes, *, kind: str, peer: Peer
    ) -> tuple[Told, Outcome]:
        if len(body) > _ON_THE_LOOP_BYTES:
            data, told = await asyncio.to_thread(self._read, body, kind)
        else:
            data, told = self._read(body, kind)
        parcel = Parcel(
            protocol="remote_write",
            groups=tuple(told.resources()),
            original=data,
            path=kind,
            content_type=f"application/x-protobuf;proto={kind}",
            keep_original=self.keep_original,
        )
        outcome = await take_parcel(door.intake, parcel, peer)
        if outcome.fate is not Fate.REFUSED:
            self._points.commit()
            for reason, number in told.left_out.items():
                door.vitals.add("remote_write_left_out", number, reason=reason)
            door.vitals.add("remote_write_samples", told.samples)
            door.vitals.add("remote_write_exemplars_left_out", told.exemplars)
        return told, outcome

    def _read(self, body: bytes, kind: str) -> tuple[bytes, Told]:
        data = unpacked(body, most=self.max_unpacked_bytes)
        return data, self._points.translate(self._reader.read(data, kind))


def _kind(scope: Scope) -> str:
    """Which of the messages it is; raises MessageError(415)."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    told = headers.get(b"content-type", b"").decode("latin-1")
    media, *parameters = (part.strip() for part in told.split(";"))
    proto = next((one[6:] for one in parameters if one.startswith("proto=")), V1)
    proto = proto.strip('"')
    if media != "application/x-protobuf" or proto not in {V1, V2}:
        raise MessageError(f"content-type {told[:80]!r} is not known", status=415)
    if headers.get(b"content-encoding", b"").lower() != b"snappy":
        raise MessageError("content-encoding is to be snappy", status=415)
    return proto


async def _answer_told(send: Send, told: Told, outcome: Outcome) -> None:
    if outcome.fate is Fate.REFUSED:
        await _answer(send, 503, outcome.reason or "not now")
        return
    written = {"samples": told.samples, "histograms": told.histograms, "exemplars": 0}
    if told.problems:
        text = "; ".join([*told.problems[:_PROBLEMS], f"{len(told.problems)} in all"])
        await _answer(send, 400, text, written=written)
    elif outcome.fate is Fate.REJECTED:
        await _answer(send, 400, outcome.reason, written=written)
    else:
        await _answer(send, 204, "", written=written)


async def _answer(
    send: Send,
    status: int,
    text: str,
    *,
    wait_s: int = 1,
    written: Mapping[str, int] | None = None,
) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 503:  # noqa: PLR2004 - the one that may come again
        headers.append((b"retry-after", str(wait_s).encode()))
    for kind, number in (written or {}).items():
        name = f"x-prometheus-remote-write-{kind}-written"
        headers.append((name.encode(), str(number).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
