"""The agent's own output: for trying things out, and for journald."""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, Literal

import msgspec

from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery


class ConsoleChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Writes one line per message; standard error unless told otherwise."""

    stream: Literal["stderr", "stdout"] = "stderr"
    """Which of the agent's outputs."""

    IS_LOG: ClassVar[bool] = True

    async def send(self, message: Message) -> Delivery:
        """Whoever reads the stream may be slow, so a thread does it."""
        await asyncio.to_thread(self._write, f"{message.title} [{message.key}]\n")
        return DELIVERED

    def _write(self, line: str) -> None:
        out = getattr(sys, self.stream)
        out.write(line)
        out.flush()
