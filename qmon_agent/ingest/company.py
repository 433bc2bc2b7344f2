"""Which processes are connected: told to whoever watches over them."""

from __future__ import annotations

from typing import Protocol

from qmon_agent.ingest.outcome import Peer


class Connection(Protocol):
    """What can be asked of a socket."""

    def getsockopt(self, level: int, option: int, /) -> int: ...


class Watcher(Protocol):
    """Somebody who wants to know who comes and goes. Called on the loop; may not wait."""

    def came(self, peer: Peer, connection: Connection) -> None: ...

    def gone(self, peer: Peer) -> None: ...


class Company:
    """Passes on who came and who left; only those whom the kernel vouches for are told of."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def came(self, peer: Peer, connection: Connection) -> None:
        if peer.pid:
            for watcher in self._watchers:
                watcher.came(peer, connection)

    def gone(self, peer: Peer) -> None:
        if peer.pid:
            for watcher in self._watchers:
                watcher.gone(peer)
