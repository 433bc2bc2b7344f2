"""The message: what, since when, how bad, value and threshold, in words safe to show anywhere."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.notices import Notice


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way: `key` is the same however often it is sent."""

    key: str
    notice: Notice
    title: str
    text: str
    attempt: int = 1
    sent_at: int = 0
    link: str = ""
