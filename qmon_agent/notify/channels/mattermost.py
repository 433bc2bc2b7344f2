"""Mattermost, by an incoming webhook."""

from __future__ import annotations

from typing import Any, ClassVar

from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import colour_of, cut, told_apart, without_marks
from ._http import Call, HttpChannel, as_json, check_address

# A post may have 16,383 characters, its attachments included.
_TITLE, _TEXT = 2_000, 10_000


class MattermostChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """Calls nobody by name, whatever is in the message."""

    url: str
    """The webhook's address."""
    channel: str = ""
    """Where to, if not the webhook's own channel, and where it may choose."""
    username: str = ""
    """The name it speaks under, where it may choose."""

    TAKES_CHART_LINK: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_address("url", self.url)

    def tell(self, message: Message) -> Delivery:
        chosen = {"channel": self.channel, "username": self.username}
        document = content_of(message) | {name: said for name, said in chosen.items() if said}
        self.ask(Call(url=self.url, **as_json(document)), message)
        return DELIVERED


def content_of(message: Message) -> dict[str, Any]:
    """The title, and below it all the rest, in the colour of how bad it is."""
    links = " · ".join(f"[{without_marks(each.name)}](<{each.link}>)" for each in message.buttons)
    text = cut(without_marks(told_apart(message)), _TEXT)
    attachment = {
        "fallback": cut(without_marks(message.title), _TITLE),
        "color": f"#{colour_of(message):06x}",
        "text": f"{text}\n\n{links}" if links else text,
    }
    if message.chart_link:
        attachment["image_url"] = message.chart_link
    return {"text": cut(without_marks(message.title), _TITLE), "attachments": [attachment]}
