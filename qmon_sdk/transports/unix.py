"""The way to an agent on the same machine: a unix socket that keeps message boundaries.

A `SOCK_SEQPACKET` message is taken whole or not at all, from any number of threads, without a lock;
it is readable by the agent from then on, even if this process is killed the moment after. And a
forked child that still holds the descriptor cannot cut the parent's frames in two.
"""

from __future__ import annotations

import _socket
import errno
from functools import partial

from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, pack_length

from .address import Address
from .link import Link
from .stream import StreamChannel, no_sigpipe, open_socket, wait_for

SEQPACKET = getattr(_socket, "SOCK_SEQPACKET", None)  # Windows has none
# As much as the system gives; what a hung agent does not read waits there, outside our memory.
SEND_BUFFER_BYTES = 4 << 20
ANSWER_BYTES = 1 << 18
ANSWERS_PER_POLL = 1024
# The kernel wants one piece of memory for a message; a piece of this size is always to be had.
ALWAYS_FITS_BYTES = 1 << 16
# The listener, or the platform, wants another kind of socket.
_OTHER_KIND = frozenset((errno.EPROTOTYPE, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT))
# The kernel has no room just now; the connection itself is well.
_FULL = frozenset((errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM))


def open_address(address: Address) -> Link:
    return Link(partial(dial, address.path), place=f"unix://{address.path}")


def dial(path: str) -> PacketChannel | StreamChannel:
    """Connect without waiting; raises `OSError`."""
    if SEQPACKET is not None:
        try:
            return PacketChannel(_connected(path, SEQPACKET))
        except OSError as error:
            if error.errno not in _OTHER_KIND:
                raise
    return StreamChannel(_connected(path, _socket.SOCK_STREAM))


def _connected(path: str, kind: int) -> _socket.socket:
    sock = open_socket(_socket.AF_UNIX, kind)
    try:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    except ValueError as error:  # a path that no file can have
        sock.close()
        raise OSError(errno.EINVAL, str(error)) from error
    return sock


class PacketChannel:
    """A connected seqpacket socket: one message is one frame.

    `largest` shrinks when the kernel, its memory in pieces, cannot hold a message in one.
    """

    def __init__(self, sock: _socket.socket) -> None:
        self._sock = sock
        self._send = sock.send
        self._flags = no_sigpipe(sock)
        self._answer = bytearray(ANSWER_BYTES)  # a new one for each answer costs more than reading
        # Half, because the kernel counts its own overhead against the buffer too.
        room = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF) // 2
        self.largest = min(room, len(pack_length(b"")) + MAX_FRAME_BYTES)

    def is_open(self) -> bool:
        return True

    def send(self, message: bytes) -> bool:
        try:
            self._send(message, self._flags)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _FULL:
                self.largest = min(self.largest, max(ALWAYS_FITS_BYTES, len(message) // 2))
                return False
            raise
        return True

    def receive(self) -> list[bytes]:
        messages: list[bytes] = []
        try:
            while len(messages) < ANSWERS_PER_POLL:
                length = self._sock.recv_into(self._answer)
                if not length:
                    raise OSError(errno.EPIPE, "closed")
                messages.append(bytes(self._answer[4:length]))
        except BlockingIOError:
            return messages
        return messages

    def wait(self, seconds: float) -> None:
        wait_for(self._sock, seconds)

    def close(self) -> None:
        self._sock.close()
