"""The `[[probes]]` of the configuration, as what is to be run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, raise_all
from qmon_agent.domain.plugins import make_each, options_of
from qmon_agent.domain.tables import convert_all

from .probes import PROBES
from .probing import Watched


class ProbeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every `[[probes]]` table has; all other keys are its kind's own."""

    name: str
    """What it is called in `probe.name`; each name once."""
    kind: str
    """What is asked; the plug-ins list them."""
    interval: str | float = "30s"
    """Time between two checks."""
    timeout: str | float = "10s"
    """How long a check may take; not longer than the interval."""
    failures: int = 1
    """How many checks in a row have to fail before it is down."""
    successes: int = 1
    """How many checks in a row have to succeed before it is up again."""


def make_probes(tables: Sequence[Mapping[str, Any]]) -> dict[str, Watched]:
    """Each by its name; raises ConfigError or UnknownPluginError with everything that is wrong."""
    twice = "there is more than one probe of this name"
    return make_each("probes", tables, _made, called=("name",), twice=twice)


def _made(table: Mapping[str, Any], where: str) -> Watched:
    known = options_of(ProbeOptions)
    common = {key: value for key, value in table.items() if key in known}
    options, wrong = convert_all(common, ProbeOptions, where)
    raise_all(wrong)
    assert options is not None  # noqa: S101 - or something was wrong
    raise_all([*_problems_of(options, where)])
    own = {key: value for key, value in table.items() if key not in known}
    return Watched(
        name=options.name,
        kind=options.kind,
        probe=PROBES.build(options.kind, own, path=where, beside=known),
        interval_s=parse_duration(options.interval) / SECOND,
        timeout_s=parse_duration(options.timeout) / SECOND,
        failures=options.failures,
        successes=options.successes,
    )


def _problems_of(options: ProbeOptions, where: str) -> Iterator[ConfigError]:
    times: dict[str, int] = {}
    for name in ("interval", "timeout"):
        try:
            times[name] = parse_duration(getattr(options, name))
        except ValueError as problem:
            yield ConfigError(f"{where}.{name}", str(problem))
            continue
        if not times[name]:
            yield ConfigError(f"{where}.{name}", "has to be more than nothing")
    if times.get("timeout", 0) > times.get("interval", 0) > 0:
        yield ConfigError(f"{where}.timeout", "is longer than the interval")
    for name in ("failures", "successes"):
        if getattr(options, name) < 1:
            yield ConfigError(f"{where}.{name}", "has to be one or more")
