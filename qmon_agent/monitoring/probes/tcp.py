"""Whether somebody takes connections on a port."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.bounds import Port

from . import Checked
from ._link import Stopwatch, connected, heard_on


class TcpProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Connects; with `send` and `expect` it also says something and hears the answer."""

    host: str
    """Where to."""
    port: Port
    """Which port."""
    send: str = ""
    """What is said first."""
    expect: str = ""
    """What the answer has to contain."""

    @property
    def target(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def check(self, timeout_s: float) -> Checked:
        """One connection."""
        watch = Stopwatch(timeout_s)
        with connected(self.host, self.port, watch) as link:
            if self.send:
                link.sendall(self.send.encode())
            wanted = self.expect.encode()
            with watch.phase("first_byte"):
                heard = heard_on(link, watch, lambda heard: wanted in heard)
        if wanted not in heard:
            return Checked(problem="the answer is another one", type="answer")
        return Checked(numbers=watch.numbers())
