"""Segments are read again at a low pace, for a flipped byte does not show by itself.

One that is not what the list says is set aside, never deleted; questions go on without it and say
so. Where the journal still has its rows it is made anew, a rollup where a finer one or the raw
rows are there; where it can be read after all, because it was the disk that failed for a while, it
is put back.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import duckdb

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.ledger import Ledger
from qmon_agent.store.telemetry.manifest import Manifest, Segment
from qmon_agent.store.telemetry.options import TelemetryOptions
from qmon_agent.store.telemetry.rollups import ROLLUPS, VIEWS

from .rebuilding import rebuilt
from .relisting import aside_of, put_aside
from .remaking import remake

Seen = tuple[int, int, int]
CHUNK = 256 << 10
SUSPECT_BYTES = 256 << 20
"""So much is looked into at once when a question failed as one may that is wrong itself."""
SURE_BYTES = 8 << 30
"""So much where none fails that is wrong itself."""
SUSPECT_S = 60.0
"""For so long a file is not looked into again for that."""
AGAIN_S, LONGEST_S = 1.0, 86_400.0
"""After so long a look at what was set aside, and then each time after twice as long."""


class Scrubber:
    """Reads every segment once in a while, in a thread of its own."""

    def __init__(self, options: TelemetryOptions, ledger: Ledger, counts: Counter[str]) -> None:
        self._options = options
        self._pace = options.scrubbing
        self._directory = Path(options.directory)
        self._ledger = ledger
        self._counts = counts
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._hopeless: dict[str, tuple[float, float]] = {}
        self._next_round = 0.0
        self._suspecting = threading.Lock()
        self._looked: dict[str, Seen] = {}

    def tend(self) -> None:
        """Begin the next round if it is time, or mend what is set aside."""
        if self.busy():
            return
        if self._pace.is_on and time.monotonic() >= self._next_round:
            self._next_round = time.monotonic() + self._pace.interval_s
            self._begin(self._ledger.manifest.segments)
        elif any(map(self._is_due, self._ledger.manifest.damaged)):
            self._begin(())

    def suspect(self, tables: Collection[str], *, said: str = "", is_sure: bool = False) -> None:
        """Look at once into segments of some tables: of which the error says, then the newest."""
        room = SURE_BYTES if is_sure else SUSPECT_BYTES
        with self._suspecting:  # who comes second finds the list as the first has left it
            read = _read_for(tables)
            newest = self._ledger.manifest.segments[::-1]
            listed = [each for each in newest if each.table in read]
            self._forget_looked()
            for segment in sorted(listed, key=lambda each: each.file not in said):
                seen = self._seen_of(segment)
                if self._looked.get(segment.file) == seen:
                    continue
                if (room := room - segment.bytes) < 0:
                    return
                self._looked[segment.file] = seen
                self._check(segment, bytes_s=0)

    def _seen_of(self, segment: Segment) -> Seen:
        """Another one in the next minute, or when it was written to."""
        minute = int(time.monotonic() // SUSPECT_S)
        try:
            found = (self._directory / segment.file).stat()
        except OSError:
            return minute, -1, -1
        return minute, found.st_mtime_ns, found.st_size

    def _forget_looked(self) -> None:
        listed = {each.file for each in self._ledger.manifest.segments}
        self._looked = {file: seen for file, seen in self._looked.items() if file in listed}

    def look(self, files: Collection[str]) -> tuple[str, ...]:
        """Look at once into these; which of them are not what the list says, and set aside."""
        with self._suspecting:
            for segment in self._ledger.manifest.segments:
                if segment.file in files:
                    self._check(segment, bytes_s=0)
        return tuple(each.file for each in self._ledger.manifest.damaged if each.file in files)

    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        self._closing.set()
        self.wait()

    def _begin(self, segments: Collection[Segment]) -> None:
        self._thread = threading.Thread(
            target=self._work, args=(segments,), name="scrub", daemon=True
        )
        self._thread.start()

    def _work(self, segments: Collection[Segment]) -> None:
        try:
            self._forget_removed()
            self._mend()
            for segment in segments:
                if self._closing.is_set():
                    return
                self._check(segment, bytes_s=self._pace.bytes_s)
            self._mend()
        except OSError:
            self._counts["scrub_failures"] += 1

    def _check(self, segment: Segment, *, bytes_s: float) -> None:
        path = self._directory / segment.file
        found = self._sum_of(path, bytes_s=bytes_s)
        if found == segment.sha256 or self._closing.is_set():
            self._counts["scrubbed_segments"] += 1
            return

        def made(manifest: Manifest) -> Manifest:
            left = manifest.setting_aside(segment)
            if left is not manifest:
                put_aside(self._directory, segment.file)
                self._counts["damaged_segments"] += 1
            return left

        self._ledger.change(made)

    def _sum_of(self, path: Path, *, bytes_s: float) -> str:
        """The checksum of a file, read slowly; nothing for one that is gone or unreadable."""
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as file:
                while (chunk := file.read(CHUNK)) and not self._closing.is_set():
                    digest.update(chunk)
                    if bytes_s:
                        self._closing.wait(len(chunk) / bytes_s)
        except OSError:
            return ""
        return digest.hexdigest()

    def _mend(self) -> None:
        """Raw rows first, then the rollups of them, the finest first."""
        for damaged in sorted(self._ledger.manifest.damaged, key=_fineness):
            if self._closing.is_set() or not self._is_due(damaged):
                continue
            if self._is_whole(damaged):
                self._put_back(damaged)
            elif self._mended(damaged):
                self._counts["rebuilt_segments"] += 1
            else:
                self._give_up(damaged)

    def _mended(self, damaged: Segment) -> bool:
        """Try the journal once; what a rollup is of may be there the next time."""
        try:
            if damaged.table in ROLLUPS:
                return remake(self._options, self._ledger, damaged)
            whole = None if damaged.file in self._hopeless else rebuilt(self._options, damaged)
        except (duckdb.Error, OSError, StoreError):
            return False
        return whole is not None and self._ledger.change(
            lambda manifest: manifest.mending(damaged, whole)
        )

    def _is_whole(self, damaged: Segment) -> bool:
        """Whether it can be read after all, and nobody was forgotten since it was set aside."""
        aside = aside_of(self._directory, damaged.file)
        known = damaged.reached != Position()
        return known and self._sum_of(aside, bytes_s=0) == damaged.sha256

    def _put_back(self, damaged: Segment) -> None:
        """It was the disk that could not be read for a while."""

        def made(manifest: Manifest) -> Manifest:
            left = manifest.mending(damaged, damaged)
            if left is not manifest:
                path = self._directory / damaged.file
                aside_of(self._directory, damaged.file).replace(path)
                durable.sync(path.parent)
                self._counts["restored_segments"] += 1
            return left

        self._ledger.change(made)
        self._hopeless.pop(damaged.file, None)

    def _give_up(self, damaged: Segment) -> None:
        _, before_s = self._hopeless.get(damaged.file, (0.0, AGAIN_S / 2))
        pause_s = min(2 * before_s, LONGEST_S)
        self._hopeless[damaged.file] = time.monotonic() + pause_s, pause_s

    def _is_due(self, damaged: Segment) -> bool:
        return time.monotonic() >= self._hopeless.get(damaged.file, (0.0, 0.0))[0]

    def _forget_removed(self) -> None:
        """Who removes what was set aside has given it up."""
        for damaged in self._ledger.manifest.damaged:
            if not aside_of(self._directory, damaged.file).exists():
                given_up = damaged
                self._ledger.change(lambda manifest, each=given_up: manifest.mending(each, None))  # type: ignore[misc]


def _read_for(tables: Collection[str]) -> set[str]:
    """Tables of segments that are behind what a question may name."""
    rollups = [ROLLUPS[VIEWS[each]] for each in tables if each in VIEWS]
    return {*tables, *(each.table.name for each in rollups), *(each.source for each in rollups)}


def _fineness(segment: Segment) -> int:
    return ROLLUPS[segment.table].width_ns if segment.table in ROLLUPS else 0
