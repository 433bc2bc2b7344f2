"""What all who take StatsD have in common: a UDP port, and that no datagram may be lost on it."""

from __future__ import annotations

import socket

from bench.ports import free_port

from . import Daemon


class StatsdTaker(Daemon):
    """A daemon with a UDP port, in `udp` from before its command is asked for."""

    tagged = False
    """Whether it knows tags."""

    def __enter__(self):
        self.udp = free_port()
        return super().__enter__()

    def ready(self):
        """Whether somebody has the port: it cannot be had."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", self.udp))
            except OSError:
                return True
        return False

    def address(self, _):
        return {"port": self.udp, "tagged": self.tagged}

    def settled(self, _, told):
        if told["lost"]:
            raise AssertionError(f"{told['lost']} datagrams found no room")
