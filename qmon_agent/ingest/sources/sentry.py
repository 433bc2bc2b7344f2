"""Sentry's clients, unmodified: `POST /api/<project>/envelope/`, the key of the DSN is a token."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from qmon_agent.domain.bounds import Bytes
from qmon_agent.ingest.entrance import Entrance, Receive, Scope, Send
from qmon_agent.ingest.exchange import Exchange
from qmon_agent.ingest.foreign import take_parcel
from qmon_agent.ingest.loose import text
from qmon_agent.ingest.outcome import Fate
from qmon_agent.ingest.packings import known_packings, most_of, unpacked
from qmon_agent.ingest.sentry.envelope import headers_of
from qmon_agent.ingest.sentry.gathered import Gathered
from qmon_agent.ingest.sentry.items import enveloped, translated
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.sources._mounted import MountedSource
from qmon_sdk.protocol.errors import OversizeError, WireError

_KEY = re.compile(r"\bsentry_key=([^,\s]+)")
# Reading less than this takes half a millisecond; handing it to a thread costs a third of that.
_SMALL = 64 * 1024


class SentrySource(MountedSource, kw_only=True, forbid_unknown_fields=True):
    """`[sources.sentry]`: envelopes of Sentry's clients; DSN `http://TOKEN@HOST:7690/1`."""

    entrance: ClassVar[Entrance] = Entrance(
        paths=(
            "/api/{project}/envelope/",
            "/api/{project}/envelope",
            "/api/{project}/store/",
            "/api/{project}/store",
        ),
        role="open",  # the key may stand in the envelope
        from_browsers=True,
        packings=known_packings(),
    )

    projects: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """The service that a project number in a DSN stands for; otherwise it is `project-NUMBER`."""
    keep_original: bool = False
    """Whether envelopes are kept as they came as well, for a sink of the same protocol."""
    max_unpacked_bytes: Bytes = 200 * 1024 * 1024
    """What a body packed by brotli or zstd may unpack to."""

    def describe(self) -> Mapping[str, Any]:
        return {"paths": [*self.entrance.paths[::2]], "packings": sorted(self.entrance.packings)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; body limits, gzip and deflate are the gate's work."""
        exchange = await Exchange.read(scope, receive, send)
        door = self._door
        if door is None:
            await _refuse(exchange, 503, "the agent is stopping", wait_s=1)
            return
        if wait_s := door.intake.wait_before(exchange.peer, len(exchange.body)):
            door.vitals.add("sentry_envelopes", fate="rate_limited")
            await _rate_limit(exchange, wait_s=wait_s)
            return
        workroom = door.intake.admission.workroom
        limit = self._most_of(exchange, workroom.largest)
        try:
            async with workroom.work(limit, exchange.peer):
                await self._take(exchange, door, limit)
        except WireError as problem:
            door.vitals.add("bodies_rejected", reason=problem.reason)
            await door.intake.bury(exchange.body, f"sentry: {problem.reason}")
            status = 413 if isinstance(problem, OversizeError) else 400
            await _refuse(exchange, status, str(problem))

    async def _take(self, exchange: Exchange, door: Door, limit: int) -> None:
        known = _token_of(exchange)
        if known and not door.may_enter(known):
            await _refuse(exchange, 403, "the key of this DSN is no valid token")
            return
        # Only who has shown a key may make us unpack; browsers, which hide it inside, do not pack.
        body = await self._body(exchange, limit) if known else exchange.body
        if not known and not door.may_enter(_token_inside(body)):
            await _refuse(exchange, 403, "a key is needed: sentry_key, or the DSN in the envelope")
            return
        project = exchange.parameters.get("project", "")
        service = self.projects.get(project) or f"project-{text(project, 64)}"
        parcel, gathered = await _off_the_loop(
            body, lambda: translated(body, service=service, now=time.time_ns())
        )
        path = f"/api/{text(project, 64)}/envelope/"
        parcel = msgspec.structs.replace(parcel, path=path, keep_original=self.keep_original)
        outcome = await take_parcel(door.intake, parcel, exchange.peer)
        if outcome.fate is Fate.REFUSED:
            await _rate_limit(exchange, wait_s=1, status=503)
            return
        door.vitals.add("sentry_envelopes", fate=outcome.fate.value)
        if outcome.fate is not Fate.DUPLICATE:
            _count(door, gathered)
        await exchange.answer(200, {"id": _id_of(gathered)})

    def _most_of(self, exchange: Exchange, largest: int) -> int:
        """What is to be read at most, unpacked."""
        if exchange.headers.get("content-encoding", "").lower() not in self.entrance.packings:
            return len(exchange.body)
        return most_of(exchange.body, max_bytes=min(self.max_unpacked_bytes, largest))

    async def _body(self, exchange: Exchange, limit: int) -> bytes:
        packing, body = exchange.headers.get("content-encoding", "").lower(), exchange.body
        if packing in self.entrance.packings:
            body = await asyncio.to_thread(unpacked, body, packing, max_bytes=limit)
        is_bare = exchange.path.rstrip("/").endswith("/store")
        return enveloped(body) if is_bare else body


async def _off_the_loop(body: bytes, work: Any) -> Any:
    return work() if len(body) < _SMALL else await asyncio.to_thread(work)


def _token_of(exchange: Exchange) -> str:
    """Where clients put it: a header, or the query string of browsers."""
    said = exchange.headers.get("x-sentry-auth") or exchange.headers.get("authorization", "")
    found = _KEY.search(said)
    return found[1] if found else exchange.query.get("sentry_key", "")


def _token_inside(body: bytes) -> str:
    """The key of the DSN that an envelope names, as those do that come through a tunnel."""
    dsn = headers_of(body).get("dsn")
    try:
        return urlsplit(dsn).username or "" if isinstance(dsn, str) else ""
    except ValueError:
        return ""


def _count(door: Door, gathered: Gathered) -> None:
    for what, n in gathered.noted.items():
        door.vitals.add("sentry_noted", n, what=what)
    for what, n in gathered.dropped.items():
        kind, _, reason = what.partition("/")
        door.vitals.add("sentry_dropped", n, kind=kind, reason=reason)


def _id_of(gathered: Gathered) -> str:
    event_id = gathered.headers.get("event_id")
    return text(event_id, 64) if isinstance(event_id, str) else uuid4().hex


async def _rate_limit(exchange: Exchange, *, wait_s: int, status: int = 429) -> None:
    """Ask for silence about everything: an empty list of categories is all of them."""
    limits = {"x_sentry_rate_limits": f"{wait_s}::organization", "retry_after": str(wait_s)}
    await exchange.answer(status, {"detail": "over budget"}, **limits)


async def _refuse(exchange: Exchange, status: int, why: str, *, wait_s: int = 0) -> None:
    headers = {"x_sentry_error": why.encode("ascii", "replace").decode().replace("\n", " ")}
    if wait_s:
        headers["retry_after"] = str(wait_s)
    await exchange.answer(status, {"detail": why}, **headers)
