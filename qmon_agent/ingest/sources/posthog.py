"""PostHog's clients, unmodified: `posthog.Posthog(TOKEN, host="http://HOST:7690")`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

from qmon_agent.domain.bounds import Bytes
from qmon_agent.ingest.entrance import Entrance, Receive, Scope, Send
from qmon_agent.ingest.exchange import Exchange
from qmon_agent.ingest.foreign import Parcel, take_parcel
from qmon_agent.ingest.outcome import Fate
from qmon_agent.ingest.packings import most_of
from qmon_agent.ingest.posthog.bodies import Body, read_body
from qmon_agent.ingest.posthog.events import Times, resource_of, signal_of
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.sources._mounted import MountedSource
from qmon_sdk.protocol.errors import OversizeError, WireError
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

_SMALL = 16 * 1024
_EVENTS = ("/batch/", "/batch", "/capture/", "/capture", "/e/", "/e", "/i/v0/e/", "/i/v0/e")
_MORE_EVENTS = ("/track/", "/i/v0/ai/batch/")
_REPLAYS = ("/s/", "/s")
_FLAGS = ("/decide/", "/decide", "/flags/", "/flags")
_CONFIG = ("/array/{token}/config",)


class PosthogSource(MountedSource, kw_only=True, forbid_unknown_fields=True):
    """`[sources.posthog]`: events of PostHog's clients, whose project key is a token."""

    entrance: ClassVar[Entrance] = Entrance(
        paths=(*_EVENTS, *_MORE_EVENTS, *_REPLAYS, *_FLAGS, *_CONFIG),
        methods=("POST", "GET"),
        role="open",  # the token stands in the body
        from_browsers=True,
    )

    service: str = "posthog"
    """The service that events are of which have no property `service`."""
    max_unpacked_bytes: Bytes = 20 * 1024 * 1024
    """What a body may unpack to that is packed without saying so, as those of browsers are."""

    def describe(self) -> Mapping[str, Any]:
        return {"paths": ["/batch/", "/capture/", "/e/", "/i/v0/e/", "/flags/"]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; body limits, and what says it is packed, are the gate's work."""
        exchange = await Exchange.read(scope, receive, send)
        door = self._door
        if door is None:
            await exchange.answer(503, {"detail": "the agent is stopping"}, retry_after="1")
        elif exchange.path.startswith("/array/") or exchange.path in _FLAGS:
            await exchange.answer(200, _no_flags())
        else:
            await self._admit(exchange, door)

    async def _admit(self, exchange: Exchange, door: Door) -> None:
        if wait_s := door.intake.wait_before(exchange.peer, len(exchange.body)):
            await exchange.answer(429, {"detail": "over budget"}, retry_after=str(wait_s))
            return
        workroom = door.intake.admission.workroom
        limit = min(self.max_unpacked_bytes, workroom.largest)
        try:
            # It may be packed without saying so: as much may come of it.
            async with workroom.work(most_of(exchange.body, max_bytes=limit), exchange.peer):
                await self._take(exchange, door, limit)
        except WireError as problem:
            door.vitals.add("bodies_rejected", reason=problem.reason)
            await door.intake.bury(exchange.body, f"posthog: {problem.reason}")
            status = 413 if isinstance(problem, OversizeError) else 400
            await exchange.answer(status, {"type": "validation_error", "detail": str(problem)})

    async def _take(self, exchange: Exchange, door: Door, limit: int) -> None:
        body = await _body(exchange, limit)
        if not door.may_enter(body.token):
            refusal = {"type": "authentication_error", "code": "invalid_api_key"}
            await exchange.answer(401, {**refusal, "detail": "the project key is no valid token"})
            return
        is_replay = exchange.path in _REPLAYS
        parcel = parcel_of(body, service=self.service, is_replay=is_replay)
        outcome = await take_parcel(door.intake, parcel, exchange.peer)
        if outcome.fate is Fate.REFUSED:
            await exchange.answer(503, {"detail": outcome.reason}, retry_after="1")
            return
        await exchange.answer(200, {"status": "Ok"})


async def _body(exchange: Exchange, limit: int) -> Body:
    body = exchange.body
    if len(body) < _SMALL and not body.startswith(b"\x1f"):
        return read_body(body, exchange.query, max_bytes=limit)
    return await asyncio.to_thread(read_body, body, exchange.query, max_bytes=limit)


def parcel_of(body: Body, *, service: str, is_replay: bool = False) -> Parcel:
    """Translate what was sent; a client that sends it again repeats its events, and no more."""
    groups: dict[Resource | tuple[Any, ...], tuple[Resource, list[Signal]]] = {}
    dropped: dict[str, int] = {}
    times = Times(body.sent_at, now=time.time_ns())
    for each in body.events:
        signal = signal_of(each, times) if isinstance(each, dict) and not is_replay else None
        if signal is None:
            reason = "replay/not_kept" if is_replay else "event/invalid"
            dropped[reason] = dropped.get(reason, 0) + 1
            continue
        resource = resource_of(each, service=service)
        groups.setdefault((*resource[:-1],), (resource, []))[1].append(signal)
    repeated = repr(body.events).encode("utf-8", "replace")
    return Parcel(
        protocol="posthog",
        groups=tuple(groups.values()),
        original=repeated,
        dropped=dropped,
        path="replay" if is_replay else "",
    )


def _no_flags() -> dict[str, Any]:
    """Settings and flags as a project has them that has none."""
    return {
        "flags": {},
        "featureFlags": {},
        "featureFlagPayloads": {},
        "errorsWhileComputingFlags": False,
        "requestId": str(uuid4()),
        "config": {"enable_collect_everything": True},
        "supportedCompression": ["gzip", "gzip-js", "base64"],
        "sessionRecording": False,
        "surveys": False,
        "heatmaps": False,
        "capturePerformance": False,
        "autocapture_opt_out": False,
        "isAuthenticated": False,
        "toolbarParams": {},
        "siteApps": [],
    }
