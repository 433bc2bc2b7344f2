"""What requests have in common: one site for each method, route and status."""

from __future__ import annotations

from qmon_sdk.recorder.sites import Site

from . import semantics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.scrub import Scrubber
    from qmon_sdk.spans import OpenSpan

    from .exchange import Exchange

    Key = tuple[str, str, int, str, bool]
    Url = tuple[str, str, str]
    Ending = tuple[str, int, str]
    Outcome = tuple[Site, str, dict[str, Any] | None]

MOST_SITES = 4096
"""Combinations kept; past them, requests lose their route, which somebody seems to make up."""

MOST_KNOWN, MOST_MET, MOST_ENDINGS, OFTEN = 512, 1024, 8, 8
"""URLs known in all, and met lately; endings of one; times that a URL comes before it is known."""

_sites: dict[Key, Site] = {}


class Known:
    """A URL that is asked for again and again: its sites hold all there is to say of a request."""

    __slots__ = ("opening", "path", "query", "sites")

    def __init__(self, method: str, path: str, query: str) -> None:
        self.path = path
        self.query = query
        self.opening = Site(f"{method} {path}", kind="server")
        self.sites: dict[Ending, Site] = {}


class KnownUrls:
    """The URLs asked for most: what is the same every time is written and scrubbed once.

    They are few, and for good, since sites are; a URL has to come again and again to be one.
    """

    def __init__(self) -> None:
        self._scrubber: Scrubber | None = None
        self._known: dict[Url, Known] = {}
        self._met: dict[Url, int] = {}
        self._room = MOST_KNOWN

    def find(self, url: Url, scrubber: Scrubber) -> Known | None:
        """Return what is known of a URL, or `None`, and remember that it was asked for."""
        if scrubber is not self._scrubber:  # another client keeps other things to itself
            self._scrubber = scrubber
            self._known.clear()
        known = self._known.get(url)
        return known if known is not None or not self._room else self._meet(url, scrubber)

    def _meet(self, url: Url, scrubber: Scrubber) -> Known | None:
        met = self._met
        times = met[url] = met.get(url, 0) + 1
        if times < OFTEN:
            if len(met) > MOST_MET:
                met.clear()
            return None
        met.pop(url, None)  # another thread may have been quicker
        self._room -= 1
        method, path, query = url
        about = scrubber.labels({semantics.PATH: path, semantics.QUERY: query})
        known = Known(method, about[semantics.PATH], about[semantics.QUERY])
        self._known[url] = known
        return known


KNOWN = KnownUrls()


def site_of(exchange: Exchange) -> tuple[Site, dict[str, Any] | None]:
    """Find a finished exchange's site, and the attributes that are its alone."""
    known, extra = exchange.known, exchange.extra
    if known is not None and extra is None:
        ending = (exchange.route, exchange.status, exchange.scheme)
        site = known.sites.get(ending) or _known_site(exchange, known, ending)
        if site is not None:
            return site, None
    extra = {} if extra is None else extra
    plain = exchange.path == exchange.route
    if not plain:
        extra[semantics.PATH] = exchange.path
    if exchange.query:
        extra[semantics.QUERY] = exchange.query
    key = (exchange.method, exchange.route, exchange.status, exchange.scheme, plain)
    return _sites.get(key) or _kept(key, exchange.view), extra or None


def _known_site(exchange: Exchange, known: Known, ending: Ending) -> Site | None:
    if len(known.sites) >= MOST_ENDINGS:
        return None
    route, status, scheme = ending
    site = _made((exchange.method, route, status, scheme, False), exchange.view)
    attributes = {**site.attributes, semantics.PATH: known.path}
    if known.query:
        attributes[semantics.QUERY] = known.query
    return known.sites.setdefault(ending, Site(site.name, kind="server", attributes=attributes))


def _kept(key: Key, view: Any) -> Site:
    if len(_sites) >= MOST_SITES:
        method, _, status, scheme, _ = key
        return _made((method, "", status, scheme, False))
    return _sites.setdefault(key, _made(key, view))


def _made(key: Key, view: Any = None) -> Site:
    """Make a site; a route has one view, so that the first to come names it for all."""
    method, route, status, scheme, plain = key
    attributes = {semantics.METHOD: method, semantics.SCHEME: scheme}
    if status:
        attributes[semantics.STATUS] = semantics.status_text(status)
    if route:
        attributes[semantics.ROUTE] = route
    if plain:
        attributes[semantics.PATH] = route
    if route and view is not None:
        attributes[semantics.FUNCTION] = semantics.function_name(view)
    return Site(semantics.name_of(method, route, scheme), kind="server", attributes=attributes)


def named(span: OpenSpan, outcome: Outcome) -> Outcome:
    """Let what the application said about its own request win."""
    site, status, extra = outcome
    if span.name:
        site = Site(span.name, kind=site.kind, attributes=site.attributes)
    return site, span.status or status, {**(extra or {}), **span.attributes} or None
