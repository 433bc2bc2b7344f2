"""Writes a state directory as the agent of today leaves it: `python tests/golden/make_state.py v2`.

A generation is written once, when something below a state directory changes its form, and never
again: every later agent has to start over each of them (tests/journeys/test_journey_upgrade.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from qmon_agent.journal import JournalReader, Position
from qmon_agent.store.telemetry import TelemetryOptions, TelemetryStore

HERE = Path(__file__).parent
CONFIG = """
[http]
listen = "127.0.0.1:0"
[samplers]
enabled = false
[sources.flight]
enabled = false
[[alerts]]
name = "queue is long"
system = "shop"
metric = "queue"
threshold = "> 5"
"""
PROGRAM = """
import qmon_sdk as q
q.init(service="shop", release="1.0", environment="test", host="box")
for _ in range(20):
    with q.span("checkout"):
        pass
q.gauge("queue", 7)
q.track("bought")
try:
    raise ValueError("no such article")
except ValueError as problem:
    q.capture_exception(problem)
q.heartbeat("nightly")
assert q.flush(20), q.stats()
q.shutdown()
"""
COUNTS = "SELECT (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM errors) AS errors"


def make(generation: str) -> None:
    with tempfile.TemporaryDirectory() as room:
        state = Path(room, "state")
        state.mkdir()
        (state / "qmon.toml").write_text(CONFIG)
        live(state)
        asyncio.run(export(state))  # the first half as segments, the second in the hot store
        known = live(state, kill=True)
        (state / "known.json").write_text(json.dumps(known))
        (state / "journal/reserve").unlink()  # room on the disk, and nothing in it
        with tarfile.open(HERE / f"state/{generation}.tar.gz", "w:gz") as archive:
            archive.add(state, "state")


def live(state: Path, *, kill: bool = False) -> dict[str, object]:
    """One agent's life; what it knew at its end."""
    places = {"QMON_STATE_DIR": str(state), "QMON_SOCKET": str(state.with_name("agent.sock"))}
    environment = {**os.environ, **places}
    command = [sys.executable, "-m", "qmon_agent.cli"]
    agent = subprocess.Popen([*command, "run"], env=environment, stdout=subprocess.PIPE)
    agent.stdout.readline()
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)

    def ask(*words: str) -> dict[str, object]:
        return json.loads(subprocess.check_output([*command, *words, "--json"], env=environment))

    while (status := ask("status"))["store"]["lag"] or status["rules"]["lag"]:
        pass
    token = ask("token", "create", "--scope", "read")["token"]
    known = {"token": token, "counts": ask("query", COUNTS)["rows"][0]}
    known["captured"] = status["conservation"]["captured"]
    (agent.kill if kill else agent.terminate)()
    agent.wait()
    return known


async def export(state: Path) -> None:
    options = TelemetryOptions(directory=f"{state}/telemetry", journal=f"{state}/journal")
    store = TelemetryStore(options)
    await store.start()
    store.committed(end_of(state / "journal"))
    await store.export()
    await store.stop()


def end_of(journal: Path) -> Position:
    reader = JournalReader(journal)
    position = Position()
    while records := reader.read(max_bytes=1 << 20):
        position = records[-1].position
    reader.close()
    return position


if __name__ == "__main__":
    make(sys.argv[1])
