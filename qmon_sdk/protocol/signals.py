"""The vocabulary: the nine things qmon observes, each defined here and nowhere else.

A field's annotation is its *role*. The wire block, the tables, redaction, cardinality limits, the
test strategies and the reference page are all derived from it. To add a field, append it with a
default; to add a signal, add a class to `SIGNALS`.
"""

from __future__ import annotations

from .records import Field, Record

Time = int
"""A moment, in nanoseconds since 1970 UTC."""
Duration = int
"""A length of time, in nanoseconds."""
Key = str
"""A text with very many values: an id. Hexadecimal ids are lower case."""
Word = str
"""A text with few values: a name, a level. Limited in cardinality, stored as a dictionary."""
Text = str
"""Free text. Scrubbed, bounded, never grouped by."""
Number = float
"""A measurement."""
Whole = int
"""A count."""
Flag = bool
"""Yes or no."""
Labels = dict[str, str]
"""Attributes: text to text."""
Buckets = dict[int, int]
"""A distribution: log-bucket index to count (`protocol.buckets` has the formula)."""

NO_LABELS: Labels = {}
NO_BUCKETS: Buckets = {}

ROLES = {
    "Time": "nanoseconds since 1970 UTC",
    "Duration": "nanoseconds",
    "Key": "text with very many values: an id",
    "Word": "text with few values: a name",
    "Text": "free text, scrubbed and bounded",
    "Number": "measurement, IEEE 754 double",
    "Whole": "count, 64-bit integer",
    "Flag": "yes or no",
    "Labels": "map of text to text",
    "Buckets": "map of log-bucket index to count",
}


class Signal(Record):
    """One observed fact."""


class Span(Signal):
    """Something that took time: a call, a request, a query.

    `events` and `links` are JSON, `[{"time": nanoseconds, "name": text, "attributes": map}, ...]`
    and `[{"trace_id": hex, "span_id": hex, "tracestate": text, "attributes": map}, ...]`.
    """

    time: Time = 0
    trace_id: Key = ""
    span_id: Key = ""
    parent_id: Key = ""
    name: Word = ""
    kind: Word = "internal"
    duration_ns: Duration = 0
    status: Word = "unset"
    user_id: Key = ""
    session_id: Key = ""
    attributes: Labels = NO_LABELS
    events: Text = ""
    links: Text = ""


class Error(Signal):
    """Something that went wrong, with its stack as JSON and the key it is grouped by."""

    time: Time = 0
    error_id: Key = ""
    issue_id: Key = ""
    type: Word = ""
    message: Text = ""
    culprit: Word = ""
    level: Word = "error"
    handled: Flag = True
    trace_id: Key = ""
    span_id: Key = ""
    user_id: Key = ""
    session_id: Key = ""
    stack: Text = ""
    grouping: Word = ""
    attributes: Labels = NO_LABELS


class Event(Signal):
    """Something a user did."""

    time: Time = 0
    event_id: Key = ""
    name: Word = ""
    user_id: Key = ""
    anonymous_id: Key = ""
    session_id: Key = ""
    sequence: Whole = 0
    attributes: Labels = NO_LABELS


class Session(Signal):
    """One visit of one user, told when it ends: healthy, errored, crashed or abnormal."""

    time: Time = 0
    session_id: Key = ""
    user_id: Key = ""
    status: Word = "healthy"
    started: Time = 0
    duration_ns: Duration = 0
    errors: Whole = 0
    attributes: Labels = NO_LABELS


class Point(Signal):
    """A number at a time: a counter's delta, a gauge's last value, or a distribution's fold.

    `value` is the delta, the last value, or the sum; `count`, `minimum`, `maximum` and `buckets`
    say more of a distribution.
    """

    time: Time = 0
    metric: Word = ""
    kind: Word = "gauge"
    value: Number = 0.0
    unit: Word = ""
    count: Whole = 1
    minimum: Number = 0.0
    maximum: Number = 0.0
    buckets: Buckets = NO_BUCKETS
    attributes: Labels = NO_LABELS


class Log(Signal):
    """A line a program wrote, with the template it was made from."""

    time: Time = 0
    level: Word = "info"
    body: Text = ""
    template: Word = ""
    logger: Word = ""
    trace_id: Key = ""
    span_id: Key = ""
    attributes: Labels = NO_LABELS


class CheckIn(Signal):
    """A scheduled job saying that it began, ended or failed."""

    time: Time = 0
    monitor: Word = ""
    status: Word = "ok"
    duration_ns: Duration = 0
    attributes: Labels = NO_LABELS


class Snapshot(Signal):
    """One number a scan measured at one commit."""

    time: Time = 0
    scan: Word = ""
    commit: Key = ""
    measure: Word = ""
    value: Number = 0.0
    definition: Word = ""
    attributes: Labels = NO_LABELS


class Finding(Signal):
    """One complaint of a scan about one place in the code."""

    time: Time = 0
    scan: Word = ""
    commit: Key = ""
    tool: Word = ""
    rule: Word = ""
    severity: Word = "info"
    path: Word = ""
    line: Whole = 0
    symbol: Word = ""
    fingerprint: Key = ""
    state: Word = "new"
    message: Text = ""
    attributes: Labels = NO_LABELS


SIGNALS: dict[str, type[Signal]] = {
    kind.__name__.lower(): kind
    for kind in (Span, Error, Event, Session, Point, Log, CheckIn, Snapshot, Finding)
}
"""Kind, as the wire says it, → its definition."""

FIELDS: dict[str, tuple[Field, ...]] = {kind: signal.FIELDS for kind, signal in SIGNALS.items()}
"""Kind → its fields, in the wire's order."""


_KINDS = {signal: kind for kind, signal in SIGNALS.items()}


def kind_of(signal: Signal) -> str:
    """Name the kind of a signal as the wire does."""
    return _KINDS[type(signal)]


def table_of(kind: str) -> str:
    """Name the table a kind is kept in."""
    return f"{kind}s"
