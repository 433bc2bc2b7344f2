"""Which errors with stacks of text are one problem: by the same rules as those of our SDK."""

from __future__ import annotations

from typing import Any

from qmon_sdk.protocol.grouping import key_of_way

_BUILTIN = {"", "builtins"}

Link = dict[str, Any]


def key_of(chain: list[Link]) -> str:
    """Group by type, the types that led to it, and the application's functions on the way."""
    frames = chain[0]["frames"]
    own = [frame for frame in frames if frame.get("in_app")]
    names = [name_of(frame) for frame in own or frames]
    return key_of_way([type_name(link) for link in chain], names, chain[0]["value"])


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
