"""What is special about each sink, against the real server or what its protocol says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch, batch_of
from qmon_agent.forward.sinks import SINKS
from qmon_agent.ingest.foreign import Parcel, take_parcel
from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import CheckIn, Error, Log, Point, Span

NOW = 1_767_225_600_000_000_000


def a_batch(name, *signals, sequence=1):
    resource = Resource(service="shop", host="box", pid=7)
    frame = Frame(
        process=bytes(16), sequence=sequence, sent=NOW, resource=resource, blocks=blocks_of(signals)
    )
    return Batch(id=name, frames=(frame,), payloads=(encode_frame(frame),))


@pytest.fixture
def recorder(peers):
    """Takes everything, and keeps path, headers and body."""
    kept = []

    def read(path, headers, body):
        kept.append((path, dict(headers), body))
        return [], 200, b"{}"

    server = peers.Recorder(read)
    server.kept = kept
    yield server
    server.close()


class TestInfluxdb:
    @pytest.fixture
    def asked(self, backends):
        def ask(path, **more):
            url = f"{backends.influxdb.url}{path}?{urllib.parse.urlencode(more)}"
            with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as answer:
                return json.loads(answer.read())["results"][0].get("series", [])

        ask("/query", q="CREATE DATABASE shop")
        return ask

    @pytest.fixture
    def sink(self, backends, sink_with):
        return sink_with("influxdb", endpoint=backends.influxdb.url, api="v1", database="shop")

    def test_has_the_points_once_though_they_come_twice(self, asked, sink):
        point = Point(
            time=NOW, metric="or ders", kind="counter", value=2.0, attributes={"a b": "c,=d"}
        )
        batch = a_batch("b", point, Point(time=NOW, metric="or ders", kind="counter", value=3.0))

        assert ["delivered"] * 2 == [sink.send(batch).outcome for _ in range(2)]

        [series] = asked("/query", db="shop", q='SELECT sum(value), count(value) FROM "or ders"')
        assert [5.0, 2] == series["values"][0][1:]
        tags = asked("/query", db="shop", q='SHOW TAG VALUES FROM "or ders" WITH KEY = "a b"')
        assert [["a b", "c,=d"]] == tags[0]["values"]

    def test_says_what_it_dropped(self, asked, sink):
        sink.send(a_batch("a", Point(time=NOW, metric="mixed", value=1.0)))
        changed = Point(time=NOW, metric="mixed", kind="distribution", value=1.0, count=1)
        urllib.request.urlopen(  # a field of another type than ours will be
            urllib.request.Request(
                f"{sink.endpoint}/write?db=shop", data=f'mixed sum="text" {NOW}'.encode()
            )
        ).close()

        delivery = sink.send(a_batch("b", changed))

        assert ("delivered", 1) == (delivery.outcome, delivery.rejected)
        assert "partial write" in delivery.detail

    def test_a_database_may_still_come(self, backends, sink_with):
        sink = sink_with("influxdb", endpoint=backends.influxdb.url, api="v1", database="later")

        delivery = sink.send(a_batch("b", Point(time=NOW, metric="m", value=1.0)))

        assert ("retry", True) == (delivery.outcome, "no such database" in delivery.detail)

    @pytest.mark.parametrize(("api", "option"), [("v1", "database"), ("v2", "bucket")])
    def test_wants_to_know_where(self, api, option):
        with pytest.raises(ConfigError, match=option):
            SINKS.build("influxdb", {"endpoint": "http://x", "api": api})


class TestSyslog:
    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_rsyslog_reads_every_part(self, backends, sink_with, transport):
        address = f"127.0.0.1:{backends.rsyslog.port}"
        sink = sink_with("syslog", address=address, transport=transport)
        log = Log(time=NOW, level="warning", body=f'by "{transport}"\nagain', logger='a"b]c\\')

        assert "delivered" == sink.send(a_batch("b1", log)).outcome

        line = waited_for(backends.rsyslog.log, transport)
        level, service, data, text = line.split("|", 3)
        assert ("warning", "shop") == (level, service)
        assert r'batch="b1" line="1" logger="a\"b\]c\\"' in data
        assert text.strip("\ufeff ") == f'by "{transport}" again'

    def test_speaks_tls_to_who_can_show_a_certificate(self, sink_with, tmp_path):
        lines = []
        port = tls_server(tmp_path, lines)
        address, ca = f"localhost:{port}", str(tmp_path / "cert.pem")
        trusting = sink_with("syslog", address=address, transport="tls", ca_file=ca)
        wary = sink_with("syslog", address=address, transport="tls", timeout_s=2)
        batch = a_batch("b", Log(time=NOW, body="hello"))

        outcomes = [wary.send(batch).outcome, trusting.send(batch).outcome]

        assert ["retry", "delivered"] == outcomes
        deadline = time.monotonic() + 5
        while not lines and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lines[0].endswith("hello")


def waited_for(path, text):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if found := [line for line in lines if text in line]:
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"nothing of {text}")


def tls_server(directory, lines):
    """Takes two connections, and the one that trusts it tells its lines."""
    import socket

    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key,
         "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listening = socket.create_server(("localhost", 0))

    def serve():
        with listening:
            for _ in range(2):
                link, _ = listening.accept()
                try:
                    with context.wrap_socket(link, server_side=True) as safe:
                        lines.append(safe.recv(1 << 16).decode())
                        safe.recv(1)
                except OSError:
                    link.close()

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


class TestElasticsearch:
    @pytest.fixture
    def sink(self, recorder, sink_with):
        return sink_with("elasticsearch", endpoint=recorder.url, max_rows=10)

    def said(self, *statuses):
        items = [{"create": {"status": status, "error": {"type": "why"}}} for status in statuses]
        return 200, {}, json.dumps({"errors": True, "items": items}).encode()

    def test_counts_the_documents_that_do_not_fit(self, sink, recorder):
        recorder.answers.append(self.said(201, 400))

        delivery = sink.send(a_batch("b", Log(body="a"), Log(body="b")))

        assert ("delivered", 1) == (delivery.outcome, delivery.rejected)
        assert "400 why" in delivery.detail

    def test_sends_again_what_it_was_too_busy_for_and_knows_the_rest(self, sink, recorder):
        recorder.answers += [self.said(201, 429), self.said(409, 201)]
        batch = a_batch("b", Log(body="a"), Log(body="b"))

        deliveries = [sink.send(batch) for _ in range(2)]

        assert ["retry", "delivered"] == [each.outcome for each in deliveries]
        assert 0 == deliveries[1].rejected

    def test_does_not_take_a_page_for_an_answer(self, sink, recorder):
        recorder.answers.append((200, {}, b"<html>"))

        assert "retry" == sink.send(a_batch("b", Log(body="a"))).outcome


class TestSentry:
    @pytest.fixture
    def sink(self, recorder, sink_with):
        return sink_with("sentry", dsn=recorder.url.replace("//", "//key@") + "/1")

    def test_waits_with_what_it_is_asked_to_wait_with(self, sink, recorder):
        recorder.answers.append((200, {"x-sentry-rate-limits": "60:error:key"}, b"{}"))
        batch = a_batch("b", Error(error_id="a"), Error(error_id="b"))

        delivery = sink.send(batch)

        assert ("retry", 1) == (delivery.outcome, 1 - len(recorder.kept))
        assert 55 < delivery.retry_after_s <= 60

    def test_other_categories_go_on(self, sink, recorder):
        recorder.answers.append((200, {"x-sentry-rate-limits": "60:transaction:key"}, b"{}"))

        delivery = sink.send(a_batch("b", Error(error_id="a"), Error(error_id="b")))

        assert "delivered" == delivery.outcome

    def test_too_many_without_a_word_is_a_minute(self, sink, recorder):
        recorder.answers.append((429, {}, b""))

        assert 60 == sink.send(a_batch("b", Error(error_id="a"))).retry_after_s

    def test_spans_stand_below_what_began_them(self, sink, recorder):
        root = Span(time=NOW, span_id="a" * 16, trace_id="1" * 32, name="GET /", kind="server")
        below = [
            Span(time=NOW, span_id=f"{n:016x}", parent_id=parent, trace_id="1" * 32, name=f"s{n}")
            for n, parent in ((1, "a" * 16), (2, f"{1:016x}"), (3, "f" * 16))
        ]

        delivery = sink.send(a_batch("b", *below, root))

        [(_, _, body)] = recorder.kept
        told = json.loads(body.splitlines()[2])
        assert ["s1", "s2"] == [span["description"] for span in told["spans"]]
        assert (1, 0) == (delivery.passed_over, delivery.rejected)

    @pytest.mark.parametrize("dsn", ["https://host/1", "https://key@host/x", "key@host/1"])
    def test_says_when_the_address_is_none(self, dsn):
        with pytest.raises(ConfigError, match="dsn"):
            SINKS.build("sentry", {"dsn": dsn})


class TestOriginals:
    """What came in a protocol leaves in it as it came."""

    async def batch_of(self, taking, protocol, original, content_type=""):
        parcel = Parcel(
            protocol=protocol,
            groups=((Resource(), [Error(error_id="e"), Point(metric="m")]),),
            original=original,
            content_type=content_type,
            keep_original=True,
        )
        await take_parcel(taking.intake, parcel, taking.peer)
        return batch_of(taking.records())

    async def test_of_sentry(self, taking, recorder, sink_with):
        original = b'{"event_id":"1","dsn":"http://other@host/1"}\n{"type":"unheard"}\n{}\n'
        batch = await self.batch_of(taking, "sentry", original)
        sink = sink_with("sentry", dsn=recorder.url.replace("//", "//key@") + "/1")

        delivery = await asyncio.to_thread(sink.send, batch)

        [(_, _, body)] = recorder.kept
        assert b'{"event_id":"1"}\n{"type":"unheard"}\n{}\n' == body
        assert ("delivered", 0) == (delivery.outcome, delivery.passed_over)

    async def test_of_remote_write(self, taking, recorder, sink_with, peers):
        original = peers.WriteRequest(timeseries=[{"samples": [{"value": 1.0}]}])
        content_type = "application/x-protobuf;proto=prometheus.WriteRequest"
        data = original.SerializeToString()
        batch = await self.batch_of(taking, "remote_write", data, content_type)
        sink = sink_with("prometheus_remote_write", endpoint=recorder.url)

        await asyncio.to_thread(sink.send, batch)

        assert [data] == [body for _, _, body in recorder.kept]


class TestDatadog:
    def test_each_kind_goes_to_its_place(self, recorder, sink_with):
        sink = sink_with("datadog", api_key="k", endpoint=recorder.url)

        delivery = sink.send(
            a_batch("b", Point(time=NOW, metric="m"), Log(body="l"), CheckIn(monitor="c"), Span())
        )

        assert ["/api/v2/series", "/api/v2/logs", "/api/v1/events"] == [k[0] for k in recorder.kept]
        assert 1 == delivery.passed_over


class TestWebhook:
    def test_signs_with_every_secret(self, recorder, sink_with):
        secrets = ["whsec_" + base64.b64encode(key).decode() for key in (b"old", b"new")]
        sink_with("webhook", endpoint=recorder.url, secrets=secrets).send(a_batch("b", Log()))

        [(_, headers, body)] = recorder.kept
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        assert headers["webhook-signature"].split() == [
            "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            for key in (b"old", b"new")
        ]

    def test_follows_nobody_elsewhere(self, recorder, sink_with, peers):
        other = peers.Recorder(lambda *_: ([], 200, b""))
        recorder.answers.append((307, {"location": other.url}, b""))

        delivery = sink_with("webhook", endpoint=recorder.url).send(a_batch("b", Log()))

        other.close()
        assert ("retry", True) == (delivery.outcome, "moved" in delivery.detail)


class TestRemoteWrite2:
    def test_a_receiver_that_tells_what_it_wrote_is_spoken_to_in_2_0(
        self, recorder, sink_with, peers
    ):
        headers = {"x-prometheus-remote-write-samples-written": "2"}
        recorder.answers.append((204, headers, b""))
        endpoint = f"{recorder.url}/api/v1/write"
        sink = sink_with("prometheus_remote_write", endpoint=endpoint, version="2.0")
        sink.send(a_batch("a", Point(time=NOW, metric="m", kind="counter", value=1.0)))

        sink.send(a_batch("b", Point(time=NOW + 10**9, metric="m", kind="counter", value=1.0)))

        _, headers, body = recorder.kept[-1]
        assert headers["x-prometheus-remote-write-version"] == "2.0.0"
        [labels] = peers.labels_2(peers.read_2(body))
        assert labels["__name__"] == "m_total"


class TestExposition:
    def test_promtool_finds_nothing_wrong(self, sink_with, tmp_path, missing, backends, free_port):
        port = free_port
        sink = sink_with("prometheus_exposition", listen=f"127.0.0.1:{port}", bounds=[0.1, 1.0])
        quick = {bucket_of(0.05): 2}
        now = time.time_ns()
        sink.send(
            a_batch(
                "b",
                Point(time=now, metric="hits", kind="counter", value=2.0, attributes={"q": 'a"\n'}),
                Point(
                    time=now, metric="took", kind="distribution", unit="s", count=2, buckets=quick
                ),
            )
        )

        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()

        assert backends.prometheus
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=page, capture_output=True, check=False
        )
        wrong = [line for line in checked.stderr.splitlines() if b"no help text" not in line]
        assert not wrong, (wrong, page)

    def test_tells_nobody_without_the_token(self, sink_with, free_port):
        port = free_port
        sink = sink_with("prometheus_exposition", listen=f"127.0.0.1:{port}", token="t")
        sink.send(a_batch("b"))

        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")
        refused.value.close()

    def test_wants_a_token_beyond_loopback(self):
        with pytest.raises(ConfigError, match="token"):
            SINKS.build("prometheus_exposition", {"listen": "0.0.0.0:1"})


class TestNats:
    def test_keeps_a_frame_once_though_it_comes_twice(self, backends, peers, tmp_path, sink_with):
        side = peers.NatsSide(tmp_path, backends)
        sink = sink_with("nats", **side.options)
        batch = a_batch("b", Span(name="once"))

        outcomes = [sink.send(batch).outcome for _ in range(2)]

        arrived = side.arrived()
        side.close()
        assert (["delivered"] * 2, [("b", "once")]) == (outcomes, arrived)


class TestNative:
    async def test_another_agent_keeps_each_frame_once(self, agent, sink_with):
        token = (await agent.desk.create_token("ingest", name="", ttl_s=60))["token"]
        sink = sink_with("native", endpoint=agent.ready["url"], token=token)
        batches = [a_batch("x", Span(name="once"), sequence=1), a_batch("y", Span(), sequence=2)]

        said = [await asyncio.to_thread(sink.send, each) for each in (*batches, *batches)]

        kept = [record for record in records(agent) if record.process == bytes(16)]
        assert ["delivered"] * 4 == [each.outcome for each in said]
        assert [1, 2] == [record.sequence for record in kept]
        assert batches[0].payloads[0] == kept[0].payload

    async def test_waits_for_a_token_that_is_known(self, agent, sink_with):
        sink = sink_with("native", endpoint=agent.ready["url"], token="no such")

        delivery = await asyncio.to_thread(sink.send, a_batch("x", Span()))

        assert ("retry", True) == (delivery.outcome, "token" in delivery.detail)


def records(agent):
    return JournalReader(agent._plan.locations.journal).read(max_bytes=1 << 20)


class TestParquet:
    def test_a_batch_that_comes_again_is_the_same_files(self, tmp_path, sink_with):
        sink = sink_with("parquet", directory=str(tmp_path))
        days = [Span(time=NOW), Span(time=NOW + 86_400 * 10**9)]

        for _ in range(2):
            sink.send(a_batch("b", *days))

        assert ["kind=span/day=2026-01-01/b.parquet", "kind=span/day=2026-01-02/b.parquet"] == [
            str(path.relative_to(tmp_path)) for path in sorted(Path(tmp_path).rglob("*.*"))
            if path.is_file()
        ]  # fmt: skip

    def test_wants_its_batches_large(self):
        assert SINKS.build("parquet", {"directory": "x", "wait_s": 5}).pace.wait_s == 5
