"""Each call of the store's to its disk fails, once and for a while: no row is lost or doubled.

A few are tried with every run; `nox -s faults`, or QMON_FAULTS=all, tries the whole.
"""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from qmon_agent.domain.errors import StoreError
from qmon_agent.store.telemetry.options import Exporting, Joining, Rolling, Scrubbing
from tests.crash.failing_disk import FOREVER, FailingDisk, has_compiler
from tests.crash.test_store_rollup_kills import RolledLoad

WHOLE = os.environ.get("QMON_FAULTS") == "all"
FAULTS = (
    *(("ENOSPC", call) for call in ("write", "fsync", "rename", "open")),
    *(("EIO", call) for call in ("write", "fsync", "rename", "open", "read")),
)
QUICK = (("ENOSPC", "write"), ("EIO", "read"))
LASTS_S = 1.5
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and /proc")


@pytest.fixture
def disk(tmp_path, missing, monkeypatch):
    """That of the store's worker; what the test does itself is well."""
    if not has_compiler():
        missing("gcc (apt-get install gcc)")
    disk = FailingDisk(tmp_path, tmp_path / "home")
    for name, value in disk.environment.items():
        monkeypatch.setenv(name, value)
    return disk


@pytest.fixture
async def load(tmp_path, disk):
    (tmp_path / "home").mkdir()
    load = RolledLoad(
        tmp_path / "home",
        exporting=Exporting(rows=5_000),
        joining=Joining(rows=50_000, interval_s=0.0, share=1.0),
        rolling=Rolling(share=1.0),
        scrubbing=Scrubbing(interval_s=0.3),
    )
    await load.store.start()
    yield load
    await load.store.stop()
    load.journal.close()


class TestAStore:
    @pytest.mark.timeout(400)
    @pytest.mark.parametrize(("error", "call"), FAULTS if WHOLE else QUICK)
    async def test_loses_and_doubles_nothing_and_goes_on_by_itself(
        self, disk, load, measured, error, call
    ):
        stop, failed, said = asyncio.Event(), [], set()
        writing = asyncio.create_task(load.run(stop))
        await until(lambda: load.exported)
        for times in (1, FOREVER):
            disk.fail(call, error, times=times)
            await until(lambda: disk.failed)
            said.add(await words_of(load.store))
            failed.append(disk.be_well())
            await asyncio.sleep(LASTS_S)
        stop.set()
        await writing

        assert await load.store.caught_up(load.sequence, timeout_s=150)
        await checked(load)
        status = await load.store.status()
        measured(error=error, call=call, failed=failed, restarts=status.restarts)
        assert (status.damaged, status.ended) == ((), "")
        assert any(said) or call not in {"write", "fsync"}


async def checked(load):
    """A worker whose exports have failed too often begins anew once more, at some moment.

    A segment that could not be read is put back when it is looked at next, and said to be left
    out of every answer until then.
    """
    async with asyncio.timeout(60):
        while (await load.store.status()).damaged:
            await asyncio.sleep(0.2)
        while True:
            try:
                return await load.check()
            except StoreError:
                await asyncio.sleep(0.2)


async def words_of(store):
    """What `status` has to say while the disk fails."""
    said = ""
    for _ in range(int(LASTS_S / 0.1)):
        await asyncio.sleep(0.1)
        status = await store.status()
        said = said or status.ended or "an export" * bool(status.counts.get("export_failing"))
    return said


async def until(is_so):
    """Longer than it takes until a failed export is tried again."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.02)
