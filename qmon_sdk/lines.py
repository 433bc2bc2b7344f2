"""Lines that a program writes by other libraries: made log lines of ours, each one once.

Logging libraries are piped into each other: a line of structlog is written by `logging`, one of
`logging` is handed to loguru, and the other way around. It then passes here twice, on one thread,
right after each other, under the same text, and the second time it is known. Where a queue lies in
between, as with `QueueListener` or loguru's `enqueue`, the second time is on another thread, a
little later; by then it is known by its text, its level and who wrote it.
"""

from __future__ import annotations

from _thread import get_ident

from .anatomy import fields_of, message_of
from .capture import capture_exception
from .captures import MARK
from .logs import MAX_NAME, keep
from .protocol.signals import Log
from .recorder.cells import position
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .client import Client

    Said = tuple[int, str, str, str, str]
    """Time, level, text, template, logger."""

LEVELS = ((50, "fatal"), (40, "error"), (30, "warn"), (20, "info"), (10, "debug"), (0, "trace"))
"""Numbers as `logging` and loguru use them, and what we call them."""

RANKS = {name: least for least, name in LEVELS}
SOON_NS = 1_000_000_000
"""How much later a line that is passed on may come, by its own time.

In between there may be a collection of all garbage, or a busy machine's other programs.
"""

LATER_NS = 1_000_000_000
"""How much later, where a queue lies in between."""

RENDERING = "structlog"
"""The library that passes on what its renderer has made of a line: nothing is as it was."""

_THREADS = 256
_HANDED_OVER = 256  # lines of which it is known what they were
_SAME = 15  # of the same text
_MACHINERY = frozenset({"logging", "logging.handlers", "threading"})
"""Whom a library takes for the writer of what a queue's thread hands over."""

_MAX_MESSAGE = 1024


_NAMES = dict(LEVELS)


def level_of(number: int) -> str:
    """Name a level by its number."""
    if number in _NAMES:
        return _NAMES[number]
    for least, name in LEVELS:
        if number >= least:
            return name
    return "trace"


def take_line(
    client: Client,
    source: str,
    said: Said,
    *,
    attributes: dict[str, Any],
    error: BaseException | None = None,
    errors_from: int = RANKS["error"],
) -> bool:
    """Keep a line of the library `source`, unless it is one that another one has passed on.

    An error that comes with it is kept too from a level on, if it was not before.
    """
    if _PIPES.has_passed(source, said):
        return False
    time, level, body, template, logger = said
    if error is not None:
        _tell_of(error, level, attributes, is_error=RANKS[level] >= errors_from)
    trace_id, span_id = position()
    scrubber = client.scrubber
    line = Log(
        time=time,
        level=level,
        body=scrubber.text(body),
        template=scrubber.word(template),
        logger=label(logger, MAX_NAME),
        trace_id=trace_id,
        span_id=span_id,
        attributes=scrubber.labels(attributes),
    )
    keep(client, line)
    return True


def _tell_of(
    error: BaseException, level: str, attributes: dict[str, Any], *, is_error: bool
) -> None:
    attributes["exception.type"] = type(error).__qualname__
    if is_error:
        error_id = capture_exception(error, level=level)
    else:  # whoever writes it below that has coped with it
        error_id = fields_of(error).get(MARK)
        attributes["exception.message"] = message_of(error, _MAX_MESSAGE)
    if error_id:
        attributes["error_id"] = error_id


class _Passing:
    """A line on its way through libraries: all that it was called so far."""

    __slots__ = ("sources", "texts")

    def __init__(self, source: str, said: Said) -> None:
        self.sources = [source]
        self.texts = [said]

    def takes(self, source: str, said: Said) -> bool:
        """Say whether this is the same line once more, and remember what it is called now."""
        if source in self.sources or not any(self._is_same(text, said) for text in self.texts):
            return False
        self.sources.append(source)
        self.texts.append(said)
        return True

    def _is_same(self, before: Said, said: Said) -> bool:
        """Tell by the text, or, where it was dressed up, by the name of the logger as well."""
        if abs(said[0] - before[0]) > SOON_NS:
            return False
        if before[2] == said[2]:
            return True
        if before[4] != said[4] or not before[4]:
            return False
        return self.sources[-1] == RENDERING or before[2] in said[2]


class _Queued:
    """Lines that may come once more, on another thread, by their text and level."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[tuple[int, _Passing]]] = {}

    def put(self, thread: int, passing: _Passing) -> _Passing:
        """Remember a line, and forget the oldest."""
        lines, said = self._lines, passing.texts[0]
        key = said[2], said[1]
        met = lines.pop(key, ())
        lines[key] = [*met[-_SAME:], (thread, passing)]
        while len(lines) > _HANDED_OVER:
            lines.pop(next(iter(lines), key), None)
        return passing

    def taken(self, thread: int, source: str, said: Said) -> _Passing | None:
        """Find what this is once more, which then has come once more."""
        for one in self._lines.get((said[2], said[1]), ()):
            before = one[1].texts[0]
            is_later = 0 <= said[0] - before[0] <= LATER_NS
            is_known = said[4] == before[4] or said[4] in _MACHINERY or before[4] in _MACHINERY
            if one[0] != thread and is_later and is_known and source not in one[1].sources:
                one[1].sources.append(source)
                one[1].texts.append(said)
                return one[1]
        return None


class _Pipes:
    """What each thread wrote last, while more than one library is watched."""

    def __init__(self) -> None:
        self._sources: set[str] = set()
        self._last: dict[int, _Passing] = {}
        self._queued = _Queued()

    def opened(self, source: str) -> None:
        """A library is watched from now on."""
        self._sources.add(source)

    def closed(self, source: str) -> None:
        """A library is watched no more."""
        self._sources.discard(source)
        self._last.clear()
        self._queued = _Queued()

    def has_passed(self, source: str, said: Said) -> bool:
        """Say whether another library wrote this line just now; remember it if none did."""
        if len(self._sources) < 2:  # noqa: PLR2004 - it takes two to pass something on
            return False
        thread = get_ident()
        last = self._last.get(thread)
        if last is not None and last.takes(source, said):
            return True
        while len(self._last) >= _THREADS:
            self._last.pop(next(iter(self._last)), None)
        passing = self._queued.taken(thread, source, said)
        self._last[thread] = passing or self._queued.put(thread, _Passing(source, said))
        return passing is not None


_PIPES = _Pipes()
pipe_opened, pipe_closed, has_passed = _PIPES.opened, _PIPES.closed, _PIPES.has_passed
