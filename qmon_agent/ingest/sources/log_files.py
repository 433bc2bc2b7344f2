"""Log files of programs that know nothing of qmon, followed as they grow."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import platform
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Amount, Seconds
from qmon_agent.ingest.followed import Batch, Followed, Place, key_of_path, moved, open_at
from qmon_agent.ingest.log_lines import Origin, groups_of, signals_of
from qmon_agent.ingest.log_places import LogPlaces
from qmon_agent.ingest.order import told_apart
from qmon_agent.ingest.outcome import Fate, Peer
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Frame, Head, Resource, encode_frame
from qmon_sdk.protocol.signals import Signal


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[sources.log_files.files]]`: which files, and whose they are."""

    paths: tuple[str, ...]
    """Patterns like `/var/log/shop/*.log`; `**` stands for any folders."""
    exclude: tuple[str, ...] = ("*.gz", "*.zst", "*.xz", "*.bz2")
    """Patterns of names that are left alone."""
    service: str = ""
    """Who writes them; empty means the name of the file."""
    environment: str = ""
    """The environment of whoever writes them."""


class LogFilesSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.log_files]`: follows files; without any it does nothing."""

    enabled: bool = True
    files: tuple[Files, ...] = ()
    """What is followed: a table `[[sources.log_files.files]]` each."""
    from_beginning: bool = False
    """Whether files that are there at the very first start are read whole."""
    interval_s: Seconds = 0.5
    """How often it looks whether there is more."""
    max_files: Amount = 500
    """Files followed at the same time; more are counted, and left alone."""

    def __post_init__(self) -> None:
        self._followed: dict[tuple[int, int], tuple[Followed, Files]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self, door: Door) -> None:
        if not self.files:
            return
        self._door = door
        self._places = LogPlaces(door.spool.parent / "log_files.json")
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="qmon-logs")
        await self._on_disk(self._begin)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._on_disk(self._end)
        self._disk.shutdown(wait=False)

    def describe(self) -> Mapping[str, Any]:
        return {"files": sorted(file.place.path for file, _ in self._followed.values())}

    async def _on_disk(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _run(self) -> None:
        while True:
            try:
                more = await self._turn()
            except Exception as problem:  # noqa: BLE001 - whatever it is, the other files go on
                self._door.vitals.add("log_files_failures", reason=type(problem).__name__)
                more = False
            if not more:
                await asyncio.sleep(self.interval_s)

    async def _turn(self) -> bool:
        """Sends what there is; whether there may be more at once."""
        if self._door.intake.admission.is_full:
            return False
        batches: list[tuple[Batch, Files]] = await self._on_disk(self._look)
        results = await asyncio.gather(*(self._send(batch, files) for batch, files in batches))
        return any(results)

    async def _send(self, batch: Batch, files: Files) -> bool:
        frame = await asyncio.to_thread(_frame_of, batch, files)
        head = Head(process=bytes.fromhex(batch.file.place.id), sequence=batch.start + 1)
        peer = Peer(name="log_files")
        if frame is None:
            outcome = await self._door.intake.reject_made(head, "oversize", peer)
        else:
            outcome = await self._door.intake.take_made(frame, head, peer=peer)
        if outcome.fate is Fate.REFUSED:
            return False
        place = batch.file.place
        place.start = place.end = batch.end
        self._door.vitals.add("log_lines", batch.data.count(b"\n"))
        return True

    # --- on the thread of the disk ---------------------------------------------------------

    def _begin(self) -> None:
        places = self._places.load()
        known = {(place.device, place.inode): place for place in places or ()}
        for path, files in self._matching():
            key = key_of_path(path)
            place = known.pop(key, None) if key else None
            at_end = places is None and not self.from_beginning
            self._follow(path, files, place=place, at_end=at_end)
        for place in known.values():
            self._follow_moved(place)

    def _follow_moved(self, place: Place) -> None:
        """A file that was renamed while nobody looked is read to its end."""
        path = moved(place)
        files = next((one for one in self.files if _matches(place.path, one)), None)
        if path is not None and files is not None:
            self._follow(path, files, place=place)
        else:
            self._door.vitals.add("log_files_lost")

    def _look(self) -> list[tuple[Batch, Files]]:
        """What there is to send, its places written down."""
        names = set()
        for path, files in self._matching():
            key = key_of_path(path)
            names.add(key)
            if key is not None and key not in self._followed:
                self._follow(path, files)
        self._leave_finished(names)
        found = []
        for key, (file, files) in self._followed.items():
            batch = file.read(is_left=key not in names)
            if batch is not None:
                found.append((batch, files))
        self._places.save([file.place for file, _ in self._followed.values()])
        return found

    def _leave_finished(self, names: set[tuple[int, int] | None]) -> None:
        gone = [key for key in self._followed if key not in names]
        for key in gone:
            file, _ = self._followed[key]
            if file.is_finished():
                file.close()
                del self._followed[key]

    def _follow(
        self, path: Path, files: Files, *, place: Place | None = None, at_end: bool = False
    ) -> None:
        if len(self._followed) >= self.max_files:
            self._door.vitals.add("log_files_left_alone", reason="max_files")
            return
        followed = open_at(path, place, at_end=at_end)
        if followed is None:
            self._door.vitals.add("log_files_left_alone", reason="not_readable")
        elif followed.key not in self._followed:
            self._followed[followed.key] = followed, files

    def _matching(self) -> Iterator[tuple[Path, Files]]:
        for files in self.files:
            for pattern in files.paths:
                for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - patterns are absolute
                    if not any(fnmatch(Path(name).name, one) for one in files.exclude):
                        yield Path(name), files

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._places.save([file.place for file, _ in self._followed.values()])
        for file, _ in self._followed.values():
            file.close()
        self._followed.clear()


def _matches(path: str, files: Files) -> bool:
    return any(fnmatch(path, pattern) for pattern in files.paths)


def _frame_of(batch: Batch, files: Files) -> bytes | None:
    """The frame of a part of a file: the same whenever the same part is read."""
    place = batch.file.place
    lines = batch.data.removesuffix(b"\n").split(b"\n")
    signals: list[Signal] = []
    now, order = time.time_ns(), batch.file.order
    order.begin()
    for first, end in groups_of(lines):
        name = blake2b(f"{place.id}/{batch.start}/{first}".encode(), digest_size=16).hexdigest()
        origin = Origin(path=place.path, name=name, now=now)
        signals += told_apart(signals_of(lines[first:end], origin), order)
    frame = Frame(
        process=bytes.fromhex(place.id),
        sequence=batch.start + 1,
        sent=now,
        resource=Resource(
            service=files.service or Path(place.path).name.partition(".")[0],
            environment=files.environment,
            host=platform.node(),
            sdk="log_files",
        ),
        blocks=blocks_of(signals),
    )
    try:
        return encode_frame(frame)
    except OversizeError:
        return None
