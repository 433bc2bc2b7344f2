"""Sinks in a whole agent: configured, exchanged while it runs, drained when it stops."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from qmon_agent.app import Agent, make_plan
from qmon_agent.cli.doctor import _agent as look_at_agent
from qmon_agent.journal import Journal
from qmon_agent.settings import find_locations

HEAVY = ("google.protobuf", "opentelemetry.proto", "requests")
LIGHT = f"""
import sys
from qmon_agent.app import make_plan
from qmon_agent.app.checking import make_plugins
from qmon_agent.app.agent import Agent
from qmon_agent.settings import Settings

make_plugins(Settings(sinks={{"otlp": {{"endpoint": "http://localhost:4318"}}}}))
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def configure(agent_or_plan, text):
    locations = agent_or_plan._plan.locations
    locations.config.write_text(f"[samplers]\nenabled = false\n{text}")


def section(path, name="file"):
    return f'[sinks.{name}]\nkind = "file"\npath = "{path}"\n'


def spans_in(path):
    if not path.exists():
        return []
    lines = map(json.loads, path.read_text().splitlines())
    return [line["fields"]["time"] for line in lines if line["kind"] == "span"]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


class TestReload:
    async def test_begins_with_what_the_journal_holds(self, agent, frame, peer, tmp_path):
        path = tmp_path / "out"
        await agent.parts.taking.intake.take(frame(1), peer)
        configure(agent, section(path))

        await agent.services.reload()
        await agent.parts.taking.intake.take(frame(2), peer)

        await until(lambda: spans_in(path) == [1, 2])

    async def test_exchanges_only_the_sink_that_changed(self, agent, frame, peer, tmp_path):
        old, new, other = (tmp_path / name for name in ("old", "new", "other"))
        configure(agent, section(old) + section(other, "other"))
        await agent.services.reload()
        await agent.parts.taking.intake.take(frame(1), peer)
        await until(lambda: spans_in(old) == spans_in(other) == [1])

        configure(agent, section(new) + section(other, "other"))
        await agent.services.reload()
        await agent.parts.taking.intake.take(frame(2), peer)

        await until(lambda: (spans_in(new), spans_in(other)) == ([2], [1, 2]))
        assert [1] == spans_in(old)

    async def test_a_sink_taken_out_holds_back_nothing(self, agent, tmp_path):
        configure(agent, section(tmp_path / "out"))
        await agent.services.reload()
        cursors = agent.parts.taking.journal.cursors
        assert "sink.file" in cursors.all()

        configure(agent, "")
        await agent.services.reload()

        assert not [name for name in cursors.all() if name.startswith(("sink.", "sending."))]

    async def test_a_section_that_is_wrong_changes_nothing(self, agent, tmp_path):
        configure(agent, section(tmp_path / "out"))
        await agent.services.reload()

        configure(agent, "[sinks.file]\npth = 1\n")
        await agent.services.reload()

        assert ["file"] == [*(await agent._report.make())["sinks"]]
        assert "sinks.file.pth" in agent._config.error


class TestStatus:
    async def test_tells_of_each_sink(self, agent, frame, peer, tmp_path):
        configure(agent, section(tmp_path / "out"))
        await agent.services.reload()
        await agent.parts.taking.intake.take(frame(1), peer)
        await until(lambda: spans_in(tmp_path / "out"))

        sink = (await agent._report.make())["sinks"]["file"]

        assert (1, 0, "closed") == (sink["sent"], sink["rejected"], sink["breaker"])
        found = await asyncio.to_thread(lambda: [*look_at_agent(agent._plan.locations)])
        assert ["ok"] == [each.verdict for each in found if each.what == "sink file"]

    async def test_a_sink_that_takes_nothing_is_a_problem(self, agent, frame, peer, tmp_path):
        configure(agent, section(tmp_path))
        await agent.services.reload()
        await agent.parts.taking.intake.take(frame(1), peer)
        forwarder = agent.services.forwarding._running["file"]
        async with asyncio.timeout(20):
            while not forwarder.problem:
                await asyncio.sleep(0.1)

        [problem] = (await agent._report.make())["problems"]
        assert problem.startswith("sink file: 1 records wait: [Errno")


@pytest.fixture
def agent_home(tmp_path):
    """Places of an agent that has a file to write to."""
    state = tmp_path / "state"
    state.mkdir()
    config = '[http]\nlisten = "127.0.0.1:0"\n[samplers]\nenabled = false\n'
    (state / "qmon.toml").write_text(config + section(tmp_path / "out"))
    return find_locations(state=str(state), socket=str(tmp_path / "agent.sock"))


async def test_what_is_committed_when_it_stops_is_sent_still(agent_home, tmp_path, frame, peer):
    agent = Agent(make_plan(agent_home, with_store=False))
    await agent.start()
    await agent.settle()
    await agent.parts.taking.intake.take(frame(1), peer)

    await agent.stop()

    assert [1] == spans_in(tmp_path / "out")


async def test_dead_letters_of_before_are_counted_with_those_since(agent_home):
    earlier = Journal.open(agent_home.journal)
    earlier.bury(b"x", "sink loki: HTTP 400")
    earlier.close()
    agent = Agent(make_plan(agent_home, with_store=False))
    await agent.start()
    await agent.settle()
    await agent.parts.taking.keeper.bury(b"y", "sink loki: HTTP 404")

    letters = (await agent._report.make())["dead_letters"]

    await agent.stop()
    assert {"sink loki": 2} == letters


def test_an_agent_is_light_until_it_sends():
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)

    assert "[]" == ran.stdout.strip()
