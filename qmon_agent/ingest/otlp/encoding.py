"""What reading needs of an encoding; messages look the same in both, with protobuf's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

Lane = Literal["traces", "metrics", "logs"]
LANES: tuple[Lane, ...] = ("traces", "metrics", "logs")

Pair = tuple[str, str]

# Longer ones hardly repeat, and would be kept twice.
_REMEMBERED_BYTES = 256


class Encoding(Protocol):
    """One of the two ways to write a message.

    Attributes and bodies of logs are left as they came: most of them repeat, and each distinct one
    is read once (`Pairs`).
    """

    content_type: str

    def read(self, lane: Lane, body: bytes) -> Any:
        """The request of a lane; raises WireError for anything that is not one."""

    def pairs(self) -> Pairs:
        """For the attributes of one message."""

    def text(self, raw: bytes) -> str:
        """Any value as text; raises WireError."""

    def identify(self, raw: Any, width: int) -> str:
        """An id of `width` bytes in lower-case hex; "" where there is none or a wrong one."""

    def success(self, lane: Lane, rejected: int, message: str) -> bytes:
        """What a sender is told whose message is kept, all of it or but for some."""

    def status(self, code: int, message: str) -> bytes:
        """A google.rpc.Status."""


class Pairs(dict[bytes, Pair]):
    """The attributes of one message, each distinct one read once."""

    def __init__(self, read: Callable[[bytes], Pair]) -> None:
        """`read` answers key and text of one attribute, or raises WireError."""
        super().__init__()
        self._read = read

    def __missing__(self, raw: bytes) -> Pair:
        made = self._read(raw)
        if len(raw) <= _REMEMBERED_BYTES:
            self[raw] = made
        return made

    def labels(self, raws: Iterable[Any] | None) -> dict[str, str]:
        """Attributes as ours: text to text."""
        return dict(map(self.__getitem__, raws)) if raws else {}
