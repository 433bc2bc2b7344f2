"""PostHog's export of events: rows of JSON, CSV or Parquet, with properties as they were sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qmon_agent.ingest.foreign import Group
from qmon_agent.ingest.loose import decoded, mapping, moment
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

from .events import Times, resource_of, signal_of

_AT_ONCE = 2_000
_PROPERTY = "properties."


def groups_of(entries: Iterable[Any], *, service: str, left_out: Counter[str]) -> Iterator[Group]:
    """Events and errors by who speaks; `left_out` counts what none could be made of, and why."""
    times = Times(None, now=0)
    groups: dict[tuple[object, ...], tuple[Resource, list[Signal]]] = {}
    for number, entry in enumerate(entries, 1):
        said = _said(mapping(entry))
        signal = signal_of(said, times) if moment(said.get("timestamp")) else None
        if signal is None:
            left_out["no_name" if moment(said.get("timestamp")) else "no_time"] += 1
        else:
            resource = resource_of(said, service=service)
            groups.setdefault((*resource[:-1],), (resource, []))[1].append(signal)
        if number % _AT_ONCE == 0:
            yield from groups.values()
            groups = {}
    yield from groups.values()


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it was sent: its properties may be a text, or columns of their own."""
    apart = {
        key.removeprefix(_PROPERTY): value
        for key, value in row.items()
        if key.startswith(_PROPERTY) and value not in {"", None}
    }
    rest = {key: value for key, value in row.items() if not key.startswith(_PROPERTY)}
    return {
        **rest,
        "timestamp": _text(rest.get("timestamp")),
        "properties": {**apart, **_object(rest.get("properties"))},
    }


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, str):
        return mapping(value)
    try:
        return mapping(decoded(value.encode()))
    except WireError:
        return {}


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
