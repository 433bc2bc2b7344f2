"""`forget` through kills: whatever is killed when, in the end nothing of the user is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from qmon_agent.store.telemetry import open_readonly
from tests.journeys.conftest import Home

ANN = "ann-smith-4711"
PROGRAM = f"""
import qmon_sdk as q
q.init(service="shop")
for number in range(40):
    q.set_user({{"id": "{ANN}" if number % 2 else "bob"}})
    with q.span("checkout"):
        q.track("bought")
assert q.flush(20), q.stats()
q.shutdown()
"""
ABOUT = (
    f"SELECT (SELECT count(*) FROM spans WHERE user_id = '{ANN}'), "
    "(SELECT count(*) FROM spans WHERE user_id = 'bob')"
)
ROUNDS = int(os.environ.get("QMON_CRASH_ROUNDS", "4"))


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.end()


def begin_to_forget(home):
    command = [sys.executable, "-m", "qmon_agent.cli", "forget", ANN, "--wait", "0s"]
    subprocess.run(command, check=False, env=home.environment, capture_output=True)


def files_with(home, word):
    return [
        path
        for path in home.state.rglob("*")
        if path.is_file() and word.encode() in path.read_bytes()
    ]


class TestForgetting:
    def test_leaves_nothing_of_the_user_and_everything_of_the_others(self, home):
        home.start()
        home.program(PROGRAM)
        would = home.ask("forget", ANN, "--dry-run")
        done = home.ask("forget", ANN)["request"]
        answer = home.ask("query", ABOUT)
        assert "rows" in answer, answer
        ((about, others),) = [row.values() for row in answer["rows"]]
        status = home.ask("status")

        assert would["report"]["store"]["removed"] == {"spans": 20, "events": 20}
        assert done["report"]["store"]["removed"] == {"spans": 20, "events": 20}
        assert (done["finished"], about, others) == (True, 0, 20)
        assert status["conservation"]["dropped_by_reason"]["span/forgotten"] == 20
        assert status["conservation"]["adds_up"]
        home.until(lambda: not files_with(home, ANN))

    @pytest.mark.parametrize("seed", range(ROUNDS))
    def test_goes_on_after_a_kill(self, home, seed):
        chance = random.Random(seed)
        agent = home.start()
        home.program(PROGRAM)
        begin_to_forget(home)
        for _ in range(2):
            time.sleep(chance.uniform(0, 1.2))
            agent.send_signal(signal.SIGKILL)
            agent.wait()
            agent = home.start()
        home.until(lambda: all(each["finished"] for each in requests_of(home)))
        agent.terminate()
        agent.wait()
        with open_readonly(home.state) as store:
            ((about, others),) = store.query(ABOUT).rows

        assert (about, others) == (0, 20)
        assert not files_with(home, ANN)


def requests_of(home):
    from pathlib import Path

    from qmon_agent.cli._control import Control, whereabouts
    from qmon_agent.settings import find_locations

    there = whereabouts(find_locations(state=str(home.state)))
    try:
        return Control(Path(there["control"])).get("/api/forget")["requests"]
    except Exception:  # noqa: BLE001 - it is starting
        return [{"finished": False}]
