"""What requests have in common: one site for each method, route and status."""

from __future__ import annotations

from qmon_sdk.recorder.sites import Site

from . import semantics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.spans import OpenSpan

    from .exchange import Exchange

    Key = tuple[str, str, int, str, bool]
    Outcome = tuple[Site, str, dict[str, Any] | None]

MOST_SITES = 4096
"""Combinations kept; past them, requests lose their route, which somebody seems to make up."""

_sites: dict[Key, Site] = {}


def site_of(exchange: Exchange) -> Site:
    """Find a finished exchange's site; its path is an attribute apart unless it is the route."""
    plain = exchange.path == exchange.route
    if not plain:
        exchange.say(semantics.PATH, exchange.path)
    key = (exchange.method, exchange.route, exchange.status, exchange.scheme, plain)
    return _sites.get(key) or _kept(key)


def _kept(key: Key) -> Site:
    if len(_sites) >= MOST_SITES:
        method, _, status, scheme, _ = key
        return _made((method, "", status, scheme, False))
    return _sites.setdefault(key, _made(key))


def _made(key: Key) -> Site:
    method, route, status, scheme, plain = key
    attributes = {semantics.METHOD: method, semantics.SCHEME: scheme}
    if status:
        attributes[semantics.STATUS] = semantics.status_text(status)
    if route:
        attributes[semantics.ROUTE] = route
    if plain:
        attributes[semantics.PATH] = route
    return Site(semantics.name_of(method, route, scheme), kind="server", attributes=attributes)


def named(span: OpenSpan, outcome: Outcome) -> Outcome:
    """Let what the application said about its own request win."""
    site, status, extra = outcome
    if span.name:
        site = Site(span.name, kind=site.kind, attributes=site.attributes)
    return site, span.status or status, {**(extra or {}), **span.attributes} or None
