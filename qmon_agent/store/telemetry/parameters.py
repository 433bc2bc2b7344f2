"""Parameters of questions: their types, how they are read from text, and as what SQL they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta

from qmon_agent.domain.durations import parse_span, print_duration
from qmon_agent.domain.errors import QueryError, hint, nearest_to
from qmon_agent.domain.hints import fields_of

if TYPE_CHECKING:
    from qmon_agent.store.telemetry.questions import Definition

NS = 10**9
MINUTE = 60 * NS
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Moment = Annotated[int, Meta(extra={"role": "moment"}, ge=-(1 << 62), le=(1 << 62))]
"""Nanoseconds since 1970; of zero and less, so many before now. Written `2h` or as ISO 8601."""
Length = Annotated[int, Meta(extra={"role": "duration"}, ge=NS, le=366 * DAY)]
"""Nanoseconds. Written `5m`."""
T = TypeVar("T", bound="Definition")


class At(int):
    """A moment among the values of a question: nanoseconds since 1970."""


Value = At | int | float | str
_ROLES = {int: "whole number", float: "number", str: "text"}
_COUNTED = (_ROLES[int], _ROLES[float])
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PLACE = re.compile(r" - at `\$\.?(?P<name>\w*)`$")
_FIELD = re.compile(r"`(\w+)`")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?\s*(Z|[+-]\d\d:?\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a parameter in lists: its type, its bounds and its default, as written."""

    name: str
    type: str
    about: str
    default: str | None = None
    """What is meant where nothing is said; `None`: it has to be said."""
    lowest: str = ""
    highest: str = ""


def parameters_of(kind: type[Definition]) -> Iterator[Parameter]:
    """Each parameter of a question, in order."""
    for field in msgspec.structs.fields(kind):
        meta, base = _meta(field.type)
        role = meta["role"]
        needed = field.default is msgspec.NODEFAULT
        low, high = (None, None) if role == "moment" else (meta["ge"], meta["le"])
        yield Parameter(
            name=field.encode_name,
            type=role or _ROLES[base],
            about=meta["description"],
            default=None if needed else written(field.default, role),
            lowest="" if low is None else written(low, role),
            highest="" if high is None else written(high, role),
        )


def written(value: Any, role: str) -> str:
    """A value as a person would write it."""
    if value is None:
        return ""
    if role == "moment":
        return _said_moment(value)
    return print_duration(value) if role == "duration" else str(value)


def read(kind: type[T], said: Mapping[str, str], *, now: int) -> T:
    """Parameters from text, with their moments fixed; raises QueryError that names the field."""
    known = fields_of(kind)
    for name in said:
        if name not in known:
            there = f"; there are {', '.join(known)}" if known else ""
            reason = f"no parameter {name!r}{hint(nearest_to(name, known)) or there}"
            raise QueryError(reason, field=name)
    raw = {name: _read_one(name, text, role_of(known[name])) for name, text in said.items()}
    try:
        made = msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise _placed(str(problem), kind) from None
    return _fixed(made, now)


def values_of(asked: Definition) -> dict[str, Value]:
    """What each parameter stands for in SQL; those that are not said are left out."""
    hints = fields_of(type(asked))
    said = ((name, getattr(asked, name)) for name in hints)
    return {
        name: At(value) if role_of(hints[name]) == "moment" else value
        for name, value in said
        if value is not None
    }


def role_of(hint: Any) -> str:
    """`moment` or `duration`; nothing for plain numbers and texts."""
    return str(_meta(hint)[0]["role"])


def _fixed(asked: T, now: int) -> T:
    """The moments that are relative, at their place: that of the stretch or second they are in.

    The last one, which is not in the answer any more, is at its end, so that what is happening is.
    """
    width = getattr(asked, "step", NS)
    moments = {
        name: (now + value) // width * width + (width if name == "until" else 0)
        for name, value in values_of(asked).items()
        if isinstance(value, At) and value <= 0
    }
    fixed = msgspec.structs.replace(asked, **moments)
    since, until = getattr(fixed, "since", 0), getattr(fixed, "until", 1)
    if since >= until:
        raise QueryError.about("since", "has to be before `until`")
    return fixed


def _read_one(name: str, text: str, role: str) -> Any:
    try:
        if role == "moment":
            return _moment(text)
        return parse_span(text) if role == "duration" else text
    except (ValueError, OverflowError) as problem:
        raise QueryError.about(name, problem) from None


def _moment(text: str) -> int:
    """`2h` is so long ago, `now` is now; else a day or a time of ISO 8601, UTC if it says none."""
    if text.strip() == "now":
        return 0
    whole = f"{text.strip()}T00:00Z" if _DAY.fullmatch(text.strip()) else text.strip()
    if found := _ISO.fullmatch(whole):
        head, fraction, zone = found.groups()
        at = datetime.fromisoformat(head + (zone or "Z").replace("Z", "+00:00"))
        nanos = int((fraction or ".")[1:].ljust(9, "0"))
        return int(at.timestamp()) * NS + nanos
    if not text.strip() or _NUMBER.fullmatch(text.strip()):
        return -parse_span(text)
    try:
        return -parse_span(text)
    except ValueError:
        how = "write 2h for two hours ago, 2026-11-27, or 2026-11-27T10:00:00Z"
        reason = f"{text!r} is no moment ({how})"
        raise ValueError(reason) from None


def _said_moment(value: int) -> str:
    if value <= 0:
        return print_duration(-value) if value else "now"
    seconds, nanos = divmod(value, NS)
    head = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{head}.{nanos:09}Z" if nanos else f"{head}Z"


def _placed(message: str, kind: type[Definition]) -> QueryError:
    """The message of msgspec, beginning with the field; of bounds and patterns in own words."""
    place = _PLACE.search(message)
    if place is None:
        missing = _FIELD.search(message)
        if missing is None:
            return QueryError(message)
        return QueryError.about(missing[1], "has to be said")
    name, reason = place["name"], message[: place.start()]
    about = next((each for each in parameters_of(kind) if each.name == name), None)
    if about is not None and about.type == "duration":
        reason = f"has to be from {about.lowest} to {about.highest}"
    elif about is not None and about.type == "moment":
        reason = "is too far away: moments are within 146 years of 1970 or of now"
    elif about is not None and about.type in _COUNTED and about.highest:
        reason = f"has to be a {about.type} from {about.lowest} to {about.highest}"
    elif about is not None and "regex" in reason:
        reason = f"has to be {about.about[:1].lower()}{about.about[1:].rstrip('.')}"
    return QueryError.about(name, reason)


def _meta(hint: Any) -> tuple[dict[str, Any], type]:
    """What is said about a type beside it, and the type; the last that says something counts."""
    said: dict[str, Any] = {"role": "", "ge": None, "le": None, "description": ""}
    base, *beside = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    for each in beside:
        told = {name: getattr(each, name) for name in ("ge", "le", "description")}
        said |= {name: value for name, value in told.items() if value is not None}
        said |= each.extra or {}
    if not isinstance(base, type):  # of a union with None, the other one
        inner, base = _meta(get_args(base)[0])
        said |= {name: value for name, value in inner.items() if value}
    return said, base
