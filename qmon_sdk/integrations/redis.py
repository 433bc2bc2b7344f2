"""Redis by redis-py, plain, asynchronous and clusters: commands, pipelines, connections.

What is asked is named, never about what: no key and no value leaves the process.
"""

from __future__ import annotations

from ._around import Calls
from ._cache import found
from ._database import Peer, peer, peer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._sites import Pair, Said
    from ._watch import Watch

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

SYSTEM = "redis"
_STACK = "_qmon_stack"


class RedisIntegration:
    """Watches every client of the process."""

    def install(self, watch: Watch) -> None:
        """Stand where commands of all kinds pass; each flavour when it is imported."""
        watch.when_imported("redis.client", _watch_clients)
        watch.when_imported("redis.asyncio.client", _watch_async_clients)
        watch.when_imported("redis.cluster", _watch_clusters)
        watch.when_imported("redis.asyncio.cluster", _watch_async_clusters)


def _watch_clients(watch: Watch) -> None:
    from redis import client, connection

    watch.wrap(client.Redis, "execute_command", COMMANDS.sync)
    watch.wrap(client.Pipeline, "immediate_execute_command", COMMANDS.sync)
    watch.wrap(client.Pipeline, "execute", PIPELINES.sync)
    watch.wrap(connection.AbstractConnection, "connect", CONNECTS.sync)


def _watch_async_clients(watch: Watch) -> None:
    from redis.asyncio import client, connection

    watch.wrap(client.Redis, "execute_command", COMMANDS.coroutine)
    watch.wrap(client.Pipeline, "immediate_execute_command", COMMANDS.coroutine)
    watch.wrap(client.Pipeline, "execute", PIPELINES.coroutine)
    watch.wrap(connection.AbstractConnection, "connect", CONNECTS.coroutine)


def _watch_clusters(watch: Watch) -> None:
    from redis import cluster

    watch.wrap(cluster.RedisCluster, "execute_command", COMMANDS.sync)
    watch.wrap(cluster.ClusterPipeline, "execute", PIPELINES.sync)


def _watch_async_clusters(watch: Watch) -> None:
    from redis.asyncio import cluster

    watch.wrap(cluster.RedisCluster, "execute_command", COMMANDS.coroutine)
    watch.wrap(cluster.ClusterPipeline, "execute", PIPELINES.coroutine)


def _peer(client: Any) -> Peer:
    """Say whom a client speaks to; of a cluster, the node it was told of first."""
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        return _peer_in(pool.connection_kwargs)
    nodes = getattr(getattr(client, "nodes_manager", None), "startup_nodes", None) or {}
    node = next(iter(nodes.values()), None)
    return peer(SYSTEM, address=getattr(node, "host", ""), port=getattr(node, "port", None))


def _peer_in(about: Kwargs) -> Peer:
    place = about.get("path") or about.get("host", "localhost")
    port = None if about.get("path") else about.get("port", 6379)
    return peer(SYSTEM, str(about.get("db") or 0), address=place, port=port)


def _command(client: Any, args: Args, _: Kwargs) -> Site | Said | None:
    return peer_of(client, _peer).operation(_named(args[0])) if args else None


def _named(command: Any) -> str:
    if isinstance(command, bytes):
        command = command.decode("ascii", "replace")
    return command[:64].upper() if isinstance(command, str) else ""


def _replied(_: Any, reply: Any, args: Args) -> Kwargs | Pair | None:
    command = _named(args[0])
    read = READING.get(command)
    if read is None or isinstance(reply, Exception):
        return None
    hits, misses = read(reply, len(args) - 1)
    return found(SYSTEM, command, hits=hits, misses=misses)


def _one(reply: Any, _: int) -> tuple[int, int]:
    return (0, 1) if reply is None else (1, 0)


def _several(reply: Any, _: int) -> tuple[int, int]:
    missing = sum(value is None for value in reply)
    return len(reply) - missing, missing


def _existing(reply: Any, keys: int) -> tuple[int, int]:
    return int(reply), keys - int(reply)


def _whole(reply: Any, _: int) -> tuple[int, int]:
    return (1, 0) if reply else (0, 1)


READING: dict[str, Callable[[Any, int], tuple[int, int]]] = {
    "GET": _one,
    "GETDEL": _one,
    "GETEX": _one,
    "HGET": _one,
    "HGETALL": _whole,
    "HEXISTS": _whole,
    "EXISTS": _existing,
    "MGET": _several,
    "HMGET": _several,
}
"""Commands that find something or not → how many of what they asked for, from the reply."""


def _pipeline(pipeline: Any, _: Args, __: Kwargs) -> Site | Said | None:
    if not len(pipeline):
        return None
    about = getattr(pipeline, "__dict__", {})
    about[_STACK] = list(about.get("command_stack") or [None] * len(pipeline))
    is_one = getattr(pipeline, "transaction", False) or getattr(
        pipeline, "explicit_transaction", False
    )
    return peer_of(pipeline, _peer).operation("MULTI" if is_one is True else "PIPELINE")


def _piped(pipeline: Any, replies: Any, _: Args) -> Kwargs | Pair | None:
    """Count what the commands of a pipeline found; the pipeline has forgotten them by now."""
    stack = getattr(pipeline, "__dict__", {}).pop(_STACK, [])
    for command, reply in zip(stack, replies, strict=False):
        if command is not None:
            _replied(pipeline, reply, command[0])
    return {"db.operation.batch.size": len(stack)} if len(stack) > 1 else None


def _connect(connection: Any, _: Args, __: Kwargs) -> Site | Said | None:
    if getattr(connection, "_sock", None) or getattr(connection, "is_connected", False) is True:
        return None  # pools ask every time
    return _peer_in(vars(connection)).operation("CONNECT")


def _code(error: BaseException) -> Kwargs | Pair | None:
    """Take the word an error of Redis begins with."""
    from redis.exceptions import ResponseError

    text = error.args[0] if isinstance(error, ResponseError) and error.args else ""
    word = text.partition(" ")[0] if isinstance(text, str) else ""
    return {"db.response.status_code": word} if word.isupper() else None


COMMANDS = Calls(_command, _replied, code=_code)
PIPELINES = Calls(_pipeline, _piped, code=_code)
CONNECTS = Calls(_connect)
