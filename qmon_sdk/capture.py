"""Errors: what went wrong, where and for whom, told before anything else can go wrong."""

from __future__ import annotations

import sys
from types import TracebackType

from .captures import Captures
from .client import current, failed
from .context import new_scope
from .grouping import message_parts
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType
    from typing import Any

    from .captures import Facts
    from .client import Client
    from .context import ScopeBlock

_SCOPE_FIELDS = frozenset({"contexts", "flags", "fresh", "tags", "user"})
_MAX_MESSAGE = 8192
_FRAMES = 20  # of the callers of `capture_message`


class Message(Exception):  # noqa: N818 - nobody raises it
    """Something worth keeping that is no exception."""


def capture_exception(
    error: BaseException | None = None,
    *,
    level: str = "error",
    fingerprint: str | Iterable[str] | None = None,
    handled: bool = True,
    attributes: Mapping[str, Any] | None = None,
    **scope: Any,
) -> str | None:
    """Keep an exception, by default the one being handled, and return the error's id.

    One exception object makes one error, however often it is seen. Kept are its causes, groups,
    notes, frames with source and local variables (scrubbed, bounded, within 2 ms), and the user,
    session, trace, tags, contexts, flags and breadcrumbs of the scope. `fingerprint` decides the
    group in our place. Further keywords are those of `new_scope`; others become tags. It is sent
    before this returns, which never blocks. `None`: nothing to keep, or nobody keeps it.
    """
    client = current()
    if not client.recording:
        return None
    facts = (level, fingerprint, handled, attributes)
    try:
        if scope:
            with _scope_of(scope):
                return _taken(client, error, facts)  # type: ignore[arg-type]
        return _taken(client, error, facts)  # type: ignore[arg-type]
    except Exception as problem:  # noqa: BLE001 - the guard, at one frame less
        failed("capture_exception", problem)
        return None


def capture_message(
    message: str,
    level: str = "info",
    *,
    attributes: Mapping[str, Any] | None = None,
    **scope: Any,
) -> str | None:
    """Keep a message as an error of type `Message`, with the stack of the caller; return its id.

    Messages that differ only in digits, from one place, are one group.
    """
    client = current()
    if not client.recording:
        return None
    try:
        caller = sys._getframe(1)  # noqa: SLF001 - there is no other way to it
        message = label(message, _MAX_MESSAGE)
        group = message_parts(caller, message)
        facts = (level, group, True, attributes)
        error = Message(message).with_traceback(trace_to(caller))
        if scope:
            with _scope_of(scope):
                return _taken(client, error, facts)  # type: ignore[arg-type]
        return _taken(client, error, facts)  # type: ignore[arg-type]
    except Exception as problem:  # noqa: BLE001 - the guard
        failed("capture_message", problem)
        return None


def _taken(client: Client, error: Any, facts: Facts) -> str | None:
    if not isinstance(error, BaseException):
        error = _meant(error)
        if error is None:
            return None
    if client.captures is None:
        client.captures = Captures(client)
    return client.captures.take(error, facts)


def _meant(said: Any) -> BaseException | None:
    """Find the exception where there is none: the one in hand, or what `sys.exc_info` gave."""
    if said is None:
        return sys.exception()
    if type(said) is tuple and len(said) == len(("type", "value", "traceback")):
        said = said[1]
    if said is not None and not isinstance(said, BaseException):
        raise TypeError(f"capture_exception() takes an exception, not {type(said).__name__}")
    return said


def _scope_of(said: dict[str, Any]) -> ScopeBlock:
    """Open a scope for what was said about one error only; what `new_scope` does not know, tags."""
    fields = {name: value for name, value in said.items() if name in _SCOPE_FIELDS}
    tags = {name: value for name, value in said.items() if name not in _SCOPE_FIELDS}
    return new_scope(**{**fields, "tags": {**tags, **(fields.get("tags") or {})}})


def trace_to(frame: FrameType | None) -> TracebackType | None:
    """Write the stack that leads to a frame as the traceback of something raised there."""
    trace: TracebackType | None = None
    for _ in range(_FRAMES):
        if frame is None:
            break
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno or 1)
        frame = frame.f_back
    return trace
