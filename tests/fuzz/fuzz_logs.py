"""Coverage-guided fuzzing of what reads lines of logs and entries of the journal: `nox -s fuzz`.

A finding is any exception, a line that is in no group, or a row that fits into no frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.journal_entries import read_entry, resource_of, signals_of_entry
    from qmon_agent.ingest.log_lines import Origin, groups_of, signals_of
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.frames import pack_block

ORIGIN = Origin(path="/var/log/a.log", name="id", now=1)


def one_input(data: bytes) -> None:
    """Read the bytes as a file's part, and as an entry."""
    lines = data.split(b"\n")
    signals, read = [], 0
    for first, end in groups_of(lines):
        assert first == read
        read = end
        signals += signals_of(lines[first:end], ORIGIN)
    assert read == len(lines)
    entry = read_entry(data)
    if entry is not None:
        resource_of(entry)
        signals += signals_of_entry(entry, "id")
    for block in blocks_of(signals):
        pack_block(block)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
