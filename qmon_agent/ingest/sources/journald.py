"""What systemd's journal has, by `journalctl`; nothing where there is no systemd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from qmon_agent import durable
from qmon_agent.domain.bounds import Seconds
from qmon_agent.ingest.foreign import worst
from qmon_agent.ingest.journal_entries import (
    Entry,
    read_entry,
    resource_of,
    signals_of_entry,
    told_together,
)
from qmon_agent.ingest.offspring import bound_to_us
from qmon_agent.ingest.order import Order, told_apart
from qmon_agent.ingest.outcome import Fate, Outcome, Peer
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import Frame, Head, Resource, encode_frame
from qmon_sdk.protocol.signals import Signal

_MOST_ENTRIES = 500
_LONGEST_LINE = 4 << 20
_PAUSES_S = (1.0, 30.0)


class JournalPlace(msgspec.Struct, kw_only=True):
    """How far the journal is read: `count` entries after the cursor are on their way."""

    id: str
    cursor: str = ""
    number: int = 0
    """Entries until the cursor."""
    count: int = 0


class JournaldSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.journald]`: off unless enabled; it wants the group `systemd-journal`."""

    enabled: bool = False
    units: tuple[str, ...] = ()
    """Only these; empty means all."""
    directory: str = ""
    """Where the journal is, if not at its usual place."""
    from_beginning: bool = False
    """Whether what is there at the very first start is read."""
    interval_s: Seconds = 0.5
    """How long entries are gathered."""
    command: str = "journalctl"
    """The program that reads the journal."""

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    async def start(self, door: Door) -> None:
        self._door = door
        self._path = door.spool.parent / "journald.json"
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def describe(self) -> Mapping[str, Any]:
        return {"command": self.command, "trouble": self._trouble}

    async def _run(self) -> None:
        pause_s, longest_s = _PAUSES_S
        while True:
            try:
                await self._follow(await self._place())
                self._trouble = f"{self.command} has ended"
            except FileNotFoundError:
                self._trouble = f"{self.command} is not here: is this a system with systemd?"
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is tried again
                self._trouble = f"{type(problem).__name__}: {problem}"[:200]
            self._door.vitals.add("journald_restarts")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _place(self) -> JournalPlace:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._path.read_bytes(), type=JournalPlace)
        place = JournalPlace(id=os.urandom(16).hex())
        if not self.from_beginning:
            place.cursor = await self._last_cursor()
        return place

    async def _last_cursor(self) -> str:
        child = await self._spawn("--lines=1")
        try:
            output, _ = await child.communicate()
        finally:
            await _ended(child)
        entries = [read_entry(line) for line in output.splitlines()]
        return next((entry["__CURSOR"] for entry in entries if entry), "")

    async def _spawn(self, *options: str) -> asyncio.subprocess.Process:
        usual = [f"--unit={unit}" for unit in self.units]
        if self.directory:
            usual.append(f"--directory={self.directory}")
        return await asyncio.create_subprocess_exec(
            *bound_to_us(self.command),
            "--output=json",
            "--no-pager",
            "--all",
            "--quiet",
            *usual,
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
        )

    async def _follow(self, place: JournalPlace) -> None:
        # `--follow` alone shows this boot only: what came last before the machine went down is not
        # the least interesting. With `--merge` it shows all.
        begin = [f"--after-cursor={place.cursor}"] if place.cursor else []
        child = await self._spawn("--follow", "--merge", "--lines=all", *begin)
        self._trouble = ""
        try:
            while child.stdout is not None:
                entries = await self._gathered(child.stdout, place.count)
                if not entries:
                    return
                await self._keep(place, entries)
        finally:
            await _ended(child)

    async def _gathered(self, output: asyncio.StreamReader, count: int) -> list[Entry]:
        """Just `count` if so many were on their way; else what comes within the interval."""
        entries: list[Entry] = []
        most = count or _MOST_ENTRIES
        deadline: float | None = None
        while len(entries) < most:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                line = await asyncio.wait_for(output.readline(), left)
            except TimeoutError:
                break
            except ValueError:  # longer than anything we keep; its rest is no entry either
                line = b"\n"
            if not line:
                break
            entry = read_entry(line)
            if entry is None:
                self._door.vitals.add("journald_entries_rejected")
                continue
            entries.append(entry)
            if deadline is None and not count:
                deadline = time.monotonic() + self.interval_s
        return entries

    async def _keep(self, place: JournalPlace, entries: Sequence[Entry]) -> None:
        """Written down, sent until it is on disk, and only then behind us."""
        place.count = len(entries)
        await asyncio.to_thread(durable.replace, self._path, msgspec.json.encode(place))
        while True:
            outcomes = await asyncio.gather(*map(self._send, _parts(place, entries)))
            if all(outcome.fate is not Fate.REFUSED for outcome in outcomes):
                break
            await asyncio.sleep(_PAUSES_S[0])
        place.cursor = entries[-1]["__CURSOR"]
        place.number += len(entries)
        place.count = 0
        await asyncio.to_thread(durable.replace, self._path, msgspec.json.encode(place))
        self._door.vitals.add("journald_entries", len(entries))

    async def _send(self, part: Part) -> Outcome:
        """What does not fit one frame is cut: at the same place whenever it comes again."""
        number, signals = part.said[0][0], [one for _, told in part.said for one in told]
        head = Head(process=part.process, sequence=number)
        peer = Peer(name="journald")
        try:
            encoded = encode_frame(
                Frame(
                    process=head.process,
                    sequence=head.sequence,
                    sent=time.time_ns(),
                    resource=part.resource,
                    blocks=blocks_of(signals),
                )
            )
        except OversizeError:
            if len(part.said) == 1:
                return await self._door.intake.reject_made(head, "oversize", peer)
            return worst([await self._send(half) for half in part.halves()])
        return await self._door.intake.take_made(encoded, head, peer=peer)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit said, each message by the number of its entry, by which its frame is named."""

    process: bytes
    resource: Resource
    said: list[tuple[int, list[Signal]]] = []

    def halves(self) -> tuple[Part, Part]:
        middle = len(self.said) // 2
        return (
            msgspec.structs.replace(self, said=self.said[:middle]),
            msgspec.structs.replace(self, said=self.said[middle:]),
        )


def _parts(place: JournalPlace, entries: Sequence[Entry]) -> Iterator[Part]:
    """One for each who speaks."""
    groups: dict[tuple[str, str], Part] = {}
    order = Order()
    for at, entry in told_together(entries):
        number = place.number + 1 + at
        who = resource_of(entry)
        error_id = blake2b(f"{place.id}/{number}".encode(), digest_size=16).hexdigest()
        new = Part(process=bytes.fromhex(place.id), resource=who, said=[])
        group = groups.setdefault((who.service, who.host), new)
        group.said.append((number, [*told_apart(signals_of_entry(entry, error_id), order)]))
    yield from groups.values()


async def _ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        # What a child of its own holds open is not waited for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _PAUSES_S[0])
