"""What came out of a chain beside what was expected of it, and where the two differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.durations import parse_duration
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import FIELDS, SIGNALS, Signal

from .matching import Pattern

SPEAKER = ("service", "environment", "release", "host")
"""What of a resource may be said."""
Unlike = tuple[str, Any, Any]
"""A field, what should be there, and what is."""
_OTHER = "signal"  # it is one of another kind altogether


class Came(msgspec.Struct, frozen=True):
    """A signal that came out, and as whose, and where it is to go."""

    kind: str
    signal: Signal
    resource: Resource
    routes: tuple[str, ...]
    store: bool

    def said(self) -> dict[str, Any]:
        """What tells it from others: all that is not as it is when nothing is said."""
        fields = {
            field.name: value
            for field, value in zip(FIELDS[self.kind], self.signal, strict=True)
            if value != field.default and field.name != "time"
        }
        told: dict[str, Any] = {self.kind: fields}
        told |= {name: getattr(self.resource, name) for name in SPEAKER}
        told |= {"resource": dict(self.resource.attributes), "routes": [*self.routes]}
        told["store"] = self.store
        return {key: value for key, value in told.items() if value not in ({}, [], "", True)} | {
            self.kind: fields
        }


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What is not as expected: `missing`, `unexpected` or `dropped`."""

    what: str
    expected: Any = None
    got: Any = None
    fields: tuple[tuple[str, Any, Any], ...] = ()
    """Of what comes nearest: where it differs, what is expected there and what is."""


def unlike(expected: Mapping[str, Any], came: Came) -> Iterator[Unlike]:
    """Where it is not as expected: the field, what should be there, and what is."""
    if came.kind not in expected:
        yield _OTHER, next(key for key in expected if key in SIGNALS), came.kind
        return
    fields = {"duration": getattr(came.signal, "duration_ns", 0), **came.signal.as_dict()}
    for key, wanted in expected[came.kind].items():
        yield from _compared(key, wanted, fields[key])
    for key in SPEAKER:
        if key in expected:
            yield from _compared(key, expected[key], getattr(came.resource, key))
    yield from _compared("resource", expected.get("resource", {}), came.resource.attributes)
    if "routes" in expected and sorted(expected["routes"]) != [*came.routes]:
        yield "routes", expected["routes"], [*came.routes]
    if expected.get("store", came.store) != came.store:
        yield "store", expected["store"], came.store


def _compared(key: str, wanted: Any, got: Any) -> Iterator[Unlike]:
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name, value in wanted.items():
            if isinstance(value, bool):
                if value is not (name in got):
                    yield f"{key}.{name}", "there" if value else "not there", got.get(name)
            else:
                yield from _compared(f"{key}.{name}", value, got.get(name))
    elif not _is(wanted, got, is_duration=key == "duration"):
        yield key, wanted, got


def _is(wanted: Any, got: Any, *, is_duration: bool) -> bool:
    if is_duration:
        return bool(parse_duration(wanted) == got)
    if isinstance(wanted, str):
        return wanted == got or (isinstance(got, str) and Pattern(wanted).fits(got))
    return bool(wanted == got)


def nearest(expected: Mapping[str, Any], left: Sequence[Came]) -> Difference:
    """With what comes nearest to it of all that came."""
    found = [([*unlike(expected, one)], one) for one in left]
    near = min(found, key=lambda pair: (pair[0][0][0] == _OTHER, len(pair[0])), default=None)
    if near is None or near[0][0][0] == _OTHER:
        return Difference(what="missing", expected=expected)
    return Difference(what="missing", expected=expected, got=near[1].said(), fields=tuple(near[0]))
