"""`[retention]`: how long, and how many bytes, is kept of each kind and of some services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.domain.durations import parse_duration, parse_span, print_duration
from qmon_agent.domain.errors import ConfigError, nearest_to, raise_all
from qmon_agent.domain.retention import UNBOUND, Bound, Policy
from qmon_agent.domain.sizes import parse_size
from qmon_agent.domain.tiers import NAMES
from qmon_sdk.protocol.signals import SIGNALS

SERVICES = "services"
KINDS = (*SIGNALS, *NAMES)
"""Signals, and the tables of rollups."""
_KEYS = ("age", "bytes")
Problems = list[ConfigError]


def policy_of(table: Mapping[str, Any]) -> Policy:
    """`span = "7d"`, `log = { age = "3d", bytes = "20GB" }`, `[retention.services.shop]`."""
    problems: Problems = []
    services = table.get(SERVICES, {})
    kinds = {kind: value for kind, value in table.items() if kind != SERVICES}
    policy = Policy(
        kinds=_bounds(kinds, "retention", problems, beside=(SERVICES,)),
        services=dict(_services(services, problems)),
    )
    raise_all(problems)
    return policy


def doubts_of_retention(table: Mapping[str, Any]) -> Iterator[str]:
    """Rollups that go before the rows they are of; of a table in which nothing is wrong."""
    kinds = policy_of(table).kinds
    for name in NAMES:
        raw = name.partition("s_")[0]
        ours, theirs = (kinds.get(each, UNBOUND).age_ns for each in (name, raw))
        if ours is not None and (theirs is None or ours < theirs):
            kept = "for ever" if theirs is None else print_duration(theirs)
            advice = "keep it for at least as long, or answers lack what it says of old times"
            yield f"retention.{name}: goes before `{raw}`, which is kept {kept}: {advice}"


def _services(table: Any, problems: Problems) -> Iterator[tuple[str, dict[str, Bound]]]:
    path = f"retention.{SERVICES}"
    if not isinstance(table, dict):
        problems.append(ConfigError(path, "is a table of services, as [retention.services.shop]"))
        return
    for service, kinds in table.items():
        if isinstance(kinds, dict):
            yield service, _bounds(kinds, f"{path}.{service}", problems)
        else:
            reason = 'is a table of kinds, for example { span = "30d" }'
            problems.append(ConfigError(f"{path}.{service}", reason))


def _bounds(
    table: Mapping[str, Any], path: str, problems: Problems, *, beside: tuple[str, ...] = ()
) -> dict[str, Bound]:
    bounds: dict[str, Bound] = {}
    for kind, value in table.items():
        if kind not in (KINDS if beside else SIGNALS):
            known = nearest_to(kind, (*KINDS, *beside) if beside else SIGNALS) or tuple(SIGNALS)
            problems.append(ConfigError(f"{path}.{kind}", "no such kind of signal", known))
            continue
        said = value if isinstance(value, dict) else {"age": value}
        bounds[kind] = _bound(said, f"{path}.{kind}", problems, is_table=value is said)
    return bounds


def _bound(table: Mapping[str, Any], path: str, problems: Problems, *, is_table: bool) -> Bound:
    found: dict[str, int] = {}
    for key, value in table.items():
        where = f"{path}.{key}" if is_table else path
        if key not in _KEYS:
            known = nearest_to(key, _KEYS) or _KEYS
            problems.append(ConfigError(where, "is neither an age nor a number of bytes", known))
            continue
        try:
            found[key] = _age(value) if key == "age" else _size(value)
        except ValueError as problem:
            problems.append(ConfigError(where, str(problem)))
    return Bound(age_ns=found.get("age"), bytes=found.get("bytes"))


def _age(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"has to be a text or a number, not {value!r}")  # noqa: TRY004 - a setting's value
    return parse_span(value) if isinstance(value, str) else parse_duration(value)


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"has to be a text or a whole number, not {value!r}")  # noqa: TRY004 - a setting's value
    return parse_size(value)
