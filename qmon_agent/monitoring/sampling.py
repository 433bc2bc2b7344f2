"""Runs the samplers: each on its place in the second, apart from the others, measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

from .samplers import Sampler

Submit = Callable[[list[Point]], object]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often, how long at most, and after how many failures in a row a sampler is off."""

    interval_s: float = 1.0
    timeout_s: float = 5.0
    give_up_after: int = 10


class SamplerHealth(msgspec.Struct, kw_only=True):
    """How one sampler does."""

    samples: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    disabled: bool = False
    duration_s: float = 0.0


class SamplerRunner:
    """One task per sampler; the sampling itself is done in threads, as a read may hang."""

    def __init__(
        self,
        samplers: Mapping[str, Sampler],
        submit: Submit,
        *,
        pace: Pace | None = None,
        clock: Clock | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """`submit` is called on the loop with the points of one sampler."""
        self.health = {name: SamplerHealth() for name in samplers}
        self._samplers = dict(samplers)
        self._submit = submit
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._vitals = vitals or Vitals()

    async def run(self) -> None:
        """Sample until cancelled."""
        threads = ThreadPoolExecutor(max(1, len(self._samplers)), "qmon-sampler")
        try:
            async with asyncio.TaskGroup() as tasks:
                for place, name in enumerate(self._samplers):
                    offset = place / len(self._samplers) * self._pace.interval_s
                    tasks.create_task(self._repeat(name, offset, threads))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _repeat(self, name: str, offset: float, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + offset
        while not self.health[name].disabled:
            await asyncio.sleep(due - loop.time())
            await self._once(name, threads)
            # What was missed is left out, not made up for.
            due = max(due + self._pace.interval_s, loop.time())

    async def _once(self, name: str, threads: ThreadPoolExecutor) -> None:
        sampling = asyncio.get_running_loop().run_in_executor(threads, self._timed, name)
        try:
            # Shielded: a read that hangs keeps its thread, and its sampler is not called again.
            points = await asyncio.wait_for(asyncio.shield(sampling), self._pace.timeout_s)
            self._submit(points)
        except TimeoutError:
            self._failed(name, f"took longer than {self._pace.timeout_s} s")
            await asyncio.gather(sampling, return_exceptions=True)
        except Exception as error:  # noqa: BLE001 - a sampler may raise anything, and harms only itself
            self._failed(name, f"{type(error).__name__}: {error}")
        else:
            self._went_well(name)

    def _timed(self, name: str) -> list[Point]:
        started = time.perf_counter()
        try:
            return self._samplers[name].sample(self._clock.now())
        finally:
            self.health[name].duration_s = time.perf_counter() - started

    def _went_well(self, name: str) -> None:
        health = self.health[name]
        health.samples += 1
        health.failures_in_a_row = 0
        self._vitals.gauge("sampler_duration_seconds", health.duration_s, sampler=name)

    def _failed(self, name: str, reason: str) -> None:
        health = self.health[name]
        health.failures += 1
        health.failures_in_a_row += 1
        health.last_error = reason
        self._vitals.add("sampler_failures", sampler=name)
        if health.failures_in_a_row >= self._pace.give_up_after:
            health.disabled = True
            self._vitals.gauge("sampler_disabled", 1, sampler=name)
