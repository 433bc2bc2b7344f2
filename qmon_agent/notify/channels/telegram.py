"""Telegram, by a bot; what follows about an incident answers its first message."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from qmon_agent.notify.message import Message

from . import Delivery
from ._fitting import cut, in_utf16, told
from ._http import Answer, Call, HttpChannel, as_json, check_address

_TEXT, _CAPTION = 4_096, 1_024
# As many keys beside one another as have room on a phone.
_ABREAST = 2
_BAD = frozenset({400})


class TelegramChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """Plain text, so that nothing in it becomes a mark-up; links are buttons where they may be."""

    token: str
    """The bot's token, as BotFather gave it."""
    chat: str
    """Where to: a chat's number, or `@channelname`."""
    topic: int = 0
    """Of a group with topics: the number of one."""
    silent: bool = False
    """Whether phones make no sound."""
    api: str = "https://api.telegram.org"
    """Where the bot asks; for a server of one's own."""

    TAKES_CHART: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_address("api", self.api)

    def tell(self, message: Message) -> Delivery:
        document = self._document(message)
        # Buttons lead to public addresses only; without them the links stand in the text.
        expects = _BAD if "reply_markup" in document else frozenset[int]()
        answer = self.ask(self._call(document, message), message, expects=expects)
        if answer.status in expects:
            document = self._document(message, with_buttons=False)
            answer = self.ask(self._call(document, message), message)
        result = answer.document().get("result")
        number = result.get("message_id", "") if isinstance(result, dict) else ""
        return Delivery(outcome="delivered", reference=message.reference or str(number))

    def wait_s(self, answer: Answer, message: Message) -> float:
        """Telegram says it in its answer."""
        parameters = answer.document().get("parameters")
        said = parameters.get("retry_after") if isinstance(parameters, dict) else None
        return float(said) if isinstance(said, int | float) else super().wait_s(answer, message)

    def _document(self, message: Message, *, with_buttons: bool = True) -> dict[str, Any]:
        links = [] if with_buttons else [f"{each.name}: {each.link}" for each in message.actions]
        words = "\n".join([message.title, "", told(message), *links])
        document: dict[str, Any] = {"chat_id": self.chat}
        if message.chart is None:
            document["text"] = cut(words, _TEXT, in_utf16)
            document["link_preview_options"] = {"is_disabled": True}
        else:
            document["caption"] = cut(words, _CAPTION, in_utf16)
        if self.topic:
            document["message_thread_id"] = self.topic
        if self.silent:
            document["disable_notification"] = True
        if message.reference.isdecimal():
            document["reply_parameters"] = {
                "message_id": int(message.reference),
                "allow_sending_without_reply": True,
            }
        if message.buttons and with_buttons:
            keys = [{"text": each.name, "url": each.link} for each in message.buttons]
            rows = [keys[at : at + _ABREAST] for at in range(0, len(keys), _ABREAST)]
            document["reply_markup"] = {"inline_keyboard": rows}
        return document

    def _call(self, document: dict[str, Any], message: Message) -> Call:
        place = f"{self.api.rstrip('/')}/bot{self.token}"
        if message.chart is None:
            return Call(url=f"{place}/sendMessage", **as_json(document))
        form = {
            name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for name, value in document.items()
        }
        return Call(url=f"{place}/sendPhoto", body=form, picture=message.chart, picture_as="photo")
