"""The worker process as a thing to start, speak to, listen to and end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from . import link

WORKER = "qmon_agent.store.telemetry.worker"
KILL_AFTER_S = 1.0
LOOK_S = 0.01
THRIFT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 17),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
}
"""For glibc: its free memory goes back to the system, instead of lying about in every thread."""
PACKAGES = Path(__file__).parents[3]
"""Where `qmon_agent` was imported from: the worker must run the same code, from any folder."""


class WorkerProcess:
    """One spawned interpreter with one end of a socket pair; it leaves when our end closes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
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
        writer: asyncio.StreamWriter | None = None
        try:
            with theirs:
                reader, writer = await asyncio.open_connection(sock=ours)
                # Not asyncio's: that one can be cancelled half-way, and leaves a process behind.
                process = subprocess.Popen(  # noqa: ASYNC220, S603 - a millisecond; our own module
                    [sys.executable, "-P", "-m", WORKER, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
        except BaseException:
            ours.close() if writer is None else writer.transport.abort()
            raise
        return cls(process, reader, writer)

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
        deadline = time.monotonic() + timeout_s
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def end(self) -> None:
        """Drop our end, which tells it to leave; insist when it does not."""
        self._writer.transport.abort()  # `close` would first wait for it to read what was said
        try:
            await self.gone(KILL_AFTER_S)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()


def _environment() -> dict[str, str]:
    before = os.environ.get("PYTHONPATH", "")
    paths = [str(PACKAGES), *filter(None, before.split(os.pathsep))]
    return {**THRIFT, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
