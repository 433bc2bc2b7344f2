"""The doors of a source that comes in by HTTP: the one port, one of its own, both at a reload."""

from __future__ import annotations

import socket

import httpx
import pytest

from qmon_agent.ingest.foreign import original_of
from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.frames import decode_frame


@pytest.fixture
async def shown(agent):
    made = await agent.desk.create_token("ingest", name="test", ttl_s=60)
    return {"authorization": f"Bearer {made['token']}"}


@pytest.fixture
def reload(agent):
    """Gives the agent further sections, while it runs."""
    file = agent._plan.locations.config
    before = file.read_text()

    async def reload(sections):
        file.write_text(before + sections)
        return await agent.services.reload()

    return reload


async def status_at(url, headers=None):
    async with httpx.AsyncClient(headers=headers) as client:
        return (await client.post(f"{url}/v1/traces", json={})).status_code


class TestAPortOfItsOwn:
    async def test_leads_to_the_source_by_the_same_gate(self, reload, shown, free_port):
        await reload(f'[sources.otlp]\nlisten = "127.0.0.1:{free_port}"\n')
        place = f"http://127.0.0.1:{free_port}"

        assert (401, 200) == (await status_at(place), await status_at(place, shown))
        async with httpx.AsyncClient() as client:
            assert 401 == (await client.get(f"{place}/api/status")).status_code

    async def test_is_closed_when_it_is_not_wanted_any_more(self, agent, reload, shown, free_port):
        await reload(f'[sources.otlp]\nlisten = "127.0.0.1:{free_port}"\n')
        await reload("")

        with pytest.raises(httpx.ConnectError):
            await status_at(f"http://127.0.0.1:{free_port}")
        assert 200 == await status_at(agent.ready["url"], shown)

    async def test_that_is_taken_is_told_with_its_option(self, reload):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]

            assert "sources.otlp.listen" in await reload(
                f'[sources.otlp]\nlisten = "127.0.0.1:{port}"\n'
            )


class TestWithASinkOfTheSameProtocol:
    async def test_messages_are_kept_as_they_came(self, agent, reload, shown):
        await reload('[sinks.backup]\nkind = "otlp"\nendpoint = "http://127.0.0.1:9"\n')
        span = {"traceId": "ab" * 16, "spanId": "cd" * 8}
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        async with httpx.AsyncClient(headers=shown) as client:
            sent = await client.post(f"{agent.ready['url']}/v1/traces", json=body)

        records = JournalReader(agent._plan.locations.journal).read(max_bytes=1 << 30)
        first, _ = (decode_frame(record.payload) for record in records)
        assert ("otlp", "traces", "application/json", sent.request.content) == original_of(first)
