"""The books: what was captured, and what was dropped and why; nothing goes missing unsaid."""

from __future__ import annotations

from collections import deque

from .protocol.frames import Ledger
from .protocol.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Stats(Record):
    """How the SDK is doing. Counts are since `init`, in this process.

    `captured` = `acknowledged` + `pending` + `dropped`, by kind, whenever nothing is in mid-air.
    """

    captured: dict[str, int] = {}  # noqa: RUF012
    dropped: dict[str, int] = {}  # noqa: RUF012
    acknowledged: dict[str, int] = {}  # noqa: RUF012
    spooled: dict[str, int] = {}  # noqa: RUF012
    pending_bytes: int = 0
    connected: bool = False
    trouble: dict[str, int] = {}  # noqa: RUF012
    integrations: dict[str, str] = {}  # noqa: RUF012
    transport: str = ""
    accelerated: bool = False


class Books:
    """Counters that any thread may add to without a lock: appended to, and summed when read."""

    def __init__(self, on_drop: Callable[[str, str, int], Any] | None = None) -> None:
        self._entries: deque[tuple[str, str, int]] = deque()
        self.sums: dict[str, dict[str, int]] = {
            "captured": {},
            "dropped": {},
            "acknowledged": {},
            "spooled": {},
        }
        self._on_drop = on_drop

    def captured(self, kind: str, n: int = 1) -> None:
        """Count signals that were observed, whatever becomes of them."""
        self._entries.append(("captured", kind, n))

    def dropped(self, kind: str, reason: str, n: int = 1) -> None:
        """Count signals that will not arrive, under the reason."""
        if n:
            self._entries.append(("dropped", f"{kind}/{reason}", n))
            if self._on_drop is not None:
                self._on_drop(kind, reason, n)

    def acknowledged(self, kind: str, n: int) -> None:
        """Count signals that the agent has on disk."""
        self._entries.append(("acknowledged", kind, n))

    def spooled(self, kind: str, n: int) -> None:
        """Count signals that were left in the spool for the next agent."""
        self._entries.append(("spooled", kind, n))

    def read(self) -> dict[str, dict[str, int]]:
        """Sum what was added; from one thread at a time (the holder of the flush gate)."""
        entries = self._entries
        while entries:
            book, name, n = entries.popleft()
            sums = self.sums[book]
            sums[name] = sums.get(name, 0) + n
        return self.sums

    def ledger(self) -> Ledger:
        """Return what the agent is told with every flush."""
        sums = self.read()
        return Ledger(captured=dict(sums["captured"]), dropped=dict(sums["dropped"]))

    def forget(self) -> None:
        """Begin anew, as a forked child must: what was counted belongs to the parent."""
        self._entries.clear()
        for sums in self.sums.values():
            sums.clear()
