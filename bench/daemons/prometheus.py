"""Prometheus, which takes what others write to it, and scrapes."""

from __future__ import annotations

from . import Daemon, reached

SCRAPING = """
scrape_configs:
- job_name: bench
  scrape_interval: 1s
  static_configs: [{{targets: ["{target}"]}}]
"""
RULING = """
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]}}
"""
SAMPLES = {
    "server": 'prometheus_tsdb_head_samples_appended_total{type="float"}',
    "agent": "prometheus_agent_samples_appended_total",
}


class Prometheus(Daemon):
    """With `mode="agent"` it only keeps what it would pass on.

    With `rules` and the port of an `alertmanager` it judges by them, each second.
    """

    name = "prometheus"
    program = "prometheus"

    def command(self):
        mode = self.options.get("mode", "server")
        scraping = "exposition" in self.ways
        text = (
            SCRAPING.format(target=self.options.get("target", "").split("/")[2]) if scraping else ""
        )
        if rules := self.options.get("rules"):
            (self.folder / "rules.yml").write_text(rules)
            text += RULING.format(port=self.options["alertmanager"])
        (self.folder / "prometheus.yml").write_text(text or "global: {}\n")
        places = {
            "server": [f"--storage.tsdb.path={self.folder}/data"],
            "agent": ["--enable-feature=agent", f"--storage.agent.path={self.folder}/data"],
        }[mode]
        return [
            self.program,
            f"--config.file={self.folder}/prometheus.yml",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
            *places,
        ]

    def ready(self):
        return "Ready" in self.get("/-/ready")

    def address(self, _):
        return {"url": f"http://127.0.0.1:{self.port}/api/v1/write"}

    def taken(self):
        """Samples it has, as it tells."""
        return int(self.number("/metrics", SAMPLES[self.options.get("mode", "server")]))

    def settled(self, way, told):
        if way == "exposition":  # `up` and four more of each scrape are among what it counts
            reached(lambda: min(self.taken(), told["sent"]), told["sent"])
        else:
            reached(self.taken, told["sent"])
