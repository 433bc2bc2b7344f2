"""What happens beside the writing: an export in a thread of its own, and old segments given up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import duckdb

from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.retention import DISK, Clearing, Hold, clear, within
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.answers import Erased
from qmon_agent.store.telemetry.forgetting import held_rows, of_services
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.retention import lots_of, with_speakers
from qmon_agent.store.telemetry.schema import BY_NAME, TABLES
from qmon_agent.store.telemetry.taken import room_of

from . import rolling
from .erasing import Tally, conditions
from .export import FOLDER, export
from .hot import Generation
from .joining import UNFINISHED
from .readers import Readers
from .rewriting import count, services_in, without

RETRY_NS = 30 * 10**9
SWEEP_NS = 600 * 10**9
MAX_FAILURES = 3
READERS_S = 60.0
"""For so long a query may read files that nobody else does any more."""


class Mover:
    """Changes the list when an export is on the disk, or when segments have expired.

    The order is the promise: Parquet files, then the manifest, and only then may whoever sees it
    clear what was exported.
    """

    def __init__(self, options: TelemetryOptions, ledger: Ledger, counts: Counter[str]) -> None:
        self._ledger = ledger
        self._directory = Path(options.directory)
        self._options = options
        self._policy = with_speakers(options.policy)
        self._holds: tuple[Hold, ...] = ()
        self._giving_up = threading.Lock()
        self._services: dict[str, dict[str, int]] = {}
        self.readers = Readers()
        self.erased: Erased | None = None
        self._counts = counts
        self._thread: threading.Thread | None = None
        self._failed = False
        self._failures = 0
        self._problem = ""
        self._not_before = 0
        self._swept = 0

    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(
        self,
        connection: duckdb.DuckDBPyConnection,
        generation: Generation,
        *,
        now: int,
        at_once: bool,
    ) -> None:
        """Begin to export, unless the last try failed a moment ago; StoreError after too many."""
        if self._failed:
            self._failed = False
            self._failures += 1
            self._not_before = now + RETRY_NS
        if self._failures >= MAX_FAILURES:
            raise StoreError(
                f"the export fails again and again ({self._problem}): open the hot file anew"
            )
        if at_once or not 0 < self._not_before - now <= RETRY_NS:
            self._begin(lambda: self._export(connection, generation))

    def _begin(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._work, args=(work,), name="export", daemon=True)
        self._thread.start()

    def _work(self, work: Callable[[], None]) -> None:
        """What fails is tried again later; an export says so itself, as others wait for it."""
        try:
            work()
        except (duckdb.Error, OSError, StoreError):
            self._counts["clearing_failures"] += 1

    def _export(self, connection: duckdb.DuckDBPyConnection, generation: Generation) -> None:
        try:
            with connection.cursor() as own:
                fresh = export(own, generation, directory=self._directory)
            self._ledger.change(
                lambda manifest: manifest.having(
                    fresh, exported=generation.reached, generation=generation.number
                )
            )
        except (duckdb.Error, OSError, StoreError) as error:
            self._counts["export_failures"] += 1
            self._counts["export_failing"] = 1
            self._problem, self._failed = str(error), True
            return
        self._failures = 0
        self._counts["export_failing"] = 0
        self._counts["exports"] += 1
        self._counts["exported_bytes"] += sum(segment.bytes for segment in fresh)

    def expire(self, connection: duckdb.DuckDBPyConnection, *, now: int) -> None:
        """Give up what has been kept long enough.

        Files are removed one round after the list forgot them: a query may still read them.
        """
        if 0 <= now - self._swept < SWEEP_NS:
            return
        with self._ledger.still() as manifest:
            sweep(self._directory, manifest, leaving=self._ledger.lately())
        self._swept = now
        if self._policy.services:
            self._begin(lambda: self._clear_apart(connection, now=now))
        else:
            self._clear(now)

    def _clear_apart(self, connection: duckdb.DuckDBPyConnection, *, now: int) -> None:
        """By services, too: for that, files are looked into, and some are written anew."""
        with connection.cursor() as own:
            kinds = [each for each in TABLES.values() if self._policy.tells_apart(each.kind)]
            tables = {table.name for table in kinds}
            listed = {s.file: s for s in self._ledger.manifest.segments if s.table in tables}
            self._services = {
                file: self._services.get(file) or services_in(own, self._directory / file)
                for file in listed
            }
            for file, services in self._clear(now).thin.items():
                self._thin(own, listed[file], services)

    def _thin(
        self, connection: duckdb.DuckDBPyConnection, segment: Segment, services: Iterable[str]
    ) -> None:
        holds = self._holds
        held = held_rows(BY_NAME[segment.table], holds)
        condition = f"{of_services(services)} AND {held} IS NOT TRUE"
        fresh = without(connection, segment, condition, directory=self._directory)
        if fresh != segment and self.swap(segment, fresh, holds=holds):
            self._counts["thinned_segments"] += 1

    def _clear(self, now: int) -> Clearing:
        room = room_of(self._options, FOLDER)
        with self._giving_up:
            lots = lots_of(self._ledger.manifest.segments, self._services)
            clearing = clear(lots, self._policy, holds=self._holds, now=now)
            if room is not None:
                clearing = within(clearing, lots, room=room, holds=self._holds)
            self._counts["held_segments"] = len(clearing.held)
            if clearing.drop:
                gone = frozenset(clearing.drop)
                self._ledger.change(lambda manifest: manifest.without(gone))
                self._counts["expired_segments"] += len(clearing.drop)
                self._counts["disk_segments"] += [*clearing.drop.values()].count(DISK)
        return clearing

    def hold(self, holds: tuple[Hold, ...]) -> None:
        """From now on; when this returns, nothing that fits them is on its way out any more."""
        with self._giving_up:
            self._holds = holds

    def swap(
        self,
        old: Segment,
        new: Segment | None,
        *,
        holds: tuple[Hold, ...],
        forgotten: bool = False,
    ) -> bool:
        """Put a file in the place of another, or of one that is given up: durable before seen.

        No, if other things are held by now than when the file was written, or if the old one has
        become part of another in the meantime: then what is to go has to be looked for again.
        """
        with self._giving_up:
            if holds != self._holds:
                return False
            return self._ledger.change(
                lambda manifest: manifest.swapped(old, new, forgotten=forgotten)
            )

    def erase(self, connection: duckdb.DuckDBPyConnection, user: str) -> None:
        """Begin to take a user's rows out of every segment, and to remove the files they were in.

        Killed in between, it is begun again, and finds what is left.
        """
        self.erased = None
        self._begin(lambda: self._erase(connection, user))

    def _erase(self, connection: duckdb.DuckDBPyConnection, user: str) -> None:
        tally, done = Tally(), set[str]()
        with connection.cursor() as own:
            # What was joined, or made anew, in the meantime is looked at again.
            while left := [s for s in self._ledger.manifest.segments if s.file not in done]:
                for segment in left:
                    done |= self._erase_in(own, segment, user, tally=tally)
                self._ledger.change(lambda manifest: manifest.giving_up())
        self.readers.wait_out(READERS_S)
        with self._ledger.still() as manifest:
            sweep(self._directory, manifest)
        self.erased = tally.erased(self._directory)

    def _erase_in(
        self,
        connection: duckdb.DuckDBPyConnection,
        segment: Segment,
        user: str,
        *,
        tally: Tally,
    ) -> set[str]:
        """The files that are done with: none, where the list or the holds are others by now."""
        holds = self._holds
        gone, held = conditions(segment, user, holds)
        fresh = without(connection, segment, gone, directory=self._directory)
        if fresh != segment and not self.swap(segment, fresh, holds=holds, forgotten=True):
            return set()
        left = count(connection, self._directory / fresh.file, held) if fresh else 0
        tally.add(segment, fresh, held=left)
        return {segment.file, *([fresh.file] if fresh else [])}

    def forget_place(self) -> None:
        """What is exported stays; the hot file no longer fits, and so is begun anew."""
        self._ledger.change(
            lambda manifest: manifest.having(
                (), exported=Position(), generation=manifest.generation
            )
        )

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()


def sweep(directory: Path, manifest: Manifest, *, leaving: Collection[str] = ()) -> None:
    """Remove what the list does not name: half an export, half a join, or expired."""
    kept = {segment.file for segment in manifest.segments} | set(leaving)
    for path in (directory / FOLDER).rglob("*.parquet*"):
        if str(path.relative_to(directory)) not in kept:
            path.unlink(missing_ok=True)


def sweep_unfinished(directory: Path) -> None:
    """Remove what somebody who is gone did not finish to join or to roll up."""
    for unfinished in (UNFINISHED, f"*{rolling.UNFINISHED}"):
        for path in (directory / FOLDER).rglob(unfinished):
            path.unlink(missing_ok=True)
