"""Real backends that sinks send to: each started on loopback when first asked for, and shared."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path

import pytest
from ports import free_port
from servers import Asking, Server, program_here

RSYSLOG = """
global(workDirectory="{room}")
module(load="imudp") module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="all" type="string"
         string="%syslogseverity-text%|%app-name%|%structured-data%|%msg%\\n")
*.* action(type="omfile" file="{room}/log" template="all")
"""


class HttpServer(Server):
    """One that says by HTTP that it is ready."""

    def __init__(self, command, *, port, directory, ready="/"):
        super().__init__(command, port=port)
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"
        self.wait(lambda: self._is_ready(ready))

    def _is_ready(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=1):
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False


def room(name):
    return Path(tempfile.mkdtemp(prefix=f"qmon-{name}-"))


def prometheus():
    program, port, place = program_here("prometheus", "prometheus"), free_port(), room("prometheus")
    config = place / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\n")
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={place / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"]
    command += ["--enable-feature=native-histograms", "--log.level=error"]
    return HttpServer(command, port=port, directory=place, ready="/-/ready")


def victoria():
    program = program_here("victoria-metrics", "victoria-metrics")
    port, place = free_port(), room("victoria")
    command = [program, f"-storageDataPath={place}", f"-httpListenAddr=127.0.0.1:{port}"]
    command += ["-search.latencyOffset=0s", "-retentionPeriod=100y"]
    return HttpServer(command, port=port, directory=place, ready="/health")


def influxdb():
    program, port, place = program_here("influxd", "influxdb"), free_port(), room("influxdb")
    config = place / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\ndir = "{place}/meta"\n'
        f'[data]\ndir = "{place}/data"\nwal-dir = "{place}/wal"\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\n'
        "[monitor]\nstore-enabled = false\n"
    )
    command = [program, "-config", str(config)]
    return HttpServer(command, port=port, directory=place, ready="/ping")


def nats():
    program, port, place = program_here("nats-server", "nats-server"), free_port(), room("nats")
    command = [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(place)]
    server = Server(command, port=port)
    server.directory, server.url = place, f"nats://127.0.0.1:{port}"
    return server.wait()


def rsyslog():
    program, port, place = program_here("rsyslogd", "rsyslog"), free_port(), room("rsyslog")
    config = place / "rsyslog.conf"
    config.write_text(RSYSLOG.format(room=place, port=port))
    server = Server([program, "-n", "-f", str(config), "-i", str(place / "pid")], port=port)
    server.directory, server.log = place, place / "log"
    return server.wait()


def started(make):
    """Start it, and once more where somebody took the port between asking for it and listening."""
    try:
        return make()
    except RuntimeError:
        return make()


class Backends:
    """All of them; those that nobody asks for are never started."""

    prometheus = cached_property(lambda _: started(prometheus))
    victoria = cached_property(lambda _: started(victoria))
    influxdb = cached_property(lambda _: started(influxdb))
    nats = cached_property(lambda _: started(nats))
    rsyslog = cached_property(lambda _: started(rsyslog))

    def stop(self):
        for server in vars(self).values():
            server.stop()


@pytest.fixture(scope="session")
def running_backends():
    backends = Backends()
    yield backends
    backends.stop()


@pytest.fixture
def backends(running_backends, missing):
    """`backends.prometheus`, `victoria`, `influxdb`, `nats` and `rsyslog`."""
    return Asking(running_backends, missing)
