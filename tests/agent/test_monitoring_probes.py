"""Probes against real servers, and the runner that asks at their pace."""

import asyncio
import http.server
import socket
import ssl
import threading
import time

import pytest
import trustme

from qmon_agent.domain.errors import ConfigError
from qmon_agent.monitoring import ProbeRunner, make_probes
from qmon_agent.monitoring.probes import PROBES, Checked, UnknownError
from qmon_agent.monitoring.probing import Watched
from qmon_agent.monitoring.verdicts import Standing, step, verdict_of
from qmon_agent.vitals import Vitals


def ask(kind, timeout_s=3.0, **options):
    try:
        return PROBES.build(kind, options).check(timeout_s)
    except Exception as problem:  # noqa: BLE001 - what a probe raises is what is judged
        return problem


def verdict(kind, timeout_s=3.0, **options):
    return verdict_of(ask(kind, timeout_s, **options))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({"/bad": 503, "/to": 302}.get(self.path, 200))
        self.send_header("Location", "/end")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path_factory.mktemp("ca") / "ca.pem")
    return authority


@pytest.fixture
def ca(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def secure(authority):
    """The port of an HTTPS server on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.handle_error = lambda *_: None  # a handshake that a client refuses is what is tested
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def answering():
    """Starts a server that answers every connection with these bytes, and then holds on to it."""
    opened = []

    def start(answer):
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)
        threading.Thread(target=serve, args=(listening, answer, opened), daemon=True).start()
        return listening.getsockname()[1]

    yield start
    for each in opened:
        each.close()


def serve(listening, answer, opened):
    while True:
        try:
            link, _ = listening.accept()
        except OSError:
            return
        opened.append(link)
        for byte in answer if isinstance(answer, list) else [answer]:
            try:
                link.sendall(byte)
            except OSError:
                break
            time.sleep(0.05 if isinstance(answer, list) else 0)


class TestHttp:
    def test_tells_each_phase_and_when_the_certificate_ends(self, secure, ca):
        found = ask("http", url=f"https://localhost:{secure}/", ca=ca, contains="hell")

        told = {each.metric: each for each in found.numbers}
        phases = {each.attributes.get("probe.phase") for each in found.numbers}
        assert "" == found.problem
        assert {"dns", "connect", "tls", "first_byte", "transfer"} <= phases
        assert 0 < told["probe.tls.expires_in"].value
        assert 200 == told["probe.http.response.status_code"].value

    def test_is_down_by_status_body_redirect_and_trust(self, secure, ca):
        url = f"https://localhost:{secure}"
        wrong = {
            "status": {"url": f"{url}/bad"},
            "body": {"url": url, "matches": "^bye"},
            "redirect": {"url": f"{url}/to", "redirects_to": "/other"},
        }

        assert [*wrong] == [verdict("http", ca=ca, **each).type for each in wrong.values()]
        assert "certificate" == verdict("http", url=url).type
        assert "certificate" == verdict("http", url=url, ca=ca, certificate_days=1e6).type

    def test_follows_where_it_is_led(self, secure, ca):
        assert "up" == verdict("http", url=f"https://localhost:{secure}/to", ca=ca).outcome

    def test_is_down_in_time_where_a_byte_comes_now_and_then(self, answering):
        port = answering([b"H"] * 200)
        begun = time.monotonic()

        assert "timeout" == verdict("http", 0.5, url=f"http://127.0.0.1:{port}/").type
        assert time.monotonic() - begun < 2

    def test_is_down_where_something_else_answers(self, answering):
        port = answering(b"SSH-2.0-x\r\n")

        assert "connection" == verdict("http", 0.5, url=f"http://127.0.0.1:{port}/").type

    @pytest.mark.parametrize("url", ["", "ftp://x/", "http://", "http://x:99999/"])
    def test_refuses_what_is_no_url(self, url):
        with pytest.raises(ConfigError):
            PROBES.build("http", {"url": url})


class TestTls:
    def test_tells_how_long_a_certificate_is_good(self, secure, ca):
        assert "up" == verdict("tls", host="localhost", port=secure, ca=ca).outcome
        early = verdict("tls", host="localhost", port=secure, ca=ca, days=1e6)
        assert ("down", "certificate") == (early.outcome, early.type)

    def test_cannot_judge_without_authorities(self, secure):
        assert "unknown" == verdict("tls", host="localhost", port=secure, ca="/no/such").outcome


class TestTcp:
    def test_hears_what_is_expected(self, answering):
        port = answering(b"SSH-2.0-x\r\n")

        assert "up" == verdict("tcp", host="127.0.0.1", port=port, expect="SSH-2").outcome
        assert "timeout" == verdict("tcp", 0.3, host="127.0.0.1", port=port, expect="SMTP").type

    def test_is_told_whether_somebody_listens_without_connecting(self, answering):
        assert "up" == verdict("port", port=answering(b"")).outcome


class TestRedis:
    def test_says_pong(self, redis_at):
        host, port = redis_at.address

        assert "up" == verdict("redis", host=host, port=port).outcome
        assert "down" == verdict("redis", host=host, port=port, password="wrong").outcome


class TestSql:
    def test_compares_the_answer(self, postgres):
        url = postgres.url.replace("postgresql://", "postgresql+psycopg://")

        assert "up" == verdict("sql", url=url, query="SELECT 6 * 7", expect="42").outcome
        assert "answer" == verdict("sql", url=url, query="SELECT 6 * 7", expect="41").type
        assert "down" == verdict("sql", url=url, query="SELECT nothing").outcome
        assert "timeout" == verdict("sql", 0.3, url=url, query="SELECT pg_sleep(1)").type

    def test_knows_nothing_without_a_driver(self):
        assert "unknown" == verdict("sql", url="mssql+pyodbc://x/y").outcome


class TestFile:
    def test_is_old_small_or_missing(self, tmp_path):
        file = tmp_path / "backup"
        file.write_text("x")

        assert "up" == verdict("file", path=str(file), max_age="1h").outcome
        assert "small" == verdict("file", path=str(file), min_bytes=2).type
        assert "missing" == verdict("file", path=str(tmp_path / "no")).type
        assert "old" == verdict("file", path="/proc/self/../../etc/hostname", max_age="1ns").type


class TestDns:
    def test_reads_addresses_and_refusals(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
            threading.Thread(target=name_server, args=(server, 3), daemon=True).start()
            at = {"server": "127.0.0.1", "port": port}

            right = verdict("dns", query="qmon.test", expect=["10.0.0.7"], **at)
            wrong = verdict("dns", query="qmon.test", expect=["10.0.0.8"], **at)
            absent = verdict("dns", query="no.test", **at)

        assert ("up", "answer", "no_such_name") == (right.outcome, wrong.type, absent.type)


def name_server(server, questions):
    for _ in range(questions):
        asked, peer = server.recvfrom(512)
        if asked[12:].startswith(b"\x02no"):
            server.sendto(asked[:2] + b"\x81\x83" + asked[4:], peer)
            continue
        head = asked[:2] + b"\x81\x80" + asked[4:6] + b"\0\x01" + b"\0" * 4
        row = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + bytes([10, 0, 0, 7])
        server.sendto(head + asked[12:] + row, peer)


class TestPrometheus:
    def test_is_down_only_by_its_answer(self, answering):
        body = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        at = {"url": f"http://127.0.0.1:{answering(head + body)}", "query": "up"}
        none = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(none)
        empty = {"url": f"http://127.0.0.1:{answering(head + none)}", "query": "up"}

        assert "up" == verdict("prometheus", down_if="> 9", **at).outcome
        assert "down" == verdict("prometheus", down_if="> 5", **at).outcome
        assert "unknown" == verdict("prometheus", down_if="> 5", **empty).outcome


class TestSystemd:
    def test_reads_the_state_of_a_unit(self, tmp_path):
        program = tmp_path / "systemctl"
        program.write_text('#!/bin/sh\necho "ActiveState=failed\nSubState=failed\nNRestarts=3"\n')
        program.chmod(0o755)

        found = ask("systemd", unit="x.service", program=str(program))

        assert "failed" == found.type
        assert [3] == [each.value for each in found.numbers]


class TestIcmp:
    def test_is_answered_by_this_machine_where_it_is_allowed(self):
        assert "down" != verdict("icmp", host="127.0.0.1", count=1).outcome


class TestProcess:
    def test_counts_those_of_a_name(self):
        assert "up" == verdict("process", command="pytest").outcome
        assert "count" == verdict("process", command="pytest", at_least=10_000).type


class TestStanding:
    def test_turns_after_so_many_in_a_row_and_never_by_what_is_unknown(self):
        standing, seen = Standing(), []
        for outcome in ("up", "down", "unknown", "down", "up", "unknown", "up"):
            standing = step(standing, outcome, failures=2, successes=2)
            seen.append(standing.state)

        assert ["up", "up", "up", "down", "down", "down", "up"] == seen


class Scripted:
    """A probe that does what it is told, one step at each check."""

    target = "here"

    def __init__(self, *steps):
        self.steps = list(steps)
        self.calls = 0

    def check(self, timeout_s):
        self.calls += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, threading.Event):
            step.wait(5)
            return Checked()
        if isinstance(step, Exception):
            raise step
        return step


async def run_for(probes, seconds, vitals=None):
    taken = []
    watched = {
        name: Watched(name=name, kind="scripted", probe=probe, interval_s=0.05, timeout_s=0.05)
        for name, probe in probes.items()
    }
    runner = ProbeRunner(watched, taken.extend, vitals=vitals)
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return runner, taken


class TestProbeRunner:
    async def test_tells_up_and_down_with_the_reason(self):
        down = Scripted(ConnectionRefusedError("nobody"))
        runner, taken = await run_for({"good": Scripted(Checked()), "bad": down}, 0.3)

        up = {p.attributes["probe.name"]: p.value for p in taken if p.metric == "probe.up"}
        assert {"good": 1, "bad": 0} == up
        assert {"refused"} == {
            p.attributes["error.type"] for p in taken if p.metric == "probe.failures"
        }
        assert "nobody" == runner.health["bad"].reason

    async def test_says_nothing_of_up_or_down_where_nothing_is_known(self):
        vitals = Vitals()
        runner, taken = await run_for({"a": Scripted(UnknownError("no right"))}, 0.3, vitals)

        assert {"probe.unknown"} == {point.metric for point in taken}
        assert "unknown" == runner.health["a"].state
        assert vitals.count("probe_checks", outcome="unknown") == len(taken)

    async def test_stays_as_it_was_where_something_of_ours_breaks(self):
        probe = Scripted(Checked(), OSError(24, "Too many open files"))
        runner, _ = await run_for({"a": probe}, 0.4)

        assert 2 <= probe.calls
        assert "up" == runner.health["a"].state
        assert 0 == runner.health["a"].downs

    async def test_never_begins_one_that_has_not_come_back(self):
        let_go = threading.Event()
        hanging, good = Scripted(let_go), Scripted(Checked())
        runner, _ = await run_for({"hanging": hanging, "good": good}, 1.6)
        let_go.set()

        assert 1 == hanging.calls
        assert 5 < good.calls
        assert 0 == runner.health["hanging"].downs < runner.health["hanging"].unknowns


class TestConfiguration:
    def test_is_common_keys_beside_those_of_the_kind(self):
        (made,) = make_probes(
            [{"name": "shop", "kind": "http", "url": "http://x/", "interval": "1m"}]
        ).values()

        assert (60.0, 10.0, "http://x/") == (made.interval_s, made.timeout_s, made.probe.url)

    @pytest.mark.parametrize(
        ("table", "path"),
        [
            ({"name": "a", "kind": "htp"}, "probes.a.kind"),
            ({"name": "a", "kind": "http"}, "probes.a.url"),
            ({"name": "a", "kind": "tcp", "host": "x", "port": "y"}, "probes.a.port"),
            ({"name": "a", "kind": "redis", "prot": 1}, "probes.a.prot"),
            ({"name": "a", "kind": "redis", "interval": "1s"}, "probes.a.timeout"),
            ({"name": "a", "kind": "redis", "interval": "soon"}, "probes.a.interval"),
            ({"name": "a", "kind": "redis", "failures": 0}, "probes.a.failures"),
            ({"kind": "redis"}, "probes[0].name"),
        ],
    )
    def test_that_is_wrong_is_named_by_its_path(self, table, path):
        with pytest.raises(Exception, match=r".") as caught:
            make_probes([table])

        assert path == caught.value.path

    def test_knows_each_name_once(self):
        with pytest.raises(ConfigError, match="more than one"):
            make_probes([{"name": "a", "kind": "redis"}] * 2)
