"""What leaves by a sink is a promise too: lines, requests, datagrams and the columns of files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.otlp.requests import LANES, requests_of
from qmon_agent.forward.sinks import SINKS
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import (
    CheckIn,
    Error,
    Event,
    Finding,
    Log,
    Point,
    Session,
    Snapshot,
    Span,
)

HERE = Path(__file__).parent / "sinks"
WRITE = os.environ.get("QMON_GOLDEN") == "write"
NOW = 1_767_225_600_000_000_000
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
WHO = {"user_id": "u-1", "session_id": "5e55"}
STACK = {
    "chain": [
        {
            "type": "ValueError",
            "module": "builtins",
            "value": "no such plan",
            "frames": [{"file": "shop.py", "function": "pay", "line": 7, "code": "  charge()"}],
        },
        {"type": "KeyError", "module": "builtins", "value": "'plan'", "frames": []},
    ]
}
VALUES = (-2.0, 0.0, 0.5, 0.5, 30.0)
BUCKETS = {bucket_of(value): VALUES.count(value) for value in VALUES}
SIGNALS = [
    Span(
        time=NOW,
        **TRACE,
        **WHO,
        parent_id="00f067aa0ba902b7",
        name="GET /cart",
        kind="server",
        duration_ns=1_500,
        status="error",
        attributes={
            "http.route": "/cart",
            "plan": "pro",
            "otel.status_description": "no such plan",
        },
        events=json.dumps([{"time": NOW + 1, "name": "retry", "attributes": {"attempt": "2"}}]),
        links=json.dumps([{**TRACE, "tracestate": "a=1", "attributes": {"why": "batch"}}]),
    ),
    Span(time=NOW, **TRACE, name="of a stranger", events="no JSON", links='[{"trace_id": 1}]'),
    Span(time=NOW, **TRACE, name="work", duration_ns=1, attributes={"plan": "pro"}),
    Point(time=NOW, metric="orders", kind="counter", value=3.0, unit="1", attributes={"p": "pro"}),
    Point(time=NOW, metric="queue", kind="gauge", value=7.5),
    Point(
        time=NOW,
        metric="latency",
        kind="distribution",
        value=sum(VALUES),
        unit="s",
        count=len(VALUES),
        minimum=min(VALUES),
        maximum=max(VALUES),
        buckets=BUCKETS,
    ),
    Log(time=NOW, **TRACE, level="warning", body="low on tea", template="low on %s", logger="shop"),
    Error(
        time=NOW,
        **TRACE,
        **WHO,
        error_id="e1",
        issue_id="i1",
        type="ValueError",
        message="no such plan",
        culprit="shop.pay",
        handled=False,
        stack=json.dumps(STACK),
        grouping="g1",
    ),
    Event(time=NOW, event_id="v1", name="checkout", user_id="u-1", sequence=4),
    Session(time=NOW, **WHO, status="crashed", started=NOW - 9, duration_ns=9, errors=1),
    CheckIn(time=NOW, monitor="backup", status="ok", duration_ns=5),
    Snapshot(time=NOW, scan="code", commit="abc", measure="lines", value=10.0, definition="sloc"),
    Finding(
        time=NOW,
        scan="code",
        commit="abc",
        tool="lint",
        rule="R1",
        severity="high",
        path="shop.py",
        line=7,
        symbol="pay",
        fingerprint="f1",
        message="too long",
    ),
]
FRAME = Frame(
    process=bytes(range(16)),
    sequence=1,
    resource=Resource(
        service="shop",
        release="1.2.3",
        environment="test",
        host="box",
        pid=42,
        started=1,
        sdk="qmon.python",
        attributes={"zone": "a"},
    ),
    blocks=blocks_of(SIGNALS),
)
BATCH = Batch(id="0123456789abcdef0123456789abcdef", frames=(FRAME,))


@pytest.fixture
def golden():
    """Compare with a file, or write it."""

    def compare(name, text):
        path = HERE / name
        if WRITE:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


def test_lines_of_a_file(golden, tmp_path):
    path = tmp_path / "signals.ndjson"

    SINKS.build("file", {"path": str(path)}).send(BATCH)

    golden("file.ndjson", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.path.partition("/")[2])
def test_requests_of_otlp(golden, lane):
    [request] = [each for each in requests_of(BATCH) if each.lane == lane]

    told = MessageToDict(lane.request.FromString(request.body))

    golden(f"otlp_{lane.path.partition('/')[2]}.json", json.dumps(told, indent=1) + "\n")


def test_the_same_batch_makes_the_same_requests():
    assert [*requests_of(BATCH)] == [*requests_of(BATCH)]


POSTING = {
    "datadog": {"api_key": "KEY", "site": "datadoghq.eu", "tags": ["team:shop"]},
    "elasticsearch": {"endpoint": "http://e:9200", "index": "qmon-{kind}-{day}", "api_key": "KEY"},
    "influxdb": {"endpoint": "http://i:8086", "org": "o", "bucket": "b", "token": "KEY"},
    "loki": {"endpoint": "http://l:3100", "tenant": "t", "labels": {"team": "shop"}},
    "sentry": {"dsn": "https://KEY@sentry.example.org/1"},
    "webhook": {"endpoint": "http://w/hook"},
}
WRITING = {
    "classic_1_0": {"bounds": [0.1, 1.0]},
    "native_1_0": {"histograms": "native"},
    "classic_2_0": {"bounds": [0.1, 1.0], "version": "2.0"},
    "native_2_0": {"histograms": "native", "version": "2.0"},
}


@pytest.mark.parametrize("name", POSTING)
def test_posts_of_a_sink(golden, name):
    posts = SINKS.build(name, POSTING[name]).posts(BATCH)

    golden(f"{name}.http", "\n".join(map(told, posts)))


def told(post):
    """As it is sent, but for what the connection adds."""
    headers = {"content-type": post.content_type, "idempotency-key": post.key, **post.headers}
    lines = [f"POST {post.place}{post.path}", *(f"{key}: {headers[key]}" for key in headers)]
    return "\n".join([*lines, "", post.body.decode(), ""])


@pytest.mark.parametrize("name", WRITING)
def test_remote_write(golden, name, peers, sink_with):
    sink = sink_with("prometheus_remote_write", endpoint="http://p/api/v1/write", **WRITING[name])
    [post] = sink.posts(BATCH)
    message = peers.Request if name.endswith("2_0") else peers.WriteRequest

    golden(f"remote_write_{name}.json", shown(message.FromString(post.body)))


def shown(message):
    return json.dumps(MessageToDict(message), indent=1) + "\n"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("statsd", {"address": "unix:/nowhere", "prefix": "shop."}),
        ("syslog", {"address": "s:514"}),
    ],
)
def test_messages_of_a_sink(golden, name, options):
    messages = SINKS.build(name, options).messages(BATCH)

    golden(f"{name}.txt", "\n".join(each.data.decode() for each in messages) + "\n")


def test_columns_of_parquet(golden, tmp_path):
    import pyarrow.parquet

    SINKS.build("parquet", {"directory": str(tmp_path)}).send(BATCH)

    files = sorted(tmp_path.rglob("*.parquet"))
    told = [
        f"{file.relative_to(tmp_path)}\n{pyarrow.parquet.read_schema(file).remove_metadata()}\n"
        for file in files
    ]
    golden("parquet.txt", "\n".join(told))


def test_a_page_to_scrape(golden, sink_with):
    from qmon_agent.forward.sinks._scraped import text_of

    sink = sink_with("prometheus_exposition", bounds=[0.1, 1.0])
    sink._add(BATCH)

    golden("exposition.txt", "".join(text_of(sink._totals.heard_within(60_000), sink.bounds)))
