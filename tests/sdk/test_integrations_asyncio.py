"""asyncio: what holds up a loop has a name, and how late the loop is is a number."""

from __future__ import annotations

import asyncio
import functools
import time

import pytest

from qmon_sdk.client import current
from qmon_sdk.integrations import remove
from qmon_sdk.integrations.asyncio import AsyncioIntegration, Beat
from qmon_sdk.metrics import count
from qmon_sdk.spans import span

SLOW = "asyncio slow callback"
SLOW_S = 0.2  # what holds up a callback of a busy machine for as long is rare


@pytest.fixture
def watching(told):
    made = AsyncioIntegration(slow_callback_s=SLOW_S, lag_interval_s=0.01, always=True)
    return told.begin(integrations=(made,))


async def block(seconds=2 * SLOW_S):
    await asyncio.sleep(0)
    time.sleep(seconds)
    await asyncio.sleep(0)


def blocking(_=None):
    time.sleep(2 * SLOW_S)


def beats(work):
    """Count how often a loop is looked at while some work is done, 20 times a second at most."""
    told = []

    async def looked_at():
        beat = Beat(asyncio.get_running_loop(), 0.05, lambda late_s: told.append(late_s) or True)
        await work
        beat.stop()

    asyncio.run(looked_at())
    return len(told)


async def spin(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0)


class TestLooks:
    def test_are_few_where_there_is_nothing_to_do(self):
        assert 1 <= beats(asyncio.sleep(2)) <= 30

    def test_are_many_where_there_is_much_to_do(self):
        assert beats(spin(2)) > 30


class TestSlowCallbacks:
    def test_are_spans_with_the_name_of_the_coroutine(self, watching):
        asyncio.run(block())

        made = watching.span(SLOW)
        assert "block" == made.attributes["code.function.name"]
        assert made.attributes["code.file.path"].endswith("test_integrations_asyncio.py")
        assert SLOW_S * 1e9 < made.duration_ns < 4e9

    def test_are_inside_of_the_span_they_hold_up(self, watching):
        async def request():
            with span("request"):
                await block()

        asyncio.run(request())

        assert watching.span("request").span_id == watching.span(SLOW).parent_id

    @pytest.mark.parametrize("callback", [blocking, functools.partial(blocking, 1)])
    def test_may_be_plain_functions(self, watching, callback):
        async def main():
            asyncio.get_running_loop().call_soon(callback)
            await asyncio.sleep(0.01)

        asyncio.run(main())

        assert "blocking" == watching.span(SLOW).attributes["code.function.name"]

    def test_are_counted(self, watching):
        asyncio.run(block())

        (point,) = [p for p in watching.all("point") if p.metric == "asyncio.slow_callbacks"]
        assert point.value == sum(span.name == SLOW for span in watching.spans)

    def test_are_only_those_that_are_slow(self, watching):
        asyncio.run(block(0.0))

        assert [] == watching.spans

    def test_may_end_the_program(self, watching):
        def leave():
            raise SystemExit(3)

        async def main():
            asyncio.get_running_loop().call_soon(leave)
            await asyncio.sleep(1)

        with pytest.raises(SystemExit):
            asyncio.run(main())


class TestLookingCloselyWhenThereIsReason:
    @pytest.fixture
    def watching(self, told):
        made = AsyncioIntegration(slow_callback_s=0.02, lag_interval_s=0.005)
        return told.begin(integrations=(made,))

    def test_names_all_but_the_first(self, watching):
        async def main():
            for _ in range(2):
                await asyncio.sleep(0.02)
                await block(0.05)

        asyncio.run(main())

        first, second = watching.spans
        assert "code.function.name" not in first.attributes
        assert "main" in second.attributes["code.function.name"]

    def test_times_nothing_while_all_is_calm(self, watching):
        run = asyncio.events.Handle._run

        asyncio.run(asyncio.sleep(0.03))

        assert run is asyncio.events.Handle._run

    def test_ends_with_the_integration(self, watching):
        run = asyncio.events.Handle._run
        asyncio.run(block(0.05))

        remove("asyncio")

        assert run is asyncio.events.Handle._run


class TestLag:
    def test_is_a_gauge_of_how_late_the_loop_is(self, watching):
        async def main():
            await asyncio.sleep(0.03)
            await block(0.06)
            await asyncio.sleep(0.03)

        count("something")  # nothing is told while nobody else speaks
        asyncio.run(main())

        told = [p for p in watching.all("point") if p.metric == "asyncio.loop.lag"]
        assert min(p.minimum for p in told) < 0.04 < max(p.maximum for p in told)

    def test_starts_nothing_while_nobody_else_speaks(self, watching):
        asyncio.run(asyncio.sleep(0.05))

        assert not current().recorder.is_awake

    def test_leaves_no_timer_behind(self, watching):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0.03))

        assert all(timer.cancelled() for timer in loop._scheduled)
        loop.close()

    def test_ends_with_the_integration(self, told):
        watching = AsyncioIntegration(slow_callback_s=0.5, lag_interval_s=0.01, always=True)
        here = told.begin(integrations=(watching,))

        async def main():
            await asyncio.sleep(0.03)
            remove("asyncio")  # by a callback that is slow itself
            count("something")
            time.sleep(0.6)
            await asyncio.sleep(0.05)

        asyncio.run(main())

        assert ["something"] == [point.metric for point in here.all("point")]

    def test_of_uvloop_is_measured_too(self, watching):
        uvloop = pytest.importorskip("uvloop")
        count("something")
        uvloop.run(block(0.06))
        uvloop.run(asyncio.sleep(0.03))

        assert "asyncio.loop.lag" in {point.metric for point in watching.all("point")}
