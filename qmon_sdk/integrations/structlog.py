"""structlog: every event from the setting `log_level` on, before it is rendered.

Nothing has to be configured. To have trace ids in what the program itself writes, add `processor`
to its processors, before the renderer; it keeps the event as well, and it is kept once.
"""

from __future__ import annotations

import sys

from qmon_sdk.client import current, guarded
from qmon_sdk.lines import RANKS, RENDERING, pipe_closed, pipe_opened, take_line
from qmon_sdk.recorder.cells import position
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._watch import Watch

    EventDict = MutableMapping[str, Any]

SOURCE = RENDERING
LEVELS = {
    "critical": "fatal",
    "debug": "debug",
    "err": "error",
    "error": "error",
    "exception": "error",
    "failure": "error",
    "fatal": "fatal",
    "trace": "trace",
    "warn": "warn",
    "warning": "warn",
}
"""Method → level; every other method is information."""

_OURS = frozenset({"event", "exc_info", "level", "positional_args", "span_id", "trace_id"})


class StructlogIntegration:
    """Sees every event that its processors let through."""

    def install(self, watch: Watch) -> None:
        """Stand around the processors of bound loggers of every kind."""
        from structlog import BoundLoggerBase

        watch.wrap(BoundLoggerBase, "_process_event", _watched)
        pipe_opened(SOURCE)
        watch.undo_by(lambda: pipe_closed(SOURCE))


def processor(logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
    """Add the ids of trace and span to an event, and keep it: a processor for `structlog`."""
    _mark(event_dict)
    _keep(logger, method_name, event_dict)
    return event_dict


def _watched(process: Callable[..., Any]) -> Callable[..., Any]:
    def _process_event(self: Any, method_name: str, event: Any, event_kw: Any) -> Any:  # noqa: PLR0917 - structlog's own
        processed = process(self, method_name, event, event_kw)  # raises for what is dropped
        _observe(self, method_name, (event, event_kw))
        return processed

    return _process_event


@guarded
def _observe(bound: Any, method_name: str, said: tuple[Any, dict[str, Any]]) -> None:
    processors = bound._processors  # noqa: SLF001 - structlog shows it to subclasses only
    if processor in processors:
        return
    event, event_kw = said
    ambient: dict[str, Any] = {}
    contextvars = sys.modules.get("structlog.contextvars")
    if contextvars is not None and contextvars.merge_contextvars in processors:
        ambient = contextvars.get_contextvars()
    context = bound._context  # noqa: SLF001 - the same
    _keep(bound._logger, method_name, {**ambient, **context, **event_kw, "event": event})  # noqa: SLF001 - the same


@guarded
def _mark(event_dict: EventDict) -> None:
    trace_id, span_id = position()
    if trace_id:
        event_dict.setdefault("trace_id", trace_id)
        event_dict.setdefault("span_id", span_id)


@guarded
def _keep(logger: Any, method_name: str, event_dict: EventDict) -> None:
    client = current()
    level = LEVELS.get(method_name, "info")
    if not client.recording or RANKS[level] < RANKS[client.settings.log_level]:
        return
    template = label(event_dict.get("event"))
    said = (client.now(), level, _filled(template, event_dict), template, _name_of(logger))
    attributes = {key: value for key, value in event_dict.items() if key not in _OURS}
    error = _error_of(event_dict.get("exc_info"))
    take_line(client, SOURCE, said, attributes=attributes, error=error)  # type: ignore[arg-type]


def _filled(template: str, event_dict: EventDict) -> str:
    values = event_dict.get("positional_args")
    if not values:
        return template
    try:
        return str(template % values)
    except Exception:  # noqa: BLE001 - a wrong template, or the values' own code
        return template


def _name_of(logger: Any) -> str:
    name = getattr(logger, "name", "")
    return name if type(name) is str else ""


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, tuple) and len(exc_info) == len(("type", "value", "traceback")):
        exc_info = exc_info[1]
    elif exc_info is True:
        exc_info = sys.exception()
    return exc_info if isinstance(exc_info, BaseException) else None
