"""A real Prometheus is told to come later, and does: it repeats what gets a 503, and only that."""

from __future__ import annotations

import asyncio
import shutil

import httpx
import pytest

from qmon_agent.ingest.shares import Level


@pytest.fixture
async def prometheus(agent, tmp_path, missing, free_port):
    """One that watches itself, and writes to the agent what it sees."""
    program = shutil.which("prometheus") or missing("prometheus (Debian: prometheus)")
    token = await agent.desk.create_token("ingest", name="prometheus", ttl_s=600)
    config, port = tmp_path / "prometheus.yml", free_port
    config.write_text(
        "global: {scrape_interval: 1s}\nremote_write:\n"
        f"- url: {agent.ready['url']}/api/v1/write\n"
        f"  authorization: {{credentials: {token['token']}}}\n"
        "  queue_config: {batch_send_deadline: 100ms, min_backoff: 30ms}\nscrape_configs:\n"
        f"- job_name: itself\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    )
    where = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data"]
    quiet = ["--log.level=error", f"--web.listen-address=127.0.0.1:{port}"]
    process = await asyncio.create_subprocess_exec(program, *where, *quiet)
    yield f"http://127.0.0.1:{port}/metrics"
    process.terminate()
    await process.wait()


async def until(is_so, seconds=60):
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.1)


async def told(url, name):
    """The sum of a counter of its remote storage."""
    async with httpx.AsyncClient() as client:
        try:
            text = (await client.get(url)).text
        except httpx.TransportError:
            return 0.0  # it begins
    lines = (line for line in text.splitlines() if line.startswith(name))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_loses_nothing_while_the_agent_has_no_memory(agent, prometheus):
    intake, vitals = agent.parts.taking.intake, agent.parts.vitals
    intake.admission.squeeze(Level.FULL)

    async def has_repeated():
        return await told(prometheus, "prometheus_remote_storage_samples_retried_total") > 0

    await until(has_repeated)
    assert 0 == vitals.count("remote_write_samples")
    intake.admission.squeeze(Level.FREE)

    async def has_written():
        return vitals.count("remote_write_samples") > 0

    await until(has_written)
    assert 0 == await told(prometheus, "prometheus_remote_storage_samples_failed_total")
    assert vitals.count("messages_refused") > 0
