"""Texts as services take them: cut to their sizes, and no markup whatever was written."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from qmon_agent.notify.message import Message

CUT = "…"
# What Discord and Mattermost take for more than letters.
_MARKS = re.compile(r"([\\`*_\[\]()#|>~]|^\s*[-+]|^\s*\d+\.)", re.MULTILINE)
_COLOURS = {"critical": 0xD32F2F, "error": 0xE64A19, "warning": 0xF9A825}
_INFO, _ENDED, _ACKNOWLEDGED = 0x1976D2, 0x2E7D32, 0x6A1B9A
# A word joiner behind it: nobody is called, whoever's name follows.
_NOBODY = "@\u2060"


def cut(text: str, most: int, size: Callable[[str], int] = len) -> str:
    """The text, or as much of it as is no larger than that, and a sign that there was more."""
    if size(text) <= most:
        return text
    room = most - size(CUT)
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= room else (low, middle - 1)
    return text[:low] + CUT


def in_bytes(text: str) -> int:
    """How large it is as UTF-8."""
    return len(text.encode("utf-8", "replace"))


def in_json(text: str) -> int:
    """How large it is in a document, where some letters become two."""
    return len(msgspec.json.encode(text))


def in_utf16(text: str) -> int:
    """How large it is as Telegram and JavaScript count."""
    return len(text.encode("utf-16-le", "replace")) // 2


def without_marks(text: str) -> str:
    """For readers of Markdown: every sign stands for itself, and nobody is called by `@`."""
    return _MARKS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text).replace("@", _NOBODY)


def told(message: Message) -> str:
    """The text, for services that know no keys: a further attempt says that it is one."""
    if message.attempt == 1:
        return message.text
    return f"{message.text}\nattempt: {message.attempt} (an earlier one may have arrived as well)"


def told_apart(message: Message) -> str:
    """The same, where links stand apart: what takes the marks out of a text would break one."""
    words = told(message)
    return words.replace(message.link, message.notice.incident) if message.link else words


def colour_of(message: Message) -> int:
    """How bad it is, at a glance."""
    notice = message.notice
    if notice.status == "resolved":
        return _ENDED
    if notice.status == "acknowledged":
        return _ACKNOWLEDGED
    return _COLOURS.get(notice.severity, _INFO)
