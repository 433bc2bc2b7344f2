"""OpenTelemetry's tracer provider and tracers, on qmon's recorder."""

from __future__ import annotations

from time import monotonic

from opentelemetry import trace as api
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanKind
from opentelemetry.trace.propagation import get_current_span

from qmon_sdk.client import failed
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import draw, here
from qmon_sdk.recorder.sites import Site
from qmon_sdk.rendering import label
from qmon_sdk.spans import MOST_SITES
from qmon_sdk.start import flush

from .blocks import SpanBlock
from .context import take_over
from .limits import limits_of_environment
from .places import LOW
from .resource import Resource, Scope
from .span import RecordingSpan
from .strangers import ask
from .writing import LeftOutSpan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

    from qmon_sdk.recorder.cells import Cell

    from .limits import Limits

_INTERNAL = SpanKind.INTERNAL


class TracerProvider(api.TracerProvider):
    """Gives tracers whose spans qmon keeps; with no client in charge they keep nothing.

    `resource` is only what `resource` answers; qmon's settings say who speaks.
    """

    def __init__(self, *, resource: Any = None, limits: Limits | None = None) -> None:
        take_over()
        self.resource = resource or Resource()
        self.limits = limits or limits_of_environment()
        self.processors: tuple[Any, ...] = ()
        self.is_open = True
        self._tracers: dict[tuple[str | None, ...], Tracer] = {}

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Tracer:
        """Return the tracer of a library."""
        name, version = label(instrumenting_module_name), label(instrumenting_library_version)
        key = (name, version, label(schema_url))
        found = None if attributes else self._tracers.get(key)
        if found is None:
            found = Tracer(self, Scope(*key, attributes))
            if not attributes:
                found = self._tracers.setdefault(key, found)
        return found

    def add_span_processor(self, span_processor: Any) -> None:
        """Tell a span processor of OpenTelemetry's SDK of every span, too."""
        self.processors = (*self.processors, span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send everything recorded so far; `False` if that takes longer."""
        deadline = monotonic() + timeout_millis / 1000
        done = [
            ask(processor, "force_flush", max(int(1000 * (deadline - monotonic())), 0)) is not False
            for processor in self.processors
        ]
        return flush(max(deadline - monotonic(), 0)) and all(done)

    def shutdown(self) -> None:
        """Keep no further spans, and send those there are; qmon's client goes on."""
        if self.is_open:
            self.is_open = False
            for processor in self.processors:
                ask(processor, "shutdown")
            flush()


class Tracer(api.Tracer):
    """Makes the spans of one library."""

    __slots__ = ("_labels", "provider", "scope", "sites")

    def __init__(self, provider: TracerProvider, scope: Scope) -> None:
        self.provider = provider
        self.scope = scope
        self.sites: dict[Any, Site] = {}
        self._labels = scope.labels()

    @property
    def resource(self) -> Any:
        """Who speaks."""
        return self.provider.resource

    @property
    def instrumentation_scope(self) -> Scope:
        """Which library this is."""
        return self.scope

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = _INTERNAL,
        attributes: Any = None,
        links: Any = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Begin a span, which is nobody's parent until it is made the current one."""
        return self.begin(
            (
                name, context, kind, attributes, links, start_time,
                record_exception, set_status_on_exception,
            )
        )  # fmt: skip

    def begin(self, told: tuple[Any, ...]) -> Span:
        """Begin a span of what `start_span` is told."""
        name, context, kind, attributes, links, start_time, records, sets_status = told
        span: Span = INVALID_SPAN
        try:
            cell = here()
            if cell is None or not self.provider.is_open:
                return _silent(context)
            how = kind if type(kind) is SpanKind else _INTERNAL
            span = self._started(cell, name if type(name) is str else label(name), how, context)
            if type(span) is RecordingSpan:
                if attributes:
                    span.begin_with(attributes)
                if links or start_time is not None or not (records and sets_status):
                    span.begin((links, start_time, (records, sets_status)))
                for processor in self.provider.processors:
                    ask(processor, "on_start", span, parent_context=context)
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("start_span", error)
        return span

    def _started(self, cell: Cell, name: str, kind: SpanKind, context: Context | None) -> Span:
        identity = next(cell.ids, 0)
        if not identity:  # recording has just ended
            return _silent(context)
        if context is not None:
            return self._started_in(context, (cell, identity, name, kind))
        parent, lane = cell.span, cell.lane
        if parent:
            high, low, is_kept = cell.trace_hi, cell.trace_lo, cell.kept
            state = SCOPE.get().tracestate
        else:
            recorder = lane.owner
            high, low = recorder.trace_hi, draw(64)
            is_kept = cell.always or recorder.sampler.keeps(low, name)
            state = ""
        place = (identity, high, low, parent, state)
        return RecordingSpan(self, name, kind, place) if is_kept else LeftOutSpan(place, 0)

    def _started_in(self, context: Any, told: tuple[Any, ...]) -> Span:
        """Begin a span whose parent is in a context that was handed over."""
        cell, identity, name, kind = told
        known: Any = context if isinstance(context, dict) else None
        parent: SpanContext = get_current_span(known).get_span_context()
        if not parent.is_valid:
            recorder = cell.lane.owner
            high, low, above = recorder.trace_hi, draw(64), 0
            is_kept, flags, state = recorder.sampler.keeps(low, name), 0, None
        else:
            high, low, above = parent.trace_id >> 64, parent.trace_id & LOW, parent.span_id
            flags, state = parent.trace_flags, parent.trace_state
            is_kept = bool(flags.sampled)
        place = (identity, high, low, above, state)
        if not is_kept:
            return LeftOutSpan(place, flags)
        span = RecordingSpan(self, name, kind, place)
        if above:
            span.follow(parent)
        return span

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = _INTERNAL,
        attributes: Any = None,
        links: Any = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Any:
        """Make a span current for a `with` block, or for every call of a function."""
        told = (
            name, context, kind, attributes, links, start_time,
            record_exception, set_status_on_exception,
        )  # fmt: skip
        return SpanBlock(self, told, end_on_exit)

    def site(self, name: str, kind: SpanKind) -> Site:
        """Return what the spans of a name and a kind have in common."""
        made = Site(label(name), kind=kind.name.lower(), attributes=self._labels)
        if len(self.sites) < MOST_SITES:
            key = name if kind is _INTERNAL else (name, kind._value_)
            made = self.sites.setdefault(key, made)
        return made


def _silent(context: Any) -> Span:
    """Pass a parent on, as with no provider at all."""
    known: Any = context if isinstance(context, dict) else None
    span = get_current_span(known)
    if isinstance(span, NonRecordingSpan):
        return span
    return NonRecordingSpan(span.get_span_context())
