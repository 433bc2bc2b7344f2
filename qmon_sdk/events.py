"""What users do: `track`, `identify`, `feature`; each survives whatever comes next."""

from __future__ import annotations

import sys

from .around import around
from .client import current, failed, noted, verb
from .context import SCOPE, set_user
from .protocol.signals import Event
from .recorder.cells import draw_id
from .recorder.event_rows import SEQUENCE
from .rendering import is_a, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

IDENTIFY = "identify"
FEATURE, FEATURE_NAME = "feature", "feature.name"
MAX_NAME = 255
_SECOND_NS = 1_000_000_000
_AFTER_1973_IN_NS = 100_000_000 * _SECOND_NS
_END_OF_TIME = 1 << 63
_CENTURIES = 90  # of the seconds until 1973: what a signed number of nanoseconds holds


def track(
    event: str,
    properties: Mapping[str, Any] | None = None,
    *,
    user_id: Any = None,
    anonymous_id: Any = None,
    groups: Mapping[str, Any] | None = None,
    timestamp: Any = None,
    **more: Any,
) -> str | None:
    """Keep something a user did and return the event's id; never blocks, survives a kill.

    `properties` (and further keywords) are kept as text, scrubbed and bounded; `groups` as
    `group.<kind>`. The user, session and flags are the scope's unless said otherwise. `timestamp`
    is a `datetime`, or a number of seconds or nanoseconds since 1970; by default it is now.
    """
    client = current()
    if not client.recording:
        return None
    try:
        # Most events are of one sort: of these, all that follows is one step of the accelerator.
        if timestamp is anonymous_id is None and not (groups or more) and event is not IDENTIFY:
            quick = client.recorder.events  # type: ignore[union-attr]
            kept_id: str | None = quick and quick(event, properties, user_id)
            if kept_id:
                return kept_id
        if properties:
            more = {**properties, **more} if more or type(properties) is not dict else properties
        people = user_id, anonymous_id
        return _kept(client, event, said=more, people=people, groups=groups, timestamp=timestamp)
    except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
        failed("track", error)
        return None


def _kept(
    client: Any,
    event: str,
    *,
    said: Mapping[str, Any],
    people: tuple[Any, Any],
    groups: Mapping[str, Any] | None,
    timestamp: Any,
) -> str | None:
    """Keep an event of any sort, and return its id; `None` if nobody wants it."""
    (user_id, anonymous_id), scope, event_id = people, SCOPE.get(), draw_id()
    scrubber = client.scrubber
    written = scrubber.about if event is IDENTIFY else scrubber.labels
    attributes = written(said)
    if scope.flags:
        for flag, answer in scrubber.labels(scope.flags).items():
            attributes[f"flag.{flag}"] = answer
    if groups:
        for kind, name in groups.items():
            attributes[f"group.{label(kind)}"] = scrubber.value(name)
    session = scope.session
    # In the order of its fields: to name all of them costs as much as to scrub them.
    row = (
        (timestamp is not None and _moment(timestamp)) or client.now(),
        event_id,
        scrubber.texts[label(event, MAX_NAME)],
        scope.user_id if user_id is None else scrubber.person(label(user_id)),
        scope.anonymous_id if anonymous_id is None else label(anonymous_id),
        scope.session_id,
        next(SEQUENCE if session is None else session.sequence),
        attributes,
    )
    kept = client.keep(tuple.__new__(Event, row))  # type: ignore[type-var]
    return event_id if kept else None


@verb
def identify(user_id: Any, traits: Mapping[str, Any] | None = None) -> None:
    """Say who the anonymous user of this scope turned out to be.

    Signals from here on carry the id; an event `identify` with the traits joins what came before.
    """
    anonymous_id = SCOPE.get().anonymous_id
    set_user({**(traits or {}), "id": user_id, "anonymous_id": anonymous_id or None})
    track(IDENTIFY, traits)


class Feature:
    """A named feature of the application: calling it notes one use, decorating notes every call."""

    __slots__ = ("name", "properties")

    def __init__(self, name: str, properties: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.properties = properties

    def __call__(self, function: F) -> F:
        """Note a use whenever `function` is called: a function, coroutine or generator."""
        return around(function, lambda: self)

    def __enter__(self) -> None:
        """Note one use."""
        track(FEATURE, {**(self.properties or {}), FEATURE_NAME: self.name})

    def __exit__(self, *_: object) -> None:
        """Nothing more is kept: how long it took is a span's business."""


def feature(name: Any, properties: Mapping[str, Any] | None = None) -> Any:
    """Note the use of a named feature: by a call, or by a decorator on every call of a function.

    `qmon.feature("export")` as a statement notes one use, here and now. As a decorator, or wherever
    else its result is taken, it notes nothing until the decorated function is called.
    `@qmon.feature` alone takes the function's own name.
    """
    if callable(name):
        return Feature(getattr(name, "__qualname__", "feature"))(name)
    used = Feature(name, properties)
    if _stands_alone(sys._getframe(1)):  # noqa: SLF001 - there is no other way to it
        used.__enter__()
    return used


_NEXT = 2  # bytes from one instruction to the next


def _stands_alone(caller: FrameType) -> bool:
    """Say whether the caller drops or returns the result of the call it is making.

    A decorator's result stays on the stack for the function to come. The bytecode is the only
    place where that differs from a plain statement.
    """
    code = caller.f_code.co_code
    place = caller.f_lasti + _NEXT
    while place < len(code) and not code[place]:  # inline caches
        place += _NEXT
    return place < len(code) and code[place] in _ending_opcodes()


def _ending_opcodes() -> frozenset[int]:
    from opcode import opmap

    names = ("POP_TOP", "RETURN_VALUE", "PRINT_EXPR", "CALL_INTRINSIC_1")  # the last two: a prompt
    return frozenset(opmap[name] for name in names if name in opmap)


def _moment(timestamp: Any) -> int | None:
    """Read a time as nanoseconds since 1970; `None` when it is none."""
    kind = type(timestamp)
    if is_a(kind, _datetime()):
        return int(timestamp.timestamp() * 1_000_000) * 1000  # a double holds no more
    if kind is int and _AFTER_1973_IN_NS < timestamp < _END_OF_TIME:
        return int(timestamp)
    if kind in {int, float} and 0 <= timestamp < _AFTER_1973_IN_NS / _SECOND_NS * _CENTURIES:
        return int(timestamp * _SECOND_NS)
    noted("track", ValueError("timestamp"))
    return None


def _datetime() -> type:
    """Find the class, which somebody who has a time of it has imported."""
    found: type = getattr(sys.modules.get("datetime"), "datetime", _NoTime)
    return found


class _NoTime:
    """Stands for a class that nobody has imported."""
