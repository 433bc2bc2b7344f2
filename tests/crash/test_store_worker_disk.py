"""A full disk stops the export, never the storing; what was not exported is, once there is room."""

import os
import random
import subprocess
import time

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import QueryError
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions, TelemetryStore
from qmon_agent.store.telemetry.link import Position
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

FRAMES, ROWS = 60, 2_000


@pytest.fixture
def small_disk(tmp_path, missing):
    """A file system of half a megabyte where the segments go."""
    folder = tmp_path / "telemetry" / "segments"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        missing("the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
async def store(tmp_path):
    made = TelemetryStore(
        TelemetryOptions(directory=str(tmp_path / "telemetry"), journal=str(tmp_path / "journal"))
    )
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def journal(tmp_path):
    made = Journal.open(tmp_path / "journal", options=JournalOptions(), clock=SystemClock())
    yield made
    made.close()


def write(journal, frames):
    chance, end = random.Random(frames), Position()
    for sequence in range(1, frames + 1):
        spans = [Span(time=time.time_ns(), span_id=chance.randbytes(8).hex()) for _ in range(ROWS)]
        frame = Frame(process=bytes(16), sequence=sequence, blocks=(block_of("span", spans),))
        journal.append(encode_frame(frame), process=bytes(16), sequence=sequence)
        end = journal.commit()
    return end


def enlarge(disk):
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


class TestFullDisk:
    async def test_loses_nothing_and_exports_when_there_is_room(self, small_disk, store, journal):
        end = write(journal, FRAMES)
        store.committed(end)
        await store.caught_up(end.record_id)

        with pytest.raises(QueryError, match="disk full"):
            await store.export()
        assert (await store.query("select count(*) from spans")).rows == [[FRAMES * ROWS]]
        assert (await store.status()).exported.record_id == 0

        enlarge(small_disk)
        await store.export()
        assert (await store.query("select count(*) from spans")).rows == [[FRAMES * ROWS]]
        assert (await store.status()).exported.record_id == end.record_id
