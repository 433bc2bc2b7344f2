"""What earlier errors left behind: one object is one error, and a repetition costs little."""

from __future__ import annotations

from time import time_ns

from .anatomy import codes_of, fields_of, key_of, message_of, trace_of
from .context import EMPTY, SCOPE
from .grouping import culprit_of, key_of_error, key_of_fingerprint
from .json_text import array, texts
from .protocol.signals import NO_LABELS, Error
from .recorder.cells import draw, draw_id, position
from .rendering import label
from .stacktrace import Stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType
    from typing import Any

    from .client import Client
    from .context import Scope
    from .scrub import Scrubber

    Facts = tuple[str, str | Iterable[str] | None, bool, Mapping[str, Any] | None]
    """What the caller says: level, fingerprint, whether it was handled, attributes."""

MARK = "__qmon_error_id__"
LEFT = "__qmon_session__"  # whose session an exception left: it may be captured further out
"""The error's id among the exception's own fields, so that it travels along when the exception is
raised again, logged, or pickled into another process. Nothing is kept alive by it."""

FULL_PER_PATH = 3
"""Captures with source and variables, per path that exceptions take and `PERIOD_NS`."""

PERIOD_NS = 60_000_000_000
FULL_PER_SECOND = 50
"""Captures with source and variables, whatever the path; the rest tell only the frames."""

_SECOND_NS = 1_000_000_000
_PATHS = 1000
_MAX_MESSAGE = 8192
_MAX_LEVEL = 32


class Path:
    """One way that exceptions take through the program, and how often it was told in full."""

    __slots__ = ("_said", "codes", "culprit", "full", "grouping", "like", "since", "stack", "type")

    def __init__(self, error: BaseException, stacks: Stacks, *, now: int) -> None:
        places = stacks.of_frames(trace_of(error)[0])
        self.codes: list[CodeType] = codes_of(error)  # their addresses are the key of this path
        self.type = type(error).__qualname__
        self.culprit = culprit_of(places)
        self.grouping = key_of_error(error, places)
        self.stack = ""  # what a short telling says, once there was one
        self.like = ""  # the error of this path that was told in full last
        self.full = 0
        self.since = now
        self._said = "", ""

    def message(self, error: BaseException, scrubber: Scrubber) -> str:
        """Write what the exception says, scrubbed again only if it is not the same as last time."""
        said, scrubbed = self._said
        message = message_of(error, _MAX_MESSAGE)
        if message != said:
            scrubbed = scrubber.text(message)
            self._said = message, scrubbed
        return scrubbed


class Captures:
    """Makes errors of exceptions for one client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._scrubber = client.scrubber
        self._sample_rate = client.settings.sample_rate
        self._stacks = Stacks(client.settings, client.scrubber)
        self._paths: dict[tuple[Any, ...], Path] = {}
        self._second = 0
        self._full_this_second = 0

    def take(self, error: BaseException, facts: Facts) -> str | None:
        """Make an error of an exception that has not been seen yet, and return its id."""
        fields, scope = fields_of(error), SCOPE.get()
        known = fields.get(MARK)
        if known is None:
            fields[MARK] = error_id = "" if self._is_sampled_out() else draw_id()
        else:
            error_id = known
        if (session := scope.session) is not None:
            handled = facts[2] is not False
            session.saw(handled=handled, again=known is not None, error_id=error_id)
        if known is not None:
            return known or None
        if not error_id:
            self._drop("sample_rate")
            return None
        signal, is_new = self._signal(error, error_id, facts=facts, scope=scope)
        # One more of what everybody has heard of needs no message of its own.
        send = self._client.emit if is_new else self._client.keep
        return error_id if send(signal, error) else None

    def _is_sampled_out(self) -> bool:
        rate = self._sample_rate
        return rate < 1 and draw(53) >= rate * (1 << 53)

    def _signal(
        self, error: BaseException, error_id: str, *, facts: Facts, scope: Scope
    ) -> tuple[Error, bool]:
        """Write an error, and say whether its like was told before, in full and not long ago."""
        level, fingerprint, handled, attributes = facts
        level = (
            level if type(level) is str and len(level) < _MAX_LEVEL else label(level, _MAX_LEVEL)
        )
        now, scrubber = time_ns(), self._scrubber
        path, stack = self._told(error, error_id, now)
        is_new = stack is not path.stack
        trace_id, span_id = position()
        grouping = path.grouping
        if fingerprint is not None:
            grouping = key_of_fingerprint(fingerprint, grouping)
        # In the order of its fields: to name all of them costs more than all else done here.
        row = (
            now, error_id, "", path.type, path.message(error, scrubber), path.culprit, level,
            handled is not False, trace_id, span_id, *_whose(error, scope), stack, grouping,
            attributes_of(scope, attributes, scrubber),
        )  # fmt: skip
        signal: Error = tuple.__new__(Error, row)  # type: ignore[type-var]
        return signal, is_new

    def _told(self, error: BaseException, error_id: str, now: int) -> tuple[Path, str]:
        """Tell the stack: in full for the first of a path in a while, in short for the others."""
        key = key_of(error)
        path = self._paths.get(key)
        if path is None:
            path = Path(error, self._stacks, now=now)
            while len(self._paths) >= _PATHS:
                self._paths.pop(next(iter(self._paths)), None)
            self._paths[key] = path
        elif now - path.since > PERIOD_NS:
            path.full, path.since = 0, now
        if path.full < FULL_PER_PATH and self._has_budget(now):
            path.full += 1
            path.stack, path.like = "", error_id
            return path, self._stacks.full(error)
        path.stack = path.stack or self._stacks.short(error, like=path.like)
        return path, path.stack

    def _has_budget(self, now: int) -> bool:
        second = now // _SECOND_NS
        if second != self._second:
            self._second, self._full_this_second = second, 0
        self._full_this_second += 1
        return self._full_this_second <= FULL_PER_SECOND

    def _drop(self, reason: str) -> None:
        self._client.ledger.captured("error")
        self._client.ledger.dropped("error", reason)


def _whose(error: BaseException, scope: Scope) -> tuple[str, str]:
    """Say the user and the session of the scope, or else those of the session the error left."""
    if scope.session_id:
        return scope.user_id, scope.session_id
    user_id, session_id = fields_of(error).get(LEFT, ("", ""))
    return scope.user_id or user_id, session_id


def attributes_of(
    scope: Scope, more: Mapping[str, Any] | None, scrubber: Scrubber
) -> dict[str, str]:
    """Write what is known about the work in hand as labels, beside what the caller adds.

    `tag.x`, `flag.x`, `user.x` are texts; `context.x` and `breadcrumbs` are JSON.
    """
    labels = scrubber.labels(more) if more else {}
    if scope is EMPTY:
        return labels or NO_LABELS
    written = (
        ("tag", scope.tags and scrubber.labels(scope.tags)),
        ("flag", scope.flags and scrubber.labels(scope.flags)),
        ("user", scope.user and scrubber.about(scope.user)),
    )
    for prefix, entries in written:
        for key, text in entries.items():
            labels[f"{prefix}.{key}"] = text
    for name, context in scope.contexts.items():
        labels[f"context.{name}"] = texts(scrubber.labels(context))
    if scope.breadcrumbs:
        labels["breadcrumbs"] = array(scope.breadcrumbs)
    return labels or NO_LABELS
