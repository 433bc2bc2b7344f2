"""Memcached by pymemcache: commands and connections; pools and rings of clients come with it.

What is asked is named, never about what: no key and no value leaves the process.
"""

from __future__ import annotations

from ._around import Calls
from ._cache import found
from ._database import Peer, peer, peer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said
    from ._watch import Watch

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

SYSTEM = "memcached"
READING = frozenset({"GET", "GETS", "GAT", "GATS"})


class PymemcacheIntegration:
    """Watches every client of the process."""

    def install(self, watch: Watch) -> None:
        """Stand at the three methods that all commands come down to."""
        from pymemcache.client.base import Client

        watch.wrap(Client, "_fetch_cmd", Calls(_fetching, _fetched).sync)
        watch.wrap(Client, "_store_cmd", Calls(_storing, _stored).sync)
        watch.wrap(Client, "_misc_cmd", Calls(_asking).sync)
        watch.wrap(Client, "_connect", Calls(_connect).sync)


def _peer(client: Any) -> Peer:
    server = client.server
    host, port = server if isinstance(server, tuple) else (server, None)
    return peer(SYSTEM, address=host, port=port)


def _named(command: Any) -> str:
    return command.decode("ascii", "replace")[:64].upper() if isinstance(command, bytes) else ""


def _fetching(client: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    return peer_of(client, _peer).operation(_named(args[0] if args else kwargs.get("name")))


def _fetched(_: Any, values: Any, args: Args) -> Kwargs | Pair | None:
    command = _named(args[0]) if args else ""
    if command not in READING:
        return None
    keys = args[1] if len(args) > 1 else ()
    asked = len(keys) if hasattr(keys, "__len__") else len(values)
    return found(SYSTEM, command, hits=len(values), misses=max(asked - len(values), 0))


def _storing(client: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    return peer_of(client, _peer).operation(_named(args[0] if args else kwargs.get("name")))


def _stored(_: Any, __: Any, args: Args) -> Kwargs | Pair | None:
    keys = len(args[1]) if len(args) > 1 and hasattr(args[1], "__len__") else 1
    return {"cache.key_count": keys} if keys > 1 else None


def _asking(client: Any, args: Args, kwargs: Kwargs) -> Site | Said | None:
    name = args[1] if len(args) > 1 else kwargs.get("cmd_name")
    return peer_of(client, _peer).operation(_named(name))


def _connect(client: Any, _: Args, __: Kwargs) -> Site | Said | None:
    return peer_of(client, _peer).operation("CONNECT")
