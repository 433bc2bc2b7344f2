"""Which rings there are, whose process lives, and which have become orphans."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.flight import FLYING, LANDED
from qmon_sdk.protocol.flight_reader import FlightHead, read_head

from .claim import Glance
from .folders import Folder, Found, rings_in
from .owners import Owner, owner_of, pid_inside, pid_namespace

# A ring whose process we hold on to is looked at this seldom: only `exec` goes by unnoticed.
_TURNS = 10
_MOST_NAMES = 4_096


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A ring that its process has left, and what is known of that process here."""

    found: Found
    pid: int = 0
    """In our own namespace; 0 where it has none that we know."""
    started: int = 0
    is_replaced: bool = False
    was_watched: bool = False
    """It was seen alive by us before."""
    is_ring: bool = True


class Seen(msgspec.Struct, kw_only=True):
    """What one look found."""

    orphans: list[Orphan] = []
    living: dict[Found, int] = {}
    """Rings in use, and the pid of whose they are."""
    is_unsure: bool = False
    """Somebody is on its way out: look again soon."""
    untrusted: int = 0


class Survey:
    """Looks through the folders of rings, on one thread; remembers who was alive."""

    def __init__(self, *, making_s: float) -> None:
        """A file that is no ring yet may become one within `making_s`."""
        self._making_s = making_s
        self._namespace = pid_namespace()
        self._inside: dict[tuple[int, int], int] = {}
        self._living: dict[Found, int] = {}
        self._turn = 0

    def meet(self, pid: int) -> None:
        """Note how a process that connected is called in its own namespace."""
        namespace = pid_namespace(pid)
        if namespace in {0, self._namespace}:
            return
        if len(self._inside) >= _MOST_NAMES:
            self._inside.clear()
        self._inside[namespace, pid_inside(pid)] = pid

    def look(self, folders: Iterable[Folder], *, held: Collection[int]) -> Seen:
        """All rings; those of processes in `held`, whose ends we hear of, only now and then."""
        self._turn += 1
        seen = Seen()
        for folder in folders:
            for found in rings_in(folder):
                pid = self._living.get(found, 0)
                if pid and pid in held and self._turn % _TURNS:
                    seen.living[found] = pid
                else:
                    self._judge(found, seen)
        self._living = seen.living
        return seen

    def _judge(self, found: Found, seen: Seen) -> None:
        try:
            glance = Glance(found)
        except FileNotFoundError:
            return
        except OSError:
            seen.untrusted += 1
            return
        try:
            head = read_head(glance.head)
        except FrameError:
            # Its maker may not have come to that yet; who died over it has left an empty file.
            if not glance.is_locked and glance.age_s > self._making_s:
                seen.orphans.append(Orphan(found=found, is_ring=False))
            return
        self._judge_head(found, head, glance=glance, seen=seen)

    def _judge_head(self, found: Found, head: FlightHead, *, glance: Glance, seen: Seen) -> None:
        pid = self._pid_of(head)
        if glance.is_locked:
            seen.living[found] = pid
            return
        is_over = head.state not in {FLYING, LANDED} and glance.age_s <= self._making_s
        owner = owner_of(pid, head.started, found.name) if pid else Owner.GONE
        if owner is Owner.ALIVE or is_over:
            seen.living[found] = pid
        elif owner is Owner.LEAVING:
            seen.living[found] = pid
            seen.is_unsure = True
        else:
            orphan = Orphan(
                found=found,
                pid=pid,
                started=head.started,
                is_replaced=owner is Owner.REPLACED,
                was_watched=found in self._living,
            )
            seen.orphans.append(orphan)

    def _pid_of(self, head: FlightHead) -> int:
        if head.pid_namespace in {0, self._namespace}:
            return head.pid
        return self._inside.get((head.pid_namespace, head.pid), 0)
