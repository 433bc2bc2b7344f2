"""The runner of samplers: steady, apart from each other, honest about failures."""

import asyncio
import threading

import pytest

from qmon_agent.monitoring import SamplerRunner
from qmon_agent.monitoring.sampling import Pace
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point


class Steady:
    def sample(self, now):
        return [Point(time=now, metric="steady")]


class Failing:
    def sample(self, now):
        raise OSError("no such device")


class Hanging:
    def __init__(self):
        self.let_go = threading.Event()
        self.calls = 0

    def sample(self, now):
        self.calls += 1
        self.let_go.wait(5)
        return []


async def run_for(runner, seconds):
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def vitals():
    return Vitals()


@pytest.fixture
def pace():
    return Pace(interval_s=0.02, timeout_s=0.05, give_up_after=3)


class TestSamplerRunner:
    async def test_gives_points_on_steadily(self, pace):
        taken = []

        await run_for(SamplerRunner({"steady": Steady()}, taken.append, pace=pace), 0.3)

        assert len(taken) >= 3
        assert {"steady"} == {points[0].metric for points in taken}

    async def test_switches_off_what_keeps_failing_and_nothing_else(self, pace, vitals):
        samplers = {"failing": Failing(), "steady": Steady()}
        runner = SamplerRunner(samplers, lambda _: None, pace=pace, vitals=vitals)

        await run_for(runner, 0.4)

        assert runner.health["failing"].disabled
        assert "no such device" in runner.health["failing"].last_error
        assert 3 == vitals.count("sampler_failures", sampler="failing")
        assert not runner.health["steady"].failures

    async def test_never_calls_one_that_hangs_a_second_time(self, pace):
        hanging, taken = Hanging(), []
        runner = SamplerRunner({"hanging": hanging, "steady": Steady()}, taken.append, pace=pace)

        await run_for(runner, 0.3)
        hanging.let_go.set()

        assert 1 == hanging.calls
        assert 1 == runner.health["hanging"].failures
        assert len(taken) >= 3

    async def test_gives_all_points_of_a_round_together(self):
        taken = []
        two = {"first": Steady(), "second": Steady()}

        await run_for(SamplerRunner(two, taken.append, pace=Pace(interval_s=5)), 0.2)

        assert [2] == [len(points) for points in taken]

    async def test_samples_the_others_while_one_hangs_and_that_one_when_it_came_back(self, pace):
        hanging, taken = Hanging(), []
        samplers = {"first": Steady(), "hanging": hanging, "last": Steady()}
        runner = SamplerRunner(samplers, taken.append, pace=pace)

        asyncio.get_running_loop().call_later(0.2, hanging.let_go.set)
        await run_for(runner, 0.4)

        assert [2] == sorted({len(points) for points in taken})
        assert 1 < hanging.calls
        assert 1 == runner.health["hanging"].failures
