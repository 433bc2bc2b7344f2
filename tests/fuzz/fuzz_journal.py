"""Coverage-guided fuzzing of what opens and reads the journal: `nox -s fuzz`.

The bytes are written over a segment, its index, the cursors or the checkpoint of a good journal. A
finding is any exception, a journal that does not take new records, or a record that nobody wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qmon_agent.journal"]):
    from qmon_agent.domain.clock import HandClock
    from qmon_agent.journal import Journal, JournalOptions, JournalReader
    from qmon_agent.journal.simulated import SimulatedDisk

HOME = Path("/state/journal")
SENDER = bytes(16)
OPTIONS = JournalOptions(segment_bytes=300, reserve_bytes=0, emergency_bytes=16)
PAYLOADS = {bytes([n]) * 40 for n in range(1, 10)}


def one_input(data: bytes) -> None:
    """Spoil a file, at a place that the first bytes choose, and go on."""
    if len(data) < 3:
        return
    disk = SimulatedDisk()
    journal = opened(disk)
    write(journal, range(1, 7))
    journal.cursors.save("reader", journal.committed)
    journal.close()
    names = sorted(path for path in files(disk, HOME) if path.suffix != ".lock")
    file = disk.open(names[data[0] % len(names)], "edit")
    size = file.size()
    offset = data[1] * size // 256
    file.write_at(data[2 : 2 + max(0, size - offset)] if data[1] % 2 else data[2:], offset)
    file.close()

    journal = opened(disk)
    write(journal, range(7, 10))
    journal.close()
    reader = JournalReader(HOME, disk=disk)
    found = [record.payload for record in reader.read(max_bytes=1 << 20)]
    reader.close()
    assert PAYLOADS >= {*found}, "a record that nobody wrote"
    assert {bytes([n]) * 40 for n in range(7, 10)} <= {*found}, "new records are not there"


def opened(disk: SimulatedDisk) -> Journal:
    journal = Journal.open(HOME, options=OPTIONS, disk=disk, clock=HandClock())
    assert journal.wait_until_settled(10)
    return journal


def write(journal: Journal, numbers: range) -> None:
    """One record each."""
    for number in numbers:
        if not journal.seen(SENDER, number):
            journal.append(bytes([number]) * 40, process=SENDER, sequence=number)
            journal.commit()


def files(disk: SimulatedDisk, folder: Path) -> list[Path]:
    """Everything below a folder."""
    found: list[Path] = []
    for name in disk.list(folder):
        path = folder / name
        try:
            found += files(disk, path)
        except NotADirectoryError:
            found.append(path)
    return found


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
