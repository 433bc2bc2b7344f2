"""A real journal behind a real pipeline, and whole agents on the test's own loop."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from qmon_agent.app import Agent, make_plan
from qmon_agent.app.keeping import JournalKeeper
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.sources import Door
from qmon_agent.journal import GroupCommitter, Journal, JournalReader
from qmon_agent.settings import Admission as AdmissionOptions
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import blocks_of, rows_of
from qmon_sdk.protocol.frames import (
    Frame,
    Ledger,
    Resource,
    decode_ack,
    decode_frame,
    encode_frame,
    pack_length,
)
from qmon_sdk.protocol.signals import Span

PROCESS = bytes(range(16))
PEER = Peer(name="test")


def a_frame(sequence=1, *, signals=None, process=PROCESS, captured=None) -> bytes:
    """A frame of one process, with one span unless told otherwise."""
    signals = [Span(time=sequence, name="work")] if signals is None else signals
    return encode_frame(
        Frame(
            process=process,
            sequence=sequence,
            resource=Resource(service="shop"),
            blocks=blocks_of(signals),
            ledger=Ledger(captured=captured) if captured else None,
        )
    )


class Taking:
    """The way of a frame from a source to the disk."""

    frame = staticmethod(a_frame)
    peer = PEER

    def __init__(self, directory: Path, options: AdmissionOptions) -> None:
        self.directory = directory
        self.vitals = Vitals()
        self.journal = Journal.open(directory / "journal")
        self.committer = GroupCommitter(self.journal)
        self.keeper = JournalKeeper(self.journal, self.committer, vitals=self.vitals)
        self.admission = Admission(options)
        self.intake = Intake(self.keeper, admission=self.admission, vitals=self.vitals)

    def door(self, **changes) -> Door:
        usual = {"socket": self.directory / "agent.sock", "spool": self.directory / "spool"}
        return Door(
            intake=self.intake,
            vitals=self.vitals,
            may_enter=lambda token: token == "secret",
            **{**usual, **changes},
        )

    def records(self):
        return JournalReader(self.directory / "journal").read(max_bytes=1 << 30)

    def frames(self):
        return [decode_frame(record.payload) for record in self.records()]

    def rows(self):
        """Every signal on the disk, in its order."""
        blocks = [block for frame in self.frames() for block in frame.blocks if block.rows]
        return [row for block in blocks for row in rows_of(block)]

    async def close(self) -> None:
        await self.committer.close()
        self.keeper.close()
        self.journal.close()


class Sender:
    """One connection that sends messages and hears answers, as the SDK does, without waiting."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._heard = b""
        connection.setblocking(False)

    async def send(self, frame: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, pack_length(frame))

    async def hear(self):
        """The next answer; None when the connection was closed."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while len(self._heard) < 4 + int.from_bytes(self._heard[:4], "big"):
                part = await loop.sock_recv(self.connection, 1 << 16)
                if not part:
                    return None
                self._heard += part
        end = 4 + int.from_bytes(self._heard[:4], "big")
        answer, self._heard = decode_ack(self._heard[4:end]), self._heard[end:]
        return answer

    async def acknowledged(self, count: int) -> set[int]:
        """The sequences acknowledged, once there are so many."""
        found: set[int] = set()
        while len(found) < count:
            found.update((await self.hear()).sequences)
        return found

    async def rejected(self, count: int) -> list[tuple[int, str]]:
        """What is rejected and why, once there is so much of it."""
        found: list[tuple[int, str]] = []
        while len(found) < count:
            found.extend((await self.hear()).rejected)
        return found


def connect(address, kind=socket.SOCK_STREAM) -> Sender:
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    connection = socket.socket(family, kind)
    connection.connect(address if isinstance(address, tuple) else str(address))
    return Sender(connection)


@pytest.fixture
def admission_options():
    return AdmissionOptions()


@pytest.fixture
def make_taking(tmp_path_factory):
    """For tests that run loops of their own."""
    return lambda: Taking(tmp_path_factory.mktemp("taking"), AdmissionOptions())


@pytest.fixture
async def taking(tmp_path, admission_options):
    taking = Taking(tmp_path, admission_options)
    yield taking
    await taking.close()


@pytest.fixture
def frame():
    return a_frame


@pytest.fixture
def peer():
    return PEER


@pytest.fixture
async def sender():
    """Makes senders, and closes them afterwards."""
    made = []

    def make(address, kind=socket.SOCK_STREAM):
        made.append(connect(address, kind))
        return made[-1]

    yield make
    for one in made:
        one.connection.close()


@pytest.fixture
def http_options():
    """Further lines of the section `[http]` of an agent."""
    return ""


@pytest.fixture
async def agent(tmp_path, http_options):
    """A whole agent without a telemetry store, on this loop, with nothing of its own to say."""
    state = tmp_path / "state"
    state.mkdir()
    config = state / "qmon.toml"
    http = f'[http]\nlisten = "127.0.0.1:0"\n{http_options}'
    config.write_text(f"{http}\n[samplers]\nenabled = false\n")
    locations = find_locations(state=str(state), socket=str(tmp_path / "agent.sock"))
    claim = Claim(locations.lock)
    agent = Agent(make_plan(locations, with_store=False))
    agent.ready = await agent.start()
    await agent.settle()
    yield agent
    await agent.stop()
    claim.release()


@pytest.fixture
async def ask(agent):
    """Asks with a token of a scope; answers status and document."""
    tokens = {
        scope: (await agent.desk.create_token(scope, name="", ttl_s=60))["token"]
        for scope in ("read", "ingest", "operator", "admin")
    }
    async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:

        async def asked(method, path, scope="admin", **how):
            headers = {"authorization": f"Bearer {tokens[scope]}"}
            answer = await client.request(method, path, headers=headers, **how)
            return answer.status_code, answer.json()

        yield asked
