"""The hot file may be lost in any way: what it held is read from the journal again, exactly."""

import random
import subprocess
import sys
import time

import duckdb
import msgspec
import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.engines.duckdb.relisting import read_listing
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Span

FRAMES, ROWS, EXPORTED = 30, 200, 10


@pytest.fixture
def directory(tmp_path):
    """A store with exported and hot rows, as a killed worker leaves it."""
    journal = Journal.open(tmp_path / "journal", options=JournalOptions(), clock=SystemClock())
    for sequence in range(1, FRAMES + 1):
        rows = [Span(time=sequence, span_id=f"{sequence:08}{each:08}") for each in range(ROWS)]
        frame = Frame(process=bytes(16), sequence=sequence, blocks=blocks_of(rows))
        journal.append(encode_frame(frame), process=bytes(16), sequence=sequence)
        end = journal.commit()
    journal.close()
    engine, follower = opened(tmp_path)
    while engine.stored.record_id < end.record_id:
        follower.follow(end, max_bytes=1)
        if engine.stored.record_id == EXPORTED:
            engine.tend(now=time.time_ns(), everything=True)
            while engine.busy():
                time.sleep(0.005)
    engine.close()
    return tmp_path


def options_of(directory):
    return TelemetryOptions(
        directory=str(directory / "telemetry"), journal=str(directory / "journal"), lock_wait_s=0.1
    )


def opened(directory):
    engine = open_engine(options_of(directory))
    return engine, Follower(directory / "journal", engine, bury=lambda *_: pytest.fail("buried"))


def recovered(directory):
    """Reopen, read the rest of the journal, count: (rows, different rows, rebuilt)."""
    engine, follower = opened(directory)
    end = engine.stored.__class__(record_id=FRAMES)
    while follower.follow(end, max_bytes=1 << 20):
        pass
    question = Question(
        sql="select count(*), count(distinct span_id) from spans", limit=1, timeout_s=9
    )
    (counts,) = engine.ask(question, Watch()).rows
    rebuilt = engine.counts().get("rebuilt", 0)
    engine.close()
    return (*counts, rebuilt)


ALL = FRAMES * ROWS


class TestHotFile:
    def test_is_kept_when_it_is_well(self, directory):
        assert (ALL, ALL, 0) == recovered(directory)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: path.write_bytes(bytes(path.stat().st_size)),
            lambda path: path.write_bytes(b""),
            lambda path: path.write_bytes(b"something else entirely" * 1000),
            lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        ],
        ids=["zeroed", "emptied", "replaced", "cut"],
    )
    def test_is_built_anew_when_it_is_damaged(self, directory, damage):
        damage(directory / "telemetry" / "hot.duckdb")

        assert (ALL, ALL, 1) == recovered(directory)
        assert (directory / "telemetry" / "damaged.duckdb").exists()

    def test_is_built_anew_when_it_is_gone(self, directory):
        for path in (directory / "telemetry").glob("hot.duckdb*"):
            path.unlink()

        engine, _ = opened(directory)
        assert engine.counts()["hot_file_gone"] == 1
        engine.close()
        assert (ALL, ALL, 0) == recovered(directory)

    @pytest.mark.parametrize("seed", range(12))
    def test_survives_a_flipped_bit_anywhere(self, directory, seed):
        path = directory / "telemetry" / "hot.duckdb"
        content, chance = bytearray(path.read_bytes()), random.Random(seed)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

        assert (ALL, ALL) == recovered(directory)[:2]

    @pytest.mark.parametrize("seed", range(12))
    def test_survives_any_damage_to_its_log(self, directory, seed):
        killed(directory)
        path, chance = directory / "telemetry" / "hot.duckdb.wal", random.Random(seed)
        content = bytearray(path.read_bytes())
        place = chance.randrange(len(content))
        if seed % 3 == 0:
            content = content[:place]
        elif seed % 3 == 1:
            content[place:] = bytes(len(content) - place)
        else:
            content[place] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

        assert (ALL, ALL) == recovered(directory)[:2]

    def test_of_another_layout_is_built_anew(self, directory):
        with duckdb.connect(str(directory / "telemetry" / "hot.duckdb")) as connection:
            connection.execute("UPDATE qmon.layout SET version = 0")

        assert (ALL, ALL, 1) == recovered(directory)

    def test_gets_columns_that_it_does_not_have_yet(self, directory):
        with duckdb.connect(str(directory / "telemetry" / "hot.duckdb")) as connection:
            (number,) = connection.execute("SELECT max(number) FROM qmon.generations").fetchall()[0]
            connection.execute(f"ALTER TABLE g{number}.spans DROP COLUMN kind")
            connection.execute(f"DROP TABLE g{number}.findings")

        assert (ALL, ALL, 0) == recovered(directory)

    def test_with_a_column_of_another_type_is_built_anew(self, directory):
        with duckdb.connect(str(directory / "telemetry" / "hot.duckdb")) as connection:
            (number,) = connection.execute("SELECT max(number) FROM qmon.generations").fetchall()[0]
            connection.execute(f"ALTER TABLE g{number}.spans ALTER duration_ns TYPE VARCHAR")

        assert (ALL, ALL, 1) == recovered(directory)

    def test_that_nobody_came_back_from_opening_is_built_anew(self, directory):
        (directory / "telemetry" / "hot.opening").touch()

        assert (ALL, ALL, 1) == recovered(directory)


class TestStore:
    def test_is_opened_by_one_at_a_time(self, directory):
        engine, _ = opened(directory)

        with pytest.raises(StoreError, match="used by another process"):
            opened(directory)
        engine.close()


class TestManifest:
    @pytest.mark.parametrize("left", [0.0, 0.01, 0.3, 0.9, 0.999])
    def test_that_is_cut_is_made_anew(self, directory, left):
        path = directory / "telemetry" / "manifest.json"
        path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])

        assert (ALL, ALL, 0) == recovered(directory)
        assert (directory / "telemetry" / "manifest.damaged").exists()

    def test_that_is_zeroed_or_gone_is_made_anew(self, directory):
        path = directory / "telemetry" / "manifest.json"
        before = manifests.load(path.parent)
        path.write_bytes(bytes(path.stat().st_size))
        assert (ALL, ALL, 0) == recovered(directory)
        path.unlink()
        assert (ALL, ALL, 0) == recovered(directory)

        after = manifests.load(path.parent)
        assert (before.exported, before.generation) == (after.exported, after.generation)

    def test_with_any_byte_flipped_is_known_to_be_damaged(self, directory):
        path = directory / "telemetry" / "manifest.json"
        content, chance = path.read_bytes(), random.Random(7)
        for place in range(len(content)):
            damaged = bytearray(content)
            damaged[place] ^= 1 << chance.randrange(8)
            path.write_bytes(damaged)

            with pytest.raises(manifests.DamagedManifestError):
                manifests.load(path.parent)

    def test_made_anew_says_what_it_said(self, directory):
        manifest = manifests.load(directory / "telemetry")
        (directory / "telemetry" / "manifest.json").unlink()

        listing = read_listing(options_of(directory))

        assert dict(listing.counts) == {"manifest_rebuilt": 1, "unreadable_segments": 0}
        assert lasting(manifest) == lasting(listing.manifest)

    def test_is_counted_and_made_anew_once(self, directory):
        (directory / "telemetry" / "manifest.json").write_bytes(b"")

        for times in (1, 0):
            engine, _ = opened(directory)
            assert times == engine.counts().get("manifest_rebuilt", 0)
            engine.close()

    def test_made_anew_sets_a_damaged_segment_aside(self, directory):
        (segment,) = (directory / "telemetry" / "segments" / "spans").rglob("*.parquet")
        segment.write_bytes(segment.read_bytes()[:-9])
        (directory / "telemetry" / "manifest.json").write_bytes(b"")

        engine, _ = opened(directory)

        assert engine.counts()["unreadable_segments"] == 1
        engine.close()
        assert (ALL, ALL) == recovered(directory)[:2]

    def test_of_a_newer_qmon_is_left_alone(self, directory):
        manifest = manifests.load(directory / "telemetry")
        manifests.save(directory / "telemetry", msgspec.structs.replace(manifest, version=99))

        with pytest.raises(StoreError, match="newer qmon"):
            opened(directory)


def lasting(manifest):
    """What the segments themselves tell; when they were written is told by the disk."""
    segments = [msgspec.structs.replace(each, written=0) for each in manifest.segments]
    segments.sort(key=lambda each: each.file)
    return msgspec.structs.replace(manifest, segments=tuple(segments))


LEAVES_A_LOG = """
import os, sys
from pathlib import Path
from qmon_agent.journal import Position
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.following import Follower
home = Path(sys.argv[1])
options = TelemetryOptions(directory=str(home / "telemetry"), journal=str(home / "journal"))
follower = Follower(home / "journal", open_engine(options), bury=lambda *_: None)
follower.follow(Position(record_id=20), max_bytes=1 << 20)
os.kill(os.getpid(), 9)
"""


def killed(directory):
    """Leave a log behind, as no closed database does: by a process that is killed."""
    for path in (directory / "telemetry").glob("hot.duckdb*"):
        path.unlink()
    subprocess.run([sys.executable, "-c", LEAVES_A_LOG, str(directory)], check=False)
