"""A span of OpenTelemetry's API on qmon's recorder: written once, at its end."""

from __future__ import annotations

from time import perf_counter_ns, time_ns

from opentelemetry.trace import (
    Span,
    SpanContext,
    Status,
    StatusCode,
)

from qmon_sdk.anatomy import message_of
from qmon_sdk.client import current, failed, guarded
from qmon_sdk.context import SCOPE
from qmon_sdk.recorder.cells import MORE, write_row
from qmon_sdk.recorder.endings import status_after
from qmon_sdk.recorder.sites import Site
from qmon_sdk.rendering import label

from .native import SAMPLED, state_of
from .places import Here
from .readable import ReadableSpan
from .recorded import keep_error
from .strangers import ask
from .telling import MAX_MESSAGE, events_text, exception_attributes, links_text
from .values import PLAIN, add, moment, text, word
from .writing import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from opentelemetry.trace import SpanKind

    from qmon_sdk.recorder.cells import Cell

    from .tracer import Tracer

_made: Any = int.__new__
_UNSET, _OK, _ERROR = StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR


class RecordingSpan(ReadableSpan, Span):
    """An open span, until it has ended; after that everything said to it is ignored."""

    __slots__ = (
        "_attributes",
        "_ended",
        "_id",
        "_inner",
        "_is_rich",
        "_kind",
        "_name",
        "_parent",
        "_site",
        "_start",
        "_state",
        "_status",
        "_trace_hi",
        "_trace_lo",
        "_tracer",
    )

    # What few spans have, and no slot is spent on.
    _above: SpanContext | None = None  # its parent, where a context told of it
    _began: int | None = None
    _description: str | None = None
    _dropped: dict[str, int] = {}  # noqa: RUF012 - replaced, never changed
    _events: Any = None
    _links: Any = None
    _on_exception = (True, True)
    _span_context: SpanContext | None = None

    def __init__(self, tracer: Tracer, name: str, kind: SpanKind, place: tuple[Any, ...]) -> None:
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._id, self._trace_hi, self._trace_lo, self._parent, self._state = place
        self._attributes: dict[str, Any] = {}
        self._status = _UNSET
        self._ended = 0
        self._is_rich = False  # more is said than plain attributes
        self._site: Site | None = None
        self._inner: Cell | None = None  # where it was current first, and is noted as open
        self._start = perf_counter_ns()

    # --- what instrumentations say ------------------------------------------------------------

    def get_span_context(self) -> SpanContext:
        """Return its ids, with which other processes continue the trace."""
        found = self._span_context
        if found is None:
            state = self._state
            found = self._span_context = SpanContext(
                self._trace_hi << 64 | self._trace_lo,
                self._id,
                is_remote=False,
                trace_flags=SAMPLED,
                trace_state=state_of(state) if type(state) is str else state,
            )
        return found

    def is_recording(self) -> bool:
        """Say whether it is still open."""
        return not self._ended

    def set_attribute(self, key: str, value: Any) -> None:
        """Keep one attribute; the last value of a key wins."""
        if self._ended:
            return
        try:
            kept = self._attributes
            room = len(kept) < self._tracer.provider.limits.attributes
            if type(value) in PLAIN and key and (room or key in kept):
                kept[key] = value
            else:
                self._add({key: value})
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("set_attribute", error)

    @guarded
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Keep several attributes."""
        if not self._ended:
            self._add(attributes)

    def begin_with(self, attributes: Mapping[str, Any]) -> None:
        """Take the first attributes, in one piece if all of them are plain."""
        for value in attributes.values():
            if type(value) not in PLAIN:
                break
        else:
            if "" not in attributes and len(attributes) <= self._tracer.provider.limits.attributes:
                self._attributes = dict(attributes)
                return
        self._add(attributes)

    def _add(self, attributes: Mapping[str, Any]) -> None:
        kept = self._attributes
        dropped = add(attributes, kept, self._tracer.provider.limits.attributes)
        if dropped:
            self._drop("attributes", dropped)
        if not self._is_rich:
            self._is_rich = not PLAIN.issuperset(map(type, attributes.values()))

    @guarded
    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Note something that happened; when there is no room, the oldest goes."""
        if self._ended:
            return
        limits = self._tracer.provider.limits
        told: dict[str, Any] = {}
        add(attributes, told, limits.event_attributes)
        self._events = self._events or []
        time = moment(timestamp)
        event = (time_ns() if time is None else time, word(name), told)
        self._append("events", event, limits.events)

    @guarded
    def add_link(self, context: Any, attributes: Any = None) -> None:
        """Link it with another span; what points nowhere and says nothing is left out."""
        state = context.trace_state if context else None
        if self._ended or not context or not (context.is_valid or attributes or state):
            return
        limits = self._tracer.provider.limits
        told: dict[str, Any] = {}
        add(attributes, told, limits.link_attributes)
        self._links = self._links or []
        self._append("links", (context, told), limits.links)

    def _append(self, what: str, one: Any, most: int) -> None:
        kept = getattr(self, f"_{what}")
        kept.append(one)
        self._is_rich = True
        if len(kept) > most:
            del kept[0]
            self._drop(what, 1)

    def _drop(self, what: str, number: int) -> None:
        self._dropped = {**self._dropped, what: self._dropped.get(what, 0) + number}

    def update_name(self, name: str) -> None:
        """Rename it."""
        if not self._ended:
            self._name = word(name)
            self._site = None

    @guarded
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went: `OK` is final, and nothing makes it unset again."""
        code = status
        if isinstance(status, Status):
            code, description = status.status_code, status.description
        if self._ended or self._status is _OK or code is _UNSET or not isinstance(code, StatusCode):
            return
        self._status = code
        if description and code is _ERROR:
            self._description, self._is_rich = label(description), True
        elif self._description:
            self._description = None

    @guarded
    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Note an exception as an event, and keep it as an error unless it was kept already."""
        if self._ended:
            return
        told = exception_attributes(exception, escaped=escaped)
        if error_id := keep_error(self, exception, escaped=escaped):
            told["qmon.error.id"] = error_id
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def failed(self, error: BaseException) -> None:
        """Note that an exception leaves the block of this span; what only ends programs is none."""
        records, sets_status = self._on_exception
        if self._ended or status_after(error) != "error":
            return
        if records and isinstance(error, Exception):
            self.record_exception(error, escaped=True)
        if sets_status:
            said = message_of(error, MAX_MESSAGE)
            self.set_status(_ERROR, f"{type(error).__name__}: {said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        """End it, however its block went."""
        if error is not None:
            self.failed(error)
        self.end()

    # --- its beginning and end ----------------------------------------------------------------

    def follow(self, parent: SpanContext) -> None:
        """Have a parent that a context told of, perhaps in another process."""
        self._above = parent

    def begin(self, told: tuple[Any, ...]) -> None:
        """Take what is seldom told at the beginning."""
        links, start_time, self._on_exception = told
        for link in links or ():
            self.add_link(link.context, link.attributes)
        if (began := moment(start_time)) is not None:
            self._began, self._is_rich = began, True

    def inside(self, outer: Cell) -> Cell:
        """Make the place inside of it, for who makes it the current span."""
        place = _made(Here, self._id)
        place.api = self
        inner = outer.child(place)
        parent = self._parent
        if not parent or parent is not outer.span:  # else all of it is as it is outside
            inner.trace_hi, inner.trace_lo = self._trace_hi, self._trace_lo
            inner.keep(True)
        if self._inner is None and not self._ended:
            self._inner = inner
            inner.open(self.site(), parent, self._start)
        return inner

    def end(self, end_time: int | None = None) -> None:
        """End it; the first time counts."""
        if self._ended:
            return
        self._ended = perf_counter_ns()
        try:
            if end_time is not None or self._began is not None:
                self._set_times(end_time)
            inner = self._inner
            if inner is None:
                written(self._row())
            else:  # where it began, it is quicker
                write_row(inner, self._row())
                inner.close()
                self._inner = None
            for processor in self._tracer.provider.processors:
                ask(processor, "on_end", self)
        except Exception as error:  # noqa: BLE001 - the guard, without the price of a wrapper
            failed("end", error)

    def _set_times(self, end_time: int | None) -> None:
        """Have the times that were said, to the nanosecond."""
        since = time_ns() - perf_counter_ns()
        if self._began is None:
            self._began, self._is_rich = self._start + since, True
        told = moment(end_time)
        ended = self._ended + since if told is None else told
        self._ended = max(self._start + max(ended - self._began, 0), 1)

    def _row(self) -> tuple[Any, ...]:
        status, start = self._status, self._start
        return (
            self._site or self.site(), SCOPE.get(),
            "unset" if status is _UNSET else "error" if status is _ERROR else "ok",
            self._trace_hi, self._trace_lo, self._id, self._parent, start,
            self._ended - start, self._extra() if self._is_rich else self._attributes or None,
        )  # fmt: skip

    def site(self) -> Site:
        """Return what it has in common with others of its name."""
        site = self._site
        if site is None:
            name, kind = self._name, self._kind._value_
            key = (name, kind) if kind else name
            site = self._tracer.sites.get(key) or self._tracer.site(name, self._kind)
            self._site = site
        return site

    def _extra(self) -> dict[str, Any]:
        """Write what is more than plain attributes, for the row."""
        scrubber = current().scrubber
        extra = {key: text(value, scrubber.hides) for key, value in self._attributes.items()}
        if self._description:
            extra["otel.status_description"] = self._description
        events = events_text(self._events, scrubber) if self._events else ""
        links = links_text(self._links, scrubber) if self._links else ""
        if events or links or self._began is not None:
            extra[MORE] = (events, links, self._began)
        return extra

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self._name}", context={self.get_span_context()})'
