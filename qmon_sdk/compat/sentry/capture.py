"""Errors, messages and events by hand, and the module's words for the scope of the request."""

from __future__ import annotations

import sys
from contextlib import contextmanager

from qmon_sdk import capture as native
from qmon_sdk.client import current, guarded
from qmon_sdk.context import new_scope as native_scope
from qmon_sdk.grouping import message_parts
from qmon_sdk.protocol.signals import Error
from qmon_sdk.recorder.cells import draw_id, position
from qmon_sdk.rendering import label

from .bridge import HINT
from .events import MESSAGE, error_of
from .layers import Held
from .scope import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType
    from typing import Any

ISOLATION = Scope.get_isolation_scope()
set_tag = ISOLATION.set_tag
set_tags = ISOLATION.set_tags
set_attribute = ISOLATION.set_attribute
set_attributes = ISOLATION.set_attributes
remove_attribute = ISOLATION.remove_attribute
set_user = ISOLATION.set_user
set_context = ISOLATION.set_context
set_extra = ISOLATION.set_extra
set_level = ISOLATION.set_level
add_breadcrumb = ISOLATION.add_breadcrumb
add_attachment = ISOLATION.add_attachment
start_session = ISOLATION.start_session
end_session = ISOLATION.end_session
set_transaction_name = Scope.get_current_scope().set_transaction_name

_MAX_MESSAGE = 8192
_OURS = __file__.partition("compat")[0]


def capture_exception(error: Any = None, scope: Any = None, **scope_kwargs: Any) -> str | None:
    """Keep an exception, or what `sys.exc_info()` gives, and return the event's id."""
    with saying(scope_kwargs, scope):
        return native.capture_exception(error)


def capture_message(
    message: str, level: str | None = None, scope: Any = None, **scope_kwargs: Any
) -> str | None:
    """Keep a message, and return the event's id."""
    said = label(message, _MAX_MESSAGE)
    caller = _caller()
    error = native.Message(said).with_traceback(native.trace_to(caller))
    group = None if caller is None else message_parts(caller, said)
    with saying(scope_kwargs, scope):
        return native.capture_exception(error, level=label(level or "info"), fingerprint=group)


def _caller() -> FrameType | None:
    """Find who speaks to us, however many of our own words are between."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way to it
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame


@guarded
def capture_event(
    event: Mapping[str, Any],
    hint: Mapping[str, Any] | None = None,
    scope: Any = None,
    **scope_kwargs: Any,
) -> str | None:
    """Keep an event made by hand; those of other types than errors and check-ins are counted."""
    client = current()
    if not client.recording:
        return None
    kind = event.get("type")
    if kind == "check_in":
        from .crons import capture_checkin

        return capture_checkin(**_checkin(event))
    if kind not in {None, "", "default", "error"}:
        from .starting import not_kept

        return not_kept(f"capture_event of a {label(kind)}")
    with saying(scope_kwargs, scope):
        return _kept(event, hint)


def _kept(event: Mapping[str, Any], hint: Mapping[str, Any] | None) -> str | None:
    from qmon_sdk.captures import attributes_of
    from qmon_sdk.context import SCOPE
    from qmon_sdk.grouping import hashed

    client, kept = current(), SCOPE.get()
    trace_id, span_id = position()
    blank = Error(
        time=client.now(),
        error_id=label(event.get("event_id")) or draw_id(),
        type="" if "exception" in event else MESSAGE,
        level="error",
        trace_id=trace_id,
        span_id=span_id,
        user_id=kept.user_id,
        session_id=kept.session_id,
    )
    error = error_of(event, blank, {})
    error = error.replace(
        grouping=error.grouping or hashed((error.type, error.message)),
        attributes={**attributes_of(kept, None, client.scrubber), **error.attributes},
    )
    token = HINT.set(dict(hint or {}))
    try:
        return error.error_id if client.emit(error) else None
    finally:
        HINT.reset(token)


def _checkin(event: Mapping[str, Any]) -> dict[str, Any]:
    names = ("monitor_slug", "check_in_id", "status", "duration", "monitor_config")
    return {name: event[name] for name in names if name in event}


@contextmanager
def saying(scope_kwargs: dict[str, Any], scope: Any = None) -> Iterator[None]:
    """Let what was said about one capture only count in a block."""
    if scope is None and not scope_kwargs:
        yield
        return
    with native_scope():
        here = Scope.get_current_scope()
        _apply(scope, here)
        here.update_from_kwargs(**scope_kwargs)
        yield


@guarded
def _apply(scope: Any, here: Scope) -> None:
    if isinstance(scope, Scope):
        if isinstance(scope._layer, Held):  # noqa: SLF001 - the others count anyway
            here.update_from_scope(scope)
    elif callable(scope):
        scope(here)
