"""Whether Redis, or what speaks like it, answers."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.bounds import Port

from . import Checked
from ._link import Stopwatch, connected, heard_on


class RedisProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Says `PING`, after `AUTH` where there is a password, and wants `PONG`."""

    host: str = "127.0.0.1"
    """Where it is."""
    port: Port = 6379
    """Which port."""
    user: str = ""
    """Who asks."""
    password: str = ""
    """The password."""

    @property
    def target(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def check(self, timeout_s: float) -> Checked:
        """One connection, and a line or two."""
        watch = Stopwatch(timeout_s)
        asked = [["PING"]]
        if self.password:
            asked.insert(0, ["AUTH", *filter(None, [self.user]), self.password])
        with connected(self.host, self.port, watch) as link, watch.phase("first_byte"):
            link.sendall(b"".join(map(_command, asked)))
            heard = heard_on(link, watch, lambda heard: heard.count(b"\r\n") >= len(asked))
        lines = heard.decode("utf-8", "replace").split("\r\n")
        wrong = next((line for line in lines if line.startswith("-")), "")
        if wrong or lines[len(asked) - 1] != "+PONG":
            return Checked(problem=wrong[1:81] or "no PONG", type="answer")
        return Checked(numbers=watch.numbers())


def _command(words: list[str]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        plain = word.encode()
        parts += [f"${len(plain)}\r\n".encode(), plain, b"\r\n"]
    return b"".join(parts)
