"""Listening sockets; a unix one takes a stale one's place, never a living one's."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from pathlib import Path

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.handed_over import find_internet, find_unix, is_handed_over
from qmon_agent.ingest.outcome import Peer

# The kernel's sockaddr_un holds 108 bytes, the last of them a zero.
_LONGEST_PATH = 107
_BACKLOG = 512
_HIGHEST_PORT = 0xFFFF
_CREDENTIALS = struct.Struct("3i")


def listen_unix(
    path: Path, *, kind: socket.SocketKind, mode: int, option: str = "--socket"
) -> socket.socket:
    """A non-blocking socket at `path` that listens, or takes datagrams; only `mode` may open it.

    `option` is what would name another path.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        reason = f"a socket path has at most {_LONGEST_PATH} bytes; use another {option}"
        raise ConfigError(str(path), reason)
    if ready := find_unix(str(path), kind=kind):
        return ready  # who may open it, its unit says
    _make_room(path.parent)
    _remove_stale(path, option)
    listener = socket.socket(socket.AF_UNIX, kind)
    # Never open to anybody else, not even between bind and chmod.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        path.chmod(mode)
        if kind != socket.SOCK_DGRAM:
            listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def listen_tcp(listen: str, *, path: str, option: str = "") -> socket.socket:
    """A listening socket at `HOST:PORT`; raises ConfigError for `path`, or OSError.

    `option` is what would name another address, beside `path`.
    """
    host, port = address_of(listen, path=path)
    if ready := find_internet(host, port, kind=socket.SOCK_STREAM):
        return ready
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as problem:
        listener.close()
        step = f"; use another {option}" if option else ""
        raise ConfigError(path, f"{listen}: {problem.strerror or problem}{step}") from None
    return listener


def listen_udp(listen: str, *, path: str) -> socket.socket:
    """A non-blocking socket for datagrams to `HOST:PORT`; raises ConfigError for `path`."""
    host, port = address_of(listen, path=path)
    if ready := find_internet(host, port, kind=socket.SOCK_DGRAM):
        return ready
    taker = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        taker.bind((host, port))
        taker.setblocking(False)
    except OSError as problem:
        taker.close()
        raise ConfigError(path, f"{listen}: {problem.strerror or problem}") from None
    return taker


def address_of(listen: str, *, path: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises ConfigError for `path`."""
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise ConfigError(path, f"{listen!r} is no HOST:PORT")
    if int(port) > _HIGHEST_PORT:
        raise ConfigError(path, f"{listen!r}: a port is at most {_HIGHEST_PORT}")
    return host.strip("[]") or "127.0.0.1", int(port)


def remove_socket(path: Path, listener: socket.socket) -> None:
    """Closes a listener and removes its file, unless it is another's: agent's or systemd's."""
    if is_handed_over(listener):
        listener.close()
        return
    try:
        ours = _inode(path)
        listener.close()
        if ours is not None and not _answers(path):
            path.unlink(missing_ok=True)
    except OSError:
        listener.close()


def peer_of(connection: socket.socket) -> Peer:
    """Who connected, as the kernel knows it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return Peer(name="unix")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return Peer(name=f"pid:{pid}", uid=uid, pid=pid)


def _make_room(directory: Path) -> None:
    """A directory made for sockets may be passed by all: each socket says who may open it."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)


def _remove_stale(path: Path, option: str) -> None:
    if _inode(path) is None:
        return
    if _answers(path):
        raise OSError(errno.EADDRINUSE, f"{path} is in use by another agent; use another {option}")
    path.unlink(missing_ok=True)


def _inode(path: Path) -> int | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.EEXIST, f"{path} is there and is no socket")
    return status.st_ino


def _answers(path: Path) -> bool:
    """Whether somebody listens there, in either way of speaking."""
    packets = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_STREAM)
    for kind in (socket.SOCK_STREAM, packets, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            code = probe.connect_ex(str(path))
        if code in (0, errno.EAGAIN, errno.EINPROGRESS):
            return True
    return False
