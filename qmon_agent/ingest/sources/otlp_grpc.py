"""OpenTelemetry's protocol over gRPC, for senders that speak nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Amount, Bytes
from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.listening import address_of
from qmon_agent.ingest.otlp.answers import retry_details
from qmon_agent.ingest.otlp.encoding import Encoding, Lane
from qmon_agent.ingest.otlp.reception import Code, Reception, Reply, Sent
from qmon_agent.ingest.otlp.translation import protobuf
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.sources import Door

_SERVICES: dict[str, Lane] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
_DETAILS = "grpc-status-details-bin"
_GRACE_S = 2.0


class OtlpGrpcSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.otlp_grpc]`: off unless enabled; needs `pip install 'qmon[grpc]'`."""

    enabled: bool = False
    listen: str = "127.0.0.1:4317"
    """Address to listen at; a token is needed there, as metadata `authorization`."""
    max_body_bytes: Bytes = 64 << 20
    """The largest message that is taken."""
    max_series: Amount = 200_000
    """Cumulative series whose last value is remembered."""
    series_expire_s: float = 3_600.0
    """How long a cumulative series may be silent before it is forgotten."""

    def __post_init__(self) -> None:
        self._server: Any = None
        self._address = self.listen

    async def start(self, door: Door) -> None:
        host, port = address_of(self.listen, path="sources.otlp_grpc.listen")
        grpc = _grpc()
        reception = Reception(door, most_series=self.max_series, expire_s=self.series_expire_s)
        await asyncio.to_thread(protobuf)
        largest = door.intake.admission.workroom.largest
        options = [
            ("grpc.max_receive_message_length", min(self.max_body_bytes, largest)),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers(
            _handler(grpc, name, _Export(door, reception, lane=lane, codes=grpc.StatusCode))
            for name, lane in _SERVICES.items()
        )
        place = f"[{host}]" if ":" in host else host
        try:
            bound = server.add_insecure_port(f"{place}:{port}")
        except RuntimeError as problem:
            raise ConfigError("sources.otlp_grpc.listen", f"{self.listen}: {problem}") from None
        self._address = f"{place}:{bound}"
        await server.start()
        self._server = server

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(_GRACE_S)

    def describe(self) -> Mapping[str, Any]:
        return {"listen": self._address}


class _Export:
    """The one method of each of the three services."""

    def __init__(self, door: Door, reception: Reception, *, lane: Lane, codes: Any) -> None:
        self._door = door
        self._reception = reception
        self._lane = lane
        self._codes = codes

    async def take(self, _: Any, context: Any) -> bytes:
        """Bytes in, bytes out: what reads them is the same as over HTTP.

        As a method that takes a stream, of which one message is read, it can say no before that.
        """
        token = _token_of(dict(context.invocation_metadata()))
        if not self._door.may_enter(token):
            word, sender = "wrong_token" if token else "no_token", _host_of(context.peer())
            self._door.intake.turned_away.note(word, f"ip:{sender}")
            code = self._codes.UNAUTHENTICATED
            await context.abort(code, "a token that may send is needed, as authorization")
        peer = Peer(name=f"ip:{_host_of(context.peer())}")
        encoding = protobuf()
        reply = await self._reply(context, encoding, peer=peer)
        if reply.code is not Code.OK:
            details = retry_details(reply.code, reply.message, reply.wait_s)
            trailing = ((_DETAILS, details),) if reply.wait_s else ()
            await context.abort(self._codes[reply.code.name], reply.message, trailing)
        return encoding.success(self._lane, reply.rejected, reply.message)

    async def _reply(self, context: Any, encoding: Encoding, *, peer: Peer) -> Reply:
        bodies = self._door.intake.admission.bodies
        if bodies.is_full_for(peer):
            self._door.intake.refuse(peer)
            return Reply(code=Code.RESOURCE_EXHAUSTED, message="too much under way", wait_s=1)
        body = await context.read()
        if not isinstance(body, bytes):
            return Reply(code=Code.INVALID_ARGUMENT, message="there is no message")
        bodies.hold(len(body), peer)
        try:
            sent = Sent(lane=self._lane, body=body)
            return await self._reception.take(sent, encoding=encoding, peer=peer)
        finally:
            bodies.release(len(body), peer)


def _handler(grpc: Any, service: str, export: _Export) -> Any:
    # Without a serializer, a message is its bytes.
    method = grpc.stream_unary_rpc_method_handler(export.take)
    return grpc.method_handlers_generic_handler(service, {"Export": method})


def _token_of(metadata: Mapping[str, Any]) -> str:
    kind, _, token = str(metadata.get("authorization", "")).strip().rpartition(" ")
    return token if kind.lower() in {"", "bearer"} else ""


def _host_of(peer: str) -> str:
    """The host of `ipv4:127.0.0.1:41234`, or of `ipv6:%5B::1%5D:41234`."""
    return peer.partition(":")[2].rpartition(":")[0] or peer


def _grpc() -> Any:
    """Imported only by who listens: it is an extra, and weighs as much as all the rest."""
    try:
        import grpc
        import grpc.aio
    except ImportError:
        reason = "needs grpcio: python -m pip install 'qmon[grpc]'"
        raise ConfigError("sources.otlp_grpc.enabled", reason) from None
    return grpc
