"""Tests of a policy: signals that are put in, time that passes, and what should come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, QmonError, nearest_to, raise_all
from qmon_agent.settings import convert_table
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import FIELDS, SIGNALS, Signal

from .chain import Chain, Passed
from .declared import Step
from .expected import SPEAKER, Came, Difference, nearest, unlike
from .lots import Lot, Origin

BEGIN = 1_700_000_000 * SECOND
_PROCESS = b"config test".ljust(16, b"\0")
_TYPES: dict[str, tuple[type[Any], ...]] = {
    "Time": (int,),
    "Duration": (int,),
    "Whole": (int,),
    "Number": (int, float),
    "Flag": (bool,),
    "Labels": (dict,),
    "Buckets": (dict,),
}


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[tests]]` table."""

    name: str
    """What is shown by it."""
    input: tuple[dict[str, Any], ...]
    """What comes in, in its order; `{ advance = "30s" }` lets time pass."""
    expect: tuple[dict[str, Any], ...] = ()
    """What has to come out; of each, only what is said is compared."""
    dropped: dict[str, int] | None = None
    """How many signals each processor drops, as `"span/drop"`; others must drop none."""
    more: bool = False
    """Whether more may come out than is expected."""


class Put(msgspec.Struct, frozen=True):
    """Something that happens: signals come in, or time passes."""

    advance: int = 0
    resource: Resource = Resource()
    kind: str = ""
    signals: tuple[Signal, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a test ended."""

    name: str
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


class Trial:
    """A case made ready; raises ConfigError with everything that is wrong in it."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._case = convert_table(table, Case, where)
        problems: list[QmonError] = []
        self._puts: list[Put] = []
        for number, each in enumerate(self._case.input):
            try:
                self._puts += puts_of(each, f"{where}.input[{number}]")
            except ConfigError as problem:
                problems += [problem, *problem.others]
        for number, each in enumerate(self._case.expect):
            try:
                _kind_in(
                    each,
                    f"{where}.expect[{number}]",
                    others=(*SPEAKER, "resource", "routes", "store"),
                )
            except ConfigError as problem:
                problems.append(problem)
        raise_all(problems)

    @property
    def name(self) -> str:
        return self._case.name

    def run(self, steps: Sequence[Step]) -> Outcome:
        """Through processors that nobody has used before."""
        chain = Chain(steps)
        now, came = BEGIN, [Passed([], [])]
        for number, put in enumerate(self._puts, 1):
            for _ in range(0, put.advance, SECOND):
                now += min(SECOND, put.advance)
                came.append(chain.tick(now))
            if put.signals:
                origin = Origin(process=_PROCESS, sequence=number, record_id=number, time=now)
                came.append(chain.process([_timed(put, origin)]))
        came.append(chain.finish())
        return Outcome(name=self.name, differences=(*self._differences(came),))

    def _differences(self, came: Sequence[Passed]) -> Iterator[Difference]:
        left = [*_came(came)]
        missing = []
        for expected in self._case.expect:
            found = next((one for one in left if not [*unlike(expected, one)]), None)
            if found is None:
                missing.append(expected)
            else:
                left.remove(found)
        for expected in missing:
            yield nearest(expected, left)
        for one in () if self._case.more else left:
            yield Difference(what="unexpected", got=one.said())
        yield from self._fallen(came)

    def _fallen(self, came: Sequence[Passed]) -> Iterator[Difference]:
        if self._case.dropped is None:
            return
        got: dict[str, int] = {}
        for one in (each for passed in came for each in passed.fallen):
            key = f"{one.kind}/{one.by}"
            got[key] = got.get(key, 0) + one.number
        for key in sorted({*got, *self._case.dropped}):
            expected = self._case.dropped.get(key, 0)
            if expected != got.get(key, 0):
                yield Difference(
                    what="dropped", fields=((key, expected, got.get(key, 0)),), got=got
                )


def make_trials(tables: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """Every `[[tests]]` table; raises ConfigError with everything that is wrong in them."""
    trials: list[Trial] = []
    problems: list[QmonError] = []
    for number, table in enumerate(tables):
        try:
            trials.append(Trial(table, f"tests[{number}]"))
        except ConfigError as problem:
            problems += [problem, *problem.others]
    raise_all(problems)
    return trials


def puts_of(table: Mapping[str, Any], where: str) -> Iterator[Put]:
    """What an item of `input` puts in, or how long it waits; raises ConfigError."""
    if "advance" in table:
        if {*table} != {"advance"}:
            raise ConfigError(where, "`advance` stands alone")
        try:
            yield Put(advance=parse_duration(table["advance"]))
        except ValueError as problem:
            raise ConfigError(f"{where}.advance", str(problem)) from None
        return
    kind = _kind_in(table, where, others=(*SPEAKER, "resource", "times"))
    signal = signal_of(kind, table[kind], f"{where}.{kind}")
    who: dict[str, Any] = {name: str(table[name]) for name in SPEAKER if name in table}
    resource = Resource(**who, attributes=dict(table.get("resource", {})))
    yield Put(resource=resource, kind=kind, signals=(signal,) * int(table.get("times", 1)))


def _kind_in(table: Mapping[str, Any], where: str, *, others: Sequence[str]) -> str:
    kinds = [key for key in table if key in SIGNALS]
    known = (*SIGNALS, *others)
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}.{key}", "unknown key", nearest_to(key, known))
    if len(kinds) != 1 or not isinstance(table[kinds[0]], dict):
        raise ConfigError(where, 'says one signal, as `span = { name = "work" }`')
    unknown = [key for key in table[kinds[0]] if key not in (fields := _fields(kinds[0]))]
    for key in unknown:
        raise ConfigError(f"{where}.{kinds[0]}.{key}", "unknown field", nearest_to(key, fields))
    return kinds[0]


def _fields(kind: str) -> dict[str, str]:
    roles = {field.name: field.role for field in FIELDS[kind]}
    return {**roles, "duration": "Duration"} if "duration_ns" in roles else roles


def signal_of(kind: str, table: Mapping[str, Any], where: str) -> Signal:
    """A signal from what is said of it; raises ConfigError."""
    values: dict[str, Any] = {}
    for key, said in table.items():
        value = said
        if key == "duration":
            try:
                key, value = "duration_ns", parse_duration(said)  # noqa: PLW2901 - in its own unit
            except ValueError as problem:
                raise ConfigError(f"{where}.{key}", str(problem)) from None
        values[key] = _fitting(value, _fields(kind)[key], f"{where}.{key}")
    return SIGNALS[kind](**values)


def _fitting(value: Any, role: str, where: str) -> Any:
    if role == "Text" and isinstance(value, (list, dict)):
        return json.dumps(value)
    wanted = _TYPES.get(role, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ConfigError(where, f"{value!r} is no {role.lower()}")
    made: Any = value
    if role == "Labels":
        return {key: str(each) for key, each in made.items()}
    if role == "Buckets":
        return {int(key): int(each) for key, each in made.items()}
    return float(made) if role == "Number" else made


def _timed(put: Put, origin: Origin) -> Lot:
    signals = [each if each[0] else each.replace(time=origin.time) for each in put.signals]
    return Lot(put.resource, (put.kind, signals), origin=origin)


def _came(passed: Sequence[Passed]) -> Iterator[Came]:
    for lot in (lot for one in passed for lot in one.lots):
        for signal in lot.signals:
            yield Came(lot.kind, signal, lot.resource, lot.routes.names, lot.routes.store)
