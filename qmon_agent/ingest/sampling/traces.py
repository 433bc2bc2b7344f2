"""Traces being gathered: spans wait for the rest of their trace, then all of it goes one way."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec

from qmon_agent.ingest.lots import Lot
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Error, Signal, Span

from .groups import Group
from .habits import Route
from .marks import STATE
from .policy import ERROR, Facts, Policy, Verdict

_SECOND = 1_000_000_000
_SPAN_BYTES, _LABEL_BYTES, _TRACE_BYTES = 600, 100, 600  # about, as CPython has them
_HARMLESS = frozenset(("debug", "info"))  # messages that somebody captured to be read
_ENTRIES = frozenset(("server", "consumer"))


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much."""

    wait_s: float = 30.0
    grace_s: float = 5.0
    max_bytes: int = 64 << 20
    most_remembered: int = 50_000


class _Part:
    """The spans of a trace in one group."""

    __slots__ = ("group", "places", "size")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.places: list[int] = []
        self.size = 0


class _Trace:
    """What is known of one that has not been decided upon."""

    __slots__ = ("began", "ended", "head", "is_error", "names", "opened", "parts", "rank",
                 "resource", "size", "state")  # fmt: skip

    def __init__(self, span: Span, resource: Resource, now: int) -> None:
        self.opened = now
        self.began, self.ended = span.time, span.time + span.duration_ns
        self.head, self.resource, self.rank = span, resource, _rank(span)
        self.names: set[Route] = set()
        self.state = ""
        self.is_error = False
        self.parts: list[_Part] = []
        self.size = _TRACE_BYTES

    def add(self, span: Span, group: Group, size: int) -> None:
        if not self.parts or self.parts[-1].group is not group:
            self.parts.append(_Part(group))
        part = self.parts[-1]
        part.places.append(group.hold(span))
        part.size += size
        self.size += size

    def learn(self, span: Span, resource: Resource) -> None:
        self.names.add((resource.service, span.name))
        self.began = min(self.began, span.time)
        self.ended = max(self.ended, span.time + span.duration_ns)
        self.is_error = self.is_error or is_failed(span)
        if not self.state and span.attributes:
            self.state = span.attributes.get(STATE, "")
        if self.rank and (rank := _rank(span)) < self.rank:
            self.head, self.resource, self.rank = span, resource, rank

    def facts(self, trace_id: str) -> Facts:
        return Facts(
            trace_id=trace_id,
            state=self.state,
            head=self.head,
            resource=self.resource,
            route=route_of(self.resource.service, self.head),
            duration_ns=self.ended - self.began,
            is_error=self.is_error,
            names=self.names,
        )


class Traces:
    """Holds what is not decided yet: for a time, and within a number of bytes."""

    def __init__(self, policy: Policy, patience: Patience) -> None:
        self._policy = policy
        self._wait = int(patience.wait_s * _SECOND)
        self._grace = int(patience.grace_s * _SECOND)
        self._max_bytes = patience.max_bytes
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._rooted: deque[tuple[int, str]] = deque()
        self._decided = _Decided(patience.most_remembered)
        self._groups: OrderedDict[int, Group] = OrderedDict()
        self._done: list[Group] = []
        self._now = 0
        self.size = 0
        """Bytes held, about."""
        self.early = 0
        """Traces that were decided upon before their time, for want of room."""

    def __len__(self) -> int:
        return len(self._traces)

    @property
    def held(self) -> int:
        """Spans that nothing has been said of yet."""
        return sum(map(len, self._groups.values()))

    @property
    def holds(self) -> int | None:
        """The oldest record of which something is here."""
        return next(iter(self._groups.values())).record_id if self._groups else None

    def take(self, lot: Lot, name: bytes) -> list[Lot]:
        """Spans of one lot; what is due by now comes out. `name` is this lot's own."""
        released = self.due(lot.origin.time)
        spans = cast("Sequence[Span]", lot.signals)
        with_root = {span.trace_id for span in spans if not span.parent_id}
        groups = (Group(lot, name + b"/rest"), Group(lot, name + b"/root"))
        for span in spans:
            self._add(span, groups[span.trace_id in with_root], lot.resource)
        for group in groups:
            if group.left:
                self._groups[id(group)] = group
            elif len(group):
                released.append(self._release(group))
        return [*released, *self._fit()]

    def note(self, errors: Iterable[Signal]) -> list[Lot]:
        """Errors that say which trace they happened in: it is kept, and need not wait."""
        for error in errors:
            if not isinstance(error, Error) or not error.trace_id or error.level in _HARMLESS:
                continue
            trace_id = error.trace_id
            if trace := self._traces.get(trace_id):
                trace.is_error = True
                self._decide(trace_id)
            else:
                self._decided.enter(trace_id, ERROR)
        return self._released()

    def due(self, now: int) -> list[Lot]:
        """What need not wait any longer, in the order of arrival."""
        self._now = now = max(self._now, now)
        rooted, traces = self._rooted, self._traces
        while rooted and rooted[0][0] <= now:
            self._decide(rooted.popleft()[1])
        while traces and next(iter(traces.values())).opened + self._wait <= now:
            self._decide(next(iter(traces)))
        return self._released()

    def _add(self, span: Span, group: Group, resource: Resource) -> None:
        trace_id = span.trace_id
        trace = self._traces.get(trace_id)
        if trace is None:
            if not trace_id or (verdict := self._decided.of(trace_id)):
                return self._add_late(span, group, verdict if trace_id else None)
            trace = self._traces[trace_id] = _Trace(span, resource, self._now)
            self.size += trace.size
        size = size_of(span)
        trace.add(span, group, size)
        self.size += size
        trace.learn(span, resource)
        if trace.is_error:
            self._decide(trace_id)
        elif not span.parent_id:
            self._rooted.append((self._now + self._grace, trace_id))
        return None

    def _add_late(self, span: Span, group: Group, verdict: Verdict | None) -> None:
        """It goes the way of its trace, unless it is the first to tell of an error."""
        if verdict is not None and not verdict.is_kept and is_failed(span):
            verdict = ERROR
            self._decided.enter(span.trace_id, ERROR)
        group.add(span, verdict)
        if verdict is None or verdict.is_kept:
            size = size_of(span)
            group.size += size
            self.size += size

    def _decide(self, trace_id: str) -> None:
        trace = self._traces.pop(trace_id, None)
        if trace is None:  # before its time, or with another root of its
            return
        verdict = self._policy.judge(trace.facts(trace_id), self._now)
        self._decided.enter(trace_id, verdict)
        self.size -= trace.size
        for part in trace.parts:
            group = part.group
            for place in part.places:
                group.decide(place, verdict)
            if verdict.is_kept:
                group.size += part.size
                self.size += part.size
            if not group.left and id(group) in self._groups:
                self._done.append(group)

    def _fit(self) -> list[Lot]:
        while self.size > self._max_bytes and self._traces:
            self.early += 1
            self._decide(next(iter(self._traces)))
        return self._released()

    def _released(self) -> list[Lot]:
        done, self._done = self._done, []
        return [self._release(self._groups.pop(id(group))) for group in done]

    def _release(self, group: Group) -> Lot:
        self.size -= group.size
        return group.release()


class _Decided:
    """What has become of the traces that were decided upon last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()

    def of(self, trace_id: str) -> Verdict | None:
        return self._verdicts.get(trace_id)

    def enter(self, trace_id: str, verdict: Verdict) -> None:
        self._verdicts[trace_id] = verdict
        if len(self._verdicts) > self._most:
            self._verdicts.popitem(last=False)


def route_of(service: str, span: Span) -> Route:
    return service, span.attributes.get("http.route") or span.name


def is_failed(span: Span) -> bool:
    """Whether it says that something went wrong: by its status, or one of HTTP."""
    if span.status == "error":
        return True
    attributes = span.attributes
    return bool(attributes) and attributes.get("http.response.status_code", "").startswith("5")


def size_of(span: Span) -> int:
    """Bytes it takes in memory, about."""
    size = _SPAN_BYTES + len(span.events) + len(span.links)
    if span.attributes:
        size += sum(map(len, span.attributes.values())) + _LABEL_BYTES * len(span.attributes)
    return size


def _rank(span: Span) -> int:
    """How near to the beginning of its trace a span is: what the trace is called after."""
    return 0 if not span.parent_id else 1 if span.kind in _ENTRIES else 2
