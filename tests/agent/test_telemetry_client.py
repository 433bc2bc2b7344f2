"""The store as the main process has it: light itself, with a worker that may die."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import ConfigError, QueryError, StoreError
from qmon_agent.journal import Journal, JournalOptions, Position
from qmon_agent.store.telemetry import (
    Listeners,
    TelemetryOptions,
    TelemetryStore,
    directory_of,
)
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

COUNT = "select count(*), count(distinct span_id) from spans"


class Walk:
    """A journal that is written, and a store that follows it."""

    def __init__(self, directory):
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.buried, self.exported, self.written = [], [], 0
        self.endings = []
        self.store = TelemetryStore(
            TelemetryOptions(
                directory=str(directory / "telemetry"), journal=str(directory / "journal")
            ),
            listeners=Listeners(
                buried=lambda payload, reason: self.buried.append((payload, reason)),
                exported=self.exported.append,
                restarting=self.endings.append,
            ),
        )

    def write(self, *, rows=10, raw=None):
        self.written += 1
        spans = [Span(time=1, span_id=f"{self.written:08}{each:08}") for each in range(rows)]
        frame = Frame(process=bytes(16), sequence=self.written, blocks=blocks_of(spans))
        payload = raw or encode_frame(frame)
        self.journal.append(payload, process=bytes(16), sequence=self.written)
        self.store.committed(self.journal.commit())

    async def count(self):
        try:
            return (await self.store.query(COUNT)).rows[0][1]
        except StoreError:
            return 0

    async def stored(self):
        return await self.store.caught_up(self.written, timeout_s=20)


@pytest.fixture
async def walk(tmp_path):
    made = Walk(tmp_path)
    await made.store.start()
    yield made
    await made.store.stop()
    made.journal.close()


class TestStore:
    async def test_answers_for_what_was_committed(self, walk):
        walk.write()

        assert await walk.stored()
        assert (await walk.store.query(COUNT)).rows == [[10, 10]]

    async def test_sees_a_row_soon_after_its_commit(self, walk):
        walk.write()
        await walk.stored()
        await asyncio.sleep(0.3)
        began = time.monotonic()
        walk.write()

        assert await walk.stored()
        assert time.monotonic() - began < 0.5

    async def test_answers_with_what_came_while_it_rested(self, walk):
        walk.write()
        await walk.stored()
        await asyncio.sleep(0.5)
        walk.write()

        assert (await walk.store.query(COUNT)).rows == [[20, 20]]

    async def test_says_how_it_is(self, walk):
        walk.write()
        await walk.stored()
        status = await walk.store.status()

        assert (status.state, status.lag, status.rows["spans"]) == ("running", 0, 10)
        assert 0 < status.rss_bytes < 350 << 20

    async def test_tells_from_where_the_journal_is_needed(self, walk):
        walk.write()
        await walk.stored()
        await walk.store.export()

        assert [0, 1] == [at.record_id for at in (walk.exported[0], walk.exported[-1])]

    async def test_hands_back_what_no_table_takes(self, walk):
        walk.write(raw=b"no frame at all")
        await walk.stored()

        assert [b"no frame at all"] == [payload for payload, _ in walk.buried]
        assert "undecodable" in walk.buried[0][1]

    async def test_stores_what_is_committed_before_it_stops(self, walk):
        walk.write()
        await walk.stored()
        walk.write()
        await walk.store.stop()
        await walk.store.start()

        assert await walk.stored()
        assert (await walk.store.query(COUNT)).rows == [[20, 20]]


class TestQuery:
    async def test_names_its_fault(self, walk):
        walk.write()
        await walk.stored()

        with pytest.raises(QueryError, match="did you mean 'spans'"):
            await walk.store.query("select * from span")

    async def test_says_how_much_of_the_journal_it_has_not(self, walk):
        walk.write()
        await walk.stored()
        whole = await walk.store.query(COUNT)
        # Told of more than the journal shows yet, as a store that has much to read.
        walk.store.committed(Position(record_id=8))

        partial = await walk.store.query(COUNT)

        assert (1, 0) == (whole.freshness.stored_record, whole.freshness.behind_records)
        assert (1, 7) == (partial.freshness.stored_record, partial.freshness.behind_records)
        assert 7 == await walk.store.behind()

    async def test_as_a_file_waits_a_moment_for_what_is_on_its_way(self, walk):
        walk.write()
        await walk.stored()
        walk.write()

        assert 0 in [await walk.store.behind() for _ in range(20)]  # of a busy machine

    async def test_is_interrupted_when_nobody_waits_any_more(self, walk):
        walk.write()
        await walk.stored()
        for _ in range(4):  # more than are answered at once
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await walk.store.query("select sum(range) from range(1000000000000)")

        assert (await walk.store.query("select 1", timeout_s=5)).rows == [[1]]

    async def test_runs_while_others_are_written(self, walk):
        walk.write()
        await walk.stored()
        slow = asyncio.create_task(
            walk.store.query("select sum(range) from range(1000000000000)", timeout_s=2)
        )
        await asyncio.sleep(0.1)
        walk.write()

        assert await walk.store.caught_up(2, timeout_s=1.5)
        with pytest.raises(QueryError):
            await slow


class TestWorker:
    async def test_is_started_again_when_it_dies(self, walk):
        walk.write()
        await walk.stored()
        os.kill((await walk.store.status()).pid, signal.SIGKILL)
        walk.write()

        assert await walk.stored()
        assert (await walk.store.query(COUNT)).rows == [[20, 20]]
        assert (await walk.store.status()).restarts == 1
        assert walk.endings == [""]

    async def test_that_has_forgotten_somebody_says_why_the_next_one_begins(self, walk):
        walk.write()
        await walk.stored()
        await walk.store.forget("ann", upto=1)
        while (status := await walk.store.status()).state != "running" or not status.restarts:
            await asyncio.sleep(0.02)

        assert walk.endings == ["somebody was forgotten: the hot file is begun anew"]
        assert (1, "") == (status.counts["hot_file_begun_anew"], status.ended)

    async def test_is_remembered_by_its_rows_while_another_one_starts(self, walk):
        walk.write()
        await walk.stored()
        before = await walk.store.status()
        os.kill(before.pid, signal.SIGKILL)
        while (status := await walk.store.status()).state == "running":
            await asyncio.sleep(0.01)

        assert before.rows == status.rows
        assert sum(before.rows.values())

    async def test_leaves_its_questions_answered_by_an_error_when_it_dies(self, walk):
        walk.write()
        await walk.stored()
        pid = (await walk.store.status()).pid
        asking = asyncio.create_task(
            walk.store.query("select sum(range) from range(1000000000000)")
        )
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(StoreError, match="before it answered"):
            await asking

    def test_leaves_when_the_main_process_is_killed(self, tmp_path):
        main = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        pid = int(main.stdout.readline())
        main.kill()
        main.communicate()

        deadline = time.monotonic() + 5
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.02)


class TestJournal:
    async def test_that_was_deleted_is_followed_from_its_new_beginning(self, walk, tmp_path):
        for _ in range(3):
            walk.write()
        await walk.stored()
        await walk.store.stop()
        walk.journal.close()
        shutil.rmtree(tmp_path / "journal")

        again = Walk(tmp_path)
        await again.store.start()
        again.store.committed(again.journal.committed)
        again.written = 100  # rows of other names
        again.write(), again.write()
        while await again.count() != 50:
            await asyncio.sleep(0.05)
        await again.store.stop()
        again.journal.close()


class TestMainProcess:
    def test_stays_free_of_the_engine(self):
        code = (
            "import sys, qmon_agent.store.telemetry\n"
            "print([name for name in ('duckdb', 'pyarrow') if name in sys.modules])"
        )
        told = subprocess.check_output([sys.executable, "-c", code], text=True)

        assert told.strip() == "[]"


class TestAddress:
    def test_names_a_directory(self):
        assert str(directory_of("duckdb:///var/lib/qmon/telemetry")) == "/var/lib/qmon/telemetry"
        assert str(directory_of("duckdb://here/too")) == "here/too"

    @pytest.mark.parametrize("dsn", ["clickhouse://host", "telemetry", "duckdb://"])
    def test_of_another_kind_is_a_configuration_error(self, dsn):
        with pytest.raises(ConfigError, match=r"store\.telemetry"):
            directory_of(dsn)


MAIN = """
import asyncio, sys
from qmon_agent.store.telemetry import TelemetryOptions, TelemetryStore

async def main():
    home = sys.argv[1]
    store = TelemetryStore(TelemetryOptions(directory=home + "/t", journal=home + "/j"))
    await store.start()
    while not (pid := (await store.status()).pid):
        await asyncio.sleep(0.05)
    print(pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
