"""Writes a journal as the agent does and prints each acknowledged sequence; made to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from qmon_agent.journal import GroupCommitter, Journal, JournalOptions, JournalReader

OPTIONS = JournalOptions(segment_bytes=200_000, reserve_bytes=0, emergency_bytes=0)
SENDER = b"s" * 16
SIZES = (10, 1500, 60_000)


async def write(home: Path, first: int) -> None:
    journal = Journal.open(home, options=OPTIONS)
    if journal.cursors.load("reader") is None:
        journal.cursors.save("reader", journal.status().oldest)
    committer = GroupCommitter(journal)
    committer.on_commit(lambda position, _: print("until", position.record_id, flush=True))
    print("ready", flush=True)
    sequence = first
    while True:
        batch = range(sequence, sequence + 16)
        results = await asyncio.gather(
            *(committer.submit(bytes(SIZES[n % 3]), SENDER, n) for n in batch)
        )
        kept = [n for n, one in zip(batch, results, strict=True) if one.is_kept]
        print("kept", *kept, flush=True)
        sequence += 16
        journal.trim()


def read(home: Path) -> None:
    """Follow what the writer has answered for, as told on standard input, and print it."""
    reader = JournalReader(home)
    for line in sys.stdin:
        while records := reader.read(until=int(line), max_bytes=100_000):
            print(*(record.sequence for record in records), flush=True)
        print("missed", reader.missed, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(Path(sys.argv[2]))
    else:
        asyncio.run(write(Path(sys.argv[2]), int(sys.argv[3])))
