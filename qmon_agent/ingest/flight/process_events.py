"""The kernel's process events: how every process ends, for who may listen; for older kernels."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import OrderedDict

_CONNECTOR = 11
_PROCESSES = 1
_LISTEN = 1
_SO_ATTACH_FILTER = 26
_EXIT = 0x80000000
# Lengths of netlink's and the connector's head; then: what, cpu, time, pid, tgid, status, signal.
_EVENT_AT = 36
_EVENT = struct.Struct("=IIQIIII")
_REMEMBERED = 4_096
_MOST_AT_ONCE = 1_000

# For each message: is it an exit, and of a process, not of a thread? Loads swap to network order.
_FILTER = (
    (0x20, 0, 0, _EVENT_AT),  # what
    (0x15, 0, 5, socket.htonl(_EXIT)),
    (0x20, 0, 0, _EVENT_AT + 16),  # pid, to X
    (0x07, 0, 0, 0),
    (0x20, 0, 0, _EVENT_AT + 20),  # tgid
    (0x1D, 0, 1, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
    (0x06, 0, 0, 0),
)


class ProcessEvents:
    """Remembers how the last few thousand processes of this machine ended."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._statuses: OrderedDict[int, int] = OrderedDict()

    @property
    def is_listening(self) -> bool:
        return self._socket is not None

    def start(self) -> None:
        """Listen, where the kernel lets us: not without the right to, nor inside of a container."""
        if self._socket is not None or not hasattr(socket, "AF_NETLINK"):
            return
        try:
            events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _CONNECTOR)
        except OSError:
            return
        try:
            _attach_filter(events)
            events.bind((0, _PROCESSES))
            events.send(_subscription())
            events.setblocking(False)
        except OSError:
            events.close()
            return
        self._socket = events
        asyncio.get_running_loop().add_reader(events.fileno(), self._hear)

    def stop(self) -> None:
        events, self._socket = self._socket, None
        if events is not None:
            asyncio.get_running_loop().remove_reader(events.fileno())
            events.close()

    def status_of(self, pid: int) -> int | None:
        """The exit status of a process that has just ended; nothing for others."""
        self._hear()
        return self._statuses.get(pid)

    def _hear(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                message = self._socket.recv(4_096) if self._socket else b""
            except OSError:
                return  # nothing more, or more than the kernel kept for us
            if len(message) < _EVENT_AT + _EVENT.size:
                return
            what, _, _, pid, tgid, status, _ = _EVENT.unpack_from(message, _EVENT_AT)
            if what == _EXIT and pid == tgid:
                self._statuses[pid] = status
                if len(self._statuses) > _REMEMBERED:
                    self._statuses.popitem(last=False)


def _subscription() -> bytes:
    operation = struct.pack("=I", _LISTEN)
    connector = struct.pack("=IIIIHH", _PROCESSES, 1, 0, 0, len(operation), 0)
    body = connector + operation
    return struct.pack("=IHHII", 16 + len(body), 3, 0, 0, os.getpid()) + body


def _attach_filter(events: socket.socket) -> None:
    """Have the kernel pass on nothing but the ends of processes."""
    import ctypes  # only an older kernel makes an agent pay for it

    code = b"".join(struct.pack("HBBI", *step) for step in _FILTER)
    held = ctypes.create_string_buffer(code)
    program = struct.pack("HP", len(_FILTER), ctypes.addressof(held))
    events.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
