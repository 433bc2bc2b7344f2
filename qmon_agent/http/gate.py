"""What every request passes before any route sees it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.routing import BaseRoute, Match, Route

from qmon_agent.http.access import GRANTS, ROLES, Caller, Sessions, TokenScopes
from qmon_agent.http.bodies import Bodies, replayed
from qmon_agent.http.crossing import CROSSING_HEADERS, answer_preflight, is_preflight
from qmon_agent.http.refusals import (
    AsgiApp,
    Receive,
    Refusal,
    Scope,
    Send,
    with_security_headers,
)
from qmon_agent.ingest.entrance import Entrance, Mounted
from qmon_agent.ingest.exchange import SENDER, peer_of, sender_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_KNOWN, _LONGEST_KNOWN = 256, 256  # paths that are remembered, and their characters


class UndeclaredRoleError(Exception):
    """A route that does not say who may use it: the agent does not start with one."""


def needs(role: str) -> Callable[[Any], Any]:
    """Declares who may use an endpoint."""
    if role not in ROLES:
        raise UndeclaredRoleError(f"{role!r} is none of {', '.join(ROLES)}")

    def declare(endpoint: Any) -> Any:
        endpoint.role = role
        return endpoint

    return declare


def may(scope: Scope, role: str) -> bool:
    """Whether the caller of an open route could do more than strangers."""
    grants: Callable[[], frozenset[str]] = scope.get("qmon.grants", frozenset)
    return role in grants()


def scope_of(scope: Scope) -> str:
    """The most that the caller may do of `admin`, `operator` and `read`; else nothing."""
    return next((role for role in ("admin", "operator", "read") if may(scope, role)), "")


class Identities:
    """Tells what a caller may do: by token, by session, or by the socket it came in on."""

    def __init__(
        self, *, scope_of: TokenScopes, sessions: Sessions, everyone: frozenset[str] = frozenset()
    ) -> None:
        self._scope_of = scope_of
        self._sessions = sessions
        self._everyone = everyone

    def grants(self, caller: Caller) -> frozenset[str]:
        if self._everyone:
            return self._everyone
        if token := caller.token:
            return GRANTS.get(self._scope_of(token) or "", frozenset())
        if (session := caller.session) and self._sessions.knows(session):
            return GRANTS["admin"]
        return frozenset()


class Gate:
    """The ASGI application around the routes: host, origin, role and body, in this order."""

    def __init__(
        self,
        app: AsgiApp,
        routes: Iterable[BaseRoute],
        *,
        identities: Identities,
        bodies: Bodies,
        hosts: Iterable[str] | None,
        public_url: str = "",
    ) -> None:
        """`public_url` is where we are for people, through whatever stands before us."""
        self._app = app
        self._routes = tuple((route, _entrance_of(route)) for route in routes)
        self._known: dict[tuple[str, str], _Way] = {}
        self._identities = identities
        self._bodies = bodies
        public = urlsplit(public_url)
        named = {public.hostname} if public.hostname else set()
        self._hosts = None if hosts is None else {"localhost", *map(str.lower, hosts), *named}
        self._origin = f"{public.scheme}://{public.netloc}".lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        entrance, source = self._wanted(scope)
        beside = CROSSING_HEADERS if entrance.from_browsers else ()
        guarded = with_security_headers(send, beside=beside)
        headers: dict[str, str] = {}
        try:
            headers = _headers(scope)
            self._check_host(headers)
            if entrance.from_browsers and is_preflight(scope["method"], headers):
                await answer_preflight(entrance.methods, guarded)
                return
            if not entrance.from_browsers:
                self._check_origin(scope["method"], headers)
            self._check_role(entrance, headers, scope)
            scope["qmon.grants"] = lambda: self._identities.grants(Caller(headers))
            if scope["method"] in _SAFE:
                await (source or self._app)(scope, receive, guarded)
                return
            peer = peer_of(scope)
            async with self._bodies.read(headers, receive, peer=peer, entrance=entrance) as body:
                await (source or self._app)(scope, replayed(body, receive), guarded)
        except Refusal as refusal:
            self._bodies.turned_away.note(refusal.word, peer_of(scope).name)
            word = entrance.refusal_of
            worded = word(headers, refusal.status, refusal.reason) if word else None
            await refusal.send_to(guarded, worded=worded)

    def _check_host(self, headers: Mapping[str, str]) -> None:
        """A name we do not answer to is somebody else's page speaking (DNS rebinding)."""
        if self._hosts is None:
            return
        name = _host_name(headers.get("host", ""))
        if name not in self._hosts and not _is_address(name):
            raise Refusal(421, "this host name is not served here; see http.hosts")

    def _check_origin(self, method: str, headers: Mapping[str, str]) -> None:
        origin = headers.get("origin")
        if origin is None or method in _SAFE or self._hosts is None:
            return
        host = headers.get("host", "")
        if origin not in {f"http://{host}", f"https://{host}", self._origin}:
            raise Refusal(403, "requests from other origins are refused", word="origin")

    def _check_role(self, entrance: Entrance, headers: Mapping[str, str], scope: Scope) -> None:
        if entrance.role == "open":
            return
        query = scope["query_string"].decode("latin-1")
        own = entrance.token_of(headers, query) if entrance.token_of else ""
        caller = Caller(headers, token=own)
        grants = self._identities.grants(caller)
        if grants and caller.token:
            scope[SENDER] = sender_of(caller.token)
        if not grants:
            raise Refusal(
                401,
                "a token or a sign-in link is needed",
                word="wrong_token" if caller.token else "no_token",
                www_authenticate='Bearer realm="qmon"',
            )
        if entrance.role not in grants:
            raise Refusal(403, f"this needs the role {entrance.role}", word="role")

    def _wanted(self, scope: Scope) -> tuple[Entrance, AsgiApp | None]:
        """Of the route a request is for: its entrance, and the source that answers by itself.

        Of the route with its path where none has the method. Senders come to few paths, often.
        """
        key = (scope["method"], scope["path"])
        found = self._known.get(key)
        if found is None:
            found = self._looked_up(scope)
            if found.source is not None and len(scope["path"]) <= _LONGEST_KNOWN:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = found
        if found.source is not None:
            scope["path_params"] = dict(found.parameters)
        return found.entrance, found.source

    def _looked_up(self, scope: Scope) -> _Way:
        partial = None
        for route, entrance in self._routes:
            match, inside = route.matches(scope)
            if match is Match.FULL:
                endpoint = inside["endpoint"]
                source = endpoint if isinstance(endpoint, Mounted) else None
                return _Way(entrance, source, inside["path_params"])
            if match is Match.PARTIAL and partial is None:
                partial = entrance
        return _Way(partial or _NOWHERE)


class _Way(msgspec.Struct, frozen=True):
    """Where a request goes."""

    entrance: Entrance
    source: AsgiApp | None = None
    parameters: Mapping[str, Any] = {}


# What is not there is shown to be so only to those who may look around.
_NOWHERE = Entrance(paths=(), role="read")


def _entrance_of(route: BaseRoute) -> Entrance:
    endpoint = getattr(route, "endpoint", None)
    entrance = getattr(endpoint, "entrance", None)
    if isinstance(entrance, Entrance):
        return entrance
    role = getattr(endpoint, "role", None)
    if not isinstance(route, Route) or role not in ROLES:
        raise UndeclaredRoleError(f"{route!r} declares no role; decorate it with @needs(...)")
    return Entrance(paths=(route.path,), role=role)


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in headers and name in {"host", "content-length", "authorization"}:
            raise Refusal(400, f"{name} is given twice")
        headers[name] = raw_value.decode("latin-1")
    return headers


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    # Rebinding needs a name that can change its mind; an address cannot.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
