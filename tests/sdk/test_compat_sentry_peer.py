"""The same programs under Sentry's SDK and under ours tell the same."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import qmon_sdk.compat.sentry as ours
from qmon_sdk.rendering import label
from qmon_sdk.start import shutdown
from qmon_sdk.transports.memory import MemoryTransport

sentry_sdk = pytest.importorskip("sentry_sdk")

PROGRAMS = {
    "errors": """
sentry_sdk.init(**OPTIONS, release="1.2", environment="test")
sentry_sdk.set_tag("plan", "pro")
sentry_sdk.set_tags({"a": 1, "b": True})
sentry_sdk.set_user({"id": "7", "username": "ann", "email": "ann@shop.example"})
sentry_sdk.set_extra("basket", 3)
sentry_sdk.set_context("device", {"name": "till", "size": 2})
sentry_sdk.add_breadcrumb(category="auth", message="signed in", level="info")
sentry_sdk.add_breadcrumb({"category": "cart", "message": "added", "data": {"item": "tea"}})
try:
    {}["missing"]
except KeyError:
    sentry_sdk.capture_exception()
sentry_sdk.capture_message("all is well")
sentry_sdk.capture_message("careful", level="warning")
sentry_sdk.set_level("fatal")
sentry_sdk.capture_message("stop")
""",
    "chains": """
sentry_sdk.init(**OPTIONS)
class Refused(Exception):
    pass
try:
    try:
        int("x")
    except ValueError as error:
        raise Refused("no number") from error
except Refused as error:
    error.add_note("a note")
    sentry_sdk.capture_exception(error)
""",
    "scopes": """
sentry_sdk.init(**OPTIONS)
sentry_sdk.set_tag("where", "outside")
with sentry_sdk.push_scope() as scope:
    scope.set_tag("inside", 1)
    scope.level = "warning"
    sentry_sdk.set_tag("late", "yes")
    sentry_sdk.capture_message("in push_scope")
sentry_sdk.capture_message("after push_scope")
with sentry_sdk.new_scope() as scope:
    scope.fingerprint = ["one", "two"]
    scope.set_extra("x", 1)
    sentry_sdk.capture_message("in new_scope")
with sentry_sdk.isolation_scope() as scope:
    scope.set_tag("isolated", 1)
    sentry_sdk.set_tag("where", "inside")
    sentry_sdk.capture_message("in isolation_scope")
sentry_sdk.capture_message("after isolation_scope")
with sentry_sdk.configure_scope() as scope:
    scope.set_tag("configured", "yes")
sentry_sdk.configure_scope(lambda scope: scope.set_tag("called", "yes"))
sentry_sdk.get_global_scope().set_tag("everywhere", "yes")
sentry_sdk.capture_message("configured")
sentry_sdk.get_isolation_scope().clear()
sentry_sdk.capture_message("cleared")
""",
    "one capture only": """
sentry_sdk.init(**OPTIONS)
sentry_sdk.capture_message("words", tags={"t": 1}, user={"id": "9"}, extras={"e": 2})
sentry_sdk.capture_message("words", level="error", fingerprint=["f"], contexts={"c": {"d": 1}})
scope = sentry_sdk.Scope()
scope.set_tag("held", "yes")
sentry_sdk.capture_message("held", scope=scope)
sentry_sdk.capture_message("called", scope=lambda scope: scope.set_tag("called", "yes"))
try:
    1 / 0
except ZeroDivisionError as error:
    sentry_sdk.capture_exception(error, tags={"t": 1})
sentry_sdk.capture_message("plain")
""",
    "hooks": """
def before_send(event, hint):
    if "exc_info" in hint and isinstance(hint["exc_info"][1], KeyError):
        return None
    event.setdefault("tags", {})["seen"] = "yes"
    event["level"] = "info"
    if event.get("message") == "secret":
        event["message"] = "hidden"
    return event
def before_breadcrumb(crumb, hint):
    if crumb["category"] == "noise":
        return None
    crumb["message"] += "!"
    return crumb
sentry_sdk.init(
    **OPTIONS, before_send=before_send, before_breadcrumb=before_breadcrumb,
    ignore_errors=[ZeroDivisionError, "builtins.OSError"],
)
sentry_sdk.add_breadcrumb(category="noise", message="x")
sentry_sdk.add_breadcrumb(category="step", message="y")
for kind in (KeyError, ValueError, ZeroDivisionError, OSError):
    try:
        raise kind("z")
    except Exception as error:
        sentry_sdk.capture_exception(error)
sentry_sdk.capture_message("secret")
def process(event, hint):
    event["tags"] = {"processed": "yes"}
    return event
with sentry_sdk.new_scope() as scope:
    scope.add_event_processor(process)
    sentry_sdk.capture_message("processed")
with sentry_sdk.new_scope() as scope:
    scope.add_event_processor(lambda event, hint: None)
    sentry_sdk.capture_message("dropped")
""",
    "events by hand": """
sentry_sdk.init(**OPTIONS)
sentry_sdk.set_tag("a", "b")
sentry_sdk.capture_event({"message": "by hand", "level": "warning", "tags": {"c": "d"}})
sentry_sdk.capture_event({
    "exception": {"values": [{"type": "Odd", "value": "so odd"}]}, "extra": {"x": 1},
    "fingerprint": ["f"], "user": {"id": "3"},
})
""",
    "traces": """
import asyncio
sentry_sdk.init(**OPTIONS, traces_sample_rate=1.0)
@sentry_sdk.trace
def step():
    with sentry_sdk.start_span(op="deep", name="deeper"):
        pass
@sentry_sdk.trace(op="wait", name="waiting")
async def wait():
    await asyncio.sleep(0)
step.__module__ = wait.__module__ = "shop"
with sentry_sdk.start_transaction(op="task", name="work") as transaction:
    transaction.set_tag("kind", "big")
    with sentry_sdk.start_span(op="db.query", name="SELECT a FROM t") as span:
        span.set_data("rows", 3)
        span.set_status("ok")
        with span.start_child(op="inner", name="child"):
            pass
    manual = transaction.start_child(op="x", description="by hand")
    below = manual.start_child(op="x", description="below")
    below.finish()
    manual.set_http_status(404)
    manual.finish()
    step()
    asyncio.run(wait())
    sentry_sdk.capture_message("inside")
try:
    with sentry_sdk.start_transaction(op="task", name="broken"):
        with sentry_sdk.start_span(name="breaks"):
            raise ValueError
except ValueError:
    pass
with sentry_sdk.start_transaction(name="before") as transaction:
    transaction.name = "after"
""",
    "traces that nobody wants": """
sentry_sdk.init(**OPTIONS)
with sentry_sdk.start_transaction(op="task", name="work"):
    with sentry_sdk.start_span(op="x", name="y"):
        pass
""",
    "traces that are chosen": """
def choose(context):
    assert context["custom"] == 3
    return context["transaction_context"]["name"] == "kept"
sentry_sdk.init(**OPTIONS, traces_sampler=choose)
for name in ("kept", "left"):
    with sentry_sdk.start_transaction(
        op="task", name=name, custom_sampling_context={"custom": 3}
    ):
        pass
""",
    "traces that go on": """
sentry_sdk.init(**OPTIONS, traces_sample_rate=1.0)
trace, parent = "0123456789abcdef" * 2, "1234567890abcdef"
headers = {"sentry-trace": f"{trace}-{parent}-1", "baggage": "other=1"}
with sentry_sdk.start_transaction(sentry_sdk.continue_trace(headers, op="http", name="go on")):
    assert sentry_sdk.get_traceparent().split("-")[0] == trace
    assert sentry_sdk.get_traceparent().endswith("-1")
    assert f"sentry-trace_id={trace}" in sentry_sdk.get_baggage()
    found = dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers())
    assert found["sentry-trace"] == sentry_sdk.get_traceparent()
    span = sentry_sdk.get_current_span()
    assert span.to_traceparent() == sentry_sdk.get_traceparent()
    assert span.trace_id == trace and span.parent_span_id == parent
environ = {"HTTP_SENTRY_TRACE": f"{trace}-{parent}-0"}
with sentry_sdk.start_transaction(sentry_sdk.continue_trace(environ, name="not kept")):
    pass
""",
    "crons": """
from types import SimpleNamespace
sentry_sdk.init(**OPTIONS)
@sentry_sdk.monitor(monitor_slug="nightly")
def job(fails):
    if fails:
        raise ValueError
job(False)
try:
    job(True)
except ValueError:
    pass
with sentry_sdk.monitor("block"):
    pass
run = sentry_sdk.crons.capture_checkin("by-hand", status="in_progress")
assert run == sentry_sdk.crons.capture_checkin("by-hand", run, "ok", duration=2.0)
""",
    "flags": """
sentry_sdk.init(**OPTIONS)
sentry_sdk.feature_flags.add_feature_flag("new-till", True)
sentry_sdk.capture_message("flagged")
""",
    "records of logging": """
import logging
names = sentry_sdk.integrations.logging
sentry_sdk.init(**OPTIONS, integrations=[names.LoggingIntegration(level=logging.INFO)])
lines = logging.getLogger("shop")
lines.setLevel("DEBUG")
lines.debug("not seen")
lines.info("hello %s", "you", extra={"size": "big"})
lines.warning("careful")
lines.error("till %d is broken", 3, extra={"place": "left"})
try:
    {}["missing"]
except KeyError:
    lines.exception("no such thing")
names.ignore_logger("shop.noise")
logging.getLogger("shop.noise").error("nobody hears")
""",
    "records of logging that are no events": """
import logging
names = sentry_sdk.integrations.logging
off = names.LoggingIntegration(event_level=None, level=None)
sentry_sdk.init(**OPTIONS, integrations=[off])
logging.getLogger("shop").error("broken")
try:
    {}["missing"]
except KeyError:
    logging.getLogger("shop").exception("no such thing")
""",
    "logs": """
sentry_sdk.init(**OPTIONS, enable_logs=True, before_send_log=lambda log, hint:
    None if log["body"] == "drop" else log)
sentry_sdk.logger.info("paid {amount}", amount=3)
sentry_sdk.logger.warning("plain", attributes={"a": "b"})
sentry_sdk.logger.error("missing {value}")
sentry_sdk.logger.fatal("drop")
""",
    "metrics": """
sentry_sdk.init(**OPTIONS)
sentry_sdk.metrics.count("orders", 1, attributes={"plan": "pro"})
sentry_sdk.metrics.gauge("queue", 7)
sentry_sdk.metrics.distribution("size", 3, unit="byte")
""",
    "hubs": """
import warnings
warnings.simplefilter("ignore")
sentry_sdk.init(**OPTIONS)
with sentry_sdk.Hub(sentry_sdk.Hub.current) as hub:
    with hub.configure_scope() as scope:
        scope.set_tag("hub", "yes")
    hub.capture_message("in a hub")
with sentry_sdk.Hub.current.push_scope() as scope:
    scope.set_tag("pushed", "yes")
    sentry_sdk.Hub.current.capture_message("pushed")
sentry_sdk.capture_message("after")
""",
}
ON_PEER = """
import json, sys, sentry_sdk, sentry_sdk.crons, sentry_sdk.feature_flags, sentry_sdk.logger
import sentry_sdk.integrations.logging
for number, program in enumerate(json.loads(sys.stdin.read())):
    dsn = f"http://key@127.0.0.1:{sys.argv[1]}/{number}"
    options = dict(dsn=dsn, default_integrations=False, auto_enabling_integrations=False)
    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope():
        exec(program, dict(sentry_sdk=sentry_sdk, OPTIONS=options, __name__="__main__"))
        sentry_sdk.flush(10)
        sentry_sdk.get_global_scope().clear()
"""


class Recording(BaseHTTPRequestHandler):
    """Keeps every envelope it is sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packing = self.headers.get("Content-Encoding", "")
        if packing == "gzip":
            body = gzip.decompress(body)
        elif packing == "br":  # what it packs with where brotli is installed
            body = pytest.importorskip("brotli").decompress(body)
        self.server.items.setdefault(self.path.split("/")[2], []).extend(items_of(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def items_of(envelope):
    """Read an envelope: a header, then pairs of a header and a payload."""
    lines = envelope.split(b"\n")[1:]
    pairs = zip(lines[::2], lines[1::2], strict=False)
    return [(json.loads(head)["type"], json.loads(payload)) for head, payload in pairs]


@pytest.fixture(scope="module")
def peers():
    """What Sentry's SDK sent when it ran each of the programs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
    server.items = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ON_PEER, str(server.server_port)],
        input=json.dumps(list(PROGRAMS.values())),
        text=True,
        check=True,
        timeout=100,
        env={**os.environ, "SENTRY_RELEASE": "1"},  # else it starts a process to find it
    )
    server.shutdown()
    server.server_close()
    thread.join()
    return {name: server.items.get(str(n), []) for n, name in enumerate(PROGRAMS)}


@pytest.fixture
def ours_told(told):
    """A way to begin ours, which reaches what is `told`."""
    shutdown(timeout=0)
    told.transport = MemoryTransport()
    with ours.isolation_scope():
        yield {"transport": told.transport, "spool_dir": told.options["spool_dir"]}
    ours.get_global_scope().clear()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_tells_the_same(program, peers, told, ours_told):
    options = {"default_integrations": False, **ours_told}
    exec(PROGRAMS[program], {"sentry_sdk": ours, "OPTIONS": options, "__name__": "__main__"})

    assert theirs(peers[program]) == ours_of(told)


def test_an_error_that_was_kept_is_not_kept_again_by_its_line(told, ours_told):
    ours.init(**ours_told)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        ours.capture_exception(error)
        logging.getLogger("shop").exception("no number")
    assert [one.type for one in told.all("error")] == ["ZeroDivisionError"]


def test_a_line_is_an_error_without_being_asked_for(told, ours_told):
    ours.init(**ours_told)
    logging.getLogger("shop").error("broken")
    assert [one.message for one in told.all("error")] == ["broken"]


# --- what Sentry's SDK sent -----------------------------------------------------------------------


def theirs(items):
    """Bring envelopes into a shape to compare."""
    told = {kind: [] for kind in ("event", "transaction", "check_in", "log", "trace_metric")}
    for kind, payload in items:
        if kind in told:
            told[kind].append(payload)
    return {
        "errors": [an_event(event) for event in told["event"]],
        "spans": sorted(span for one in told["transaction"] for span in spans_in(one)),
        "checkins": [(one["monitor_slug"], one["status"]) for one in told["check_in"]],
        "logs": [a_log(line) for batch in told["log"] for line in batch["items"]],
        "points": sorted(a_metric(it) for batch in told["trace_metric"] for it in batch["items"]),
    }


_OF_SDK = ("sentry.", "server.", "process.")


def an_event(event):
    values = event.get("exception", {}).get("values", [])
    contexts = {
        name: texts(entry)
        for name, entry in event.get("contexts", {}).items()
        if name not in {"trace", "flags", "runtime"}
    }
    flags = event.get("contexts", {}).get("flags", {}).get("values", [])
    return {
        "exceptions": [(value["type"], value["value"]) for value in values],
        "message": event.get("message", "") or ("" if values else _written(event)),
        "level": event.get("level", "error"),
        "tags": texts(event.get("tags", {})),
        "user": texts(event.get("user", {})),
        "extra": {k: v for k, v in texts(event.get("extra", {})).items() if k != "sys.argv"},
        "contexts": contexts,
        "crumbs": [a_crumb(crumb) for crumb in event["breadcrumbs"]["values"]],
        "fingerprint": event.get("fingerprint"),
        "flags": {one["flag"]: label(one["result"]) for one in flags},
    }


def _written(event):
    return event.get("logentry", {}).get("formatted", "")


def spans_in(transaction):
    trace = transaction["contexts"]["trace"]
    names = {trace["span_id"]: transaction["transaction"]}
    names |= {span["span_id"]: span.get("description") for span in transaction["spans"]}
    tags = texts(transaction.get("tags", {}))
    yield a_span(trace, transaction["transaction"], tags, names)
    for span in transaction["spans"]:
        yield a_span(span, span.get("description"), texts(span.get("tags", {})), names)


def a_span(span, name, tags, names):
    tags.pop("status", None)
    status = span.get("status") or "unset"
    parent = names.get(span.get("parent_span_id"), "")
    return (name, span.get("op") or "", parent, status, sorted(tags.items()))


def a_crumb(crumb):
    return (
        crumb["category"],
        crumb["message"],
        crumb.get("level") or "info",
        crumb.get("data") or None,
    )


def a_log(line):
    kept = {key: value["value"] for key, value in line["attributes"].items()}
    values = {
        key.removeprefix("sentry.message.parameter."): label(value)
        for key, value in kept.items()
        if not key.startswith(_OF_SDK) or key.startswith("sentry.message.parameter.")
    }
    return (line["level"], line["body"], values)


def a_metric(metric):
    kept = metric["attributes"].items()
    own = {k: label(v["value"]) for k, v in kept if not k.startswith(_OF_SDK)}
    return (metric["name"], metric["type"], metric["value"], metric.get("unit") or "", sorted(own))


def texts(mapping):
    return {key: label(value) for key, value in (mapping or {}).items()}


# --- what ours sent -------------------------------------------------------------------------------


def ours_of(told):
    spans = told.spans
    names = {span.span_id: span.name for span in spans}
    return {
        "errors": [our_event(error) for error in told.all("error")],
        "spans": sorted(our_span(span, names) for span in spans),
        "checkins": [(one.monitor, one.status) for one in told.all("checkin")],
        "logs": [
            (line.level, line.body, line.attributes)
            for line in told.all("log")
            if "shop" not in line.logger
        ],
        "points": sorted(
            (it.metric, it.kind, it.value, it.unit, sorted(it.attributes))
            for it in told.all("point")
        ),
    }


def our_event(error):
    attributes = error.attributes
    contexts = {k: json.loads(v) for k, v in under("context.", attributes).items()}
    chain = json.loads(error.stack)["chain"] if error.stack else []
    crumbs = json.loads(attributes.get("breadcrumbs", "[]"))
    values = [(one["type"], "\n".join([one["value"], *one.get("notes", ())])) for one in chain]
    is_message = error.type == "Message"
    return {
        "exceptions": [] if is_message else values[::-1],
        "message": error.message if is_message else "",
        "level": error.level,
        "tags": under("tag.", attributes),
        "user": under("user.", attributes),
        "extra": contexts.pop("extra", {}),
        "contexts": contexts,
        "crumbs": [a_crumb(crumb) for crumb in crumbs],
        "fingerprint": json.loads(attributes.get("sentry.fingerprint", "null")),
        "flags": under("flag.", attributes),
    }


def our_span(span, names):
    attributes = span.attributes
    status = attributes.get(
        "sentry.status", "internal_error" if span.status == "error" else "unset"
    )
    tags = sorted(under("tag.", attributes).items())
    return (span.name, attributes.get("sentry.op", ""), names.get(span.parent_id, ""), status, tags)


def under(prefix, attributes):
    return {k.removeprefix(prefix): v for k, v in attributes.items() if k.startswith(prefix)}
