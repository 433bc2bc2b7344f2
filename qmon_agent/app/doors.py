"""The two HTTP doors: the public port, and the control socket beside the data socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from qmon_agent.app.desk import AgentDesk
from qmon_agent.http.access import TokenScopes
from qmon_agent.http.application import control_gate, make_routes, public_gate
from qmon_agent.http.refusals import AsgiApp, Receive, Scope, Send
from qmon_agent.http.server import HttpServer, OwnerOnlyProtocol, url_of
from qmon_agent.ingest.listening import listen_tcp, listen_unix, remove_socket
from qmon_agent.settings import Http, Locations


class Doors:
    """Opens both, and tells where they are."""

    def __init__(self, desk: AgentDesk, options: Http, *, scope_of: TokenScopes) -> None:
        self._desk = desk
        self._options = options
        self._scope_of = scope_of
        self._servers: list[HttpServer] = []
        self._control: tuple[Path, socket.socket] | None = None
        self.url = ""
        self.control = Path()
        self._may_enter = asyncio.Event()

    async def start(self, locations: Locations, sources: Iterable[object]) -> None:
        routes = make_routes(self._desk, sources)
        listener = listen_tcp(self._options.listen, path="http.listen")
        self.url = url_of(listener)
        gate = public_gate(routes, self._desk, options=self._options, scope_of=self._scope_of)
        self._servers.append(HttpServer(self._held(gate), listener))
        self.control, own = _listen_control(locations)
        self._control = (self.control, own)
        inner = control_gate(routes, self._desk, options=self._options)
        self._servers.append(HttpServer(self._held(inner), own, protocol=OwnerOnlyProtocol))
        for server in self._servers:
            await server.start()

    def let_in(self) -> None:
        """Everything that answers is there."""
        self._may_enter.set()

    def _held(self, gate: AsgiApp) -> AsgiApp:
        """Who comes before that waits the moment it takes; whether we live is told at once."""

        async def holding(scope: Scope, receive: Receive, send: Send) -> None:
            if not self._may_enter.is_set() and scope.get("path") != "/healthz":
                await self._may_enter.wait()
            await gate(scope, receive, send)

        return holding

    async def stop(self) -> None:
        for server in self._servers:
            await server.stop()
        if self._control is not None:
            remove_socket(*self._control)


def _listen_control(locations: Locations) -> tuple[Path, socket.socket]:
    """At its usual name; under one of its own where another agent's is in the same directory."""
    for path in (locations.control, locations.control.with_name(f"control-{os.getpid()}.sock")):
        try:
            return path, listen_unix(path, kind=socket.SOCK_STREAM, mode=0o600)
        except OSError as problem:
            trouble = problem
    raise trouble
