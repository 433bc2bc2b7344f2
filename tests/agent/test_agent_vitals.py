"""What the agent tells of itself: health for probes, numbers for Prometheus, points for tables."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from qmon_agent.app.itself import Itself
from qmon_agent.http.exposition import exposition
from qmon_agent.http.meanings import help_of
from qmon_agent.journal import JournalReader
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame


@pytest.fixture
async def client(agent):
    async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:
        yield client


@pytest.fixture
async def reader(agent):
    made = await agent.desk.create_token("read", name="", ttl_s=60)
    return {"authorization": f"Bearer {made['token']}"}


@pytest.fixture
def itself(agent):
    """Read by hand, instead of every half a minute."""
    return Itself(agent._plan, agent.parts, report=agent._report, health=agent.health)


def points_of(agent):
    records = JournalReader(agent._plan.locations.journal).read(max_bytes=1 << 30)
    frames = [decode_frame(record.payload) for record in records]
    return [
        (frame.resource.service, row)
        for frame in frames
        for block in frame.blocks
        for row in rows_of(block)
    ]


class TestHealth:
    async def test_is_told_in_json(self, client):
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

        assert {"version": 1, "alive": True, "reasons": []} == alive.json()
        assert {"version": 1, "ready": True, "reasons": []} == ready.json()

    async def test_names_loops_that_hang_to_strangers_and_why_to_readers(
        self, agent, client, reader
    ):
        agent.health.watchdog.troubles = {"rules": "no tick for 31 s"}

        strange, known = await client.get("/healthz"), await client.get("/healthz", headers=reader)

        assert (503, {"version": 1, "alive": False, "reasons": ["rules"]}) == (
            strange.status_code,
            strange.json(),
        )
        assert {"rules": "no tick for 31 s"} == known.json()["details"]

    @pytest.mark.parametrize("stage", ["starting", "stopping"])
    async def test_is_not_ready_before_and_after(self, agent, client, stage):
        agent.health.stage = stage

        answer = await client.get("/readyz")

        assert (503, [stage]) == (answer.status_code, answer.json()["reasons"])
        assert 200 == (await client.get("/healthz")).status_code

    async def test_is_not_ready_while_the_disk_takes_nothing(self, agent, client, reader):
        agent.parts.taking.journal._trouble = "disk_full"

        answer = await client.get("/readyz", headers=reader)

        assert {"journal": "the journal is not written: disk_full"} == answer.json()["details"]


class TestMetrics:
    async def test_are_as_promtool_wants_them(self, agent, client, reader, itself, missing):
        promtool = shutil.which("promtool") or missing("promtool (Debian: prometheus)")
        agent.parts.vitals.add("odd", 2, reason='a "quote", a \\ and a\nline')
        itself._write_down(await agent.desk.status())
        text = (await client.get("/metrics", headers=reader)).text

        command = [promtool, "check", "metrics"]
        checked = await asyncio.to_thread(
            subprocess.run, command, input=text.encode(), capture_output=True, check=False
        )

        assert (0, b"") == (checked.returncode, checked.stderr + checked.stdout)

    async def test_are_open_metrics_for_who_asks(self, agent, client, reader):
        agent.parts.vitals.add("scrapes")
        accept = {"accept": "application/openmetrics-text; version=1.0.0"}

        answer = await client.get("/metrics", headers={**reader, **accept})

        families = {each.name: each.type for each in text_string_to_metric_families(answer.text)}
        assert "counter" == families["qmon_agent_scrapes"]
        assert answer.headers["content-type"].startswith("application/openmetrics-text")

    def test_have_a_help_for_every_name(self):
        vitals = Vitals()
        vitals.add("sink_cursor_failures", sink="a")

        help_line = exposition(vitals).splitlines()[0]

        words = "Sinks counted this as `cursor failures`."
        assert f"# HELP qmon_agent_sink_cursor_failures_total {words}" == help_line

    @pytest.mark.parametrize("name", ["datagrams_lost", "otlp_rejected", "odd", "store_odd_ones"])
    def test_are_explained_in_sentences(self, name):
        assert help_of(name)[0].isupper()
        assert help_of(name).endswith(".")

    async def test_say_that_the_books_add_up(self, agent, client, reader, itself):
        itself._write_down(await agent.desk.status())

        text = (await client.get("/metrics", headers=reader)).text

        assert "qmon_agent_signals_add_up 1\n" in text
        assert 'qmon_agent_signals{account="captured"} 0\n' in text


class TestItself:
    async def test_is_kept_as_points_of_a_service_of_its_own(self, agent, itself):
        running = asyncio.create_task(itself.run())
        await until(lambda: points_of(agent))
        running.cancel()

        told = {row.metric: row for service, row in points_of(agent) if service == "qmon-agent"}
        assert (1.0, "gauge") == (told["qmon.agent.ready"].value, told["qmon.agent.ready"].kind)

    async def test_tells_of_counters_what_they_grew(self, agent, itself):
        agent.parts.vitals.add("odd", 3)
        first = [point for point in itself._points(1) if point.metric == "qmon.agent.odd"]
        agent.parts.vitals.add("odd", 2)
        second = [point for point in itself._points(2) if point.metric == "qmon.agent.odd"]
        third = [point for point in itself._points(3) if point.metric == "qmon.agent.odd"]

        assert [[3.0], [2.0], []] == [
            [point.value for point in points] for points in (first, second, third)
        ]

    def test_forgets_gauges_of_what_is_gone(self):
        vitals = Vitals()
        vitals.gauges_anew("sink_lag", {(("sink", "old"),): 3.0})
        vitals.gauges_anew("sink_lag", {(("sink", "new"),): 0.0})

        assert {'sink_lag{sink="new"}': 0.0} == vitals.read()


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)
