"""Ways to the agent: what each of them promises, and how a DSN picks one."""

from __future__ import annotations

from importlib import import_module

from qmon_sdk.protocol.records import Record

from .address import Address, AddressError
from .originals import sleep

TYPE_CHECKING = False  # `import typing` costs more than everything else here
if TYPE_CHECKING:
    from typing import Protocol

    from qmon_sdk.settings import Settings
else:
    Protocol = object

# What a DSN may begin with, and the file that knows the rest. Imported only when asked for.
SCHEMES = {
    "unix": "unix",
    "tcp": "tcp",
    "tls": "tcp",
    "http": "http",
    "https": "http",
    "memory": "memory",
}


class Poll(Record):
    """What the agent said since the last look."""

    acknowledged: tuple[int, ...] = ()
    rejected: tuple[tuple[int, str], ...] = ()
    credit: int | None = None  # bytes the agent has room for; None = it said nothing about it
    reconnected: bool = False  # whatever is not acknowledged may be lost: send it again
    connected: bool = False  # or about to be: an attempt is under way


class Transport(Protocol):
    """A way to the agent: `send` from any thread at once, `poll` and `close` from one.

    Nothing here raises: what is wrong is said in `trouble`, in words a person can act on, and is
    "" while all is well. `largest` is the biggest message that `send` can ever take.
    """

    trouble: str
    largest: int

    def send(self, message: bytes) -> bool:
        """Hand over one prefixed frame without blocking; False = not taken, keep it."""

    def poll(self) -> Poll:
        """Read acknowledgements and, when it is time, connect again; bounded work, no waiting."""

    def wait(self, seconds: float) -> None:
        """Wait until a poll may have news, and no longer than that."""

    def close(self) -> None:
        """Give the descriptors back and nothing more, so that a forked child may call it too."""


def open_transport(settings: Settings) -> Transport:
    """Open the way that `settings.dsn` names, else the unix socket `settings.socket`.

    A DSN that makes no sense gives a transport that never takes anything and says why.
    """
    try:
        address = Address.parse(settings.dsn or f"unix://{settings.socket}")
        module = import_module(f".{SCHEMES[address.scheme]}", __name__)
        transport: Transport = module.open_address(address)
    except KeyError as unknown:
        return SilentTransport(f"dsn: unknown scheme {unknown}; known: {', '.join(SCHEMES)}")
    except AddressError as problem:
        return SilentTransport(f"dsn: {problem}")
    return transport


class SilentTransport:
    """No way to the agent, and the reason."""

    largest = 0

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble

    def send(self, message: bytes) -> bool:  # noqa: ARG002 - the shape is the protocol's
        return False

    def poll(self) -> Poll:
        return Poll()

    def wait(self, seconds: float) -> None:
        sleep(seconds)

    def close(self) -> None:
        """Hold nothing, so give nothing back."""
