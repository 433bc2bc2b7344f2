"""The spool: written by one process, taken by another, whatever happens in between."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length, peek
from qmon_sdk.protocol.signals import Event
from qmon_sdk.protocol.spooled import ROTATE_BYTES, frames_of, taken
from qmon_sdk.transports.spool import Spool

PROCESS = bytes(range(16))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def everything_in(directory) -> list[bytes]:
    return [frame for _, frames in taken(directory) for frame in frames]


def a_large_message(sequence: int, *, rows: int) -> bytes:
    """Some events in a frame of three quarters of a file."""
    block = block_of("event", [Event(name="x" * (ROTATE_BYTES * 3 // 4))] * rows)
    return pack_length(encode_frame(Frame(process=PROCESS, sequence=sequence, blocks=(block,))))


def a_spool(directory, *, max_bytes=8 * ROTATE_BYTES, **options) -> Spool:
    return Spool(directory, PROCESS, max_bytes, **options)


class TestSpool:
    def test_gives_back_what_it_was_given_in_order(self, directory):
        spool = a_spool(directory)
        for n in range(5):
            assert spool.write(pack_length(b"frame %d" % n))
        spool.close()

        assert [b"frame %d" % n for n in range(5)] == everything_in(directory)

    def test_keeps_its_file_from_readers_until_it_is_closed(self, directory):
        spool = a_spool(directory)
        spool.write(pack_length(b"now"))

        assert [] == list(taken(directory))
        spool.close()
        assert [b"now"] == everything_in(directory)

    def test_goes_on_in_a_new_file_after_close(self, directory):
        spool = a_spool(directory)
        for frame in (b"one", b"two"):
            spool.write(pack_length(frame))
            spool.close()

        assert [b"one", b"two"] == everything_in(directory)
        assert 2 == len(list(directory.iterdir()))

    def test_rotates_at_its_size(self, directory):
        spool = a_spool(directory)
        for _ in range(5):
            spool.write(pack_length(bytes(ROTATE_BYTES // 2)))
        spool.close()

        assert 5 == len(list(directory.iterdir()))
        assert all(path.stat().st_size <= ROTATE_BYTES for path in directory.iterdir())

    def test_drops_the_oldest_finished_file_when_full_and_hands_it_over(self, directory):
        lost = []
        spool = a_spool(
            directory, max_bytes=3 * ROTATE_BYTES, on_drop=lambda *what: lost.append(what)
        )
        for n in range(1, 7):
            assert spool.write(a_large_message(n, rows=n))
        spool.close()

        assert [("event", 1), ("event", 2), ("event", 3)] == lost
        assert [4, 5, 6] == [peek(frame).sequence for frame in everything_in(directory)]
        assert 3 == spool.dropped

    def test_refuses_rather_than_take_a_file_another_process_writes(self, directory):
        other = Spool(directory, b"another process!", 2 * ROTATE_BYTES)
        other.write(pack_length(bytes(ROTATE_BYTES - 4)))
        spool = a_spool(directory, max_bytes=ROTATE_BYTES)

        assert not spool.write(pack_length(b"x"))
        assert "reached its" in spool.trouble
        other.close()

    def test_says_what_is_wrong_and_pauses_instead_of_raising(self, tmp_path):
        (tmp_path / "file").write_text("no directory")
        spool = a_spool(tmp_path / "file")

        assert [False, False] == [spool.write(pack_length(b"x")) for _ in range(2)]
        assert 2 == spool.refused
        assert "exists" in spool.trouble

    def test_leaves_no_torn_frame_when_the_disk_fills_up(self, directory):
        done = subprocess.run(
            [sys.executable, "-c", WRITES_BEYOND_A_LIMIT, str(directory)],
            capture_output=True,
            text=True,
            check=True,
        )

        kept = int(done.stdout)
        assert 0 < kept < 100
        assert kept == len(everything_in(directory))

    def test_outlives_kill_9_right_after_write(self, directory):
        writer = subprocess.run(
            [sys.executable, "-c", WRITES_AND_DIES, str(directory)], check=False
        )

        assert -9 == writer.returncode
        assert [b"last words"] == everything_in(directory)

    def test_file_of_a_forked_parent_stays_locked_when_the_child_closes_it(self, directory):
        spool = a_spool(directory)
        spool.write(pack_length(b"parent's"))
        if (child := os.fork()) == 0:
            spool.close()
            os._exit(0)
        os.waitpid(child, 0)

        assert [] == list(taken(directory))
        spool.close()
        assert [b"parent's"] == everything_in(directory)


class TestTaking:
    def test_of_a_directory_that_is_not_there_finds_nothing(self, directory):
        assert [] == list(taken(directory))

    def test_gives_each_file_to_one_reader_only(self, directory):
        spool = a_spool(directory)
        spool.write(pack_length(b"once"))
        spool.close()

        for path, frames in taken(directory):
            assert [b"once"] == frames
            assert [] == list(taken(directory))
            Path(path).unlink()
        assert [] == list(taken(directory))

    def test_does_not_follow_links_or_wait_for_pipes(self, directory, tmp_path):
        directory.mkdir()
        (tmp_path / "secret").write_bytes(pack_length(b"secret"))
        (directory / "a.frames").symlink_to(tmp_path / "secret")
        os.mkfifo(directory / "b.frames")

        assert [] == list(taken(directory))

    @given(
        frames=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
        garbage=st.binary(max_size=40),
        data=st.data(),
    )
    @settings(max_examples=60, deadline=None)
    def test_keeps_every_frame_before_a_tear(self, frames, garbage, data):
        content = b"".join(map(pack_length, frames))
        cut = data.draw(st.integers(0, len(content)))
        whole = 0
        while len(b"".join(map(pack_length, frames[: whole + 1]))) <= cut and whole < len(frames):
            whole += 1

        found = frames_of(content[:cut] + garbage)

        assert frames[:whole] == found[:whole]


WRITES_AND_DIES = """
import os, signal, sys
from qmon_sdk.protocol.frames import pack_length
from qmon_sdk.transports.spool import Spool
Spool(sys.argv[1], bytes(16), 1 << 24).write(pack_length(b"last words"))
os.kill(os.getpid(), signal.SIGKILL)
"""

# A limit on the file's size stops a write in the middle, as a full disk does.
WRITES_BEYOND_A_LIMIT = """
import resource, sys
from qmon_sdk.protocol.frames import pack_length
from qmon_sdk.transports.spool import Spool
resource.setrlimit(resource.RLIMIT_FSIZE, (10_001, 10_001))
spool = Spool(sys.argv[1], bytes(16), 1 << 24)
print(sum(spool.write(pack_length(bytes(300))) for _ in range(100)))
"""
