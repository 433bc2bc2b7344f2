"""collectd, for its StatsD alone, with its numbers written to files."""

from __future__ import annotations

import socket

from . import Daemon, free_port
from .netdata import listens

SETTINGS = """
BaseDir "{folder}"
Interval 1
LoadPlugin statsd
LoadPlugin csv
<Plugin statsd>
  Host "127.0.0.1"
  Port "{udp}"
  TimerPercentile 50.0
  TimerPercentile 99.0
</Plugin>
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
"""


class Collectd(Daemon):
    """It knows no tags."""

    name = "collectd"
    program = "collectd"

    def command(self):
        self.udp = free_port(socket.SOCK_DGRAM)
        place = self.folder / "collectd.conf"
        place.write_text(SETTINGS.format(folder=self.folder, udp=self.udp))
        return [self.program, "-f", "-C", place, "-P", self.folder / "pid"]

    def ready(self):
        return listens(self.udp)

    def address(self, _):
        return {"port": self.udp, "tagged": False}

    def settled(self, _, told):
        if told["lost"]:
            raise AssertionError(f"{told['lost']} datagrams found no room")
