"""How processes ended, as the kernel tells those who held on to them while they lived."""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import signal
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from qmon_agent.ingest.company import Connection

from .owners import facts_of, may_see

# `_IOWR(0xFF, 11, struct pidfd_info)` of `linux/pidfd.h`, for the size that 6.15 has.
_INFO = struct.Struct("<QQ11Ii")
_INFO_SIZE = 64
_GET_INFO = 3 << 30 | _INFO_SIZE << 16 | 0xFF << 8 | 11
_EXIT_INFO = 1 << 3
_TELLS_EXITS = (6, 15)
_SO_PEERPIDFD = 77
_CORE = 0x80
# Ends that nobody has asked about yet, and processes held on to.
_MOST_ENDS = 4_096
_MOST_HELD = 8_192


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended: by a signal, or with an exit code."""

    signal: int = 0
    code: int | None = None
    has_core: bool = False
    source: str = ""
    """Who told."""

    @classmethod
    def of(cls, status: int, *, source: str) -> Exit:
        """From the status that `wait` would give."""
        if number := status & 0x7F:
            return cls(signal=number, has_core=bool(status & _CORE), source=source)
        return cls(code=status >> 8 & 0xFF, source=source)

    @property
    def name(self) -> str:
        """The signal's name."""
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """When a process was seen to end, and how, where that is known."""

    time: int
    exit: Exit | None = None


class _Held(msgspec.Struct, frozen=True):
    """A process watched: by its descriptor, and known by when it began."""

    descriptor: int
    started: int


class Exits:
    """Holds a descriptor of each process of interest, which becomes readable when it ends.

    All of it is called on the loop. `ended` is told at once, from the loop too.
    """

    def __init__(self, ended: Callable[[int], None], *, told: Callable[[int], int | None]) -> None:
        """`told` knows an exit status from elsewhere: what a pidfd of an old kernel does not."""
        self._ended = ended
        self._told = told
        self._held: dict[int, _Held] = {}
        self._ends: OrderedDict[int, End] = OrderedDict()

    @property
    def count(self) -> int:
        """Processes held on to."""
        return len(self._held)

    def hold(self, pid: int, descriptor: int | None = None) -> None:
        """Watch a process; once more for one that is watched, or has ended, changes nothing.

        The descriptor, where there is one already, is ours from now on.
        """
        if pid in self._ends and self._is_another(pid):
            self.forget(pid)
        if pid in self._held or len(self._held) >= _MOST_HELD:
            if descriptor is not None:
                os.close(descriptor)
            return
        if descriptor is None and (descriptor := _descriptor_of(pid)) is None:
            return
        facts = facts_of(pid)
        self._held[pid] = _Held(descriptor, facts.started if facts is not None else 0)
        asyncio.get_running_loop().add_reader(descriptor, self._over, pid)

    def holds(self, pid: int, started: int) -> bool:
        """Whether it is watched: the very process that began at that tick."""
        held = self._held.get(pid)
        return held is not None and (not started or held.started in {0, started})

    def held(self) -> frozenset[int]:
        """Those whose end will be heard of."""
        return frozenset(self._held.keys() - self._ends.keys())

    def ended_before(self, moment: int) -> list[int]:
        """Those whose end is so long ago, in nanoseconds since 1970."""
        return [pid for pid, end in self._ends.items() if end.time < moment]

    def end_of(self, pid: int, started: int) -> End | None:
        """How a process ended that was watched, or is a zombie; asked again, it may know more."""
        if pid in self._held and not self.holds(pid, started):
            return None  # of another process, which has the number now
        end = self._ends.get(pid)
        if end is None and (known := self._status(pid, started)) is not None:
            # The loop has not come to tell us yet, or nobody told it to.
            return End(time=time.time_ns(), exit=known)
        if end is not None and end.exit is None:
            end = self._ends[pid] = msgspec.structs.replace(end, exit=self._status(pid, started))
        return end

    def forget(self, pid: int) -> None:
        """Let go of a process whose end has been told, or which nobody wants to know about."""
        self._ends.pop(pid, None)
        self._let_go(pid)

    def close(self) -> None:
        for pid in tuple(self._held):
            self._let_go(pid)

    def _is_another(self, pid: int) -> bool:
        """Whether a number is by now of another process than of the one that ended.

        Who met that one may tell of it only now: what is known of its end would be lost.
        """
        facts = facts_of(pid)
        return facts is not None and facts.started != self._held[pid].started

    def _over(self, pid: int) -> None:
        """Right after the end: what a zombie says is gone as soon as its parent has heard it."""
        asyncio.get_running_loop().remove_reader(self._held[pid].descriptor)
        self._ends[pid] = End(time=time.time_ns(), exit=self._status(pid))
        while len(self._ends) > _MOST_ENDS:
            self.forget(next(iter(self._ends)))
        self._ended(pid)

    def _status(self, pid: int, started: int = 0) -> Exit | None:
        held = self._held.get(pid)
        if held is not None and (status := exit_info(held.descriptor)) is not None:
            return Exit.of(status, source="the kernel, by pidfd")
        facts = facts_of(pid)
        if facts is None or started not in {0, facts.started} or facts.state != "Z":
            facts = None
        if facts is not None and (facts.status or may_see(pid)):
            return Exit.of(facts.status, source="the kernel, by /proc")
        if (status := self._told(pid)) is not None:
            return Exit.of(status, source="the kernel, by its process events")
        return None

    def _let_go(self, pid: int) -> None:
        held = self._held.pop(pid, None)
        if held is not None:
            asyncio.get_running_loop().remove_reader(held.descriptor)
            os.close(held.descriptor)


def peer_descriptor(connection: Connection) -> int | None:
    """A descriptor of the process that connected, also if it is gone already (Linux 6.16)."""
    try:
        return connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except (OSError, AttributeError):
        return None


def _descriptor_of(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None  # gone already, too many files, or a kernel or platform that has none of it


def tells_exits() -> bool:
    """Whether a pidfd of this kernel tells how its process ended."""
    return platform.system() == "Linux" and _release() >= _TELLS_EXITS


def exit_info(pidfd: int) -> int | None:
    """The exit status of a process that its parent has waited for; else nothing."""
    asked = bytearray(_INFO_SIZE)
    struct.pack_into("<Q", asked, 0, _EXIT_INFO)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, asked)
    except (OSError, ValueError):
        return None
    mask, *_, status = _INFO.unpack_from(asked)
    return status if mask & _EXIT_INFO else None


def _release() -> tuple[int, ...]:
    words = platform.release().split(".")[:2]
    return tuple(int("".join(filter(str.isdigit, word)) or 0) for word in words)
