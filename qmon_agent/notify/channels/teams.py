"""Microsoft Teams, by the webhook of a workflow that posts Adaptive Cards."""

from __future__ import annotations

from typing import Any, ClassVar

from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import cut, in_json, told
from ._http import Call, HttpChannel, as_json, check_address

_CARD = "application/vnd.microsoft.card.adaptive"
_STYLES = {"critical": "attention", "error": "attention", "warning": "warning"}
# The whole may have 28 kB: of letters, in however many lines.
_TITLE, _TEXT, _LINES, _BUTTONS, _LINK = 1_000, 16_000, 40, 6, 1_000


class TeamsChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """The workflow's template is "Post to a channel when a webhook request is received".

    It belongs to whoever made it: give it a second owner, lest it end with the person's account.
    """

    url: str
    """The workflow's address, signature included."""

    TAKES_CHART_LINK: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_address("url", self.url)

    def tell(self, message: Message) -> Delivery:
        self.ask(Call(url=self.url, **as_json(card_of(message))), message)
        return DELIVERED


def card_of(message: Message) -> dict[str, Any]:
    """The message around an Adaptive Card; its text runs know no Markdown."""
    notice = message.notice
    style = "good" if notice.status == "resolved" else _STYLES.get(notice.severity, "accent")
    title = _text(cut(message.title, _TITLE, in_json), size="medium", weight="bolder")
    lines = cut(told(message), _TEXT, in_json).splitlines()[:_LINES]
    buttons = [
        {"type": "Action.OpenUrl", "title": each.name, "url": each.link}
        for each in message.buttons[:_BUTTONS]
        if len(each.link) <= _LINK
    ]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "Container", "style": style, "bleed": True, "items": [title]},
            *(_text(line) for line in lines if line),
            *_pictures(message),
        ],
        "actions": buttons,
    }
    attachment = {"contentType": _CARD, "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _pictures(message: Message) -> list[dict[str, Any]]:
    if not message.chart_link:
        return []
    return [{"type": "Image", "url": message.chart_link, "altText": "the last values"}]


def _text(text: str, **look: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}
