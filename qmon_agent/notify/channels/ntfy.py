"""ntfy: a push to phones, by its public server or one's own."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, ClassVar

from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import cut, in_bytes, told
from ._http import Call, HttpChannel, as_json, check_address

_PRIORITIES = {"critical": 5, "error": 4, "warning": 3}
_TAGS = {"firing": "rotating_light", "acknowledged": "eyes", "resolved": "white_check_mark"}
_LOW, _USUAL = 2, 3
_TITLE, _TEXT, _BUTTONS = 250, 4_000, 3
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")


class NtfyChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """What follows about an incident takes the place of what was there, by its sequence id."""

    topic: str
    """What phones subscribe to; on a public server whoever guesses it reads it."""
    url: str = "https://ntfy.sh"
    """The server."""
    token: str = ""
    """An access token, where the topic is kept for some."""
    user: str = ""
    """Or who we are there."""
    password: str = ""
    """The user's password."""

    TAKES_CHART_LINK: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_address("url", self.url)
        if not _TOPIC.fullmatch(self.topic):
            raise ConfigError("topic", "is up to 64 letters, digits, `-` and `_`")
        if self.token and self.user:
            raise ConfigError("user", "say either `token`, or `user` and `password`")

    def tell(self, message: Message) -> Delivery:
        call = Call(url=self.url.rstrip("/") + "/", **as_json(self._push(message), **self._who()))
        self.ask(call, message)
        return DELIVERED

    def _who(self) -> dict[str, str]:
        if self.token:
            return {"authorization": f"Bearer {self.token}"}
        if self.user:
            both = b64encode(f"{self.user}:{self.password}".encode()).decode()
            return {"authorization": f"Basic {both}"}
        return {}

    def _push(self, message: Message) -> dict[str, Any]:
        notice = message.notice
        is_firing = notice.status == "firing"
        priority = _PRIORITIES.get(notice.severity, _LOW) if is_firing else _USUAL
        push: dict[str, Any] = {
            "topic": self.topic,
            "title": cut(message.title, _TITLE, in_bytes),
            "message": cut(told(message), _TEXT, in_bytes),
            "priority": priority,
            "tags": [_TAGS[notice.status]],
            "sequence_id": notice.thread,
        }
        if message.link:
            push["click"] = message.link
        # A tap on the push shows the incident: the few buttons are for what else there is.
        if message.actions:
            push["actions"] = [
                {"action": "view", "label": each.name, "url": each.link}
                for each in message.actions[:_BUTTONS]
            ]
        if message.chart_link:
            push |= {"attach": message.chart_link, "filename": "chart.png"}
        return push
