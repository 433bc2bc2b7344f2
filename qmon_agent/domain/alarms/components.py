"""Components of a status page: what belongs to one, and what its incidents mean for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from qmon_agent.domain.availability import Span, State, Stretch
from qmon_agent.domain.incidents import ACTIVE, Transition

from .matchers import Labels, Matchers, all_hold

USUAL_STATES: Mapping[str, State] = {
    "critical": "major_outage",
    "error": "partial_outage",
    "warning": "degraded_performance",
    "info": "operational",
}
_CHANGED = ("severity_raised:", "severity_lowered:")


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is offered: it has the incidents of its alerts, and those its matchers fit."""

    name: str
    description: str = ""
    alerts: frozenset[str] = frozenset()
    matchers: Matchers = ()
    windows: frozenset[str] = frozenset()
    """Names of maintenance windows that are about all of it."""

    @property
    def id(self) -> str:
        """The same as long as its name is."""
        return opaque("component", self.name)

    def has(self, alert: str, labels: Labels) -> bool:
        """Whether an incident of this alert, with these labels, is one of it."""
        if alert in self.alerts:
            return True
        return bool(self.matchers) and all_hold(self.matchers, labels)

    @property
    def likeness(self) -> Iterator[dict[str, str]]:
        """Labels that an incident of it would surely have: one set for each way to be one."""
        yield from ({"alertname": name} for name in sorted(self.alerts))
        if self.matchers:
            yield {each.name: each.value for each in self.matchers if each.operator == "="}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown, to whom, and what a severity means."""

    title: str
    url: str = ""
    is_public: bool = False
    zone: str = "UTC"
    states: Mapping[str, State]
    components: Sequence[Component] = ()


def opaque(kind: str, name: str) -> str:
    """A name that says nothing, and is the same each time."""
    return sha256(f"status page\0{kind}\0{name}".encode()).hexdigest()[:12]


def troubles(
    transitions: Sequence[Transition],
    *,
    severity: str,
    usual_severity: str,
    states: Mapping[str, State],
    now: int,
) -> list[Stretch]:
    """When an incident was a trouble, and how large a one, by its life so far.

    `severity` is its last one, `usual_severity` its alert's: as bad it was before it changed.
    Time in which it fires only because nobody knows is no trouble.
    """
    changes = any(each.reason.startswith(_CHANGED) for each in transitions)
    walk = _Walk(usual_severity if changes else severity, states)
    for each in transitions:
        walk.pass_by(each)
    walk.stop(now)
    return walk.found


class _Walk:
    """One way through the life of an incident."""

    def __init__(self, severity: str, states: Mapping[str, State]) -> None:
        self.found: list[Stretch] = []
        self._severity = severity
        self._states = states
        self._since: int | None = None
        self._guessed = False

    def pass_by(self, moved: Transition) -> None:
        begins = moved.after in ACTIVE and moved.before not in ACTIVE
        if begins:
            self._guessed = moved.reason.startswith("unknown_fired:")
            self._since = None if self._guessed else moved.at
        elif moved.after not in ACTIVE:
            self.stop(moved.at)
        elif self._guessed:
            self._find_out(moved)
        if moved.reason.startswith(_CHANGED):
            since = self._since
            self.stop(moved.at)
            self._since = None if since is None else moved.at
            self._severity = moved.reason.partition(":")[2] or self._severity

    def stop(self, at: int) -> None:
        state = self._states.get(self._severity, "operational")
        if self._since is not None and self._since < at and state != "operational":
            self.found.append(Stretch(self._since, at, state))
        self._since = None

    def _find_out(self, moved: Transition) -> None:
        """Something is known of it again: it counts from now on, unless it is well."""
        if moved.reason in {"known", "breach_returned"}:
            self._since = moved.at
            self._guessed = moved.reason == "known"
        elif moved.after == "recovering" and self._since == moved.at:
            self._since = None
        else:
            self._guessed = self._since is None


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time, nothing twice, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
