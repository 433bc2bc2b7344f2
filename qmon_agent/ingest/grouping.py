"""Which foreign errors are one problem: by the same rules as those of our own SDK."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

_MAX_MESSAGE = 200
_BUILTIN = {"", "builtins"}

Link = dict[str, Any]


def key_of(chain: list[Link]) -> str:
    """Group by type, the types that led to it, and the application's functions on the way.

    Lines do not count, and neither do repetitions; without a stack, the message does, numbers
    aside.
    """
    types = [type_name(link) for link in chain]
    frames = chain[0]["frames"] if chain else []
    own = [frame for frame in frames if frame.get("in_app")]
    names = [name_of(frame) for frame in own or frames]
    ways = [name for before, name in zip(["", *names], names, strict=False) if name != before]
    return hashed((*types, *(ways or [template_of(chain[0]["value"] if chain else "")])))


def culprit_of(frames: list[dict[str, Any]]) -> str:
    """The application's function that is nearest to the trouble, or the nearest of all."""
    for frame in reversed(frames):
        if frame.get("in_app"):
            return name_of(frame)
    return name_of(frames[-1]) if frames else ""


def name_of(frame: dict[str, Any]) -> str:
    """A function with its module."""
    return f"{frame.get('module') or ''}.{frame.get('function') or ''}".strip(".")


def type_name(link: Link) -> str:
    """A type with its module, unless that goes without saying."""
    module, name = link.get("module") or "", link.get("type") or ""
    return name if module in _BUILTIN else f"{module}.{name}"


def hashed(parts: Iterable[str]) -> str:
    """A key of 32 hexadecimal digits."""
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def template_of(message: str) -> str:
    """What a message has in common with those of its kind: all but the digits."""
    return "".join(letter for letter in message[:_MAX_MESSAGE] if not letter.isdigit())
