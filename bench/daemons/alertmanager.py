"""Alertmanager, which groups and passes on what Prometheus, or anybody, tells it."""

from __future__ import annotations

import json

from . import Daemon

SETTINGS = """
route:
  receiver: there
  group_by: {group_by}
  group_wait: {group_wait}
  group_interval: 1s
  repeat_interval: 4h
receivers:
- name: there
  webhook_configs: [{{url: "{url}"}}]
"""


class Alertmanager(Daemon):
    """With the labels to group by, how long a group waits, and the `url` to tell."""

    name = "alertmanager"
    program = "prometheus-alertmanager"

    def command(self):
        text = SETTINGS.format(
            url=self.options["url"],
            group_wait=self.options["group_wait"],
            group_by=json.dumps(self.options["group_by"]),
        )
        (self.folder / "alertmanager.yml").write_text(text)
        return [
            self.program,
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]

    def ready(self):
        return "OK" in self.get("/-/ready")
