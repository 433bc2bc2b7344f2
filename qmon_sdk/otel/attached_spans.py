"""A span processor for OpenTelemetry's SDK: its spans become qmon's, with the ids they have."""

from __future__ import annotations

from time import monotonic, time_ns

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
from .resource import Scope
from .telling import events_text, links_text
from .values import snapshot, text
from .writing import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATUSES = {StatusCode.OK: "ok", StatusCode.ERROR: "error"}


class QmonSpanProcessor(SpanProcessor):
    """`TracerProvider.add_span_processor(QmonSpanProcessor())`; exceptions stay events of spans."""

    def __init__(self) -> None:
        self._sites: dict[tuple[Any, ...], Site] = {}
        self._is_open = True

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
