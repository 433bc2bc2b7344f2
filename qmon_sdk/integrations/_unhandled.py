"""Errors that nobody handled, as the interpreter's hooks tell of them, wherever they strike."""

from __future__ import annotations

from _thread import get_ident
from os import getpid

from qmon_sdk.capture import capture_exception
from qmon_sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Unhandled = tuple[BaseException, str, Mapping[str, Any]]

AT_ONCE = 8
"""Errors that one thread may tell while it is telling one: a `__del__` may fail at any moment."""

_ENDINGS = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})
# Process and thread → what it has told, and is yet to tell. A forked child has threads of the same
# numbers, which are telling nothing.
_telling: dict[tuple[int, int], list[Unhandled]] = {}


def is_trouble(error: object) -> bool:
    """Say whether something went wrong: being told to stop is no error."""
    return isinstance(error, BaseException) and type(error).__name__ not in _ENDINGS


def tell(error: BaseException, attributes: Mapping[str, Any], *, level: str = "error") -> None:
    """Keep an error as unhandled; one that strikes while one is being kept waits for its turn."""
    thread = getpid(), get_ident()
    told = _telling.get(thread)
    if told is not None:
        _queue(told, (error, level, attributes))
        return
    _telling[thread] = told = [(error, level, attributes)]
    try:
        for each, at, details in told:  # grows meanwhile
            capture_exception(each, level=at, handled=False, attributes=details)
    finally:
        del _telling[thread]


def _queue(told: list[Unhandled], unhandled: Unhandled) -> None:
    if len(told) < AT_ONCE:
        told.append(unhandled)
        return
    ledger = current().ledger
    ledger.captured("error")
    ledger.dropped("error", "reentrant")
