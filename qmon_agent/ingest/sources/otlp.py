"""OpenTelemetry's protocol over HTTP: `/v1/traces`, `/v1/metrics`, `/v1/logs`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from qmon_agent.domain.bounds import Amount
from qmon_agent.ingest.entrance import Entrance, Headers, Receive, Scope, Send
from qmon_agent.ingest.exchange import body_of, peer_of
from qmon_agent.ingest.otlp.answers import number_and_text
from qmon_agent.ingest.otlp.encoding import LANES, Encoding, Lane
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.reception import Code, Reception, Reply, Sent
from qmon_agent.ingest.otlp.translation import protobuf
from qmon_agent.ingest.packings import known_packings
from qmon_agent.ingest.sources import Door

_JSON = JsonEncoding()
_PROTOBUF = "application/x-protobuf"
_PATHS: dict[str, Lane] = {f"/v1/{lane}": lane for lane in LANES}
_PROFILES = "/v1development/profiles"
_INFO = "/v1/info"
_STATUS = {
    Code.OK: 200,
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNAVAILABLE: 503,
}
_TOO_SLOW = 408
_CODES = {status: code for code, status in _STATUS.items()} | {_TOO_SLOW: Code.UNAVAILABLE}
_STATUS[Code.OUT_OF_RANGE] = 413  # only of what is unpacked here; the gate says INVALID_ARGUMENT


def token_of(headers: Headers, _: str) -> str:
    """A token that stands alone in `Authorization`, as Logfire's does."""
    value = headers.get("authorization", "").strip()
    return "" if " " in value else value


def refusal_of(headers: Headers, status: int, reason: str) -> tuple[int, str, bytes]:
    """What the gate says no with; a body that came too slowly may come again, as OTLP has it."""
    code = _CODES.get(status, Code.INVALID_ARGUMENT)
    status = _STATUS[code] if status == _TOO_SLOW else status
    if _kind_of(headers) == _PROTOBUF:
        return status, _PROTOBUF, number_and_text(code, reason)
    return status, _JSON.content_type, _JSON.status(code, reason)


class OtlpSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.otlp]`: traces, metrics and logs of OpenTelemetry, as protobuf or JSON."""

    entrance: ClassVar[Entrance] = Entrance(
        paths=(*_PATHS, _PROFILES, _INFO),
        methods=("GET", "POST"),
        from_browsers=True,
        token_of=token_of,
        max_body_bytes=64 << 20,
        refusal_of=refusal_of,
        packings=known_packings() & {"zstd"},
    )

    enabled: bool = True
    listen: str = ""
    """A further address to listen at, as `127.0.0.1:4318`; tokens are needed there as well."""
    max_series: Amount = 200_000
    """Cumulative series whose last value is remembered."""
    series_expire_s: float = 3_600.0
    """How long a cumulative series may be silent before it is forgotten."""

    def __post_init__(self) -> None:
        self._reception: Reception | None = None

    async def start(self, door: Door) -> None:
        self._reception = Reception(
            door, most_series=self.max_series, expire_s=self.series_expire_s
        )

    async def stop(self) -> None:
        self._reception = None

    def describe(self) -> Mapping[str, Any]:
        series = self._reception.series if self._reception else 0
        return {"paths": [*_PATHS], "listen": self.listen, "cumulative_series": series}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; token, body limits and decompression are the gate's work."""
        path, headers = scope["path"], _headers_of(scope)
        if path == _INFO:
            # What Logfire asks before it sends anything.
            told = {"project_name": "qmon", "project_url": ""}
            await _send(send, 200, (_JSON.content_type, msgspec.json.encode(told)))
        elif problem := _problem(scope["method"], path, _kind_of(headers)):
            status, kind, data = refusal_of(headers, *problem)
            await _send(send, status, (kind, data))
        else:
            encoding = await _encoding(_kind_of(headers))
            body = await body_of(receive)
            reply = await self._reply(_PATHS[path], scope, body=body, encoding=encoding)
            await _send_reply(send, _PATHS[path], reply=reply, encoding=encoding)

    async def _reply(self, lane: Lane, scope: Scope, *, body: bytes, encoding: Encoding) -> Reply:
        if self._reception is None:
            return Reply(code=Code.UNAVAILABLE, message="the agent is stopping", wait_s=1)
        packing = _headers_of(scope).get("content-encoding", "").lower()
        sent = Sent(
            lane=lane,
            body=body,
            # Collectors pack by zstd; the gate has unpacked the rest.
            packing=packing if packing in self.entrance.packings else "",
            most=self.entrance.max_body_bytes,
        )
        return await self._reception.take(sent, encoding=encoding, peer=peer_of(scope))


def _problem(method: str, path: str, kind: str) -> tuple[int, str] | None:
    """Why a request is for nobody here."""
    if path == _PROFILES:
        return 404, "profiles are not taken: send traces, metrics and logs"
    if method != "POST":
        return 405, f"{path} takes POST alone"
    if kind not in {_PROTOBUF, _JSON.content_type}:
        return 415, f"{kind[:80]!r} is neither {_PROTOBUF} nor {_JSON.content_type}"
    return None


async def _encoding(kind: str) -> Encoding:
    if kind == _JSON.content_type:
        return _JSON
    # The first time, it is imported.
    return protobuf() if protobuf.cache_info().currsize else await asyncio.to_thread(protobuf)


def _kind_of(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _send_reply(send: Send, lane: Lane, *, reply: Reply, encoding: Encoding) -> None:
    if reply.code is Code.OK:
        data = encoding.success(lane, reply.rejected, reply.message)
    else:
        data = encoding.status(reply.code, reply.message)
    told = encoding.content_type, data
    await _send(send, _STATUS[reply.code], told, wait_s=reply.wait_s)


async def _send(send: Send, status: int, told: tuple[str, bytes], *, wait_s: int = 0) -> None:
    kind, data = told
    headers = [(b"content-type", kind.encode())]
    if wait_s:
        headers.append((b"retry-after", str(wait_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
