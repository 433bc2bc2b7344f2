"""What an agent at rest carries, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
import types

import pytest

from qmon_agent.app.memory import give_back, resident_bytes
from qmon_agent.cli._front_doors import leave_closed

HEAVY = (
    *("qmon_sdk.spans", "qmon_sdk.recorder", "uvicorn.main", "starlette.applications"),
    *("psutil", "multiprocessing", "zstandard", "brotli", "cramjam", "requests", "urllib3"),
    *("prometheus_client", "opentelemetry", "google.protobuf", "grpc", "nats", "rich"),
    *("duckdb", "pyarrow", "alembic", "sentry_sdk"),
)
AT_REST = """
import os, signal, sys, threading, time
from qmon_agent.cli import main

def look():
    while not os.path.exists(sys.argv[3] + "/agent.json"):
        time.sleep(0.05)
    time.sleep(3)
    print("carries", *[name for name in os.environ["HEAVY"].split() if name in sys.modules])
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=look, daemon=True).start()
main()
"""


class TestAgentAtRest:
    def test_carries_nothing_that_only_some_senders_need(self, tmp_path):
        command = ["run", "--state", str(tmp_path), "--http", "127.0.0.1:0"]
        environment = {**os.environ, "HEAVY": " ".join(HEAVY), "QMON_SOCKET": f"{tmp_path}/s"}

        out = subprocess.run(
            [sys.executable, "-c", AT_REST, *command],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

        assert "carries" in out.stdout.splitlines(), out


class TestClosedDoors:
    @pytest.fixture
    def shop(self, tmp_path, monkeypatch):
        folder = tmp_path / "closed_shop"
        folder.mkdir()
        (folder / "__init__.py").write_text("from .till import TILL\nfrom . import store\n")
        (folder / "till.py").write_text("TILL = 7\n")
        (folder / "store.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        yield "closed_shop"
        for name in [name for name in sys.modules if name.startswith("closed_shop")]:
            del sys.modules[name]

    def test_let_into_the_rooms_without_running(self, shop):
        leave_closed({shop: {}})

        import closed_shop.till

        assert 7 == closed_shop.till.TILL
        assert "closed_shop.store" not in sys.modules

    def test_run_at_the_first_use_of_a_name(self, shop):
        leave_closed({shop: {}})

        from closed_shop import TILL

        assert 7 == TILL
        assert "closed_shop.store" in sys.modules
        with pytest.raises(AttributeError):
            sys.modules[shop].nothing_of_the_kind  # noqa: B018 - that it is asked for is the test

    def test_give_out_what_is_known_to_be_in_a_room(self, shop):
        leave_closed({shop: {"TILL": "closed_shop.till"}})

        from closed_shop import TILL

        assert 7 == TILL
        assert "closed_shop.store" not in sys.modules

    def test_are_not_opened_by_who_asks_every_module(self, shop):
        leave_closed({shop: {}})

        assert not hasattr(sys.modules[shop], "__warningregistry__")
        assert "closed_shop.till" not in sys.modules

    def test_leave_what_runs_already_and_what_is_not_there(self, shop):
        running = __import__(shop)

        leave_closed({shop: {}, "closed_for_ever": {}})

        assert sys.modules[shop] is running
        assert isinstance(running.store, types.ModuleType)
        assert "closed_for_ever" not in sys.modules


class TestMemory:
    def test_is_told_in_bytes(self):
        assert 5_000_000 < resident_bytes() < 100_000_000_000

    def test_is_given_back_without_harm(self):
        give_back()

        assert resident_bytes() > 0
