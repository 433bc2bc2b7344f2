"""What can go wrong on the wire.

WireError
├── TornError       fewer bytes than the length prefix promised
├── OversizeError   more bytes than one frame may have
└── FrameError      bytes that are not a frame of any version we can read
"""

from __future__ import annotations


class WireError(Exception):
    """Bytes that cannot be taken, with the machine-readable reason they are counted under."""

    reason = "undecodable"


class TornError(WireError):
    """The message ended before its length prefix said."""

    reason = "torn"


class OversizeError(WireError):
    """The message is larger than `MAX_FRAME_BYTES`."""

    reason = "oversize"


class FrameError(WireError):
    """The bytes are no frame, or a block in it contradicts itself."""
