"""Notify: takes what must be told out of the outbox and tells it until it has arrived."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from .message import Message as Message

if TYPE_CHECKING:
    from .notifier import AlertNotifier as AlertNotifier
    from .retrying import Sending as Sending

__all__ = ["AlertNotifier", "Message", "Sending"]

# Looked up late: a channel is known without the outbox, whose engine takes long to import.
_FILES = {"AlertNotifier": "notifier", "Sending": "retrying"}


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_FILES[name]}"), name)
