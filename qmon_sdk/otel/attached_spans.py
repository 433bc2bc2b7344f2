"""A span processor for OpenTelemetry's SDK: its spans become qmon's, with the ids they have.

What they are told of exceptions is seen when it is told, for afterwards there is but text.
"""

from __future__ import annotations

from time import monotonic, time_ns
from weakref import ref

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from qmon_sdk.client import current, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import MORE
from qmon_sdk.recorder.sites import Site
from qmon_sdk.rendering import label
from qmon_sdk.spans import MOST_SITES
from qmon_sdk.start import flush

from .places import LOW
from .recorded import keep_error
from .resource import Scope
from .telling import events_text, links_text
from .values import snapshot, text
from .writing import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ESCAPED = 2  # the place of this argument, after the exception
_STATUSES = {StatusCode.OK: "ok", StatusCode.ERROR: "error"}


class QmonSpanProcessor(SpanProcessor):
    """`TracerProvider.add_span_processor(QmonSpanProcessor())`."""

    def __init__(self) -> None:
        self._sites: dict[tuple[Any, ...], Site] = {}
        self._is_open = True

    @guarded
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """See the exceptions that a span is told of."""
        if self._is_open and current().recording:
            span.record_exception = _watched(ref(span), type(span).record_exception)

    @guarded
    def on_end(self, span: Any) -> None:
        """Record a finished span."""
        context = span.context
        if not self._is_open or not current().recording or not context.trace_flags.sampled:
            return
        parent = span.parent
        start, end = span.start_time or time_ns(), span.end_time or time_ns()
        row = (
            self._site(span), SCOPE.get(), _STATUSES.get(span.status.status_code, "unset"),
            context.trace_id >> 64, context.trace_id & LOW, context.span_id,
            parent.span_id if parent is not None else 0, 0, max(end - start, 0),
            _extra_of(span, start),
        )  # fmt: skip
        written(row)

    def _site(self, span: Any) -> Site:
        scope = span.instrumentation_scope
        key = (span.name, span.kind, scope.name if scope else "", scope.version if scope else "")
        site = self._sites.get(key)
        if site is None:
            labels = Scope(*key[2:]).labels()
            site = Site(label(span.name), kind=span.kind.name.lower(), attributes=labels)
            if len(self._sites) < MOST_SITES:
                self._sites[key] = site
        return site

    def shutdown(self) -> None:
        """Record no more."""
        self._is_open = False

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send everything recorded so far; `False` if that takes longer."""
        deadline = monotonic() + timeout_millis / 1000
        return flush(max(deadline - monotonic(), 0))


def _watched(span: Callable[[], Any], record: Callable[..., None]) -> Callable[..., None]:
    """Make the method of one span, which does not hold that one: no circle is left behind."""

    def record_exception(exception: BaseException, *args: Any, **kwargs: Any) -> None:
        told = span()
        _keep(told, exception, args, kwargs)
        record(told, exception, *args, **kwargs)

    return record_exception


@guarded
def _keep(span: Any, error: BaseException, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if span is not None and span.is_recording():
        escaped = args[_ESCAPED] if len(args) > _ESCAPED else kwargs.get("escaped", False)
        keep_error(span, error, escaped=bool(escaped))


def _extra_of(span: Any, start: int) -> dict[str, Any]:
    scrubber = current().scrubber
    hides = scrubber.hides
    extra = {key: text(snapshot(value), hides) for key, value in span.attributes.items()}
    if span.status.description:
        extra["otel.status_description"] = span.status.description
    events = [(e.timestamp, e.name, snapshot(dict(e.attributes or {}))) for e in span.events]
    links = [(link.context, snapshot(dict(link.attributes or {}))) for link in span.links]
    extra[MORE] = (
        events_text(events, scrubber) if events else "",
        links_text(links, scrubber) if links else "",
        start,
    )
    return extra
