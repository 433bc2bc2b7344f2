"""The key that errors are grouped by, so that a bug has one key whoever has told of it."""

from __future__ import annotations

try:
    from _blake2 import blake2b  # without the cryptography library that `hashlib` loads
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_MESSAGE = 200


def key_of_way(types: Iterable[str], names: Sequence[str], message: str) -> str:
    """Group by the types involved and the functions on the way, outermost first.

    Repetitions do not count, so that a recursion groups the same however deep it got; where no
    function is known, the message stands for the way.
    """
    ways = [name for before, name in zip(["", *names], names, strict=False) if name != before]
    return hashed((*types, *(ways or [template_of(message)])))


def hashed(parts: Iterable[str]) -> str:
    """Make a key of 32 hexadecimal digits."""
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def template_of(message: str) -> str:
    """Leave out of a message what varies between those of one kind: the digits."""
    return "".join(letter for letter in message[:MAX_MESSAGE] if not letter.isdigit())
