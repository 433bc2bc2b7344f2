"""What processes left behind that were killed: their flight rings, taken over by the agent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.ticks import until_tick
from qmon_agent.ingest.company import Connection
from qmon_agent.ingest.flight.cgroups import Cgroups
from qmon_agent.ingest.flight.claim import Claim, claim
from qmon_agent.ingest.flight.exits import End, Exits, peer_descriptor, tells_exits
from qmon_agent.ingest.flight.folders import Found, folders_for
from qmon_agent.ingest.flight.inquest import death_of
from qmon_agent.ingest.flight.process_events import ProcessEvents
from qmon_agent.ingest.flight.story import Death, frames_of
from qmon_agent.ingest.flight.survey import Orphan, Seen, Survey
from qmon_agent.ingest.outcome import Fate, Peer
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.flight import FLYING, MAKING
from qmon_sdk.protocol.flight_reader import Flight, read_flight

T = TypeVar("T")
_PEER = Peer(name="flight")
# After a connection closed: its process may need a moment for the rest of its dying.
_SOON_S = 0.05
_LET_IN_TRIES = 10
# How long the end of a process is waited for that has left its ring, and then remembered.
_PATIENCE_S = 1.0
_REMEMBERED_NS = 60 * 10**9
# Until a ring that could not be taken is tried again: twice as long each time, to a minute.
_REST_S, _LONGEST_REST_S = 1.0, 60.0


class FlightSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.flight]`: rings of processes that died; each becomes a session and an error."""

    enabled: bool = True
    folders: tuple[str, ...] = ()
    """Besides the usual ones, for containers: here the rings of any agent's processes are taken."""
    interval_s: Seconds = 1.0
    """How often it looks when nothing tells it to."""
    making_s: float = 10.0
    """How long a file may take to become a ring; then it is one that its maker died over."""

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._door: Door | None = None
        self._taken: Counter[str] = Counter()
        self._living = 0

    async def start(self, door: Door) -> None:
        self._door = door
        # Files are looked at on a thread of their own, one thing after the other.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qmon-flight")
        self._events = ProcessEvents()
        if not tells_exits():
            self._events.start()
        self._exits = Exits(self._ended, told=self._events.status_of)
        self._cgroups = Cgroups()
        self._survey = Survey(making_s=self.making_s)
        self._arrived: list[int] = []
        self._resting: dict[Found, tuple[float, float]] = {}
        """Rings that could not be taken: until when they are left alone, and for how long."""
        self._wake = asyncio.Event()
        self._full = True
        door.company.watch(self)
        self._task = asyncio.create_task(self._run(door))

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None or self._door is None:
            return
        self._door.company.unwatch(self)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._exits.close()
        self._events.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def describe(self) -> Mapping[str, Any]:
        return {"rings": self._living, **self._taken}

    # --- who comes and goes: called on the loop -----------------------------------------------

    def came(self, peer: Peer, connection: Connection) -> None:
        if peer.pid:
            self._exits.hold(peer.pid, peer_descriptor(connection))
            self._arrived.append(peer.pid)
            self._wake.set()

    def gone(self, peer: Peer) -> None:  # noqa: ARG002 - whoever it was, it is looked for
        self._ended(0)

    def _ended(self, _: int) -> None:
        self._full = True
        self._wake.set()

    # --- looking ------------------------------------------------------------------------------

    async def _run(self, door: Door) -> None:
        while True:
            seen = Seen()
            try:
                seen = await self._look(door)
                await self._let_in(seen.orphans)
                for orphan in seen.orphans:
                    await self._take(door, orphan)
            except OSError as problem:
                door.vitals.add("flight_failures", reason=type(problem).__name__)
            self._forget()
            now = asyncio.get_running_loop().time()
            pause_s = _SOON_S if seen.is_unsure else until_tick(now, self.interval_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _let_in(self, orphans: list[Orphan]) -> None:
        """Their connections may wait to be accepted still, which tells of them even now."""
        for _ in range(_LET_IN_TRIES):
            if all(map(self._knows, orphans)):
                return
            await asyncio.sleep(_SOON_S)

    async def _look(self, door: Door) -> Seen:
        self._wake.clear()
        is_full, self._full = self._full, False
        arrived, self._arrived = self._arrived, []
        held = frozenset() if is_full else self._exits.held()
        seen = await self._on_thread(partial(self._survey_all, door, arrived, held=held))
        self._living = len(seen.living)
        for pid in set(seen.living.values()) - self._exits.held() - {0}:
            self._exits.hold(pid)
            self._arrived.append(pid)
        if seen.untrusted:
            door.vitals.gauge("flight_untrusted", seen.untrusted)
        return seen

    def _survey_all(self, door: Door, arrived: list[int], *, held: frozenset[int]) -> Seen:
        for pid in arrived:
            self._survey.meet(pid)
            self._cgroups.join(pid)
        seen = self._survey.look(folders_for(door.socket, self.folders), held=held)
        self._cgroups.look()
        return seen

    def _forget(self) -> None:
        for pid in self._exits.ended_before(time.time_ns() - _REMEMBERED_NS):
            self._exits.forget(pid)
            self._cgroups.forget(pid)

    # --- taking -------------------------------------------------------------------------------

    async def _take(self, door: Door, orphan: Orphan) -> None:
        rests_until, rested_s = self._resting.get(orphan.found, (0.0, _REST_S / 2))
        if time.monotonic() < rests_until:
            return
        end = await self._end_of(orphan)
        claimed = await self._on_thread(partial(claim, orphan.found))
        if claimed is None:
            return
        try:
            if await self._take_claimed(door, claimed, orphan=orphan, end=end):
                await self._on_thread(claimed.remove)
                self._resting.pop(orphan.found, None)
        except Exception as problem:  # noqa: BLE001 - one ring may not keep the others waiting
            rest_s = min(2 * rested_s, _LONGEST_REST_S)
            self._resting[orphan.found] = (time.monotonic() + rest_s, rest_s)
            door.vitals.add("flight_failures", reason=type(problem).__name__)
        finally:
            await asyncio.shield(self._on_thread(claimed.release))

    async def _take_claimed(
        self, door: Door, claimed: Claim, *, orphan: Orphan, end: End | None
    ) -> bool:
        """Whether there is nothing more in it that is wanted."""
        try:
            flight = await self._on_thread(partial(_flight_in, claimed))
        except FrameError as problem:
            if claimed.data.strip(b"\0"):
                await door.intake.bury(claimed.data, f"no flight ring: {problem}")
            self._count(door, "undecodable")
            return True
        if flight.state == MAKING:
            self._count(door, "unfinished")
            return True
        death = None
        if flight.state == FLYING:
            death = await self._on_thread(
                partial(
                    death_of,
                    flight,
                    orphan,
                    end=end,
                    fault=claimed.fault,
                    cgroups=self._cgroups,
                )
            )
        if not await self._store(door, flight, death):
            return False
        self._count(door, death.cause.type if death is not None else "landed")
        return True

    async def _store(self, door: Door, flight: Flight, death: Death | None) -> bool:
        """Whether each of its frames is on disk, or is never going to be."""
        answers = []
        for frame in await self._on_thread(lambda: [*frames_of(flight, death)]):
            await door.intake.admission.room()
            answers.append(door.intake.take(frame, _PEER))
        outcomes = await asyncio.gather(*answers)
        return all(outcome.fate is not Fate.REFUSED for outcome in outcomes)

    async def _end_of(self, orphan: Orphan) -> End | None:
        """How it ended; of one that is on its way out, once that is told."""
        if not orphan.pid or orphan.is_replaced:
            return None
        waits_until = time.monotonic() + _PATIENCE_S
        end = self._exits.end_of(orphan.pid, orphan.started)
        while self._knows(orphan) and (end is None or end.exit is None):
            if time.monotonic() > waits_until:
                break
            await asyncio.sleep(_SOON_S / 5)
            end = self._exits.end_of(orphan.pid, orphan.started)
        return end

    def _knows(self, orphan: Orphan) -> bool:
        return bool(orphan.pid) and self._exits.holds(orphan.pid, orphan.started)

    def _count(self, door: Door, how: str) -> None:
        self._taken[how] += 1
        door.vitals.add("flights_taken", how=how)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _flight_in(claimed: Claim) -> Flight:
    flight = read_flight(claimed.data)
    if flight.process.hex() != claimed.process:
        raise FrameError("its name is another process's")
    return flight
