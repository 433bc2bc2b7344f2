"""netdata, for its StatsD alone: its other plug-ins are off here."""

from __future__ import annotations

from .statsd_taker import StatsdTaker

SETTINGS = """
[global]
    run as user = root
[directories]
    cache = {folder}/cache
    lib = {folder}/lib
    log = {folder}/log
[db]
    mode = ram
[ml]
    enabled = no
[health]
    enabled = no
[web]
    bind to = 127.0.0.1:{port}
[plugins]
    apps = no
    proc = no
    cgroups = no
    diskspace = no
    go.d = no
    python.d = no
    charts.d = no
    tc = no
    timex = no
    idlejitter = no
    statsd = yes
[statsd]
    enabled = yes
    bind to = udp:127.0.0.1:{udp}
    max private charts hard limit = 2000
"""


class Netdata(StatsdTaker):
    """What it takes by StatsD it keeps in memory."""

    name = "netdata"
    program = "netdata"
    tagged = True

    def command(self):
        for name in ("cache", "lib", "log"):
            (self.folder / name).mkdir()
        place = self.folder / "netdata.conf"
        place.write_text(SETTINGS.format(folder=self.folder, port=self.port, udp=self.udp))
        return [self.program, "-D", "-c", place, "-P", self.folder / "pid"]

    def ready(self):
        return bool(self.get("/api/v1/info")) and super().ready()
