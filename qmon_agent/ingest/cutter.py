"""Cuts a stream of bytes into frames, without ever holding more than one frame may have."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from qmon_sdk.protocol.frames import MAX_FRAME_BYTES

PREFIX_BYTES = 4
# Of a frame too large to keep: enough to tell whose it is, and to see in the dead letters.
_EVIDENCE_BYTES = 4_096
# Past this the length is no length: the stream is not speaking our protocol.
HOPELESS_BYTES = 256 << 20


class Cut(msgspec.Struct, frozen=True):
    """A frame, or the beginning of one that declared more than is allowed."""

    frame: bytes
    declared: int


class Cutter:
    """Takes bytes as they come and gives frames; `is_hopeless` when the stream makes no sense."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = 0
        self.is_hopeless = False

    @property
    def held(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Cut]:
        if self._skip:
            data = self._skipped(data)
        self._held += data
        while (cut := self._next()) is not None:
            yield cut

    def _skipped(self, data: bytes) -> bytes:
        dropped = min(self._skip, len(data))
        self._skip -= dropped
        return data[dropped:]

    def _next(self) -> Cut | None:
        held = self._held
        if self.is_hopeless or len(held) < PREFIX_BYTES:
            return None
        declared = int.from_bytes(held[:PREFIX_BYTES], "big")
        wanted = declared if declared <= MAX_FRAME_BYTES else min(declared, _EVIDENCE_BYTES)
        end = PREFIX_BYTES + wanted
        if len(held) < end:
            return None
        frame = bytes(memoryview(held)[PREFIX_BYTES:end])
        del held[:end]
        if declared > wanted:
            self._pass_over(declared - wanted)
        self.is_hopeless = declared > HOPELESS_BYTES
        return Cut(frame, declared)

    def _pass_over(self, rest: int) -> None:
        dropped = min(rest, len(self._held))
        del self._held[:dropped]
        self._skip = rest - dropped
