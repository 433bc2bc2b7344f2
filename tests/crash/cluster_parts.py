"""Three servers of NATS, an edge, two gateways and a store on loopback, and who counts."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
from collections import Counter

import psutil
from ports import free_port

from qmon_agent.journal import JournalReader
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_frame, encode_frame
from qmon_sdk.protocol.signals import Span

SPANS = 20
SENDERS = 64
PATIENCE_S = 90.0
QUIET = "[samplers]\nenabled = false\n"
TO_NATS = QUIET + "[sinks.nats]\nservers = {urls}\ntimeout_s = 2\n"
FROM_NATS = "[sources.nats]\nenabled = true\nservers = {urls}\nack_wait_s = 2\ntimeout_s = 2\n"
TO_STORE = '[sinks.native]\nendpoint = "{url}"\ntoken = "{token}"\n'
TO_GATEWAYS = QUIET + "[sinks.native]\ntimeout_s = 2\naway_s = 1\n"
GATEWAY = '[[sinks.native.gateways]]\nurl = "{url}"\ntoken = "{token}"\n'


def nats_program():
    """Where the server is, or nothing."""
    return shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")


class Node:
    """One server of a cluster, which keeps its streams when it is killed."""

    def __init__(self, program, directory, *, number, ports):
        self.name = f"n{number + 1}"
        self.port, inner = ports[number]
        routes = ",".join(f"nats://127.0.0.1:{other}" for _, other in ports)
        self._command = [program, "-a", "127.0.0.1", "-p", str(self.port), "--name", self.name]
        self._command += ["-js", "-sd", str(directory / self.name), "--cluster_name", "mesh"]
        self._command += ["--cluster", f"nats://127.0.0.1:{inner}", "--routes", routes]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Servers:
    """All three."""

    def __init__(self, program, directory):
        ports = [(free_port(), free_port()) for _ in range(3)]
        self.nodes = [Node(program, directory, number=n, ports=ports) for n in range(3)]
        self.urls = [f"nats://127.0.0.1:{port}" for port, _ in ports]

    def start(self):
        for node in self.nodes:
            node.start()

    def stop(self):
        for node in self.nodes:
            node.stop()

    def stream(self):
        """What the servers say of it; nothing while they cannot say it."""
        return asyncio.run(self._stream())

    def send_again(self, agent, most=200):
        """Frames that one agent has, once more and without a name by which the stream knows them:
        as when an acknowledgement is lost for good. Ends when all have been taken.
        """
        payloads = [encode_frame(frame) for frame in agent.frames("mesh")[:most]]
        asyncio.run(self._publish(payloads))
        deadline = time.monotonic() + PATIENCE_S
        while not (told := self.stream()) or told.state.messages:
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def leader(self):
        """Who leads the stream, as soon as somebody does."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            told = self.stream()
            if told and told.cluster.leader:
                return next(node for node in self.nodes if node.name == told.cluster.leader)
            time.sleep(0.1)
        raise AssertionError("nobody leads the stream")

    async def _publish(self, payloads):
        import nats

        client = await nats.connect(self.urls)
        for payload in payloads:
            await self._publish_one(client.jetstream(), payload)
        await client.close()

    @staticmethod
    async def _publish_one(stream, payload):
        """What nobody answered is sent once more, which is the same as what this is about."""
        import nats.errors

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await stream.publish("qmon.frames", payload)
            except nats.errors.Error:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)

    async def _stream(self):
        import nats
        import nats.errors

        try:
            client = await nats.connect(self.urls, connect_timeout=1, allow_reconnect=False)
            try:
                return await client.jsm(timeout=1).stream_info("qmon")
            finally:
                await client.close()
        except (nats.errors.Error, OSError, TimeoutError):
            return None


class Arrivals:
    """What the store has, read as it comes."""

    def __init__(self, agent):
        self._reader = JournalReader(agent.state / "journal")
        self.sequences, self.floods = set(), set()

    def __repr__(self):
        floods = Counter(name for name, _ in self.floods)
        return f"{len(self.sequences)} arrived, {dict(floods)}, {self._reader.missed} missed"

    def look(self):
        while records := self._reader.read():
            for record in records:
                service = decode_frame(record.payload).resource.service
                if service == "mesh":
                    self.sequences.add(record.sequence)
                elif service.startswith("flood"):
                    self.floods.add((service, record.sequence))
        return self.sequences


class Mesh:
    """The agents: an edge that many speak to, gateways, and one store behind them."""

    def __init__(self, make_agent, producers):
        self.edge, self.store = make_agent(), make_agent()
        self.gateways = [make_agent(), make_agent()]
        self._producers = producers
        self.story = []

    def start(self, edge_config, gateway_config="", state=""):
        """`edge_config` makes the edge's configuration when the gateways are there; `state` is
        where the one behind them has its tokens.
        """
        self.store.configure(QUIET + (f'[store]\nstate = "{state}"\n' if state else ""))
        self.store.start()
        to_store = TO_STORE.format(url=address_of(self.store), token=token_of(self.store))
        for gateway in self.gateways:
            gateway.configure(QUIET + to_store + gateway_config)
            gateway.start()
        self.edge.configure(edge_config(self))
        self.edge.start()
        self.arrivals = Arrivals(self.store)
        self.produce(pause_s=0.01)
        self.follow("start")

    def produce(self, *, pause_s):
        """What is spoken to the edge: a hundred frames a second, or as many as it takes."""
        self.producer = self._producers(self.edge.socket, a_frame, under_way=64, pause_s=pause_s)

    def follow(self, name, began=None):
        """Until what is sent from now on arrives, and until nothing waits any more."""
        began, marker = began or time.monotonic(), self.producer.sent
        self._until(lambda: max(self.arrivals.look(), default=0) > marker, name)
        back_s = time.monotonic() - began
        self._until(lambda: self._backlog() < 3 * 100, name)
        self.story.append((name, back_s, time.monotonic() - began))

    def _backlog(self):
        return self.producer.acknowledged - len(self.arrivals.look())

    def flood(self, seconds, *, size, **more):
        """As many frames of `size` spans as go in: frames a second until the last has arrived, and
        milliseconds of a core that each party took for one; `more` are further parties.
        """
        parties = {"edge": [self.edge], "gateways": self.gateways, "store": [self.store], **more}
        before, began = costs_of(parties), time.monotonic()
        producer = self._producers(self.edge.socket, frames_of(size), under_way=32)
        while time.monotonic() < began + seconds:
            self.arrivals.look()  # at once: what everybody has read is not kept for long
            time.sleep(0.1)
        producer.stopping.set()
        producer.join(PATIENCE_S)
        number = producer.acknowledged
        arrived = self.arrivals.floods
        service = service_of(size)
        self._until(
            lambda: self.arrivals.look() and sum(name == service for name, _ in arrived) >= number,
            service,
        )
        rate = number / (time.monotonic() - began)
        took = {name: cost - before[name] for name, cost in costs_of(parties).items()}
        told = {f"{name}_ms": f"{cost / number * 1e3:.2f}" for name, cost in took.items()}
        return {"frames_of": size, "frames_a_second": round(rate), **told}

    def share_again(self, gateway):
        """Until one that was away, or has just come, gets its share."""
        before = len(names_at(gateway))
        self._until(lambda: len(names_at(gateway)) > before + SENDERS, "share again")

    def stop(self):
        for each in (self.edge, *self.gateways, self.store):
            each.stop(signal.SIGKILL)

    def settle(self):
        """Nothing new; until all that was promised is there, or the time is over."""
        self.producer.stopping.set()
        self.producer.join(PATIENCE_S)
        self._until(lambda: self._backlog() <= 0, "the end")
        time.sleep(3)  # in which what comes twice would come

    def _until(self, condition, name):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (name, self._backlog(), self.arrivals, self.story)
            time.sleep(0.1)

    def verdict(self):
        """What was promised, what is there, and what two gateways had both."""
        names = [names_at(each) for each in (*self.gateways, self.store)]
        spans = Counter(row.span_id for row in self.store.signals("span", "mesh"))
        wanted = {span_id(n, at) for n in range(1, self.producer.acknowledged + 1) for at in all_at}
        return {
            "frames": self.producer.acknowledged,
            "spans": len(wanted),
            "lost": len(wanted - spans.keys()),
            "doubled": sum(count - 1 for count in spans.values()),
            "at_gateways": [len(each) for each in names[:2]],
            "at_both_gateways": len(names[0].keys() & names[1].keys()),
            "doubled_at_one": sum(n - 1 for each in names[:2] for n in each.values()),
        }


all_at = range(SPANS)
LARGE = [
    Span(
        time=time.time_ns() + n * 1_000,
        name=f"GET /orders/{n % 20}",
        trace_id=f"{n // 10:032x}",
        span_id=f"{n:016x}",
        duration_ns=n * 7_919 % 90_000_000,
        attributes={"http.method": "GET", "http.status_code": 200 + n % 7, "customer": f"c{n}"},
    )
    for n in range(1000)
]


def address_of(agent):
    return f"http://127.0.0.1:{agent.http_port}"


def token_of(agent):
    return agent.ask("token", "create", "--scope", "ingest")["token"]


def names_at(agent):
    return Counter((frame.process, frame.sequence) for frame in agent.frames("mesh"))


def a_frame(sequence):
    """One of some processes, each with sequences of its own that are unlike the others'."""
    return Frame(
        process=(sequence % SENDERS).to_bytes(16, "big"),
        sequence=sequence,
        resource=Resource(service="mesh"),
        blocks=blocks_of([Span(time=1, name="w", span_id=span_id(sequence, at)) for at in all_at]),
    )


def frames_of(size):
    """Makes frames of so many spans of three attributes, the same ones in each."""
    blocks = blocks_of(LARGE[:size])
    resource = Resource(service=service_of(size))

    def a_large_frame(sequence):
        process = (sequence % SENDERS + size * SENDERS).to_bytes(16, "big")
        return Frame(process=process, sequence=sequence, resource=resource, blocks=blocks)

    return a_large_frame


def service_of(size):
    return f"flood of {size}"


def costs_of(parties):
    """Seconds of a core that each has used."""
    return {name: sum(map(cpu_s, each)) for name, each in parties.items()}


def cpu_s(party):
    user, system, *_ = psutil.Process(party.process.pid).cpu_times()
    return user + system


def span_id(sequence, at):
    return f"{sequence * SPANS + at:016x}"
