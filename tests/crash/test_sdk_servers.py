"""A real Flask application under gunicorn, preloaded: every worker reports for itself."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

WORKERS, CLIENTS, REQUESTS = 4, 8, 25
ALL = CLIENTS * REQUESTS

APPLICATION = """
import os
import flask
import qmon_sdk as qmon

qmon.init(integrations=("flask",))
qmon.track("loaded")
app = flask.Flask(__name__)

@qmon.instrument
def price(number):
    qmon.current_span().set_attribute("number", number)
    return number

@app.get("/buy/<int:number>")
def buy(number):
    qmon.set_user({"id": f"u{number}"})
    price(number)
    qmon.track("bought", {"number": number})
    qmon.count("orders")
    if number % 10 == 0:
        raise RuntimeError(f"order {number}")
    return {"number": number, "pid": os.getpid()}
"""


@pytest.fixture
def shop(agent, tmp_path):
    """Start the shop with options for gunicorn, and answer its port."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    log = tmp_path / "gunicorn.log"
    servers = []

    def start(*options: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--preload", f"--workers={WORKERS}"]
        places = [f"--bind=127.0.0.1:{port}", f"--chdir={tmp_path}", f"--pythonpath={tmp_path}"]
        with log.open("w") as output:
            servers.append(
                subprocess.Popen(
                    [*command, *places, *options, "shop:app"],
                    stdout=output,
                    stderr=output,
                    env=agent.environment(),
                )
            )
        wait_for_workers(log)
        return port

    yield start
    for server in servers:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def wait_for_workers(log) -> None:
    deadline = time.monotonic() + 20
    while log.read_text().count("Booting worker") < WORKERS:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def buy(port: int, client: int, answers: list) -> None:
    """Buy some numbers that nobody else buys, each over a connection of its own."""
    for number in range(client * REQUESTS, (client + 1) * REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/buy/{number}")
        answers.append(connection.getresponse().status)
        connection.close()


def buy_at_once(port: int) -> Counter:
    answers: list[int] = []
    clients = [threading.Thread(target=buy, args=(port, n, answers)) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return Counter(answers)


class TestGunicornWithPreload:
    @pytest.mark.parametrize("options", ["-k sync", "-k gthread --threads 4"])
    def test_every_worker_reports_for_itself(self, *, options, shop, agent, measured):
        answers = buy_at_once(shop(*options.split()))
        bought = [event for event in agent.wait_for("event", ALL + 1) if event.name == "bought"]
        spans = agent.wait_for("span", 2 * ALL)
        errors = agent.wait_for("error", ALL // 10)
        processes = {frame.process for frame in agent.frames()}

        measured(answers=dict(answers), spans=len(spans), processes=len(processes))
        assert {200: ALL - ALL // 10, 500: ALL // 10} == answers
        assert set(map(str, range(ALL))) == {event.attributes["number"] for event in bought}
        assert all(f"u{event.attributes['number']}" == event.user_id for event in bought)
        assert (ALL, ALL) == tuple(map(len, (bought, of_kind(spans, "server"))))
        assert ALL == len({span.attributes["number"] for span in of_kind(spans, "internal")})
        assert ALL // 10 == len(errors)
        assert 2 <= len(processes) <= WORKERS + 1


def of_kind(spans, kind: str):
    return [span for span in spans if span.kind == kind]
