"""A store that is moved: all of its rows, each checked; interrupted, it goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from qmon_agent.app.moving_house import move
from qmon_agent.cli.migrate import command
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import ConfigError, StoreError
from qmon_agent.journal import Journal, JournalOptions, Position, records_behind
from qmon_agent.settings import find_locations
from qmon_agent.store.telemetry import TelemetryOptions, open_readonly
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.engines.clickhouse.gone import Gone
from qmon_agent.store.telemetry.engines.clickhouse.outgoing import arrived_of, begin_at
from qmon_agent.store.telemetry.following import Follower
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, encode_frame
from qmon_sdk.protocol.signals import Event

DAY_NS, DAYS, ROWS = 86_400 * 10**9, 3, 50
COUNT = "SELECT count(*) AS n, count(DISTINCT name) AS names FROM events"


@pytest.fixture
def state(tmp_path):
    """What an agent left: some rows in segments of three days, some in the journal only."""
    state = tmp_path / "state"
    journal = Journal.open(state / "journal", options=JournalOptions(), clock=SystemClock())
    options = TelemetryOptions(directory=f"{state}/telemetry", journal=f"{state}/journal")
    engine = open_engine(options)
    follower = Follower(state / "journal", engine, bury=lambda *_: None)
    for part in range(2):
        rows = [Event(time=1 + DAY_NS * (n % DAYS), name=f"{part}/{n}") for n in range(ROWS)]
        frame = Frame(process=b"p" * 16, sequence=part + 1, blocks=(block_of("event", rows),))
        journal.append(encode_frame(frame), process=frame.process, sequence=frame.sequence)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        while part == 0 and (engine.exported != engine.stored or engine.busy()):
            engine.tend(now=time.time_ns(), everything=True)
    follower.close()
    engine.close()
    journal.close()
    return find_locations(state=str(state))


def rows_in(state, there):
    with open_readonly(state.state, telemetry=Path(there)) as store:
        return store.query(COUNT).records()


class TestMove:
    def test_has_every_row_by_table_and_day_and_the_journal_has_the_rest(self, state, tmp_path):
        moved = move(state, f"duckdb://{tmp_path}/there")

        assert sum(moved.rows["events"].values()) == ROWS
        assert len(moved.rows["events"]) == DAYS
        assert rows_in(state, tmp_path / "there") == [{"n": 2 * ROWS, "names": 2 * ROWS}]

    def test_says_how_many_records_wait_in_the_journal(self, state, tmp_path):
        moved = move(state, f"duckdb://{tmp_path}/there")
        told = CliRunner().invoke(
            command, ["--to", f"duckdb://{tmp_path}/there", "--state", str(state.state)]
        )

        assert 1 == moved.waiting_records
        assert "in the journal: 1 record; the agent brings them when it starts" in told.output

    def test_copies_again_only_what_is_missing_or_damaged(self, state, tmp_path):
        first = move(state, f"duckdb://{tmp_path}/there")
        one, two = sorted((tmp_path / "there" / "segments" / "events").rglob("*.parquet"))[:2]
        one.unlink()
        two.write_bytes(two.read_bytes()[:-1] + b"?")

        second = move(state, f"duckdb://{tmp_path}/there")

        assert first.copied == first.segments
        assert second.copied == 2
        assert rows_in(state, tmp_path / "there") == [{"n": 2 * ROWS, "names": 2 * ROWS}]

    def test_names_a_damaged_segment_and_lists_nothing(self, state, tmp_path):
        found = min((state.state / "telemetry" / "segments").rglob("*.parquet"))
        found.write_bytes(found.read_bytes()[:-1] + b"?")

        with pytest.raises(StoreError, match=found.name):
            move(state, f"duckdb://{tmp_path}/there")

        assert not (tmp_path / "there" / "manifest.json").exists()

    def test_refuses_the_place_it_is_in(self, state):
        with pytest.raises(StoreError, match="already"):
            move(state, f"duckdb://{state.state}/telemetry")

    def test_asks_for_the_package_that_speaks_to_clickhouse_or_for_a_server(self, state):
        with pytest.raises(StoreError):
            move(state, "clickhouse://127.0.0.1:1/qmon")

        assert not (state.state / "telemetry" / "outgoing").exists()

    def test_names_the_addresses_there_are(self, state):
        with pytest.raises(ConfigError, match="clickhouse://"):
            move(state, "postgresql://a/b")


class TestAStoppedState:
    def test_knows_how_far_a_clickhouse_has_everything(self, state):
        place = state.state / "telemetry"
        before = arrived_of(place)
        begin_at(place, Position(record_id=1), sender="somebody", gone=Gone())

        assert (Position(), Position(record_id=1)) == (before, arrived_of(place))

    def test_has_all_of_it_in_its_own_store(self, state):
        with open_readonly(state.state) as store:
            assert store.freshness is None


class TestRecordsBehind:
    def test_are_those_that_are_still_there(self, tmp_path):
        small = JournalOptions(segment_bytes=1 << 12)
        journal = Journal.open(tmp_path / "journal", options=small, clock=SystemClock())
        for number in range(50):
            journal.append(bytes(500), process=b"p" * 16, sequence=number + 1)
            journal.commit()
        whole = records_behind(tmp_path / "journal", 20)
        journal.cursors.save("store", Position(record_id=40))
        journal.trim()
        oldest = journal.status().oldest.record_id
        journal.close()

        assert 30 == whole
        assert 20 < oldest
        assert 50 - oldest == records_behind(tmp_path / "journal", 20)
        assert (5, 0) == tuple(records_behind(tmp_path / "journal", n) for n in (45, 50))
        assert 0 == records_behind(tmp_path / "none", 0)
