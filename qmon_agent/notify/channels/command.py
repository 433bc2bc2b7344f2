"""A program of one's own: the message as JSON on its standard input, and in its environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from threading import Thread

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.message import Message, clean

from . import DELIVERED, Delivery

VERSION = 1
# What programs need to run; nothing else of the agent's environment, where secrets may be.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
# Of sysexits.h: what was said is wrong, and will be wrong again.
_REFUSED = frozenset({os.EX_DATAERR})
_SAID_BYTES = 2_000
_SAID = 200
_LOOK_S = 0.02


class CommandChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Never through a shell, so that nothing in a message is a command.

    It has told when it ends with 0; with 65 (EX_DATAERR) the message is refused, and with any
    other code, or at its deadline, tried again. Whatever it started is killed with it.
    """

    program: str
    """The program: a path, or a name that is on the agent's `PATH`."""
    arguments: tuple[str, ...] = ()
    """Its arguments, as they are."""
    environment: dict[str, str] = {}
    """What stands in its environment besides, secrets by reference too."""
    timeout_s: Seconds = 15.0
    """How long it may run."""

    def __post_init__(self) -> None:
        if shutil.which(self.program) is None:
            raise ConfigError("program", f"no program {self.program!r} that may be run")

    async def send(self, message: Message) -> Delivery:
        """Looks again and again whether it has ended, so that it can be left at any moment."""
        try:
            run = _Run(self._command(), self._environment(message), document_of(message))
        except OSError as error:
            return Delivery(outcome="retry", detail=f"{self.program}: {error.strerror}")
        try:
            async with asyncio.timeout(self.timeout_s):
                while (code := run.process.poll()) is None:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            detail = f"{self.program}: killed after {self.timeout_s:g} s"
            return Delivery(outcome="retry", detail=detail)
        finally:
            run.end()
        return self._delivery(code, run.said())

    def _command(self) -> list[str]:
        found = shutil.which(self.program) or self.program
        return [str(Path(found).absolute()), *self.arguments]

    def _delivery(self, code: int, said: str) -> Delivery:
        if code == 0:
            return DELIVERED
        for secret in self.environment.values():
            said = said.replace(secret, "***") if secret else said
        detail = f"{self.program}: exit code {code}" + (f": {said}" if said else "")
        return Delivery(outcome="refused" if code in _REFUSED else "retry", detail=detail)

    def _environment(self, message: Message) -> dict[str, str]:
        notice = message.notice
        own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        told = {
            "QMON_KEY": message.key,
            "QMON_INCIDENT": notice.incident,
            "QMON_STATUS": notice.status,
            "QMON_ALERT": notice.alert,
            "QMON_SEVERITY": notice.severity,
            "QMON_SYSTEM": notice.system,
            "QMON_TITLE": message.title,
            "QMON_LINK": message.link,
            "QMON_ATTEMPT": str(message.attempt),
        }
        return own | self.environment | told


def document_of(message: Message) -> bytes:
    """The message, as one JSON document; times are nanoseconds UTC."""
    return msgspec.json.encode({"version": VERSION, **msgspec.to_builtins(message)})


class _Run:
    """One process and its children, in a group of their own, so that all of it ends."""

    def __init__(self, command: list[str], environment: dict[str, str], document: bytes) -> None:
        self.process = Popen(  # noqa: S603 - the operator's program, and no shell
            command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env=environment,
            start_new_session=True,
            cwd="/",
        )
        self._head = b""
        # Threads: it may read nothing, and say a lot.
        self._threads = [
            Thread(target=self._hand_over, args=(document,), daemon=True),
            Thread(target=self._hear, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def said(self) -> str:
        """The beginning of what it said."""
        return clean(self._head.decode("utf-8", "replace").strip(), _SAID)

    def end(self) -> None:
        """Kill what is left of it; nobody is waited for that has left the group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for thread in self._threads:
            thread.join(_LOOK_S * 5)

    def _hand_over(self, document: bytes) -> None:
        """Who ends without reading has told all the same, if its code says so."""
        assert self.process.stdin is not None  # noqa: S101 - asked for
        with suppress(OSError, ValueError), self.process.stdin as stdin:
            stdin.write(document)

    def _hear(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - asked for
        with suppress(OSError, ValueError), self.process.stdout as stdout:
            while piece := os.read(stdout.fileno(), _SAID_BYTES):
                self._head = (self._head + piece)[:_SAID_BYTES]
