"""The ASGI applications of the two doors: the public port, and the control socket."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import Route, Router

from qmon_agent.domain.errors import QmonError
from qmon_agent.http.access import GRANTS, TokenScopes
from qmon_agent.http.answers import trouble_answer
from qmon_agent.http.api import api_routes
from qmon_agent.http.bodies import Bodies
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import Gate, Identities
from qmon_agent.http.refusals import AsgiApp, Message, Receive, Scope, Send
from qmon_agent.ingest.entrance import Mounted
from qmon_agent.settings import Http


def make_routes(desk: Desk, sources: Iterable[object]) -> list[Route]:
    """Every route there is, those of sources included."""
    mounted = [source for source in sources if isinstance(source, Mounted)]
    return [*api_routes(desk), *(route for source in mounted for route in routes_of(source))]


def routes_of(source: Mounted) -> Iterable[Route]:
    """A route for each of its paths."""
    endpoint, methods = _endpoint(source), source.entrance.methods
    return (Route(path, endpoint, methods=methods) for path in source.entrance.paths)


def public_gate(routes: list[Route], desk: Desk, *, options: Http, scope_of: TokenScopes) -> Gate:
    """What strangers meet: host names, origins and roles are checked."""
    host = options.listen.rpartition(":")[0].strip("[]")
    return Gate(
        _application(routes),
        routes,
        identities=Identities(scope_of=scope_of, sessions=desk.sessions),
        bodies=_bodies(desk, options),
        hosts=(host, *options.hosts),
        public_url=options.public_url,
    )


def control_gate(routes: list[Route], desk: Desk, *, options: Http) -> Gate:
    """What the owner meets: the socket has already said who is there."""
    everyone = Identities(scope_of=lambda _: None, sessions=desk.sessions, everyone=GRANTS["admin"])
    return Gate(
        _application(routes), routes, identities=everyone, bodies=_bodies(desk, options), hosts=None
    )


def _application(routes: list[Route]) -> AsgiApp:
    """Routes, and our errors as answers; a server answers by itself what nobody foresaw."""
    router = Router(routes=routes)

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await router(scope, receive, sending)
        except QmonError as problem:
            if not has_begun:  # else the connection ends in the middle: nobody takes it for whole
                await trouble_answer(problem)(scope, receive, send)

    return answering


def _bodies(desk: Desk, options: Http) -> Bodies:
    return Bodies(desk.intake, max_bytes=options.max_body_bytes, timeout_s=options.body_timeout_s)


class _endpoint:  # noqa: N801 - used as the function it stands for
    """Starlette takes an object for an ASGI application; the gate calls it without Starlette."""

    def __init__(self, source: Mounted) -> None:
        self.role = source.entrance.role
        self.entrance = source.entrance
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._source(scope, receive, send)
        except QmonError as problem:
            await trouble_answer(problem)(scope, receive, send)
