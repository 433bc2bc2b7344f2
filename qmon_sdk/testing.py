"""For the tests of instrumented programs: everything they tell, kept in memory and read back.

Also the pytest plug-in that gives the fixture `qmon_capture`. It imports nothing of pytest unless
pytest is what is running.
"""

from __future__ import annotations

import sys

from .client import SILENT, install
from .context import new_scope
from .either_with import EitherWith

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, Self

    from .client import Client, SilentClient
    from .protocol.signals import Error, Event, Log, Point, Session, Span


_SECOND_NS = 1_000_000_000


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Go on by some seconds."""
        self.now += int(seconds * _SECOND_NS)


class capture(EitherWith):  # noqa: N801 - a context manager reads like a function
    """Keep what is recorded in a `with` block; the client before it is back afterwards.

    `options` are those of `init`. With `at` (nanoseconds since 1970) time stands still for errors,
    events, sessions and logs, and goes on by `captured.clock.advance(seconds)`.
    """

    def __init__(self, *, at: int | None = None, **options: Any) -> None:
        self.clock = Clock(at) if at is not None else None
        self._options = {"service": "test", "integrations": (), **options}
        self._before: Client | SilentClient = SILENT
        self._scope = new_scope(fresh=True)
        self._seen = 0

    def __enter__(self) -> Self:
        """Begin with nothing."""
        from tempfile import TemporaryDirectory

        from .start import init
        from .transports.memory import MemoryTransport

        self._before = install(SILENT)
        self._scope.__enter__()
        self._transport = MemoryTransport()
        # What a test leaves behind must not reach the agent of the machine it runs on.
        self._spool = TemporaryDirectory(prefix="qmon-test-")
        client = init(transport=self._transport, **{"spool_dir": self._spool.name, **self._options})
        # How quick the machine is must not make points of what a test reads as one.
        client.metrics.hurry = client.metrics.wake
        if self.clock is not None:
            client.now = self.clock  # type: ignore[method-assign]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and put the client back that was there."""
        from .start import flush, shutdown

        try:
            flush()
            shutdown(timeout=0)
        finally:
            install(self._before)
            self._scope.__exit__(kind, error, trace)
            self._spool.cleanup()

    def all(self, kind: str) -> list[Any]:
        """Flush, and read every signal of a kind, as the agent would."""
        from .protocol.columns import rows_of
        from .protocol.frames import decode_frame
        from .start import flush

        flush()
        frames = [decode_frame(frame) for frame in self._transport.frames[self._seen :]]
        blocks = [block for frame in frames for block in frame.blocks if block.kind == kind]
        return [row for block in blocks for row in rows_of(block)]

    def clear(self) -> None:
        """Forget what was told so far."""
        from .start import flush

        flush()
        self._seen = len(self._transport.frames)

    @property
    def spans(self) -> list[Span]:
        """Finished spans, in the order in which they ended."""
        return self.all("span")

    @property
    def errors(self) -> list[Error]:
        """Captured exceptions and messages."""
        return self.all("error")

    @property
    def events(self) -> list[Event]:
        """What was tracked."""
        return self.all("event")

    @property
    def sessions(self) -> list[Session]:
        """Sessions that ended."""
        return self.all("session")

    @property
    def logs(self) -> list[Log]:
        """Log lines."""
        return self.all("log")

    @property
    def points(self) -> list[Point]:
        """What the metrics came to, a point for each read."""
        return self.all("point")

    metrics = points

    def span(self, name: str) -> Span:
        """Return the one span of a name; raises `LookupError` when there is none, or several."""
        spans = self.spans
        found = [span for span in spans if span.name == name]
        if len(found) != 1:
            names = sorted({span.name for span in spans})
            raise LookupError(f"{len(found)} spans are called {name!r}; there are {names}")
        return found[0]

    def total(self, metric: str, **attributes: str) -> float:
        """Add up what a metric came to, over all attributes or those that are given."""
        wanted = attributes.items()
        return sum(
            point.value
            for point in self.points
            if point.metric == metric and wanted <= point.attributes.items()
        )


if "_pytest" in sys.modules:
    import pytest

    @pytest.fixture
    def qmon_capture() -> Iterator[capture]:
        """Everything the program under test tells through qmon, in `.spans`, `.errors`, ..."""
        with capture() as captured:
            yield captured
