"""Runs the samplers: a round every second, each apart from the others, measured."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.domain.errors import NotHereError
from qmon_agent.domain.pulses import Pulse
from qmon_agent.domain.ticks import until_tick
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

from .samplers import Sampler

Submit = Callable[[list[Point]], object]
_PATIENCE_S = 30.0  # beyond a sampler's own time, on a machine that is busy


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often, how long at most, after how many failures in a row a sampler is off.

    `look_again_s` later one is asked again that found nothing of its kind on this machine.
    """

    interval_s: float = 1.0
    timeout_s: float = 5.0
    give_up_after: int = 10
    look_again_s: float = 60.0


class SamplerHealth(msgspec.Struct, kw_only=True):
    """How one sampler does."""

    samples: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    disabled: bool = False
    absent: str = ""
    duration_s: float = 0.0


class SamplerRunner:
    """All samplers, one after another, on one thread: a round costs one wake-up, not one each.

    A read that hangs keeps its thread, and its sampler is not called again before it came back; the
    others go on without it.
    """

    def __init__(
        self,
        samplers: Mapping[str, Sampler],
        submit: Submit,
        *,
        pace: Pace | None = None,
        clock: Clock | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """`submit` is called on the loop with the points of one round."""
        self.health = {name: SamplerHealth() for name in samplers}
        self._samplers = dict(samplers)
        self._submit = submit
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._vitals = vitals or Vitals()
        self._hanging: set[str] = set()
        self._due: dict[str, float] = {}
        self.pulse = Pulse(self._pace.timeout_s + _PATIENCE_S)

    async def run(self) -> None:
        """Sample until cancelled, or until every sampler is switched off."""
        threads = ThreadPoolExecutor(max(1, len(self._samplers)), "qmon-sampler")
        loop = asyncio.get_running_loop()
        try:
            while not all(health.disabled for health in self.health.values()):
                await self._round(threads)
                self.pulse.rest()
                # What was missed is left out, not made up for.
                await asyncio.sleep(until_tick(loop.time(), self._pace.interval_s))
        finally:
            self.pulse.rest()
            threads.shutdown(wait=False, cancel_futures=True)

    async def _round(self, threads: ThreadPoolExecutor) -> None:
        """Everybody once; whoever hangs is left behind with its thread."""
        now = asyncio.get_running_loop().time()
        left = deque(name for name in self.health if self._is_due(name, now))
        points: list[Point] = []
        while left:
            self.pulse.begin()
            turn = _Turn(left)
            sampling = asyncio.get_running_loop().run_in_executor(threads, self._sample, turn)
            try:
                # Shielded: a thread cannot be stopped, only left behind.
                await asyncio.wait_for(asyncio.shield(sampling), self._pace.timeout_s)
            except TimeoutError:
                left = turn.abandon()
                self._leave_behind(turn.name, sampling)
            points += self._reviewed(turn.done)
        if points:
            self._submit(points)

    def _is_due(self, name: str, now: float) -> bool:
        if self.health[name].disabled or name in self._hanging or now < self._due.get(name, now):
            return False
        every_s = getattr(self._samplers[name], "every_s", 0.0)
        if every_s > self._pace.interval_s:
            # Half a round early is on time: rounds are never quite apart as they should be.
            self._due[name] = now + every_s - self._pace.interval_s / 2
        return True

    def _sample(self, turn: _Turn) -> None:
        while (name := turn.next()) is not None:
            started = time.perf_counter()
            try:
                turn.done.append((name, self._samplers[name].sample(self._clock.now())))
            except Exception as error:  # noqa: BLE001 - a sampler may raise anything, and harms only itself
                turn.done.append((name, error))
            self.health[name].duration_s = time.perf_counter() - started

    def _leave_behind(self, name: str, sampling: asyncio.Future[None]) -> None:
        self._failed(name, f"took longer than {self._pace.timeout_s} s")
        self._hanging.add(name)
        sampling.add_done_callback(lambda _: self._hanging.discard(name))

    def _reviewed(self, done: Sequence[tuple[str, list[Point] | Exception]]) -> list[Point]:
        points: list[Point] = []
        for name, result in done:
            if isinstance(result, NotHereError):
                self._is_absent(name, str(result))
            elif isinstance(result, Exception):
                self._failed(name, f"{type(result).__name__}: {result}")
            else:
                self._went_well(name)
                points += result
        return points

    def _went_well(self, name: str) -> None:
        health = self.health[name]
        health.samples += 1
        health.failures_in_a_row = 0
        health.absent = ""
        self._vitals.gauge("sampler_duration_seconds", health.duration_s, sampler=name)

    def _is_absent(self, name: str, reason: str) -> None:
        self.health[name].absent = reason
        again_s = getattr(self._samplers[name], "look_every_s", self._pace.look_again_s)
        self._due[name] = asyncio.get_running_loop().time() + again_s

    def _failed(self, name: str, reason: str) -> None:
        health = self.health[name]
        health.failures += 1
        health.failures_in_a_row += 1
        health.last_error = reason
        self._vitals.add("sampler_failures", sampler=name)
        if health.failures_in_a_row >= self._pace.give_up_after:
            health.disabled = True
            self._vitals.gauge("sampler_disabled", 1, sampler=name)


class _Turn:
    """One pass of a thread over samplers, which may be taken out of its hands."""

    def __init__(self, left: deque[str]) -> None:
        self.name = ""
        self.done: list[tuple[str, list[Point] | Exception]] = []
        self._left = left

    def next(self) -> str | None:
        try:
            self.name = self._left.popleft()
        except IndexError:
            return None
        return self.name

    def abandon(self) -> deque[str]:
        """Who has not been called; the thread gets nobody any more, whenever it comes back."""
        left, self._left = self._left, deque()
        return left
