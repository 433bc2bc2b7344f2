"""The stream of JetStream that keeps frames until a gateway has them: found, or made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from nats.aio.client import Client

_NOT_A_CLUSTER = 10_074
_OF_A_CLUSTER = 3


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is made where no stream keeps the subject yet."""

    subject: str
    name: str
    replicas: int
    max_bytes: int
    duplicate_window_s: float


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the one that is there."""

    name: str
    replicas: int
    waits: bool
    """Whether a full one refuses what comes; others lose the oldest."""

    def describe(self) -> dict[str, Any]:
        when_full = "what comes waits" if self.waits else "the oldest is lost"
        return {"stream": self.name, "replicas": self.replicas, "when_full": when_full}


async def found_or_made(client: Client, wanted: Wanted, timeout_s: float) -> Stream:
    """The stream of the subject. Raises errors of NATS, also where not enough servers are there."""
    from nats.js import api, errors

    manager = client.jsm(timeout=timeout_s)
    try:
        name = await manager.find_stream_name_by_subject(wanted.subject)
        config = (await manager.stream_info(name)).config
    except errors.NotFoundError:
        config = await _made(manager, wanted)
    return Stream(
        name=config.name or wanted.name,
        replicas=config.num_replicas or 1,
        waits=config.discard == api.DiscardPolicy.NEW,
    )


async def _made(manager: Any, wanted: Wanted) -> Any:
    """With three replicas, or as many as are wanted; one alone where there is no cluster."""
    from nats.js.errors import APIError

    try:
        return await _make(manager, wanted, wanted.replicas or _OF_A_CLUSTER)
    except APIError as error:
        if wanted.replicas or error.err_code != _NOT_A_CLUSTER:
            raise
    return await _make(manager, wanted, 1)


async def _make(manager: Any, wanted: Wanted, replicas: int) -> Any:
    """A queue on the disk: a frame leaves it when it is acknowledged, and never to make room."""
    from nats.js import api

    config = api.StreamConfig(
        name=wanted.name,
        subjects=[wanted.subject],
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.WORK_QUEUE,
        discard=api.DiscardPolicy.NEW,
        num_replicas=replicas,
        max_bytes=wanted.max_bytes or -1,
        duplicate_window=wanted.duplicate_window_s,
    )
    return (await manager.add_stream(config)).config
