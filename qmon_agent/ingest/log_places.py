"""Where reading of log files goes on: written whole, on disk before anything relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.ingest.followed import Place

_PATIENCE_S = 10.0


class LogPlaces:
    """One small file; what cannot be read of it is as good as not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = b""

    def load(self) -> list[Place] | None:
        """Every place; nothing where there was never any."""
        try:
            self._written = durable.read(self._path, patience_s=_PATIENCE_S)
            return msgspec.json.decode(self._written, type=list[Place])
        except (OSError, msgspec.MsgspecError):
            return None

    def save(self, places: Sequence[Place]) -> None:
        """Replaces them all, durably, if anything has changed; raises OSError."""
        data = msgspec.json.encode(places)
        if data == self._written:
            return
        durable.replace(self._path, data)
        self._written = data
