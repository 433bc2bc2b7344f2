"""collectd, for its StatsD alone, with its numbers written to files."""

from __future__ import annotations

from .statsd_taker import StatsdTaker

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


class Collectd(StatsdTaker):
    """It knows no tags."""

    name = "collectd"
    program = "collectd"

    def command(self):
        place = self.folder / "collectd.conf"
        place.write_text(SETTINGS.format(folder=self.folder, udp=self.udp))
        return [self.program, "-f", "-C", place, "-P", self.folder / "pid"]
