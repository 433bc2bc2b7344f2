"""Our own agent, `qmon-agent run`, with the ways in that a load wants."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psutil

from bench.places import Agent
from bench.ports import free_port

from . import reached

PATHS = {
    "otlp": "/v1/traces",
    "sentry": "/api/1/envelope/",
    "remote_write": "/api/v1/write",
}
COUNTS = {
    "otlp": "SELECT count(*) AS n FROM spans WHERE service = 'bench'",
    "sentry": "SELECT count(*) AS n FROM errors",
    "remote_write": "SELECT count(*) AS n FROM points WHERE metric LIKE 'bench_%'",
    "exposition": "SELECT count(*) AS n FROM points WHERE metric LIKE 'bench_%'",
    "points": "SELECT count(*) AS n FROM points WHERE service = 'bench'",
    "statsd": "SELECT sum(CASE kind WHEN 'counter' THEN value ELSE count END) AS n "
    "FROM points WHERE metric LIKE 'bench.%'",
}
STORED = {
    "remote_write": ("gauges", "counted"),  # the first of a counter says where counting begins
    "exposition": ("gauges", "counted"),
}


class Qmon:
    """Samplers are off, so that what is counted is the load, unless `samplers` says otherwise."""

    name = "qmon"

    def __init__(self, *ways, samplers=False, settings="", **options):
        self.ways, self.samplers, self.options = ways, samplers, options
        self.settings = settings

    @staticmethod
    def is_here() -> bool:
        return True

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="qmon-bench-"))
        self.port = free_port()
        (self.folder / "qmon.toml").write_text(self._settings(), encoding="utf-8")
        self.agent = Agent(self.folder)
        try:
            asked = {"scope": "ingest", "name": "bench", "ttl_s": 86_400.0}
            self.token = self.agent.control.post("/api/tokens", asked)["token"]
            self.agent.wait_for_store()
            self.main = psutil.Process(self.agent.pid)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.agent.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settings(self) -> str:
        parts = [self.settings, f"[samplers]\nenabled = {str(self.samplers).lower()}"]
        if "statsd" in self.ways:
            parts.append(f'[sources.statsd]\nenabled = true\nlisten = "127.0.0.1:{self.port}"')
        if "exposition" in self.ways:
            parts.append(
                f'[[sources.prometheus.targets]]\nurl = "{self.options["target"]}"\n'
                'service = "bench"\ninterval_s = 1.0'
            )
        return "\n".join(parts)

    def address(self, way) -> dict:
        if way == "statsd":
            return {"port": self.port}
        key = f"sentry_key={self.token}" if way == "sentry" else ""
        url = f"{self.agent.url}{PATHS[way]}" + (f"?{key}" if key else "")
        headers = {} if key else {"authorization": f"Bearer {self.token}"}
        return {"url": url, "headers": headers}

    def settled(self, way, told) -> None:
        """Everything is in the tables, and the rules have seen it."""
        if told.get("lost"):
            raise AssertionError(f"{told['lost']} datagrams found no room")
        wanted = sum(told[part] for part in STORED.get(way, ("sent",)))
        reached(lambda: self.asked(COUNTS[way]), wanted, patience_s=300)
        # A last record of the agent's own may always be on its way.
        reached(lambda: min(0, 1 - self.agent.control.get("/api/status")["rules"]["lag"]), 0)

    def asked(self, sql) -> int:
        return int(self.agent.control.query({"sql": sql})["rows"][0]["n"] or 0)

    def family(self) -> list[psutil.Process]:
        return [self.main, *self.main.children(recursive=True)]
