"""gunicorn and uWSGI in all their ways: every request is at the agent once, whoever answered it."""

import signal

import pytest

REQUESTS = 60

WSGI = """
import qmon_sdk as qmon
from flask import Flask

app = Flask(__name__)

@app.get("/<int:n>")
def buy(n):
    with qmon.span("work", n=n):
        qmon.track("worked", {"n": n})
        qmon.count("done")
    if n % 10 == 0:
        raise RuntimeError("every tenth")
    return "done"
"""

ASGI = """
import qmon_sdk as qmon
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def buy(request):
    n = request.path_params["n"]
    with qmon.span("work", n=n):
        qmon.track("worked", {"n": n})
        qmon.count("done")
    if n % 10 == 0:
        raise RuntimeError("every tenth")
    return PlainTextResponse("done")

app = Starlette(routes=[Route("/{n:int}", buy)])
"""

# Until a worker has its own handlers it has those of its master, which only note a SIGTERM: one
# that comes so early is never acted on, and half a minute later there is a SIGKILL, rightly told.
SETTINGS = """
def post_worker_init(worker):
    print("worker is ready", flush=True)
"""
READY, STARTED = "worker is ready", "Application startup complete"

WORKERS = {
    "sync": (WSGI, (), READY),
    "gthread": (WSGI, ("--threads=4",), READY),
    "gevent": (WSGI, (), READY),
    "uvicorn_worker.UvicornWorker": (ASGI, (), STARTED),
}

ANSWERS = {200: REQUESTS - REQUESTS // 10, 500: REQUESTS // 10}


@pytest.fixture
def shop(tmp_path):
    """Write the application down."""
    return (tmp_path / "shop.py").write_text


class TestGunicorn:
    @pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["plain", "preload"])
    @pytest.mark.parametrize("worker", WORKERS)
    def test_tells_of_every_request_once(  # noqa: PLR0913 - asked for by name
        self, *, worker, preload, shop, start, port, ask, counted, agent, tmp_path
    ):
        source, options, is_ready = WORKERS[worker]
        shop(source)
        (tmp_path / "gunicorn.conf.py").write_text(SETTINGS)
        command = ("gunicorn", f"--bind=127.0.0.1:{port}", "--workers=2", "-k", worker)
        server = start(*command, *options, *preload, "shop:app")
        server.wait_for(is_ready, times=2)
        ask.wait()
        answers = ask(REQUESTS)
        server.stop()

        assert ANSWERS == answers
        counted(REQUESTS, server=1, internal=1, processes=(1, 2, 3))
        assert REQUESTS // 10 == len(agent.signals("error"))


MODES = {
    "forked": (),
    "forked, threads": ("--enable-threads", "--threads=3"),
    "lazy": ("--lazy-apps",),
    "lazy, threads": ("--lazy-apps", "--enable-threads"),
}


class TestUwsgi:
    @pytest.mark.parametrize("mode", MODES)
    def test_tells_of_every_request_once(  # noqa: PLR0913 - asked for by name
        self, *, mode, shop, start, port, ask, counted, agent
    ):
        shop(WSGI)
        command = ("pyuwsgi", f"--http-socket=127.0.0.1:{port}", "--master", "--processes=2")
        server = start(*command, "--need-app", "--die-on-term", *MODES[mode], "--module=shop:app")
        server.wait_for("WSGI app 0", times=2 if "lazy" in mode else 1)
        ask.wait()
        answers = ask(REQUESTS)
        server.stop(signal.SIGTERM)

        assert ANSWERS == answers
        # uWSGI may end a worker past Python's exit functions: the agent then reads what is in the
        # ring and tells of a death, and the last second of what was only counted is lost.
        counted(REQUESTS, server=1, internal=1, processes=(1, 2, 3), ends_well=False)
        raised = [error for error in agent.signals("error") if error.type == "RuntimeError"]
        assert REQUESTS // 10 == len(raised)
