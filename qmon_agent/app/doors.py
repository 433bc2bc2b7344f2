"""The two HTTP doors: the public port, and the control socket beside the data socket."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec
from starlette.routing import Route

from qmon_agent.app.desk import AgentDesk
from qmon_agent.http.access import TokenScopes
from qmon_agent.http.application import control_gate, make_routes, public_gate, routes_of
from qmon_agent.http.refusals import (
    AsgiApp,
    Receive,
    Refusal,
    Scope,
    Send,
    with_security_headers,
)
from qmon_agent.http.server import HttpServer, OwnerOnlyProtocol, url_of
from qmon_agent.ingest.entrance import Mounted
from qmon_agent.ingest.listening import listen_tcp, listen_unix, remove_socket
from qmon_agent.settings import Http, Locations
from qmon_agent.settings.certificates import serving_context

_AWAY = "the agent is starting: its state database is away"
_AT_ONCE = frozenset({"/healthz", "/readyz"})


class Doors:
    """Opens both, and those that sources want beside them; tells where they are."""

    def __init__(self, desk: AgentDesk, options: Http, *, scope_of: TokenScopes) -> None:
        self._desk = desk
        self._options = options
        self._scope_of = scope_of
        self._servers: list[HttpServer] = []
        self._beside: dict[str, tuple[HttpServer, _Hall]] = {}
        self._porter = _Porter()
        self._public, self._inner = _Hall(self._porter), _Hall(self._porter, is_public=False)
        self._tls: ssl.SSLContext | None = None
        self._control: tuple[Path, socket.socket] | None = None
        self.url = ""
        self.control = Path()

    async def start(self, locations: Locations, sources: Mapping[str, object]) -> None:
        self._tls = serving_context(
            self._options.certificate,
            self._options.key,
            self._options.client_authority,
            path="http",
        )
        listener = listen_tcp(self._options.listen, path="http.listen", option="--http")
        self.url = url_of(listener, is_secure=self._tls is not None)
        self._servers.append(HttpServer(self._public, listener, tls=self._tls))
        self.control, own = _listen_control(locations)
        self._control = (self.control, own)
        self._servers.append(HttpServer(self._inner, own, protocol=OwnerOnlyProtocol))
        await self.mount(sources)
        for server in self._servers:
            await server.start()

    async def mount(self, sources: Mapping[str, object]) -> None:
        """Leads to these sources from now on; those that have an address of their own open it."""
        mounted = {name: one for name, one in sources.items() if isinstance(one, Mounted)}
        routes = make_routes(self._desk, mounted.values())
        self._public.gate = self._gate(routes, self._options.listen)
        self._inner.gate = control_gate(routes, self._desk, options=self._options)
        wanted = {name: one for name, one in mounted.items() if getattr(one, "listen", "")}
        addresses = {getattr(one, "listen", "") for one in wanted.values()}
        for address in self._beside.keys() - addresses:
            await self._beside.pop(address)[0].stop()
        for name, source in wanted.items():
            await self._lead_to(name, source)

    def let_in(self) -> None:
        """Everything that answers is there."""
        self._porter.tell(is_open=True)

    def keep_out(self, reason: str) -> None:
        """It is not there for the time being: who asks, or has asked already, is told why."""
        self._porter.tell(is_open=False, reason=reason)

    async def stop(self) -> None:
        for server in (*self._servers, *(server for server, _ in self._beside.values())):
            await server.stop()
        if self._control is not None:
            remove_socket(*self._control)

    def _gate(self, routes: list[Route], listen: str) -> AsgiApp:
        options = msgspec.structs.replace(self._options, listen=listen)
        return public_gate(routes, self._desk, options=options, scope_of=self._scope_of)

    async def _lead_to(self, name: str, source: Mounted) -> None:
        """To one source alone, at the address it wants to have beside the public port."""
        listen: str = getattr(source, "listen", "")
        if listen not in self._beside:
            hall = _Hall(self._porter)
            listener = listen_tcp(listen, path=f"sources.{name}.listen")
            server = HttpServer(hall, listener, tls=self._tls)
            await server.start()
            self._beside[listen] = server, hall
        self._beside[listen][1].gate = self._gate([*routes_of(source)], listen)


class _Porter:
    """Knows whether everything is there, or why not yet; one for all halls."""

    def __init__(self) -> None:
        self.is_open = False
        self.reason = ""
        self._knows = asyncio.Event()

    def tell(self, *, is_open: bool, reason: str = "") -> None:
        self.is_open, self.reason = is_open, reason
        self._knows.set()

    async def ask(self) -> str:
        """Why nobody may go in yet; waits the moment it takes until that is known."""
        await self._knows.wait()
        return self.reason


class _Hall:
    """Before a gate: who comes before everything is there waits the moment it takes."""

    def __init__(self, porter: _Porter, *, is_public: bool = True) -> None:
        """In a public one nobody is told where the state is kept."""
        self.gate: AsgiApp | None = None
        self._porter = porter
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether we live, and are ready, is told at once."""
        if (
            not self._porter.is_open
            and scope.get("path") not in _AT_ONCE
            and (reason := await self._porter.ask())
        ):
            await self._refuse(send, _AWAY if self._is_public else reason)
        elif self.gate is not None:
            await self.gate(scope, receive, send)

    @staticmethod
    async def _refuse(send: Send, reason: str) -> None:
        words = msgspec.json.encode({"error": reason, "kind": "StoreError"})
        refusal = Refusal(503, reason, retry_after="5")
        await refusal.send_to(
            with_security_headers(send), worded=(refusal.status, "application/json", words)
        )


def _listen_control(locations: Locations) -> tuple[Path, socket.socket]:
    """At its usual name; under one of its own where another agent's is in the same directory."""
    usual = locations.control
    places = [usual, usual.with_name(f"control-{os.getpid()}.sock")]
    # Where systemd opened the data socket, its directory is not ours, and another one is.
    own = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    places += [Path(own, usual.name)] if own else []
    for path in places:
        try:
            return path, listen_unix(path, kind=socket.SOCK_STREAM, mode=0o600)
        except OSError as problem:
            trouble = problem
    raise trouble
