"""Sockets that systemd opened for us: they outlive a restart, so that senders wait, and none fails.

They come as descriptors from 3 on (`LISTEN_FDS`), for the process that `LISTEN_PID` names alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

_FIRST = 3


def find_unix(path: str, *, kind: socket.SocketKind) -> socket.socket | None:
    """One that is bound to this path and speaks in this way; a copy, which may be closed."""
    return _copy_of(
        descriptor
        for descriptor, bound in _handed_over()
        if bound.family == socket.AF_UNIX and bound.type == kind and bound.getsockname() == path
    )


def find_internet(host: str, port: int, *, kind: socket.SocketKind) -> socket.socket | None:
    """One that is bound to this address; a copy, which may be closed."""
    wanted: set[tuple[str, int]] = set()
    found = []
    for descriptor, bound in _handed_over():
        if bound.family in {socket.AF_INET, socket.AF_INET6} and bound.type == kind:
            wanted = wanted or _addresses(host, port)
            if bound.getsockname()[:2] in wanted:
                found.append(descriptor)
    return _copy_of(iter(found))


def is_handed_over(listener: socket.socket) -> bool:
    """Whether its file is not ours to remove."""
    if listener.fileno() < 0:
        return False
    own = os.fstat(listener.fileno())
    return any(
        (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)
        for status in (os.fstat(descriptor) for descriptor, _ in _handed_over())
    )


def _handed_over() -> Iterator[tuple[int, socket.socket]]:
    """Each descriptor that is a socket, with a look at it."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return
    count = os.environ.get("LISTEN_FDS", "")
    for descriptor in range(_FIRST, _FIRST + int(count) if count.isdecimal() else _FIRST):
        try:
            os.set_inheritable(descriptor, False)
            bound = socket.socket(fileno=descriptor)
        except OSError:
            continue
        try:
            yield descriptor, bound
        finally:
            bound.detach()  # it stays open as long as we live


def _copy_of(descriptors: Iterator[int]) -> socket.socket | None:
    descriptor = next(descriptors, None)
    if descriptor is None:
        return None
    copy = socket.socket(fileno=os.dup(descriptor))
    copy.setblocking(False)
    return copy


def _addresses(host: str, port: int) -> set[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return {(host, port)}
    return {(str(address[0]), int(address[1])) for *_, address in found}
