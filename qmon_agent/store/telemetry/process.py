"""The worker process as a thing to start, speak to, listen to and end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from . import link

WORKER = "qmon_agent.store.telemetry.worker"
KILL_AFTER_S = 3.0
PACKAGES = Path(__file__).parents[3]
"""Where `qmon_agent` was imported from: the worker must run the same code, from any folder."""


class WorkerProcess:
    """One spawned interpreter with one end of a socket pair; it leaves when our end closes."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def spawn(cls) -> WorkerProcess:
        """Start a fresh interpreter: nothing of ours is copied into it, no lock, no thread."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    WORKER,
                    str(theirs.fileno()),
                    pass_fds=[theirs.fileno()],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, *await asyncio.open_connection(sock=ours))

    def say(self, message: link.Said) -> None:
        """Queue a message; to one who is gone it is silently lost, as `messages` will end."""
        if not self._writer.is_closing():
            self._writer.write(link.packed(message))

    async def messages(self) -> AsyncIterator[link.FromWorker]:
        """What the worker says, until it is gone."""
        try:
            while True:
                head = await self._reader.readexactly(link.LENGTH_BYTES)
                body = await self._reader.readexactly(int.from_bytes(head, "big"))
                yield link.decode_from_worker(body)
        except (asyncio.IncompleteReadError, OSError):
            return

    async def gone(self, timeout_s: float) -> bool:
        """Wait for the process to have left by itself."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def end(self) -> None:
        """Close our end, which tells it to leave; insist when it does not."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        if not await self.gone(KILL_AFTER_S):
            self._process.kill()
            await self._process.wait()


def _environment() -> dict[str, str]:
    before = os.environ.get("PYTHONPATH", "")
    paths = [str(PACKAGES), *filter(None, before.split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
