"""What rules about errors call them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from qmon_agent.alerting.observed import Changed
from qmon_sdk.protocol.signals import Error

from . import Fact
from ._series import series

_GROUP = {"service", "grouping"}


def grouping_of(error: Error) -> str:
    """What makes two errors the same."""
    return error.grouping or f"{error.type}@{error.culprit}"


def named(service: str, grouping: str) -> str:
    """The stable name of a group: rules about single groups call them the same."""
    return series(service, {"grouping": grouping})[0]


def group_in(instance: str) -> tuple[str, str] | None:
    """The service and the grouping that an instance is about, where it is about just these."""
    try:
        said = msgspec.json.decode(instance, type=dict[str, str])
    except msgspec.DecodeError:
        return None
    return (said["service"], said["grouping"]) if said.keys() == _GROUP else None


def resolved_in(changed: Iterable[Changed], system: str) -> Iterator[Fact]:
    """Facts, with `resolved` in their detail, about groups of a system that somebody resolved."""
    for each in changed:
        group = group_in(each.instance) if each.by_hand else None
        if group and system in {"", group[0]}:
            yield Fact(instance=each.instance, labels=each.labels, detail={"resolved": True})


def labels_of(service: str, error: Error) -> dict[str, str]:
    """What a message says of an error beside its text."""
    return {
        "service": service,
        "type": error.type,
        "culprit": error.culprit,
        "level": error.level,
    }
