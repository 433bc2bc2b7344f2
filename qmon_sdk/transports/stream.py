"""A connection without message boundaries: unix stream where there is no seqpacket, and TCP."""

from __future__ import annotations

import _socket
import errno
import os

from qmon_sdk.protocol.frames import MAX_FRAME_BYTES

from .originals import allocate_lock, original, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

_PREFIX = 4
_READABLE = 1  # `select.POLLIN`
_READ_BYTES = 1 << 16
_READS_PER_POLL = 16
# Held only while bytes are handed to the kernel. A signal handler that interrupts the holder would
# otherwise wait for itself for ever.
_LOCK_TIMEOUT_S = 0.005
_NO_SIGPIPE = getattr(_socket, "MSG_NOSIGNAL", 0)
_SO_NOSIGPIPE = getattr(_socket, "SO_NOSIGPIPE", 0x1022)  # macOS, where the flag does not exist


def open_socket(family: int, kind: int) -> _socket.socket:
    """Make a non-blocking socket of the interpreter's own class, which nobody patches."""
    sock = _socket.socket(family, kind)
    sock.setblocking(False)
    return sock


def no_sigpipe(sock: _socket.socket) -> int:
    """Give the flags for `send` that spare a host program that restored SIGPIPE its death by us."""
    if not _NO_SIGPIPE:
        sock.setsockopt(_socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
    return _NO_SIGPIPE


def wait_for(sock: _socket.socket, seconds: float) -> None:
    """Wait until there is something to read, or time is up."""
    try:
        watch = original("select", "poll")()  # looked for now: few programs ever wait
        watch.register(sock.fileno(), _READABLE)
        watch.poll(seconds * 1000)
    except (AttributeError, OSError, ValueError):  # no such thing on Windows; closed meanwhile
        sleep(seconds)


class Cipher(Protocol):
    """What stands between messages and the bytes of the connection. Used under a lock."""

    def is_ready(self) -> bool:
        """Say whether messages can be sealed yet."""

    def seal(self, message: bytes) -> bytes:
        """Give the bytes to send for `message`, and whatever else the cipher has to say."""

    def open(self, data: bytes) -> bytes:
        """Give what the received bytes mean."""


class Plain:
    """No cipher."""

    def is_ready(self) -> bool:
        return True

    def seal(self, message: bytes) -> bytes:
        return message

    def open(self, data: bytes) -> bytes:
        return data


class StreamChannel:
    """A connected stream: a message begun is kept until its last byte has left.

    A forked child refuses to touch the parent's stream: half a message of its own would make all
    that follows unreadable.
    """

    largest = _PREFIX + MAX_FRAME_BYTES

    def __init__(
        self, sock: _socket.socket, *, cipher: Cipher | None = None, greeting: bytes = b""
    ) -> None:
        self._sock = sock
        self._cipher = cipher or Plain()
        self._greeting = greeting
        self._open = False
        self._flags = no_sigpipe(sock)
        self._pid = os.getpid()
        self._lock = allocate_lock()
        self._outbox = b""
        self._inbox = b""

    def is_open(self) -> bool:
        self._check_process()
        if not self._open:
            self._exchange()
            if self._cipher.is_ready():
                self._outbox += self._cipher.seal(self._greeting)
                self._open = True
        return self._open

    def send(self, message: bytes) -> bool:
        self._check_process()
        if not self._open or not self._lock.acquire(timeout=_LOCK_TIMEOUT_S):
            return False
        try:
            if not self._flush():
                return False
            self._outbox = self._cipher.seal(message)
            self._flush()
            return True
        finally:
            self._lock.release()

    def receive(self) -> list[bytes]:
        self._check_process()
        self._exchange()
        messages, place = [], 0
        while place + _PREFIX <= len(self._inbox):
            length = int.from_bytes(self._inbox[place : place + _PREFIX], "big")
            if length > MAX_FRAME_BYTES:
                raise OSError(errno.EPROTO, "an answer of impossible length")
            if place + _PREFIX + length > len(self._inbox):
                break
            messages.append(self._inbox[place + _PREFIX : place + _PREFIX + length])
            place += _PREFIX + length
        self._inbox = self._inbox[place:]
        return messages

    def wait(self, seconds: float) -> None:
        wait_for(self._sock, seconds)

    def close(self) -> None:
        self._sock.close()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise OSError(errno.EPIPE, "the connection belongs to the parent process")

    def _exchange(self) -> None:
        """Send what waits and read what came."""
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT_S):
            return
        try:
            self._inbox += self._cipher.open(self._read())
            if self._flush():
                self._outbox = self._cipher.seal(b"")
                self._flush()
        finally:
            self._lock.release()

    def _flush(self) -> bool:
        """Send what waits as far as the kernel takes it; answers whether nothing waits any more."""
        try:
            while self._outbox:
                self._outbox = self._outbox[self._sock.send(self._outbox, self._flags) :]
        except BlockingIOError:
            return False
        return True

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while len(pieces) < _READS_PER_POLL:
                piece = self._sock.recv(_READ_BYTES)
                if not piece:
                    raise OSError(errno.EPIPE, "closed")
                pieces.append(piece)
        except BlockingIOError:
            return b"".join(pieces)
        return b"".join(pieces)
