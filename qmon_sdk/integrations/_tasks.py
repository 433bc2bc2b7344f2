"""What task queues have in common: to send is a producer span, to work is a consumer span.

The names are OpenTelemetry's for messaging, with the task in the place of the queue: a program has
a handful of queues, and people ask after tasks.
"""

from __future__ import annotations

from time import monotonic, perf_counter_ns

from qmon_sdk.capture import capture_exception
from qmon_sdk.client import current
from qmon_sdk.monitors import ERROR, OK, RUN, tell
from qmon_sdk.propagation import continue_trace
from qmon_sdk.recorder.cells import draw_id
from qmon_sdk.recorder.lifecycle import EXIT_S
from qmon_sdk.spans import SILENT_SPAN, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from qmon_sdk.propagation import Carrier

SYSTEM, OPERATION, TYPE = (
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation.type",
)
DESTINATION, MESSAGE, CONVERSATION = (
    "messaging.destination.name",
    "messaging.message.id",
    "messaging.message.conversation_id",
)


def sending(system: str, task: str, **attributes: Any) -> span:
    """Make the block around the sending of a task."""
    about = {SYSTEM: system, OPERATION: "send", TYPE: "send", **attributes}
    return span(f"send {task}", kind="producer", **about)


class Work:
    """One task while it is worked on, from `begin` to `end`, which may be far apart."""

    __slots__ = ("_block", "_check_in", "_place", "_started", "facts", "outer", "span", "task_id")

    def __init__(self, task_id: str, facts: dict[str, Any], outer: Work | None = None) -> None:
        self.task_id = task_id
        self.facts = facts
        self.outer = outer
        self.span = SILENT_SPAN
        self._started = perf_counter_ns()
        self._check_in = ("", "")

    def begin(self, name: str, carrier: Carrier | None) -> None:
        """Go on in the sender's trace; what is said of the user and the like ends with the task."""
        about = {OPERATION: "process", TYPE: "process", **self.facts}
        self._place = continue_trace(carrier)
        self._place.__enter__()
        self._block = span(f"process {name}", kind="consumer", **about)
        self.span = self._block.__enter__()

    def keep_check_in(self, monitor: str, check_in: str) -> None:
        """Remember which scheduled run this is, so that its end is told."""
        self._check_in = (monitor, check_in)

    def fail(self, error: BaseException | None, arguments: Mapping[str, Any]) -> None:
        """Keep what the task has died of, with its arguments, scrubbed as everything is."""
        self.span.set_status(ERROR)
        if error is not None:
            self.span.set_attribute("error.type", type(error).__qualname__)
            capture_exception(error, handled=False, attributes={**self.facts, **arguments})

    def end(self, *, ok: bool) -> None:
        """For a scheduled run, say how it went; and leave the trace."""
        monitor, check_in = self._check_in
        if monitor:
            took = perf_counter_ns() - self._started
            tell(monitor, OK if ok else ERROR, attributes={RUN: check_in}, took=took)
        self._block.__exit__(None, None, None)
        self._place.__exit__(None, None, None)


def new_check_in() -> str:
    """Name a run, for its end to be known by."""
    return draw_id()


def last_words() -> None:
    """Hand over what is buffered: this process is about to end without running exit functions."""
    client = current()
    if client.recording:
        client.at_exit(monotonic() + EXIT_S)  # type: ignore[union-attr]
