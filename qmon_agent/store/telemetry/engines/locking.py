"""One worker at a time: the lock of a store's directory."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import TextIO

from qmon_agent.domain.errors import StoreError

LOCK = "store.lock"


def locked(path: Path, *, wait_s: float) -> TextIO:
    """Wait a while for the last worker to be gone; it may still be finishing a transaction."""
    file = path.open("w")
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                raise StoreError(f"{path.parent} is used by another process") from None
            time.sleep(0.05)
