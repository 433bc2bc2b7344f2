"""Where what is marked would go, and what a configuration says that hardly anybody means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qmon_agent.alerting.doubts import doubts_of_alerts
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.settings import Settings
from qmon_agent.settings.retention import doubts_of_retention


def lost_routes(settings: Settings) -> Iterator[ConfigError]:
    """Routes to which no sink listens."""
    known = _names(table.get("routes") for table in settings.sinks.values())
    for table in _of_kind("route", settings):
        for number, name in enumerate(_names([table.get("to")])):
            if name not in known:
                near = nearest_to(name, known)
                there = f"; they have {', '.join(map(repr, known))}" if known and not near else ""
                path = f"processors.{table.get('name', 'route')}.to[{number}]"
                yield ConfigError(path, f"no sink has {name!r} in its `routes`{there}", near)


def doubts(settings: Settings) -> Iterator[str]:
    """What may be meant, and hardly ever is; each begins with its place."""
    for table in _of_kind("drop", settings):
        if not table.get("match"):
            yield f"processors.{table.get('name', 'drop')}: without `match` it drops everything"
    given = _names(table.get("to") for table in _of_kind("route", settings))
    for sink, table in settings.sinks.items():
        for number, name in enumerate(_names([table.get("routes")])):
            if name not in given:
                yield f"sinks.{sink}.routes[{number}]: no `route` marks anything as {name!r}"
    yield from doubts_of_retention(settings.retention)
    yield from doubts_of_alerts(settings)


def _of_kind(kind: str, settings: Settings) -> Iterator[Mapping[str, Any]]:
    return (table for table in settings.processors if table.get("kind") == kind)


def _names(listed: Iterable[Any]) -> tuple[str, ...]:
    """What is listed, each once; what is no list of texts is somebody else's complaint."""
    names = [name for names in listed if isinstance(names, (list, tuple)) for name in names]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))
