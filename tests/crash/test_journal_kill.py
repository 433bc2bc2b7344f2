"""A writer killed at random, a reader beside it: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmon_agent.journal import JournalReader

CHILD = Path(__file__).with_name("journal_child.py")
ROUNDS = 12
FEW = 100  # a slow disk takes more rounds until there is something to judge


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, CHILD, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_and_kill(home, first, *, seconds):
    """Let a writer live for a while; answers what it acknowledged and how far readers may go."""
    with started("write", home, first) as writer:
        assert "ready\n" == writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        told, _ = writer.communicate()
    # The last line may be cut by the kill: an acknowledgement half sent is none.
    lines = [line.split() for line in told.split("\n")[:-1]]
    kept = [int(word) for line in lines if line[0] == "kept" for word in line[1:]]
    until = [int(line[1]) for line in lines if line[0] == "until"]
    return kept, until[-1] if until else 0


def read_up_to(reader, until):
    """What a reader in a process of its own has found, and how much it says it has missed."""
    reader.stdin.write(f"{until}\n")
    reader.stdin.flush()
    sequences = []
    while not (line := reader.stdout.readline()).startswith("missed"):
        sequences += map(int, line.split())
    return sequences, int(line.split()[1])


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_loses_and_doubles_nothing(tmp_path, seed):
    chance = random.Random(seed)
    acknowledged, first, seen = set(), 1, []
    with started("read", tmp_path) as reader:
        rounds = itertools.count()
        while next(rounds) < ROUNDS or len(seen) <= FEW:
            kept, until = run_and_kill(tmp_path, first, seconds=chance.uniform(0.01, 0.25))
            acknowledged.update(kept)
            # The sender repeats the last answers too: they may not have reached it.
            first = max(1, max(acknowledged, default=1) - 20)
            found, missed = read_up_to(reader, until)
            seen += found
            assert 0 == missed
        reader.stdin.close()
    stored = _everything(tmp_path)
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert seen == stored[: len(seen)]


def _everything(home):
    reader = JournalReader(home)
    sequences = []
    while records := reader.read():
        sequences += [record.sequence for record in records]
    reader.close()
    return sequences
