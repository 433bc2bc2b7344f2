"""Frames over HTTP: `POST /api/qmon/frames`, where nothing but HTTP gets through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from qmon_agent.ingest.entrance import Entrance, Receive, Scope, Send
from qmon_agent.ingest.exchange import body_of, peer_of
from qmon_agent.ingest.outcome import Fate, Outcome
from qmon_agent.ingest.sources._mounted import MountedSource
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import split_messages

# More is no batch; and a frame has at least its 28 bytes of head.
_MOST_FRAMES = 10_000


class FramesHttpSource(MountedSource, kw_only=True, forbid_unknown_fields=True):
    """`[sources.frames_http]`: bodies of prefixed frames, answered when they are on disk."""

    entrance: ClassVar[Entrance] = Entrance(paths=("/api/qmon/frames",))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; token, body limits and decompression are the gate's work."""
        door = self._door
        if door is None:
            await _answer(send, 503, {"error": "the agent is stopping"}, wait_s=1)
            return
        peer = peer_of(scope)
        body = await body_of(receive)
        if wait_s := door.intake.wait_before(peer, len(body)):
            await _answer(send, 429, {"error": "over budget"}, wait_s=wait_s)
            return
        try:
            frames = [*_bounded(split_messages(body))]
        except WireError as problem:
            door.vitals.add("bodies_rejected", reason=problem.reason)
            await _answer(send, 400, {"error": str(problem), "reason": problem.reason})
            return
        outcomes = await asyncio.gather(*(door.intake.take(frame, peer) for frame in frames))
        await _answer_outcomes(send, outcomes)


async def _answer_outcomes(send: Send, outcomes: list[Outcome]) -> None:
    refused = [one for one in outcomes if one.fate is Fate.REFUSED]
    rejected = [one for one in outcomes if one.fate is Fate.REJECTED]
    body = {
        "acknowledged": [one.sequence for one in outcomes if one.acknowledged],
        "rejected": [[one.sequence, one.reason] for one in rejected],
        "refused": [[one.sequence, one.reason] for one in refused],
    }
    await _answer(send, 503 if refused else 200, body, wait_s=1 if refused else 0)


def _bounded(frames: Iterator[bytes]) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        if number >= _MOST_FRAMES:
            raise WireError(f"more than {_MOST_FRAMES} frames in one body")
        yield frame


async def _answer(send: Send, status: int, body: object, *, wait_s: int = 0) -> None:
    headers = [(b"content-type", b"application/json")]
    if wait_s:
        headers.append((b"retry-after", str(wait_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})
