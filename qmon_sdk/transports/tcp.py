"""The way to an agent elsewhere: the same messages over TCP, under TLS when the DSN says `tls://`."""

from __future__ import annotations

import _socket
import errno
from functools import partial
from time import monotonic

from qmon_sdk.protocol.frames import pack_length

from .address import Address, AddressError
from .link import Link
from .stream import Cipher, StreamChannel, open_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONNECT_TIMEOUT_S = 5.0
# How long the other machine may leave bytes unconfirmed before the connection counts as dead.
SILENCE_MS = 30_000
_OPTIONS = (
    (_socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (_socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (_socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", SILENCE_MS),
)
_GREETING = b"qmon-token "
_PENDING = frozenset((errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK))


def open_address(address: Address) -> Link:
    """Open `tcp://host:port` or `tls://host:port`; raises `AddressError` without a port."""
    if not address.port:
        raise AddressError("no port")
    place = f"{address.scheme}://{address.host}:{address.port}"
    return Link(partial(dial, address), place=place, at_once=False)


def dial(address: Address) -> TcpChannel:
    """Begin to connect; raises `OSError`. Names are looked up here, so by the thread that polls."""
    try:
        found = _socket.getaddrinfo(address.host, address.port, 0, _socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(errno.EINVAL, "no possible host name") from error
    family, kind, _, _, place = found[0]
    cipher = _tls(address.host) if address.scheme == "tls" else None
    greeting = pack_length(_GREETING + address.token.encode()) if address.token else b""
    sock = open_socket(family, kind)
    try:
        return TcpChannel(sock, place, cipher=cipher, greeting=greeting)
    except OSError:
        sock.close()
        raise


def _tls(host: str) -> TlsCipher:
    try:
        return TlsCipher(host)
    except ImportError as error:
        raise OSError(errno.ENOSYS, "this Python was built without ssl") from error


class TcpChannel(StreamChannel):
    """A stream that takes a while to connect."""

    def __init__(
        self, sock: _socket.socket, place: Any, *, cipher: Cipher | None, greeting: bytes
    ) -> None:
        super().__init__(sock, cipher=cipher, greeting=greeting)
        self._place = place
        self._deadline = monotonic() + CONNECT_TIMEOUT_S
        self._established = False
        for level, name, value in _OPTIONS:
            if option := getattr(_socket, name, None):
                sock.setsockopt(level, option, value)
        self.is_open()

    def is_open(self) -> bool:
        if not self._established:
            self._established = self._has_connected()
        is_open = self._established and super().is_open()
        if not is_open and monotonic() > self._deadline:
            raise OSError(errno.ETIMEDOUT, "no answer in time")
        return is_open

    def _has_connected(self) -> bool:
        """Connecting once more tells how far the first time has come."""
        code = self._sock.connect_ex(self._place)
        if code in (0, errno.EISCONN):
            return True
        if code in _PENDING:
            return False
        raise OSError(code, errno.errorcode.get(code, "cannot connect"))


class TlsCipher:
    """TLS in memory, so that it needs no socket of the `socket` module and never blocks."""

    def __init__(self, host: str) -> None:
        import ssl

        self._received = ssl.MemoryBIO()
        self._sendable = ssl.MemoryBIO()
        self._tls = ssl.create_default_context().wrap_bio(
            self._received, self._sendable, server_hostname=host
        )
        self._again = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._ready = False

    def is_ready(self) -> bool:
        return self._ready

    def seal(self, message: bytes) -> bytes:
        if not self._ready:
            self._shake_hands()
        elif message:
            self._tls.write(message)
        return self._sendable.read()

    def open(self, data: bytes) -> bytes:
        self._received.write(data)
        if not self._ready:
            self._shake_hands()
        return self._read() if self._ready else b""

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except self._again:
            return
        self._ready = True

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(1 << 16):
                pieces.append(piece)
        except self._again:
            return b"".join(pieces)
        return b"".join(pieces)
