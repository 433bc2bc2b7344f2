"""Ports for the servers of tests, which the kernel gives to nobody meanwhile.

Whoever binds to port 0, or connects to somebody, gets one of the kernel's own range: a port of that
range that was free a moment ago, or whose server is being started again, may be somebody's by now.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

FIRST, LAST = 10_000, 32_767
KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that nobody has by TCP or UDP; never the same one twice in a process."""
    return next(port for port in PORTS if _is_free(port))


def _outside_of_the_kernels() -> list[int]:
    """In an order of this process; a kernel that has them all for itself has to share them."""
    low, high = _range_of_the_kernel()
    ports = [port for port in range(FIRST, LAST + 1) if not low <= port <= high]
    ports = ports or list(range(FIRST, LAST + 1))
    # Not `random.shuffle`: pytest-randomly gives every process the same seed.
    random.SystemRandom().shuffle(ports)
    return ports


def _range_of_the_kernel() -> tuple[int, int]:
    try:
        low, high = map(int, KERNELS.read_text(encoding="ascii").split())
    except OSError:  # not Linux
        return LAST + 1, LAST + 1
    return low, high


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


PORTS = iter(_outside_of_the_kernels())
