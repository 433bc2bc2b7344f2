"""A journal, an engine on chdb in this process, and what was put aside."""

import importlib.util
import os
import tempfile
import time
from pathlib import Path

import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.following import Follower, Intake
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame

PROCESS = bytes(range(16))
SHOP = Resource(service="shop", release="7", environment="test", host="box")


class Bench:
    """What an agent does between its journal and its store, step by step."""

    def __init__(self, directory, address, **options):
        self.directory, self.address, self.options = directory, address, options
        self.buried, self.sequence = [], 0
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.open()

    def open(self):
        options = TelemetryOptions(
            directory=str(self.directory / "telemetry"),
            journal=str(self.directory / "journal"),
            address=self.address,
            **self.options,
        )
        self.engine = open_engine(options)
        self.follower = Follower(
            self.directory / "journal",
            Intake(self.engine),
            bury=lambda record, reason: self.buried.append((record.sequence, reason)),
        )

    def close(self):
        self.follower.close()
        self.engine.close()

    def reopen(self):
        self.close()
        self.open()

    def write(self, *blocks, resource=SHOP):
        self.sequence += 1
        frame = Frame(process=PROCESS, sequence=self.sequence, resource=resource, blocks=blocks)
        self.journal.append(encode_frame(frame), process=PROCESS, sequence=self.sequence)

    def follow(self):
        end = self.journal.commit()
        while self.engine.ready() and self.follower.follow(end, max_bytes=1 << 20):
            pass

    def store(self, *signals, resource=SHOP):
        self.write(*blocks_of(signals), resource=resource)
        self.follow()

    def tend(self):
        """Look whether something is to be given up, as if ten minutes had passed."""
        self.engine._looked = 0
        self.engine.tend(now=time.time_ns())
        while self.engine.busy():
            time.sleep(0.01)

    def ask(self, sql, **more):
        question = Question(sql=sql, **{"limit": 100, "timeout_s": 10.0, **more})
        return self.engine.ask(question, Watch())

    def rows(self, sql, **more):
        return self.ask(sql, **more).rows


CLUSTER = """<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers><main><shard>
    <internal_replication>true</internal_replication>
    <replica><host>127.0.0.1</host><port>9000</port></replica>
  </shard></main></remote_servers>
</clickhouse>
"""
"""Of one engine: itself, at the port that would be its own if it listened."""
DISTRIBUTED = "?cluster=main" if os.environ.get("QMON_TEST_CLICKHOUSE_DISTRIBUTED") else ""


def chdb_in(directory, options=""):
    """The address of an engine in this process, by way of distributed tables if that is wanted."""
    (directory / "chdb.xml").write_text(CLUSTER)
    return f"chdb://{directory}/chdb{options or DISTRIBUTED}"


@pytest.fixture(scope="session")
def chdb_address():
    """The one folder that the engine of this process may have."""
    with tempfile.TemporaryDirectory(prefix="qmon-chdb-", ignore_cleanup_errors=True) as folder:
        yield chdb_in(Path(folder))


@pytest.fixture
def bench(tmp_path, chdb_address, missing):
    """An empty store, on the server that QMON_TEST_CLICKHOUSE names or in this process."""
    server = os.environ.get("QMON_TEST_CLICKHOUSE")
    if not server and not importlib.util.find_spec("chdb"):
        missing("chdb, or a server named by QMON_TEST_CLICKHOUSE,")
    made = Bench(tmp_path, server or chdb_address)
    with made.engine._server.asked() as client:
        client.command(f"DROP DATABASE IF EXISTS {client.database} SYNC")
    made.reopen()
    yield made
    made.close()
