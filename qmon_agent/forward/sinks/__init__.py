"""Ways out: one file each, found by folder, configured by `[sinks.NAME]`.

A sink is a class named after its file (`file.py` holds `FileSink`); its fields are its options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from qmon_agent.domain.errors import ConfigError, QmonError, UnknownPluginError, raise_all
from qmon_agent.domain.plugins import Registry
from qmon_agent.forward.batch import Batch

_COMMON = ("kind", "routes")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How a sending went: `delivered`, `retry` (may be tried again), or `refused` (never will).

    `rejected` counts the signals that the other side did not take, be it for all that was
    delivered beside them; they are not sent again. `passed_over` counts those of kinds that this
    sink has no word for.
    """

    outcome: Literal["delivered", "retry", "refused"]
    detail: str = ""
    retry_after_s: float = 0.0
    rejected: int = 0
    passed_over: int = 0


DELIVERED = Delivery(outcome="delivered")


class Sink(Protocol):
    """A way out. All three are called from one thread that is this sink's own, so they may block.

    Batching, retry, back-off, circuit breaker, dead letters and counting are done around it.
    """

    def send(self, batch: Batch) -> Delivery:
        """Answers `delivered` only for what is kept where it was sent; ends within a minute.

        A batch that may be tried again comes again, unchanged, before any other. After a crash it
        may come once more although it has arrived: its `id` is to travel with it. What it raises
        may pass, too; but a batch at which it raises again and again, for no trouble of the
        system's, becomes a dead letter.
        """

    def close(self) -> None:
        """Lets go of files and connections. May be called twice, and `send` after it."""

    def describe(self) -> Mapping[str, Any]:
        """Where it sends to, for `status` and `doctor`; no secrets."""


@runtime_checkable
class Remembering(Protocol):
    """A sink that has to know more than its place: totals, say."""

    def remember_at(self, path: Path, *, is_new: bool) -> None:
        """A file of its own, before the first `send`; `is_new`: what is there is another's."""


SINKS: Registry[Sink] = Registry("qmon_agent.forward.sinks", role="Sink")


def make_sinks(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Sink]:
    """Every sink that is configured, with its section as its options."""
    made: dict[str, Sink] = {}
    problems: list[QmonError] = []
    for name, table in sections.items():
        try:
            made[name] = _make_sink(name, table)
        except (ConfigError, UnknownPluginError) as problem:
            problem.path = problem.path or f"sinks.{name}"
            problems.append(problem)
    raise_all(problems)
    return made


def routes_to(name: str, table: Mapping[str, Any]) -> frozenset[str]:
    """`[sinks.NAME] routes = [...]`: marks of what it gets; none, and it gets all."""
    routes = table.get("routes", [])
    if not isinstance(routes, list) or not all(isinstance(each, str) for each in routes):
        raise ConfigError(f"sinks.{name}.routes", "is a list of names")
    if "routes" in table and not routes:
        raise ConfigError(f"sinks.{name}.routes", "names no route, so that nothing would get there")
    return frozenset(routes)


def _make_sink(name: str, table: Mapping[str, Any]) -> Sink:
    """`[sinks.backup] kind = "otlp"`; the kind is the name where it is not said."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"sinks.{name}", "a sink's name is letters, digits, '.', '_' and '-'")
    routes_to(name, table)
    options = {key: value for key, value in table.items() if key not in _COMMON}
    kind = str(table.get("kind", name))
    return SINKS.build(kind, options, path=f"sinks.{name}", beside=_COMMON)
