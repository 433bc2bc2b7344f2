"""What applications wrote down while no agent was there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.ticks import until_tick
from qmon_agent.ingest.outcome import Fate, Peer
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.spooled import taken

Taken = Iterator[tuple[str, list[bytes]]]


class SpoolSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.spool]`: files of frames, taken once their writer has let go of them."""

    enabled: bool = True
    directories: tuple[str, ...] = ()
    """Besides the `spool` of the agent's own state directory."""
    interval_s: Seconds = 2.0
    """How often it looks for files."""

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._files = 0

    async def start(self, door: Door) -> None:
        # Files are read on a thread of their own: a slow disk is not the loop's affair.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="qmon-spool")
        self._task = asyncio.create_task(self._run(door))

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._disk.shutdown(wait=False, cancel_futures=True)

    def describe(self) -> Mapping[str, Any]:
        return {"files_taken": self._files}

    async def _run(self, door: Door) -> None:
        while True:
            for directory in (door.spool, *map(Path, self.directories)):
                try:
                    await self._take_directory(door, directory)
                except OSError as problem:
                    door.vitals.add("spool_failures", reason=type(problem).__name__)
            await asyncio.sleep(until_tick(asyncio.get_running_loop().time(), self.interval_s))

    async def _take_directory(self, door: Door, directory: Path) -> None:
        loop = asyncio.get_running_loop()
        files: Taken = iter(taken(directory))
        # A step of the iteration lets go of the file before, so it is asked for only afterwards.
        while (found := await loop.run_in_executor(self._disk, next, files, None)) is not None:
            path, frames = found
            if await self._take_frames(door, frames):
                await loop.run_in_executor(self._disk, _delete, Path(path))
                self._files += 1
                door.vitals.add("spool_files_taken")

    async def _take_frames(self, door: Door, frames: list[bytes]) -> bool:
        """Whether each of them is on disk, or is never going to be."""
        peer = Peer(name="spool")
        answers = []
        for frame in frames:
            await door.intake.admission.room()
            answers.append(door.intake.take(frame, peer))
        outcomes = await asyncio.gather(*answers)
        return all(outcome.fate is not Fate.REFUSED for outcome in outcomes)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
