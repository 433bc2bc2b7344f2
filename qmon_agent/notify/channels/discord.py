"""Discord, by a channel's webhook; the message of an incident is edited where it stands."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from qmon_agent.notify.message import Message, moment

from . import DELIVERED, Delivery
from ._fitting import colour_of, cut, told_apart, without_marks
from ._http import Answer, Call, HttpChannel, as_json, check_address

_TITLE, _TEXT, _LINKS = 256, 4_096, 1_024
_GONE = frozenset({404})


class DiscordChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """Calls nobody by name, whatever is in the message."""

    url: str
    """The webhook's address."""
    username: str = ""
    """The name it speaks under, if not the webhook's own."""

    TAKES_CHART: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_address("url", self.url)

    def tell(self, message: Message) -> Delivery:
        document = content_of(message) | ({"username": self.username} if self.username else {})
        place = self.url.rstrip("/")
        if message.reference.isdecimal():
            edit = _call(f"{place}/messages/{message.reference}", document, message, method="PATCH")
            if self.ask(edit, message, expects=_GONE).is_well:
                return DELIVERED
        answer = self.ask(_call(f"{place}?wait=true", document, message), message)
        return Delivery(outcome="delivered", reference=str(answer.document().get("id", "")))

    def wait_s(self, answer: Answer, message: Message) -> float:
        """Discord says it more exactly in its answer."""
        said = answer.document().get("retry_after")
        return float(said) if isinstance(said, int | float) else super().wait_s(answer, message)


def content_of(message: Message) -> dict[str, Any]:
    """One embed, without Markdown where somebody else's words stand."""
    embed: dict[str, Any] = {
        "title": cut(without_marks(message.title), _TITLE),
        "description": cut(without_marks(told_apart(message)), _TEXT),
        "color": colour_of(message),
        "footer": {"text": message.key},
    }
    if message.notice.fired_at:
        embed["timestamp"] = moment(message.notice.fired_at)
    if links := _links(message):
        embed["fields"] = [{"name": "Links", "value": links}]
    if message.chart is not None:
        embed["image"] = {"url": "attachment://chart.png"}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _links(message: Message) -> str:
    """As many as there is room for."""
    links = ""
    for each in message.buttons:
        more = f"{links} · " * bool(links) + f"[{without_marks(each.name)}](<{each.link}>)"
        links = more if len(more) <= _LINKS else links
    return links


def _call(url: str, document: dict[str, Any], message: Message, *, method: str = "POST") -> Call:
    if message.chart is None:
        return Call(url=url, method=method, **as_json(document))
    form = {"payload_json": msgspec.json.encode(document).decode()}
    return Call(url=url, method=method, body=form, picture=message.chart, picture_as="files[0]")
