"""The watchdog: who turns is alive, who hangs is named, and systemd hears nothing any more."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import pytest

from qmon_agent.app.stacks import stacks
from qmon_agent.app.watchdog import Watchdog
from qmon_agent.domain.pulses import Pulse

LOOK_S = 0.02


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Hand()


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Where a service manager would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield channel


@pytest.fixture
async def watching(agent, tmp_path):
    """A watchdog over a loop of ours, whose trouble a test decides."""
    notes, troubles = [], {}
    watchdog = Watchdog(
        lambda: dict(troubles),
        control=agent._doors.control,
        hung=tmp_path / "hung.json",
        note=notes.append,
        interval_s=LOOK_S,
        answer_s=1.0,
    )
    watchdog.notes, watchdog.given, watchdog.file = notes, troubles, tmp_path / "hung.json"
    watchdog.start()
    yield watchdog
    await watchdog.stop()


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(LOOK_S)


class TestPulse:
    def test_rests_for_ever_without_trouble(self, clock):
        pulse = Pulse(5, now=clock)
        with pulse:
            clock.now = 4.0
        clock.now = 1_000.0

        assert not pulse.trouble

    def test_is_in_trouble_when_a_turn_takes_too_long(self, clock):
        pulse = Pulse(5, now=clock)
        pulse.begin()
        clock.now = 6.0

        assert "stuck in one turn for 6 s" == pulse.trouble

    def test_goes_on_with_every_step(self, clock):
        pulse = Pulse(5, now=clock)
        for clock.now in (0.0, 4.0, 8.0):
            pulse.begin()

        assert not pulse.trouble


class TestWatchdog:
    async def test_tells_systemd_as_long_as_all_is_well(self, systemd, watching):
        told = [await asyncio.to_thread(systemd.recv, 100) for _ in range(5)]

        assert 4 == told.count(b"WATCHDOG=1")  # and READY=1, of the agent itself
        assert not watching.notes

    async def test_names_a_loop_that_hangs_and_tells_systemd_no_more(self, systemd, watching):
        watching.given["rules"] = "no tick for 31 s"
        await until(lambda: watching.troubles)
        await asyncio.to_thread(drained, systemd)
        await asyncio.sleep(5 * LOOK_S)

        assert ["loop rules hangs: no tick for 31 s"] == watching.notes
        assert [] == await asyncio.to_thread(drained, systemd)

    async def test_writes_down_where_everything_was(self, watching):
        watching.given["rules"] = "no tick for 31 s"
        await until(watching.file.exists)

        written = json.loads(watching.file.read_text())
        assert {"rules": "no tick for 31 s"} == written["loops"]
        assert any(
            "test_agent_watchdog.py" in line for line in written["stacks"]["thread MainThread"]
        ) or any(name.startswith("task ") for name in written["stacks"])

    async def test_takes_it_back_when_the_loop_goes_on(self, systemd, watching):
        watching.given["rules"] = "no tick for 31 s"
        await until(lambda: watching.troubles)
        watching.given.clear()
        await asyncio.to_thread(drained, systemd)
        await until(lambda: "every loop turns again" in watching.notes)

        assert not watching.file.exists()
        assert b"WATCHDOG=1" in await asyncio.to_thread(systemd.recv, 100)

    async def test_believes_no_single_look(self, watching):
        await until(watching._thread.is_alive)
        watching._judge({"rules": "no tick"})

        assert not watching.troubles

    async def test_finds_an_event_loop_that_takes_no_calls(self, watching):
        watching._loop = asyncio.new_event_loop()  # one that nobody runs

        try:
            assert "events" in await asyncio.to_thread(watching._asked)
        finally:
            watching._loop.close()

    async def test_finds_http_that_does_not_answer(self, tmp_path, watching):
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(tmp_path / "mute"))
            mute.listen()
            watching._control = tmp_path / "mute"

            assert ["http"] == [*await asyncio.to_thread(watching._asked)]


class TestLoops:
    async def test_are_all_well_in_an_agent_at_rest(self, agent):
        loops = (await agent.desk.status())["loops"]

        assert {"journal": "", "rules": ""} == loops

    async def test_know_of_rules_that_hang(self, agent):
        agent._housekeeping._turns["tick"] = time.monotonic() - 31

        assert {"rules"} == agent._loops.troubles().keys()

    async def test_know_of_a_journal_that_hangs(self, agent):
        agent.parts.taking.committer.pulse._since = time.monotonic() - 61

        assert {"journal"} == agent._loops.troubles().keys()

    async def test_that_hang_make_it_neither_alive_nor_ready(self, agent):
        agent.health.watchdog.troubles = {"rules": "no tick for 31 s"}

        assert ["hung"] == [*agent.health.unready()]
        assert "loop rules: no tick for 31 s" in (await agent.desk.status())["problems"]


class TestStacks:
    async def test_name_threads_and_tasks_and_show_no_values(self):
        secret, ended = "hush-hush-hush", threading.Event()
        thread = threading.Thread(target=ended.wait, name="waiting")
        thread.start()

        shown = stacks(asyncio.get_running_loop())

        ended.set()
        thread.join()
        assert any(line.endswith(" wait") for line in shown["thread waiting"])
        assert any(name.startswith("task ") for name in shown)
        assert secret not in json.dumps(shown)


def drained(channel):
    """The messages that wait."""
    channel.setblocking(False)
    told = []
    try:
        while True:
            told.append(channel.recv(100))
    except BlockingIOError:
        return told
    finally:
        channel.settimeout(10)
