"""The store worker is killed while it exports and rolls up: each row is in each tier once."""

import asyncio
import random

import pytest

from qmon_agent.store.telemetry.options import Exporting, Rolling
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.signals import Point, Span
from tests.crash.store_load import ROWS, Load

KILLS, HOUR = 15, 3_600 * 10**9
TIERS = ("1m", "1h", "1d")
SPANS = "select sum(requests), sum(duration_ns) from spans_{}"
POINTS = "select sum(points), sum(sum) from points_{}"


class RolledLoad(Load):
    """Frames of spans and points over many minutes, and a store that exports and rolls up often."""

    pause_s = 0.03
    lives_s = (0.3, 1.5)

    def write(self):
        number = self.sequence + 1
        times = [(number % 40) * HOUR + n * 10**9 for n in range(ROWS)]
        signals = [Span(time=time, name="n", duration_ns=number) for time in times]
        signals += [Point(time=time, metric="m", value=float(number)) for time in times]
        self.put(blocks_of(signals))

    async def check(self):
        whole = ROWS * self.sequence * (self.sequence + 1) // 2
        for tier in TIERS:
            for question in (SPANS, POINTS):
                found = (await self.store.query(question.format(tier))).rows
                assert found == [[ROWS * self.sequence, whole]], (tier, question)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [20261127])
async def test_every_row_is_rolled_up_once(tmp_path, seed):
    load = RolledLoad(tmp_path, exporting=Exporting(rows=5_000), rolling=Rolling(share=1.0))
    chance, stop, kills = random.Random(seed), asyncio.Event(), 0
    await load.store.start()
    writing = asyncio.create_task(load.run(stop))
    while kills < KILLS:
        kills += await load.kill(chance)
    stop.set()
    await writing

    assert await load.store.caught_up(load.sequence, timeout_s=100)
    await load.check()
    for _ in range(200):
        if (await load.store.status()).counts.get("rolled_segments"):
            break
        await asyncio.sleep(0.2)
    await load.check()
    assert (await load.store.status()).counts["rolled_segments"] > 0
    await load.store.stop()
    load.journal.close()
