"""Runs the probes: each at its own pace, spread over it, apart from the others, never twice."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

from .probes import Checked, Probe
from .verdicts import Standing, Verdict, step, verdict_of

Submit = Callable[[list[Point]], object]
# How much later than its timeout a check may end: who is later was held up by this machine.
GRACE_S = 1.0
_MOST_THREADS = 64
_SOON_S = 10.0


class Watched(msgspec.Struct, kw_only=True):
    """A probe with its name and pace."""

    name: str
    kind: str
    probe: Probe
    interval_s: float = 30.0
    timeout_s: float = 10.0
    failures: int = 1
    successes: int = 1


class ProbeHealth(msgspec.Struct, kw_only=True):
    """How one target does, for `status`."""

    kind: str
    target: str
    state: str = "unknown"
    checks: int = 0
    downs: int = 0
    unknowns: int = 0
    reason: str = ""
    duration_s: float = 0.0


class ProbeRunner:
    """One task for each probe; a check that hangs keeps its thread, and is not begun again."""

    def __init__(
        self,
        probes: Mapping[str, Watched],
        submit: Submit,
        *,
        clock: Clock | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """`submit` is called on the loop with the points of one check."""
        self.health = {
            name: ProbeHealth(kind=each.kind, target=each.probe.target)
            for name, each in probes.items()
        }
        self._probes = dict(probes)
        self._submit = submit
        self._clock = clock or SystemClock()
        self._vitals = vitals or Vitals()
        self._standing = dict.fromkeys(probes, Standing())

    async def run(self) -> None:
        """Check until cancelled."""
        threads = ThreadPoolExecutor(min(_MOST_THREADS, max(1, len(self._probes))), "qmon-probe")
        try:
            async with asyncio.TaskGroup() as group:
                for watched in self._probes.values():
                    group.create_task(self._watch(watched, threads))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _watch(self, watched: Watched, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        share = zlib.crc32(watched.name.encode()) / (1 << 32)
        # Soon after the start it is known how all do, and from the second check on they are apart.
        due = loop.time() + min(watched.interval_s, _SOON_S) * share
        next_s = watched.interval_s * (0.5 + share)
        pending: asyncio.Future[tuple[Checked | Exception, float]] | None = None
        while True:
            await asyncio.sleep(due - loop.time())
            if pending is None or pending.done():
                pending = loop.run_in_executor(threads, _check, watched)
                self._note(watched, *await self._waited(pending, watched.timeout_s))
            else:
                held_up = Verdict(outcome="unknown", reason="the check before has not come back")
                self._note(watched, held_up, 0.0, Checked())
            # What was missed is left out, not made up for.
            due, next_s = max(due + next_s, loop.time()), watched.interval_s

    async def _waited(
        self, pending: asyncio.Future[tuple[Checked | Exception, float]], timeout_s: float
    ) -> tuple[Verdict, float, Checked]:
        late = Verdict(outcome="unknown", reason="the check was held up on this machine")
        try:
            # Shielded: a thread cannot be stopped, only left behind.
            result, took_s = await asyncio.wait_for(asyncio.shield(pending), timeout_s + GRACE_S)
        except TimeoutError:
            return late, timeout_s, Checked()
        verdict = verdict_of(result)
        if verdict.outcome == "down" and took_s > timeout_s + GRACE_S:
            verdict = late  # a process that was stopped meanwhile believes everybody was slow
        return verdict, took_s, result if isinstance(result, Checked) else Checked()

    def _note(self, watched: Watched, verdict: Verdict, took_s: float, checked: Checked) -> None:  # noqa: PLR0917 - what one check is
        standing = step(
            self._standing[watched.name],
            verdict.outcome,
            failures=watched.failures,
            successes=watched.successes,
        )
        self._standing[watched.name] = standing
        health = self.health[watched.name]
        health.state, health.reason, health.duration_s = standing.state, verdict.reason, took_s
        health.checks += 1
        health.downs += verdict.outcome == "down"
        health.unknowns += verdict.outcome == "unknown"
        self._vitals.add("probe_checks", probe=watched.name, outcome=verdict.outcome)
        about = {"probe.name": watched.name, "probe.kind": watched.kind}
        about["probe.target"] = health.target
        points = _Points(self._clock.now(), about)
        if verdict.outcome == "unknown":
            points.write("probe.unknown", 1, kind="counter", unit="{check}")
        else:
            points.write("probe.up", standing.state == "up")
            points.write("probe.success", verdict.outcome == "up")
            points.write("probe.duration", took_s, unit="s")
            for number in checked.numbers:
                points.write(number.metric, number.value, unit=number.unit, of=number.attributes)
        if verdict.outcome == "down":
            of = {"error.type": verdict.type}
            points.write("probe.failures", 1, kind="counter", unit="{check}", of=of)
        self._submit(points.written)


class _Points:
    def __init__(self, now: int, about: dict[str, str]) -> None:
        self.written: list[Point] = []
        self._now = now
        self._about = about

    def write(
        self,
        metric: str,
        value: float,
        *,
        unit: str = "1",
        kind: str = "gauge",
        of: Mapping[str, str] | None = None,
    ) -> None:
        self.written.append(
            Point(
                time=self._now,
                metric=metric,
                kind=kind,
                value=float(value),
                unit=unit,
                attributes={**self._about, **(of or {})},
            )
        )


def _check(watched: Watched) -> tuple[Checked | Exception, float]:
    started = time.monotonic()
    try:
        result: Checked | Exception = watched.probe.check(watched.timeout_s)
    except Exception as problem:  # noqa: BLE001 - a probe may raise anything, and harms only itself
        result = problem
    return result, time.monotonic() - started
