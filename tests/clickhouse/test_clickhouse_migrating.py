"""An embedded store moved into ClickHouse: the same rows by the sums of both engines, each once."""

import json
import math
import subprocess
import sys
import time

import msgspec
import pytest

from qmon_agent.app.moving_house import move
from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.settings import find_locations
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Event, Log, Point, Span

DAY_NS, DAYS, ROWS = 86_400 * 10**9, 3, 50
SHOP = Resource(service="shop", host="box", attributes={"a": "b"})
AWKWARD = (
    Point(time=-1, metric="m", value=math.nan, buckets={-3: 4, 7: 1 << 40}),
    Point(time=DAY_NS - 1, metric="m", value=-0.0, minimum=-math.inf, maximum=5e-324),
    Point(time=DAY_NS, metric="m", value=0.1 + 0.2, attributes={"": "é,:", "b": "", "a": "\0"}),
    Log(time=2 * DAY_NS, body="' \\ \n \t ` 😀"),
)


class Agent:
    """What one leaves behind when it stops: journal, segments, and rows that are in neither."""

    def __init__(self, state):
        self.locations, self.sequence = find_locations(state=str(state)), 0
        self.options = TelemetryOptions(directory=f"{state}/telemetry", journal=f"{state}/journal")

    def store(self, *signals, exported):
        state = self.locations.state
        journal = Journal.open(state / "journal", options=JournalOptions(), clock=SystemClock())
        engine = open_engine(self.options)
        follower = Follower(state / "journal", engine, bury=lambda *_: None)
        self.sequence += 1
        process = self.sequence.to_bytes(16, "big")
        frame = Frame(process=process, sequence=1, resource=SHOP, blocks=blocks_of(signals))
        journal.append(encode_frame(frame), process=process, sequence=1)
        follower.follow(journal.commit(), max_bytes=1 << 20)
        while exported and (engine.exported != engine.stored or engine.busy()):
            engine.tend(now=time.time_ns(), everything=True)
        follower.close()
        engine.close()
        journal.close()


def events(count, start=0):
    return [Event(time=1 + DAY_NS * (n % DAYS), name=f"e{start + n}") for n in range(count)]


@pytest.fixture
def agent(bench):
    """One on whose heels the bench's engine could go on."""
    made = Agent(bench.directory)
    bench.close()
    bench.journal.close()
    made.store(*events(ROWS), *AWKWARD, exported=True)
    made.store(*events(ROWS, start=ROWS), Span(time=5, duration_ns=7), exported=False)
    return made


def moved(agent, bench):
    return move(agent.locations, bench.address)


class TestAskingAStoppedState:
    @pytest.mark.parametrize("asked", [["query", "FROM spans"], ["ask", "slowest_spans"]])
    def test_says_what_waits_in_the_journal(self, agent, tmp_path, asked):
        """All that an agent took, and had not stored when it ended."""
        target = f"chdb://{tmp_path}/own"
        (agent.locations.state / "qmon.toml").write_text(f'[store]\ntelemetry = "{target}"\n')
        run = [sys.executable, "-m", "qmon_agent.cli", *asked]
        run += ["--state", str(agent.locations.state)]

        done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
        told = subprocess.run([*run, "--json"], capture_output=True, check=True, timeout=60)

        assert "2 records of the journal are not stored yet" in done.stderr
        assert 2 == json.loads(told.stdout)["freshness"]["behind_records"]


class TestMove:
    def test_brings_every_row_hot_ones_too_and_says_what_they_add_up_to(self, agent, bench):
        said = moved(agent, bench)

        assert {f"1970-01-0{day}": n for day, n in ((1, 34), (2, 34), (3, 32))} == said.rows[
            "events"
        ]
        assert {"1969-12-31", "1970-01-01", "1970-01-02"} == said.rows["points"].keys()
        assert said.rows.keys() == said.checksums.keys() >= {"resources", "spans", "logs"}

    def test_leaves_an_agent_that_goes_on_where_the_other_was(self, agent, bench):
        moved(agent, bench)
        bench.journal = Journal.open(
            bench.directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        bench.open()
        bench.store(*events(10, start=1000))
        asked = "SELECT count(), uniqExact(name) FROM events"

        assert [[2 * ROWS + 10] * 2] == bench.rows(asked)

    def test_brings_what_was_forgotten_and_damaged_into_the_books(self, agent, bench):
        place = agent.locations.state / "telemetry"
        manifest = manifests.load(place)
        [logs] = [each for each in manifest.segments if each.table == "logs"]
        told = msgspec.structs.replace(
            manifest.setting_aside(logs), forgotten={"spans": 49, "events": 49}
        )
        manifests.save(place, told)
        moved(agent, bench)
        bench.journal = Journal.open(
            bench.directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        bench.open()
        kept = bench.engine.kept()

        assert ({"spans": 49, "events": 49}, {"logs": 1}) == (kept.forgotten, kept.damaged_rows)

    def test_sends_nothing_twice_and_what_is_new(self, agent, bench):
        first, again = moved(agent, bench), moved(agent, bench)
        agent.store(*events(10, start=200), exported=True)
        more = moved(agent, bench)

        assert (first.copied, again.copied) == (first.segments, 0)
        assert 0 < more.copied < more.segments
        assert 2 * ROWS + 10 == sum(more.rows["events"].values())

    def test_notices_a_row_that_is_another(self, agent, bench):
        moved(agent, bench)
        bench.open()
        events = bench.engine._server.layout.local(BY_NAME["events"])
        change = f"ALTER TABLE {events} UPDATE user_id = 'x' WHERE name = 'e3'"
        with bench.engine._server.asked() as client:
            client.command(f"{change} SETTINGS mutations_sync = 1")
        bench.close()

        with pytest.raises(StoreError, match="events of 1970-01-01 differs: here 34 rows"):
            moved(agent, bench)

    def test_names_a_damaged_segment(self, agent, bench):
        found = min((agent.locations.state / "telemetry" / "segments").rglob("*.parquet"))
        found.write_bytes(found.read_bytes()[:-1] + b"?")

        with pytest.raises(StoreError, match=found.name):
            moved(agent, bench)

    def test_refuses_a_database_that_has_rows_of_others(self, agent, bench, tmp_path):
        other = Agent(tmp_path / "other")
        other.store(*events(1), exported=True)
        moved(other, bench)

        with pytest.raises(StoreError, match="has rows already"):
            moved(agent, bench)

    def test_is_a_command_that_says_so_in_json(self, agent, bench):
        target = f"chdb://{bench.directory}/own"
        command = [sys.executable, "-m", "qmon_agent.cli", "migrate", "--to", target, "--json"]
        state = ["--state", str(agent.locations.state)]
        done = subprocess.run([*command, *state], capture_output=True, check=True, timeout=60)
        said = json.loads(done.stdout)

        assert (True, target) == (said["ok"], said["to"])
        assert said["rows"]["spans"].keys() == said["checksums"]["spans"].keys()
