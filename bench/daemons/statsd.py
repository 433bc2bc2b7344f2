"""The StatsD that all others are named after, on Node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import NODE_MODULES
from .statsd_taker import StatsdTaker

SETTINGS = """{{
  port: {udp}, address: "127.0.0.1", mgmt_port: {port}, flushInterval: 1000,
  backends: ["./backends/console"], deleteIdleStats: true
}}
"""


class Statsd(StatsdTaker):
    """It knows no tags; what it adds up, it prints."""

    name = "statsd"
    program = "node"

    @classmethod
    def script(cls):
        return Path(os.environ.get(NODE_MODULES, "node_modules"), "statsd/stats.js")

    @classmethod
    def is_here(cls):
        return shutil.which(cls.program) is not None and cls.script().exists()

    def command(self):
        place = self.folder / "settings.js"
        place.write_text(SETTINGS.format(udp=self.udp, port=self.port))
        return [self.program, self.script().absolute(), place]
