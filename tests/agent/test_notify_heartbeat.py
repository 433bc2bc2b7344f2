"""The heartbeat: beats while all is well, none while it is not, and failures are told."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from qmon_agent.app.beating import Heart
from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.heartbeat import HeartbeatRunner, check_heartbeat
from qmon_agent.settings import Heartbeat
from qmon_agent.vitals import Vitals

WRONG = [{"url": "ftp://h"}, {"method": "DELETE"}, {"interval_s": 0.0}]


class Switch(ThreadingHTTPServer):
    """A dead man's switch that remembers who pressed it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pressed)
        self.pressed, self.status = [], 200
        self.place = f"http://127.0.0.1:{self.server_address[1]}"
        self.url = f"{self.place}/ping/5f2c-secret"


class _Pressed(BaseHTTPRequestHandler):
    def _press(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.pressed.append((self.command, self.path, body, dict(self.headers)))
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_HEAD = _press  # noqa: N815 - names of http.server

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def switch():
    switch = Switch()
    thread = Thread(target=switch.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield switch
    switch.shutdown()
    switch.server_close()
    thread.join()


def a_runner(url="", *, is_well=lambda: True, kept=None, **options):
    kept = [] if kept is None else kept
    return HeartbeatRunner(
        Heartbeat(url=url, **options), is_well=is_well, check_in=kept.append, vitals=Vitals()
    )


class TestHeartbeat:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("http://me:word@hc:8000/ping/1", "http://hc:8000"),
            ("https://[::1]:9/x", "https://[::1]:9"),
            ("", ""),
        ],
    )
    def test_is_shown_with_its_port_and_without_secrets(self, url, shown):
        assert shown == a_runner(url).describe()["to"]

    async def test_beats_by_get(self, switch):
        runner = a_runner(switch.url)
        await runner.beat()

        assert [("GET", "/ping/5f2c-secret")] == [each[:2] for each in switch.pressed]
        assert (1, "") == (runner.describe()["sent"], runner.error)

    async def test_sends_an_alert_that_always_fires_to_who_wants_one(self, switch):
        body = '[{"labels": {"alertname": "Watchdog"}}]'
        of = {"content-type": "application/json"}
        await a_runner(switch.url, method="POST", body=body, headers=of).beat()

        method, _, sent, headers = switch.pressed[0]
        assert ("POST", body.encode()) == (method, sent)
        assert "application/json" == headers["content-type"]

    async def test_goes_on_and_on(self, switch):
        running = asyncio.create_task(a_runner(switch.url, interval_s=0.01).run())
        async with asyncio.timeout(10):
            while len(switch.pressed) < 3:
                await asyncio.sleep(0.01)
        running.cancel()

    async def test_is_withheld_while_the_agent_is_not_well(self, switch):
        kept = []
        runner = a_runner(switch.url, is_well=lambda: False, kept=kept, monitor="a")
        await runner.beat()

        assert ([], []) == (switch.pressed, kept)
        assert 1 == runner.describe()["withheld"]

    @pytest.mark.parametrize("status", [302, 404, 500])
    async def test_tells_who_does_not_take_it_without_its_secret(self, switch, status):
        switch.status = status
        runner = a_runner(switch.url)
        await runner.beat()

        assert f"{switch.place}: HTTP {status}" == runner.error
        assert (1, 0) == (runner.describe()["failures"], runner.describe()["sent"])

    async def test_tells_of_nobody_there_without_its_secret(self, switch):
        runner = a_runner("http://127.0.0.1:1/ping/5f2c-secret")
        await runner.beat()

        refused = "the connection was refused: nothing listens there"
        assert f"http://127.0.0.1:1: {refused}" == runner.error

    async def test_forgets_trouble_with_the_next_beat_that_arrives(self, switch):
        runner = a_runner(switch.url)
        switch.status = 500
        await runner.beat()
        switch.status = 200
        await runner.beat()

        assert "" == runner.error

    @pytest.mark.parametrize("wrong", WRONG)
    def test_that_cannot_be_is_refused(self, wrong):
        with pytest.raises(ConfigError, match=f"heartbeat.{next(iter(wrong))}"):
            check_heartbeat(Heartbeat(**wrong))


class TestHeartOfAnAgent:
    async def test_beats_only_while_the_agent_is_ready(self, agent, switch):
        runner = agent.services.heart.runner(Heartbeat(url=switch.url))
        agent.health.watchdog.troubles = {"rules": "no tick for 31 s"}
        await runner.beat()
        agent.health.watchdog.troubles = {}
        await runner.beat()

        assert 1 == len(switch.pressed)

    async def test_is_told_in_the_status(self, agent, switch):
        switch.status = 500
        file = agent._plan.locations.config
        file.write_text(file.read_text() + f'[heartbeat]\nurl = "{switch.url}"\n')
        await agent.services.reload()
        async with asyncio.timeout(10):
            while not agent._config.heartbeat.error:
                await asyncio.sleep(0.01)

        status = await agent.desk.status()
        assert [f"heartbeat: {switch.place}: HTTP 500"] == status["problems"]
        assert "secret" not in str(status)

    async def test_checks_in_with_the_promise_of_the_next_beat(self, agent):
        sent = []
        heart = Heart(agent._plan, agent.parts, is_well=lambda: True)
        heart._process.submit = sent.extend
        await heart.runner(Heartbeat(monitor="agent of eu-1", interval_s=20)).beat()

        assert ("agent of eu-1", "ok") == (sent[0].monitor, sent[0].status)
        assert {"schedule": "every 20s"} == sent[0].attributes
