"""A disk whose calls fail, for a process that a test starts: compiled from `failing_disk.c`."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
from pathlib import Path

CALLS = {
    "write": 1,
    "fsync": 2,
    "rename": 4,
    "read": 8,
    "open": 16,
    "unlink": 32,
    "list": 64,
    "statvfs": 128,
}
FOREVER = 1 << 30
SOURCE = Path(__file__).with_name("failing_disk.c")


class FailingDisk:
    """Everything below a folder, for programs that are started with `environment`."""

    def __init__(self, room: Path, under: Path) -> None:
        library = room / "failing_disk.so"
        command = ["gcc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        self._orders = room / "orders"
        self._orders.write_bytes(bytes(20))
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAILING_ORDERS": str(self._orders),
            "FAILING_UNDER": str(under),
        }

    def fail(self, call: str, error: str, *, times: int = FOREVER, after: int = 0) -> None:
        """From now on, or after so many calls, so often, or until it is well again."""
        number = getattr(errno, error)
        self._write(struct.pack("=IIiIi", CALLS[call], number, times, 0, after))

    @property
    def failed(self) -> int:
        """How many calls did since they were told to."""
        return int.from_bytes(self._orders.read_bytes()[12:16], "little")

    def be_well(self) -> int:
        """Nothing fails any more; how many calls did."""
        self._write(bytes(12))
        return self.failed

    def _write(self, orders: bytes) -> None:
        with self._orders.open("r+b") as file:
            os.pwrite(file.fileno(), orders, 0)


def has_compiler() -> bool:
    """Whether there is one that makes the library."""
    return shutil.which("gcc") is not None
