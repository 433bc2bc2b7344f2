"""Probes in a whole agent: from the configuration to the stored points and the status."""

import asyncio
import json
import socket

CONFIG = """
[samplers]
enabled = false
[sinks.file]
path = "{path}"
[[probes]]
name = "door"
kind = "tcp"
host = "127.0.0.1"
port = {port}
interval = "100ms"
timeout = "100ms"
failures = 2
"""


def ups_in(path):
    lines = map(json.loads, path.read_text().splitlines() if path.exists() else ())
    points = (line["fields"] for line in lines if line["kind"] == "point")
    return [each["value"] for each in points if each["metric"] == "probe.up"]


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


class TestProbesOfAnAgent:
    async def test_become_points_and_follow_a_reload(self, agent, tmp_path):
        path, listening = tmp_path / "out", socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        file = agent._plan.locations.config
        file.write_text(CONFIG.format(path=path, port=port))

        await agent.services.reload()
        await until(lambda: 1.0 in ups_in(path))
        listening.close()
        await until(lambda: 0.0 in ups_in(path))

        told = (await agent.desk.status())["probes"]["door"]
        assert ("down", "tcp", f"127.0.0.1:{port}") == (
            *(told[key] for key in ("state", "kind", "target")),
        )
        file.write_text("[samplers]\nenabled = false\n")
        await agent.services.reload()
        assert {} == (await agent.desk.status())["probes"]

    async def test_that_are_wrong_leave_the_others_running(self, agent, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            right = CONFIG.format(path=tmp_path / "out", port=listening.getsockname()[1])
            file = agent._plan.locations.config
            file.write_text(right)
            await agent.services.reload()
            file.write_text(f'{right}\n[[probes]]\nname = "b"\nkind = "htp"\n')

            answer = await agent.services.reload()
            await until(lambda: 1.0 in ups_in(tmp_path / "out"))

        assert "htp" in answer
        assert "did you mean" in answer
