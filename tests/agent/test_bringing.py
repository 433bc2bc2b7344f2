"""Lots that are brought in: each signal once, however often it is tried and interrupted."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from pathlib import Path

import pytest

from qmon_agent.app import bringing_files as files
from qmon_agent.app.bringing import Lot, book_of, bring
from qmon_agent.app.bringing_series import lots_of_blocks
from qmon_agent.domain.errors import StoreError
from qmon_agent.ingest.drawn import Drawing
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import Resource, decode_frame, peek
from qmon_sdk.protocol.signals import Event
from qmon_sdk.protocol.spooled import taken

GROUPS, ROWS = 40, 700


class Taker:
    """Takes what is in the spool as an agent does: each frame once, by its name."""

    def __init__(self, locations):
        self.frames = {}
        self.locations = locations
        self.claim = Claim(locations.lock)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.take)
        self.thread.start()

    def take(self):
        while not self.stopping.wait(0.02):
            for path, frames in taken(self.locations.spool):
                for frame in frames:
                    head = peek(frame)
                    self.frames.setdefault((head.process, head.sequence), frame)
                Path(path).unlink()

    def names(self):
        blocks = [block for frame in self.frames.values() for block in decode_frame(frame).blocks]
        return Counter(row.name for block in blocks if block.rows for row in rows_of(block))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.claim.release()


@pytest.fixture
def locations(tmp_path):
    return find_locations(state=str(tmp_path))


@pytest.fixture
def taker(locations):
    taker = Taker(locations)
    yield taker
    taker.stop()


def lot(*, breaks_at=None, text="x" * 200):
    def groups():
        for number in range(GROUPS):
            if number == breaks_at:
                raise ConnectionResetError
            rows = [
                Event(time=1, name=f"{number}/{n}", attributes={"a": text}) for n in range(ROWS)
            ]
            yield Resource(service=f"s{number % 3}"), rows

    return Lot(key="a lot", groups=groups)


class TestBring:
    def test_brings_all_of_it_once(self, taker, locations):
        first = bring([lot()], locations, left_out=Counter())
        second = bring([lot()], locations, left_out=Counter())

        assert first.signals == {"event": GROUPS * ROWS}
        assert second.signals == {}
        assert second.known == 1
        assert set(taker.names().values()) == {1}
        assert len(taker.names()) == GROUPS * ROWS

    def test_goes_on_where_it_was_interrupted(self, taker, locations):
        with pytest.raises(ConnectionResetError):
            bring([lot(breaks_at=25)], locations, left_out=Counter())

        bring([lot()], locations, left_out=Counter())

        assert set(taker.names().values()) == {1}
        assert len(taker.names()) == GROUPS * ROWS

    def test_halves_what_is_too_large_and_counts_what_is_still(self, taker, locations):
        rows = [Event(time=1, name=str(n), attributes={"a": "x" * 300_000}) for n in range(40)]
        huge = Event(time=1, name="huge", attributes={str(n): "x" * 60_000 for n in range(90)})
        left_out = Counter()
        groups = [(Resource(service="s"), [*rows, huge])]

        bring([Lot(key="large", groups=lambda: groups)], locations, left_out=left_out)

        assert len(taker.names()) == 40
        assert left_out == {"oversize": 1}

    def test_wants_an_agent(self, locations):
        with pytest.raises(StoreError, match="no agent runs"):
            bring([lot()], locations, left_out=Counter())


class TestFile:
    def key_of(self, path):
        return files.lot_of_file(path, "sentry", None, service="", left_out=Counter()).key

    def test_is_the_same_packed_or_not(self, tmp_path):
        plain, packed = tmp_path / "export.json", tmp_path / "export.json.gz"
        plain.write_bytes(b'{"a": 1}\n' * 9)
        for level in (1, 9):
            packed.write_bytes(gzip.compress(plain.read_bytes(), level, mtime=level))

            assert self.key_of(plain) == self.key_of(packed)
            assert [*files.rows_of(plain, Counter())] == [*files.rows_of(packed, Counter())]

    def test_is_another_one_with_another_content(self, tmp_path):
        one, other = tmp_path / "one.json", tmp_path / "other.json"
        one.write_bytes(b"[1]")
        other.write_bytes(b"[2]")

        assert self.key_of(one) != self.key_of(other)

    @pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:12] + b"\xff" * 9])
    def test_that_cannot_be_unpacked_is_named(self, tmp_path, harm):
        path = tmp_path / "export.json.gz"
        path.write_bytes(harm(gzip.compress(b'{"a": 1}' * 99)))

        with pytest.raises(StoreError, match=r"export\.json\.gz cannot be unpacked"):
            self.key_of(path)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "export is empty"),
            (gzip.compress(gzip.compress(b"[1]\n2")), "export is packed twice"),
            (b"<html>", "export is neither JSON, nor CSV, nor Parquet"),
        ],
    )
    def test_that_is_none_says_what_it_is(self, tmp_path, content, words):
        path = tmp_path / "export"
        path.write_bytes(content)

        with pytest.raises(StoreError, match=words):
            [*files.rows_of(path, Counter())]


def test_a_young_prometheus_is_said_to_have_no_block_yet(tmp_path):
    (tmp_path / "wal").mkdir()

    with pytest.raises(StoreError, match=r"only a write-ahead log yet.*remote read"):
        lots_of_blocks(tmp_path, Drawing(), book_of(find_locations(state=str(tmp_path / "state"))))
