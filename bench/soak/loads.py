"""The load: a thread for each way in, steady, with clients that come and go."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length
from qmon_sdk.protocol.signals import Error, Log, Point, Span

ANSWER_S = 30.0
# A client is a new one after so many messages: new connections, new processes, new accounts.
STAYS = 200
LINES_OF_A_FILE = 5_000


class Load(threading.Thread):
    """Sends at its pace; a sender whose agent is late does not hurry afterwards."""

    rows = 1
    per_s = 10.0

    def __init__(self, place):
        super().__init__(daemon=True, name=type(self).__name__)
        self.place = place
        self.stopping = threading.Event()
        self.rows_kept = self.failures = self.sent = 0
        self.latencies = []

    def run(self):
        """Until it is told to stop."""
        while not self.stopping.wait(1 / self.per_s):
            began = time.perf_counter()
            self.sent += 1
            try:
                kept = self.send(self.sent)
            except (OSError, ValueError):
                self.failures += 1
                self.leave()
                continue
            self.rows_kept += kept
            self.latencies.append(time.perf_counter() - began)
            if self.sent % STAYS == 0:
                self.leave()

    def leave(self):
        """Come back as somebody else."""

    def taken(self):
        """What the answers took since the last time it was asked."""
        taken, self.latencies = self.latencies, []
        return taken


class Frames(Load):
    """Native frames: spans, points, logs and now and then an error, acknowledged one by one."""

    rows, per_s = 20, 25.0
    link = None

    def send(self, number):
        """One frame; waits for its acknowledgement."""
        if self.link is None:
            self.process, self.link = os.urandom(16), self._connected()
        self.link.send(pack_length(self._frame(number)))
        while number not in decode_ack(self.link.recv(1 << 20)[4:]).sequences:
            pass
        return self.rows

    def _connected(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.settimeout(ANSWER_S)
        link.connect(str(self.place.socket))
        return link

    def _frame(self, number):
        now, route = time.time_ns(), f"GET /route/{number % 40}"
        signals = [
            Span(
                time=now + n,
                name=route,
                trace_id=os.urandom(16).hex(),
                span_id=os.urandom(8).hex(),
                duration_ns=random.randrange(1 << 24),
            )
            for n in range(self.rows - 3)
        ]
        signals.append(Point(time=now, metric="requests", kind="counter", value=1.0))
        signals.append(Log(time=now, body=f"{route} answered", level="info"))
        what = f"no room {number % 7}"
        signals.append(Error(time=now, error_id=os.urandom(16).hex(), type="OSError", message=what))
        return encode_frame(
            Frame(
                process=self.process,
                sequence=number,
                sent=now,
                resource=Resource(service=f"shop-{number // STAYS % 5}"),
                blocks=blocks_of(signals),
            )
        )

    def leave(self):
        """Hang up."""
        if self.link is not None:
            self.link.close()
        self.link = None


class Http(Load):
    """One request a message, a connection each."""

    path, kind = "", "application/json"

    def post(self, body, headers=()):
        """Wait for the answer; one that refuses is an error."""
        usual = {"authorization": f"Bearer {self.place.token}", "content-type": self.kind}
        request = urllib.request.Request(
            self.place.url + self.path, body, {**usual, **dict(headers)}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                answer.read()
        except urllib.error.HTTPError as refused:
            refused.close()
            raise


class Otlp(Http):
    """Spans of OpenTelemetry, as JSON."""

    path, rows, per_s = "/v1/traces", 10, 5.0

    def send(self, number):
        """One request of ten spans."""
        now = time.time_ns()
        spans = [
            {
                "traceId": os.urandom(16).hex(),
                "spanId": os.urandom(8).hex(),
                "name": f"step {n}",
                "startTimeUnixNano": str(now),
                "endTimeUnixNano": str(now + 1_000_000),
            }
            for n in range(self.rows)
        ]
        who = {"key": "service.name", "value": {"stringValue": f"otel-{number // STAYS % 5}"}}
        part = {"resource": {"attributes": [who]}, "scopeSpans": [{"spans": spans}]}
        self.post(json.dumps({"resourceSpans": [part]}).encode())
        return self.rows


class Sentry(Http):
    """Errors of Sentry's clients."""

    path, kind, per_s = "/api/1/envelope/", "application/x-sentry-envelope", 2.0

    def send(self, number):
        """One envelope of one event."""
        event = {
            "event_id": os.urandom(16).hex(),
            "message": f"it broke {number % 11}",
            "timestamp": datetime.now(UTC).isoformat(),
            "level": "error",
        }
        body = json.dumps(event).encode()
        item = json.dumps({"type": "event", "length": len(body)}).encode()
        auth = f"Sentry sentry_key={self.place.token}, sentry_version=7"
        self.post(b"{}\n%s\n%s\n" % (item, body), {"x-sentry-auth": auth})
        return 1


class Posthog(Http):
    """Events of PostHog's clients."""

    path, rows, per_s = "/batch/", 5, 2.0

    def send(self, number):
        """One batch of five events."""
        events = [
            {"event": f"clicked {n}", "distinct_id": f"user-{number}", "uuid": os.urandom(8).hex()}
            for n in range(self.rows)
        ]
        self.post(json.dumps({"api_key": self.place.token, "batch": events}).encode())
        return self.rows


class Statsd(Load):
    """Datagrams, which nobody answers."""

    per_s = 50.0

    def __init__(self, place):
        super().__init__(place)
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, number):
        """Ten lines, of series that change slowly."""
        lines = [f"shop.sold.{number // 500 % 50}:1|c|#n:{n}" for n in range(10)]
        self.link.sendto("\n".join(lines).encode(), ("127.0.0.1", self.place.statsd_port))
        return 0

    def taken(self):
        """Nothing: there is no answer to wait for."""
        self.latencies = []
        return []


class Lines(Load):
    """A log file that is written and rotated."""

    per_s = 20.0

    def send(self, number):
        """A line; every so often the file is put aside and a new one begun."""
        path = self.place.directory / "app.log"
        with path.open("a") as file:
            file.write(f"INFO line {number} of the shop\n")
        if number % LINES_OF_A_FILE == 0:
            path.rename(path.with_name("app.log.1"))
        return 1

    def taken(self):
        """Nothing, as above."""
        self.latencies = []
        return []


class Asking(Load):
    """Tells of an event and asks until `query` shows it."""

    per_s = 0.5
    failed_after_s = 20.0

    def send(self, number):
        """Its latency is what this load measures."""
        name = f"asked-{os.getpid()}-{number}"
        event = {"event": name, "distinct_id": "asker", "uuid": os.urandom(8).hex()}
        poster = Posthog(self.place)
        poster.post(json.dumps({"api_key": self.place.token, "batch": [event]}).encode())
        deadline = time.perf_counter() + self.failed_after_s
        sql = f"SELECT count(*) AS n FROM events WHERE name = '{name}'"
        while not self.place.ask(sql)[0]["n"]:
            if time.perf_counter() > deadline:
                raise TimeoutError(name)
            time.sleep(0.05)
        return 1


LOADS = (Frames, Frames, Otlp, Sentry, Posthog, Statsd, Lines, Asking)


def begun(place):
    """All of them, at work."""
    made = [load(place) for load in LOADS]
    for load in made:
        load.start()
    return made


def ended(loads):
    """Stop, and wait for what is under way."""
    for load in loads:
        load.stopping.set()
    for load in loads:
        load.join(ANSWER_S + Asking.failed_after_s)
        with suppress(OSError):
            load.leave()
