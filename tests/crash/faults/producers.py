"""Producers: each speaks what one source takes, and remembers what it was promised."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from itertools import count

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length
from qmon_sdk.protocol.signals import Span

PATIENCE_S = 60.0
ANSWER_S = 3.0


class Producer(threading.Thread):
    """Sends items, again and again until they are acknowledged; then the next ones.

    An item is `SOURCE_NUMBER`, and stands in one column of one table, once.
    """

    name_of_source = ""
    table, column = "spans", "name"
    at_once, pause_s = 5, 0.05
    config = ""

    def __init__(self, stage):
        super().__init__(daemon=True, name=f"producer-{self.name_of_source}")
        self.stage, self.agent = stage, stage.agent
        self.sent, self.acknowledged = [], set()
        self.trouble = None
        self.stopping, self.given_up = threading.Event(), threading.Event()
        self._numbers = count(1)
        self.make_ready()

    def make_ready(self):
        """What it needs before the agent starts."""

    def begin(self):
        """Once the agent is there."""
        self.reach()
        self.start()

    def reach(self):
        """Learn where the agent is."""
        self.token = self.stage.token
        self.url = f"http://127.0.0.1:{self.agent.http_port}"

    def run(self):
        while not self.stopping.is_set():
            items = [f"{self.name_of_source}_{next(self._numbers)}" for _ in range(self.at_once)]
            self.sent += items
            while not self.is_delivered(items):
                if self.given_up.wait(0.1):
                    return self.finish()
            self.acknowledged |= {*items}
            time.sleep(self.pause_s)
        return self.finish()

    def finish(self):
        """What is left to do when nothing more is made."""

    def is_delivered(self, items):
        try:
            return self.deliver(items)
        except Exception as trouble:  # noqa: BLE001 - whatever it is: it is sent once more
            self.trouble = trouble
            return False

    def deliver(self, items):
        """Whether the other side has promised to keep them."""
        raise NotImplementedError

    def post(self, path, body, headers=()):
        """The body of an answer that is none of refusal."""
        usual = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, body, {**usual, **dict(headers)})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                return answer.read()
        except urllib.error.HTTPError as refused:
            refused.close()
            raise

    def close(self):
        """Let go of everything, whatever happened."""
        self.stopping.set()
        self.given_up.set()

    def verdict(self, _fault):
        """What it was promised, and what has become of it by now."""
        kept = self._kept()
        assert kept.keys() <= {*self.sent}, kept.keys() - {*self.sent}
        return Verdict(
            sent=len(self.sent),
            acknowledged=len(self.acknowledged),
            stored=len(kept),
            lost=sorted(self.acknowledged - kept.keys(), key=number_of),
            doubled=sorted(item for item, n in kept.items() if n > 1),
            what=self.table,
        )

    def _kept(self):
        sql = (
            f"SELECT {self.column} AS item, count(*) AS n FROM {self.table} WHERE "
            f"regexp_full_match({self.column}, '{self.name_of_source}_[0-9]+') GROUP BY 1"
        )
        rows = self.agent.ask("query", sql, "--limit", "100000")["rows"]
        return {row["item"]: row["n"] for row in rows}


def number_of(item):
    return int(item.rpartition("_")[2])


class Verdict:
    """Of one plug-in under one fault."""

    def __init__(self, **told):
        self.sent, self.acknowledged, self.stored = (
            told[key] for key in ("sent", "acknowledged", "stored")
        )
        self.lost, self.doubled = [*told.get("lost", ())], [*told.get("doubled", ())]
        self.counted, self.what = told.get("counted", ""), told.get("what", "items")

    @property
    def is_complete(self):
        """Whether nothing more is to come."""
        return not self.lost and self.stored >= (self.acknowledged or self.sent)

    @property
    def is_well(self):
        return self.sent and not self.lost and not self.doubled

    def __repr__(self):
        return (
            f"sent {self.sent}, acknowledged {self.acknowledged}, stored {self.stored}, "
            f"lost {self.lost[:9]}, doubled {self.doubled[:9]} {self.counted}"
        )


class FrameProducer(Producer):
    """Frames over a connection: all that is open once more after each break, byte for byte."""

    process, service = bytes(range(16)), "producer"

    def make_ready(self):
        self._sequence = 0
        self._link = None

    def frame_of(self, items):
        self._sequence += 1
        return encode_frame(
            Frame(
                process=self.process,
                sequence=self._sequence,
                resource=Resource(service=self.service),
                blocks=blocks_of(self.signals_of(items)),
            )
        )

    @staticmethod
    def signals_of(items):
        now = time.time_ns()
        return [Span(time=now, name=item, trace_id="ab" * 16, span_id="cd" * 8) for item in items]

    def is_delivered(self, items):
        """The same bytes each time: a frame has its number for good."""
        message, sequence = pack_length(self.frame_of(items)), self._sequence
        while not self.given_up.is_set():
            try:
                if self._is_acknowledged(message, sequence):
                    return True
            except Exception as trouble:  # noqa: BLE001 - as above
                self.trouble = trouble
                self._hang_up()
            self.given_up.wait(0.05)
        return False

    def _is_acknowledged(self, message, sequence):
        link = self._link = self._link or self.connected()
        link.settimeout(ANSWER_S)
        link.sendall(message)
        while True:
            answer = decode_ack(self.received(link))
            assert not answer.rejected
            if sequence in answer.sequences:
                return True

    def _hang_up(self):
        if self._link:
            self._link.close()
        self._link = None

    def finish(self):
        self._hang_up()


class UnixProducer(FrameProducer):
    name_of_source = "unix"

    def connected(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.settimeout(ANSWER_S)
        try:
            link.connect(str(self.agent.socket))
        except OSError:
            link.close()
            raise
        return link

    @staticmethod
    def received(link):
        message = link.recv(1 << 20)
        if not message:
            raise ConnectionResetError
        return message[4:]


class TcpProducer(FrameProducer):
    name_of_source = "tcp"
    process = bytes(range(1, 17))

    def make_ready(self):
        super().make_ready()
        self.config = f'[sources.tcp]\nenabled = true\nlisten = "127.0.0.1:{self.agent.tcp_port}"\n'

    def connected(self):
        return socket.create_connection(("127.0.0.1", self.agent.tcp_port), ANSWER_S)

    @staticmethod
    def received(link):
        head = exactly(link, 4)
        return exactly(link, int.from_bytes(head, "big"))


def exactly(link, size):
    found = b""
    while len(found) < size:
        part = link.recv(size - len(found))
        if not part:
            raise ConnectionResetError
        found += part
    return found
