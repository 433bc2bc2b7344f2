"""Real servers for tests: each started on a loopback port when first asked for, and shared."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ports import free_port

PATIENCE_S = 30


class NotInstalledError(Exception):
    """A server's program is not on this machine; the text says how to get it."""


class Server:
    """One running program, where it listens, and the directory that goes with it."""

    directory = None

    def __init__(self, command, *, port, user=None):
        self.host, self.port = "127.0.0.1", port
        self._command, self._user = command, user
        self._begin()

    def _begin(self):
        user = self._user
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, **who,
        )  # fmt: skip

    def send(self, number):
        """A signal to it and all its children, those with groups of their own as well."""
        for each in (self._process.pid, *_children(self._process.pid)):
            os.kill(each, number)

    def kill(self):
        """SIGKILL to it and all its children."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def address(self):
        return self.host, self.port

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

    def wait(self, is_ready=None):
        deadline = time.monotonic() + PATIENCE_S
        while not (is_ready or self.answers)():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._process.args[0]} does not answer")
            time.sleep(0.02)
        return self

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


class Postgres(Server):
    """PostgreSQL in a directory of its own; the user `postgres` needs no password."""

    def __init__(self):
        programs = _programs("initdb", "/usr/lib/postgresql/*/bin", package="postgresql")
        user = _unprivileged("postgres")
        self.directory = Path(tempfile.mkdtemp(prefix="qmon-postgres-"))
        if user:
            shutil.chown(self.directory, user)
        data, port = self.directory / "data", free_port()
        who = {"user": user, "extra_groups": []} if user else {}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd=self.directory, **who,
        )  # fmt: skip
        options = ("listen_addresses=127.0.0.1", "fsync=off", f"unix_socket_directories={data}")
        command = [programs / "postgres", "-D", data, "-p", str(port)]
        for option in options:
            command += ["-c", option]
        super().__init__(command, port=port, user=user)
        self.wait(self._is_ready)

    def _is_ready(self):
        return "ready" in _text(self.directory / "data" / "postmaster.pid")

    def start_again(self):
        """At the same port, on what is on its disk."""
        (self.directory / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._begin()
        self.wait(self._is_ready)

    @property
    def dsn(self):
        return f"host={self.host} port={self.port} user=postgres dbname=postgres"

    @property
    def url(self):
        return f"postgresql://postgres@{self.host}:{self.port}/postgres"


def redis_server(*more):
    program, port = program_here("redis-server", package="redis-server"), free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server([program, *options, *more], port=port).wait()


def redis_cluster():
    """A cluster of one node, which has all the slots."""
    directory = Path(tempfile.mkdtemp(prefix="qmon-redis-"))
    settings = {
        "enabled": "yes",
        "config-file": directory / "nodes.conf",
        "port": free_port(),
    }
    options = [text for name, value in settings.items() for text in (f"--cluster-{name}", value)]
    server = redis_server(*map(str, options))
    server.directory = directory
    with socket.create_connection(server.address) as link:
        link.sendall(b"CLUSTER ADDSLOTSRANGE 0 16383\r\n")
        assert link.recv(64).startswith(b"+OK")

        def is_ready():
            link.sendall(b"CLUSTER INFO\r\n")
            return b"cluster_state:ok" in link.recv(4096)

        return server.wait(is_ready)


def memcached_server():
    program, port = program_here("memcached", package="memcached"), free_port()
    command = [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    user = _unprivileged("nobody")
    return Server([*command, *(["-u", user] if user else [])], port=port).wait()


class Answering(BaseHTTPRequestHandler):
    """Answers by path: `/to` leads to `/end`, `/bad` is a 503, everything else is fine."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response({"/to": 302, "/bad": 503}.get(self.path, 200))
        self.send_header("Location", "/end")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, *_):
        """Say nothing."""


class Web(ThreadingHTTPServer):
    """A small website; `heard` holds the path and headers of every request, in lower case."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.heard = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def handle_error(self, *_):
        """Clients may leave when they like."""

    def stop(self):
        self.shutdown()
        self.server_close()
        self._thread.join()


class Servers:
    """All of them; those that nobody asks for are never started."""

    postgres = cached_property(lambda _: Postgres())
    redis = cached_property(lambda _: redis_server())
    redis_cluster = cached_property(lambda _: redis_cluster())
    memcached = cached_property(lambda _: memcached_server())
    web = cached_property(lambda _: Web())

    def stop(self):
        for server in vars(self).values():
            server.stop()


class Asking:
    """The servers as a test sees them: one that cannot be had ends the test by `missing`."""

    def __init__(self, servers, missing):
        self._servers, self._missing = servers, missing

    def __getattr__(self, name):
        try:
            return getattr(self._servers, name)
        except NotInstalledError as error:
            return self._missing(str(error))


@pytest.fixture(scope="session")
def running_servers():
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture
def servers(running_servers, missing):
    """`servers.postgres`, `redis`, `memcached` and `web`: real, and started when named."""
    return Asking(running_servers, missing)


@pytest.fixture
def postgres(servers):
    return servers.postgres


@pytest.fixture
def redis_at(servers):
    return servers.redis


@pytest.fixture
def memcached_at(servers):
    return servers.memcached


def _children(pid):
    """Of a process that begins none, or ends any, meanwhile."""
    import psutil  # where only the SDK is installed, nobody asks

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def program_here(name, package):
    found = shutil.which(name)
    if found is None:
        raise NotInstalledError(f"{name} (apt-get install {package})")
    return found


def _programs(name, places, package):
    """Where a program and its siblings are, behind whatever link to one of them is on the path."""
    in_place = sorted(Path("/").glob(f"{places.lstrip('/')}/{name}"))
    return Path(os.path.realpath(in_place[-1] if in_place else program_here(name, package))).parent


def _unprivileged(user):
    """Servers refuse to run as root: name another user if that is who we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return user if user in known else "nobody"


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
