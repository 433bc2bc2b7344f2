"""The application's own look at what is about to leave: `before_send` and its like."""

from __future__ import annotations

from .client import noted
from .protocol.signals import kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .protocol.signals import Signal
    from .stats import Books

    S = TypeVar("S", bound=Signal)

DROPPED, FAILED = "before_send", "before_send_failed"

_TEXTS = frozenset({"Key", "Word", "Text"})
_NUMBERS = frozenset({"Time", "Duration", "Whole", "Number", "Flag"})


class NotASignal(TypeError):  # noqa: N818 - it is counted, never raised at anybody
    """What a hook answered can be neither kept nor sent."""


def screened(
    hook: Callable[..., Any], signal: S, books: Books, *, counted: bool = False, **hint: Any
) -> S | None:
    """Let a hook see a signal; what it drops, or fails over, is counted and `None`.

    `counted` says that the signal is in the books as captured already. A hook that `takes_hints`
    is told what else is known.
    """
    try:
        seen = hook(signal, **hint) if getattr(hook, "takes_hints", False) else hook(signal)
        if seen is None or seen is signal or _is_sound(seen, signal):
            reason = DROPPED
        else:
            raise NotASignal(type(seen).__name__)
    except Exception as error:  # noqa: BLE001 - the guard: the hook is the application's own code
        noted("before_send", error)
        seen, reason = None, FAILED
    if seen is None:
        kind = kind_of(signal)
        if not counted:
            books.captured(kind)
        books.dropped(kind, reason)
    answer: S | None = seen
    return answer


def _is_sound(seen: Any, signal: Signal) -> bool:
    """Say whether it is of the same kind, and every field of its role."""
    return type(seen) is type(signal) and all(
        _fits(field.role, value) for field, value in zip(type(signal).FIELDS, seen, strict=True)
    )


def _fits(role: str, value: Any) -> bool:
    if role in _TEXTS:
        return type(value) is str and _is_encodable(value)
    if role in _NUMBERS:
        return type(value) in {int, float, bool}
    if type(value) is not dict:
        return False
    if role == "Labels":
        return all(_fits("Text", text) for pair in value.items() for text in pair)
    return all(type(number) is int for pair in value.items() for number in pair)


def _is_encodable(text: str) -> bool:
    return text.isascii() or text.encode("utf-8", "replace").decode("utf-8") == text
