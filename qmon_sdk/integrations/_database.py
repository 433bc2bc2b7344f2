"""What databases share: whom a connection leads to, and what a statement is, found out once."""

from __future__ import annotations

from qmon_sdk.client import current
from qmon_sdk.sql_text import sanitized

from ._sites import SHELF
from ._statement import summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said

MOST_STATEMENTS = 1000
LONGEST_REMEMBERED = 4096
MOST_PEERS = 256
BATCH = "BATCH"
CACHES = frozenset({"redis", "memcached"})
"""Systems whose spans are named by the command alone: the number of a database says little."""

WATCHED = "_qmon_is_watched"
"""What connections have whose classes were made to be watched."""

_ALL = slice(None)
_PEER = "_qmon_peer"

_peers: dict[tuple[Any, ...], Peer] = {}


class Peer:
    """One database as its clients see it: `peer.statements[query]` is the site of a statement."""

    __slots__ = (
        "_attributes",
        "_client",
        "_is_told",
        "batches",
        "operations",
        "statements",
        "system",
    )

    def __init__(
        self, system: str, *, namespace: str = "", address: str = "", port: int | None = None
    ) -> None:
        self.system = system
        about = {
            "db.system.name": system,
            "db.namespace": namespace,
            "server.address": address,
            "server.port": str(port or ""),
        }
        self._attributes = {key: value for key, value in about.items() if value}
        self._client: object = None
        self._is_told = False
        self._begin()

    def _begin(self) -> None:
        self.statements = Sites(self, "")
        self.batches = Sites(self, BATCH)
        self.operations: dict[str, Site | Said] = {}

    def statement(self, query: Any, *, in_batch: bool = False) -> Site | Said | None:
        """Return the site of a statement; one that is no text is named by the system alone."""
        if self._client is not current() or not self._is_told:
            self._renew()
        if not self._is_told:
            return None
        if type(query) is not str:
            if not isinstance(query, str | bytes):
                return self.operation("")
            # Of a subclass the text alone: how it compares is the application's code.
            query = str.__str__(query) if isinstance(query, str) else bytes.__getitem__(query, _ALL)
        return (self.batches if in_batch else self.statements)[query]

    def operation(self, name: str) -> Site | Said | None:
        """Return the site of what has no statement: COMMIT, CONNECT."""
        if self._client is not current() or not self._is_told:
            self._renew()
        if not self._is_told:
            return None
        site = self.operations.get(name)
        if site is None:
            if len(self.operations) >= MOST_STATEMENTS:
                self.operations.clear()
            site = self.operations[name] = self.site({"db.operation.name": name})
        return site

    def _renew(self) -> None:
        """Forget what was scrubbed for a client that is gone."""
        client = current()
        if client is not self._client:
            self._client = client
            self._begin()
        self._is_told = client.recording

    def site(self, attributes: dict[str, str]) -> Site | Said:
        """Name a span by its operation and what that is done to."""
        told = {key: value for key, value in attributes.items() if value}
        about = current().scrubber.labels({**self._attributes, **told})
        operation = about.get("db.operation.name") or self.system
        name = operation if self.system in CACHES else f"{operation} {_target(about)}".strip()
        return SHELF.site(name, about)


class Sites(dict["str | bytes", "Site | Said"]):
    """The sites of the statements of one database, each met once; all forgotten when too many."""

    __slots__ = ("_batch", "_peer")

    def __init__(self, peer: Peer, batch: str) -> None:
        self._peer, self._batch = peer, batch

    def __missing__(self, query: str | bytes) -> Site | Said:
        text = sanitized(query, self._peer.system)
        operation, table = summary(text)
        site = self._peer.site(
            {
                "db.operation.name": f"{self._batch} {operation}".strip(),
                "db.collection.name": table,
                "db.query.text": text,
            }
        )
        if len(query) <= LONGEST_REMEMBERED:
            if len(self) >= MOST_STATEMENTS:
                self.clear()
            self[query] = site
        return site


def _target(about: dict[str, str]) -> str:
    address, port = about.get("server.address", ""), about.get("server.port", "")
    server = f"{address}:{port}" if address and port else address
    return about.get("db.collection.name") or about.get("db.namespace") or server


def peer(system: str, namespace: Any = "", *, address: Any = "", port: Any = None) -> Peer:
    """Return the one peer of a database; whatever the driver says of it may be missing."""
    place = _text(namespace), _text(address), _number(port)
    found = _peers.get((system, *place))
    if found is None:
        if len(_peers) >= MOST_PEERS:
            _peers.clear()
        namespace, address, port = place
        found = Peer(system, namespace=namespace, address=address, port=port)
        _peers[system, *place] = found
    return found


def peer_of(holder: Any, find: Callable[[Any], Peer]) -> Peer:
    """Return the peer of a connection or client, found out at its first statement."""
    about = getattr(holder, "__dict__", None)
    if about is None:
        return find(holder)
    found = about.get(_PEER)
    if found is None:
        found = about[_PEER] = find(holder)
    return found  # type: ignore[no-any-return]


def rows(
    returned: int | None = None, affected: int | None = None, batch: Any = None
) -> dict[str, Any] | Pair | None:
    """Say how many rows came or were changed, and how many calls were one, as far as is known."""
    if returned is not None and returned >= 0:
        told: Pair | None = ("db.response.returned_rows", returned)
    elif affected is not None and affected >= 0:
        told = ("db.response.affected_rows", affected)
    else:
        told = None
    size = batch_size(batch) or 0 if batch is not None else 0
    if size > 1:
        return {**dict([told] if told else ()), "db.operation.batch.size": size}
    return told


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value[:255] if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    try:
        return int(value) or None
    except (TypeError, ValueError):
        return None


def batch_size(items: Any) -> int | None:
    """Count the items of a batch, unless they come one by one."""
    return len(items) if isinstance(items, list | tuple) else None
