"""msgpack of one small value, without the price of a packer each time."""

from __future__ import annotations

from msgpack import Packer

from qmon_sdk.protocol.frames import pack

# Of any thread, since each of its calls is one step of the interpreter; not where it is Python.
_PACKER = None if Packer.__module__.endswith("fallback") else Packer(buf_size=1024)


def packed(value: object) -> bytes:
    """Write msgpack as `pack` does."""
    if _PACKER is None:
        return pack(value)
    try:
        return bytes(_PACKER.pack(value))
    except UnicodeEncodeError:
        return pack(value)
