"""What happens beside the writing: an export in a thread of its own, and old segments given up."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import duckdb

from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.manifest import Manifest
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.retention import expired

from .export import FOLDER, export
from .hot import Generation

RETRY_NS = 30 * 10**9
SWEEP_NS = 600 * 10**9
MAX_FAILURES = 3


class Mover:
    """Owns the manifest: changes it when an export is on the disk, or when segments have expired.

    The order is the promise: Parquet files, then the manifest, and only then may whoever sees it
    clear what was exported.
    """

    def __init__(self, options: TelemetryOptions, manifest: Manifest, counts: Counter[str]) -> None:
        self.manifest = manifest
        self._directory = Path(options.directory)
        self._keep_s = options.keep_s
        self._counts = counts
        self._thread: threading.Thread | None = None
        self._failed = False
        self._failures = 0
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
            raise StoreError("the export fails again and again: open the hot file anew")
        if at_once or now >= self._not_before:
            self._thread = threading.Thread(
                target=self._export, args=(connection, generation), name="export", daemon=True
            )
            self._thread.start()

    def _export(self, connection: duckdb.DuckDBPyConnection, generation: Generation) -> None:
        try:
            with connection.cursor() as own:
                fresh = export(own, generation, directory=self._directory)
            moved = self.manifest.having(
                fresh, exported=generation.reached, generation=generation.number
            )
            manifests.save(self._directory, moved)
        except (duckdb.Error, OSError, StoreError):
            self._counts["export_failures"] += 1
            self._failed = True
            return
        self.manifest = moved
        self._failures = 0
        self._counts["exports"] += 1
        self._counts["exported_bytes"] += sum(segment.bytes for segment in fresh)

    def expire(self, *, now: int) -> None:
        """Give up what has been kept long enough.

        Files are removed one round after the manifest forgot them: a query may still read them.
        """
        if now - self._swept < SWEEP_NS:
            return
        sweep(self._directory, self.manifest)
        self._swept = now
        gone = expired(self.manifest.segments, self._keep_s, now=now)
        if gone:
            left = self.manifest.without(gone)
            manifests.save(self._directory, left)
            self.manifest = left
            self._counts["expired_segments"] += len(gone)

    def forget_place(self) -> None:
        """What is exported stays; the hot file no longer fits, and so is begun anew."""
        left = self.manifest.having((), exported=Position(), generation=self.manifest.generation)
        manifests.save(self._directory, left)
        self.manifest = left

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()


def sweep(directory: Path, manifest: Manifest) -> None:
    """Remove the segments that the manifest does not list: half an export, or expired."""
    listed = {segment.file for segment in manifest.segments}
    for path in (directory / FOLDER).rglob("*.parquet*"):
        if str(path.relative_to(directory)) not in listed:
            path.unlink(missing_ok=True)
