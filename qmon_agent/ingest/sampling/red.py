"""Requests, errors and durations, counted from spans before any of them is left out.

One distribution says all three: its count is the requests, those with `error.type` the errors. The
names are OpenTelemetry's; spans it has no metric for are counted as its Collector does it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import msgspec

from qmon_agent.ingest.lots import Lot, made_by_us, made_lot
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Labels, Span

from .consistent import threshold_in, weight_of
from .folding import OVERFLOW, Fold, Shape, Window, Windows
from .marks import REASON, STATE
from .traces import is_failed

SCOPE = "qmon.sampling"
_S = 1e9

_HTTP = ("http.request.method", "http.response.status_code")
_METRICS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("server", "http.request.method", "http.server.request.duration", (*_HTTP, "http.route")),
    ("client", "http.request.method", "http.client.request.duration", (*_HTTP, "server.address")),
    ("client", "db.system.name", "db.client.operation.duration",
     ("db.system.name", "db.operation.name", "db.namespace")),
    ("server", "rpc.system", "rpc.server.call.duration", ("rpc.system", "rpc.method")),
    ("client", "rpc.system", "rpc.client.call.duration", ("rpc.system", "rpc.method")),
    ("consumer", "messaging.system", "messaging.process.duration",
     ("messaging.system", "messaging.destination.name")),
    ("producer", "messaging.system", "messaging.client.operation.duration",
     ("messaging.system", "messaging.destination.name")),
)  # fmt: skip
"""Kind of span, the attribute that tells it is one, its metric, and the attributes it keeps."""
_BY_KIND = {kind: [each[1:] for each in _METRICS if each[0] == kind] for kind, *_ in _METRICS}
_FAILURES = ("4", "5")
_ENTRIES = frozenset(("server", "consumer"))
_OTHER = "traces.span.metrics.duration"
_LABELS = {metric: labels for *_, metric, labels in _METRICS}
_LABELS[_OTHER] = ("span.name", "span.kind")
_SHAPES = {metric: Shape(metric, "distribution", "s") for metric in _LABELS}


class _Event(msgspec.Struct):
    """What matters of an event of a span."""

    attributes: dict[str, str] = {}


_decode = msgspec.json.Decoder(list[_Event]).decode


class Red:
    """Folds spans into windows of their service's, whatever becomes of them later."""

    def __init__(self, every_s: float, *, max_series: int) -> None:
        self._windows = Windows(every_s, max_series=max_series)
        self.overflowed = 0
        """Spans that were counted in an overflow."""

    @property
    def holds(self) -> int | None:
        """The oldest record counted and not told of."""
        return self._windows.holds

    def count(self, lot: Lot) -> None:
        """All of its spans, unless an agent before this one, or this one, has counted them."""
        window: Window | None = None
        for signal in lot.signals:
            if not isinstance(signal, Span) or not (key := _key_of(signal)):
                continue
            if window is None:
                window = self._window(lot)
            fold = window.folds.get(key) or self._fold(window, key)
            fold.observe(max(signal.duration_ns, 0) / _S, _times(signal.attributes))

    def due(self, now: int) -> Iterable[Lot]:
        """Points of the windows that are over."""
        for window in self._windows.due(now):
            points = self._windows.points(window)
            yield made_lot(made_by_us(window.resource), "point", points, name=b"red/" + window.name)

    def _window(self, lot: Lot) -> Window:
        service, release, environment, host, *_ = lot.resource
        whose = Resource(service=service, release=release, environment=environment, host=host)
        return self._windows.at(lot.origin.time, whose, record_id=lot.origin.record_id)

    def _fold(self, window: Window, key: tuple[str, ...]) -> Fold:
        metric, shape = key[0], _SHAPES[key[0]]
        labels = _labels_of(key)
        found = self._windows.fold(window, key, shape=shape, attributes=labels, at_all=False)
        if found is not None:
            return found
        self.overflowed += 1
        overflow: Hashable = (metric,)
        labels = {**OVERFLOW, "otel.scope.name": SCOPE}
        made = self._windows.fold(window, overflow, shape=shape, attributes=labels, at_all=True)
        assert made is not None  # noqa: S101 - there is always room for this one
        return made


def _key_of(span: Span) -> tuple[str, ...]:
    """Metric, attributes and error of a span; nothing for one that is not counted."""
    attributes = span.attributes
    if REASON in attributes:
        return ()
    error = _error_of(span) if span.status == "error" or is_failed(span) else ""
    for told_by, metric, labels in _BY_KIND.get(span.kind, ()):
        if told_by in attributes:
            return (metric, *[attributes.get(label, "") for label in labels], error)
    if not span.parent_id or span.kind in _ENTRIES:
        return (_OTHER, span.name, span.kind, error)
    return ()


def _error_of(span: Span) -> str:
    """What it says itself, a status that is an error, the exception it has noted, or something."""
    known = span.attributes
    if told := known.get("error.type"):
        return told
    status = known.get("http.response.status_code", "")
    if status.startswith(_FAILURES):
        return status
    return (_exception_of(span.events) if span.events else "") or "_OTHER"


def _exception_of(events: str) -> str:
    """The type of the last exception among a span's events."""
    try:
        noted = _decode(events)
    except (msgspec.DecodeError, RecursionError):
        return ""
    types = (each.attributes.get("exception.type", "") for each in reversed(noted))
    return next(filter(None, types), "")


def _labels_of(key: tuple[str, ...]) -> Labels:
    metric, *values, error = key
    labels = dict(zip(_LABELS[metric], values, strict=True))
    labels |= {"error.type": error, "otel.scope.name": SCOPE}
    return {label: value for label, value in labels.items() if value}


def _times(attributes: Labels) -> int:
    """How many it stands for, where its SDK has left out others before us."""
    state = attributes.get(STATE)
    return max(1, round(weight_of(threshold_in(state) or 0))) if state else 1
