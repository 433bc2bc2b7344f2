"""Frames that other agents, or programs, put into NATS; needs `qmon[nats]`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Literal

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.nats_place import NatsPlace
from qmon_agent.ingest.nats_pulling import Consumer, Puller, Subject, Terms
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.pacing import REFUSAL_PAUSE_S
from qmon_agent.ingest.sources import Door

_AT_ONCE_BYTES = 8 << 20
_AT_FIRST = 16
_SETTINGS = 'sources.nats.subject, sources.nats.stream, or sources.nats.kind = "subject"'
_AT_ONCE = 512
_PAUSES_S = (0.1, 5.0)
_GRACE_S = 5.0
_CANCELS, _CANCEL_S = 10, 0.5
"""Before Python 3.12, `wait_for` may swallow a cancellation, and the client waits by it."""


class NatsSource(NatsPlace, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.nats]`: off unless enabled; what the sink `nats` of other agents sends.

    A frame of a stream is acknowledged when it is in the journal, and comes again until then.
    """

    enabled: bool = False
    servers: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    kind: Literal["stream", "subject"] = "stream"
    """`stream`: JetStream, which keeps frames; `subject`: what nobody hears at once is lost."""
    stream: str = ""
    """Name of the stream; empty means the one that keeps the subject."""
    group: str = "qmon"
    """Agents that say the same share what comes: a durable consumer, or a queue group."""
    ack_wait_s: Seconds = 30.0
    """After how long an unanswered frame comes again; told when the consumer is made."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._task: asyncio.Task[None] | None = None
        self._is_waiting = self._is_leaving = False
        self._largest = _AT_ONCE_BYTES // _AT_FIRST
        self._state, self._step = "not connected yet", ""

    async def start(self, door: Door) -> None:
        """A server that is away is no reason not to start: it is looked for until it is there."""
        await asyncio.to_thread(_needed)
        self._is_leaving = False
        self._task = asyncio.create_task(self._run(door))

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._is_leaving = True
        if not self._is_waiting:
            await asyncio.wait([task], timeout=_GRACE_S)
        for _ in range(_CANCELS):
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_S)
            if task.done():
                break
        self._state, self._step = "stopped", ""

    def describe(self) -> Mapping[str, Any]:
        told = {"servers": self.shown_servers, "subject": self.subject, "group": self.group}
        return {**told, "state": self._state, "trouble": self._step}

    async def _run(self, door: Door) -> None:
        """Connects again and again, the longer between the more often it was in vain."""
        import nats.errors

        least, most = _PAUSES_S
        pause = least
        while not self._is_leaving:
            self._is_waiting = True
            try:
                await self._visit(door)
            except (nats.errors.Error, OSError, TimeoutError) as problem:
                was_well = self._state == "ok"
                self._state, self._step = self._told(problem)
                door.vitals.add("nats_breaks", reason=type(problem).__name__)
                pause = least if was_well else min(most, 2 * pause)
                self._is_waiting = True
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    def _told(self, problem: Exception) -> tuple[str, str]:
        """What is wrong, and what to do about it."""
        from nats.js.errors import NotFoundError

        if isinstance(problem, NotFoundError):
            wanted = f"is called {self.stream}" if self.stream else f"keeps {self.subject}"
            return f"no stream {wanted}", f"create one, or set {_SETTINGS}"
        step = "is the server up, and are sources.nats.servers and its access right?"
        return str(problem).strip() or type(problem).__name__, step

    async def _visit(self, door: Door) -> None:
        from nats.aio.client import Client

        async def count(problem: Exception) -> None:
            door.vitals.add("nats_trouble", reason=type(problem).__name__)

        client = Client()
        try:
            await self.connect(client, count)
            puller = await self._puller(client, door)
            self._state, self._step = "ok", ""
            while not self._is_leaving:
                await self._take_some(door, puller)
            await client.flush()
        finally:
            await client.close()

    async def _puller(self, client: Any, door: Door) -> Puller:
        if self.kind == "subject":
            return await Subject.made(client, subject=self.subject, group=self.group)
        terms = Terms(
            subject=self.subject,
            stream=self.stream,
            group=self.group,
            ack_wait_s=self.ack_wait_s,
        )
        has = door.intake.has
        return await Consumer.made(client, terms, has=has, patience_s=self.timeout_s)

    async def _take_some(self, door: Door, puller: Puller) -> None:
        """Nothing is pulled while there is no room; what was pulled is answered in any case."""
        admission = door.intake.admission
        peer = Peer(name=f"nats:{self.subject}")
        self._is_waiting = True
        await admission.room(peer)
        most = max(1, min(_AT_ONCE, _AT_ONCE_BYTES // self._largest))
        messages = await puller.pull(most)
        self._is_waiting = False
        sizes = [len(message.data) for message in messages]
        pause = max((admission.charge(peer, size) for size in sizes), default=0.0)
        outcomes = await self._kept(door, puller, messages)
        both = zip(messages, outcomes, strict=True)
        await asyncio.gather(*(puller.answer(one, outcome) for one, outcome in both))
        if any(outcome.fate is Fate.REFUSED for outcome in outcomes):
            pause = max(pause, REFUSAL_PAUSE_S)
        self._largest = max(1024, *sizes, self._largest // 2) if sizes else self._largest
        if pause > 0:
            self._is_waiting = True
            await asyncio.sleep(pause)

    async def _kept(self, door: Door, puller: Puller, messages: list[Any]) -> list[Outcome]:
        """What another agent of the group has on its disk is answered, and not kept again."""
        held = await puller.held(messages)
        if held:
            door.vitals.add("nats_held_elsewhere", len(held))
        peer = Peer(name=f"nats:{self.subject}")
        taken = {
            at: door.intake.take(one.data, peer)
            for at, one in enumerate(messages)
            if at not in held
        }
        await asyncio.gather(*taken.values())
        elsewhere = Outcome(fate=Fate.DUPLICATE)
        return [taken[at].result() if at in taken else elsewhere for at, _ in enumerate(messages)]


def _needed() -> None:
    """Imported only by who takes from it, and not on the loop."""
    try:
        import nats.aio.client
        import nats.js.api  # noqa: F401 - looked up once, so that it is there
    except ImportError:
        reason = "needs nats-py: python -m pip install 'qmon[nats]'"
        raise ConfigError("sources.nats.enabled", reason) from None
