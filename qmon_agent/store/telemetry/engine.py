"""What a telemetry engine must do for the worker, and the list of engines there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.retention import Hold
from qmon_agent.journal import Position

from .answers import Erased, QueryResult, StateTable
from .decoding import Batch
from .layouts import Layout
from .manifest import Within
from .options import TelemetryOptions
from .watch import Watch


class RefusedError(Exception):
    """The engine will not take these rows, whatever the weather: one of them is wrong."""


class DiskFailedError(StoreError):
    """The disk does not write or read, or is full: no row is to blame."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A query as the engine gets it."""

    sql: str
    limit: int
    timeout_s: float
    state: Mapping[str, StateTable] = {}
    within: Within | None = None
    """Nothing outside of these times is read, so that its files need not be opened."""
    as_json: Layout | None = None
    """Rows are wanted written so, by an engine that can: nobody looks into them on their way."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine holds."""

    rows: Mapping[str, int]
    reached: Position
    """The place these rows reach to; of a server there may be rows from behind it."""
    forgotten: Mapping[str, int]
    """Table → rows that were taken out because somebody asked to be forgotten."""
    segments: int
    segment_bytes: int
    hot_bytes: int
    damaged: tuple[str, ...] = ()
    damaged_rows: Mapping[str, int] = {}
    """Table → rows that are in no answer, because what they are in is damaged."""
    is_counted: bool = True
    """Whether the rows were counted now, and none are being taken out."""


class Engine(Protocol):
    """A place for signals. `append`, `tend` and `close` come from one thread, the rest from any."""

    @property
    def stored(self) -> Position:
        """Everything up to here is kept, exactly once."""

    @property
    def exported(self) -> Position:
        """Everything up to here survives the loss of what can be rebuilt from the journal."""

    @property
    def taken(self) -> Position:
        """Everything up to here is stored, or safe on this machine and on its way."""

    @property
    def trouble(self) -> str:
        """Why nothing can be stored now, if something is in the way; it is tried again."""

    def ready(self) -> bool:
        """Try to store what is on its way; say whether more may be appended."""

    def append(self, batch: Batch, place: Position) -> None:
        """Keep the rows and the place together or not at all; RefusedError if a row is wrong."""

    def tend(self, *, now: int, everything: bool = False) -> None:
        """Do what is due, without keeping anybody waiting: export, clear, expire."""

    def busy(self) -> bool:
        """Say whether something begun by `tend` still runs."""

    def hold(self, holds: Sequence[Hold]) -> None:
        """What may not be given up from now on; from any thread."""

    def erase(self, user: str) -> None:
        """Begin to take out of what is exported all that is about a user; `busy` until done."""

    def erased(self) -> Erased | None:
        """What came of it, once; None where it failed, and nothing else is lost by a new try."""

    def discard(self) -> None:
        """Close, and remove what can be rebuilt from the journal. To be opened again."""

    def ask(self, question: Question, watch: Watch) -> QueryResult:
        """Answer, or raise QueryError, also when the watch stops it."""

    def stream(
        self,
        question: Question,
        watch: Watch,
        *,
        form: str,
        put: Callable[[bytes, int], None],
        left_out: Callable[[Sequence[str]], None],
    ) -> int:
        """Answer as a file, piece by piece, each with the rows until then; how many rows.

        What is `left_out` of damaged segments is said before the first piece.
        """

    def look(self, files: Collection[str]) -> tuple[str, ...]:
        """Read these segments again now; which of them are set aside as damaged."""

    def begin_anew(self) -> None:
        """Make everything safe and forget the place: another journal begins. To be opened again."""

    def kept(self) -> Kept:
        """Count what is there."""

    def counts(self) -> Mapping[str, int]:
        """What happened since it was opened."""

    def close(self) -> None:
        """Put everything away."""


def open_engine(options: TelemetryOptions) -> Engine:
    """Open the engine the options name; damage is repaired or set aside, never an obstacle."""
    if options.address:
        from .engines.clickhouse.engine import ClickEngine

        return ClickEngine.open(options)
    from .engines.duckdb.engine import DuckEngine

    return DuckEngine.open(options)


def borrow_engine(options: TelemetryOptions, room: Path) -> Engine:
    """Read the store of an agent that is not running; what must be written goes into `room`."""
    if options.address:
        from .engines.clickhouse.engine import ReadingEngine

        return ReadingEngine.open(msgspec.structs.replace(options, directory=str(room)))
    from .engines.duckdb.engine import DuckEngine

    return DuckEngine.borrow(options, room)
