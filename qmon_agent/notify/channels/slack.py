"""Slack, by an incoming webhook, or by a bot that keeps one message per incident up to date."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import colour_of, cut, told
from ._http import Answer, Call, HttpChannel, Unsent, as_json, check_address

# What Slack takes: of a section, and of the line that phones show.
_SECTION, _TITLE, _LINK = 3_000, 1_024, 2_000
_PASSING = frozenset(
    {
        *("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"),
        *("request_timeout", "team_added_to_org"),
    }
)
_FOR_A_PERSON = frozenset(
    {
        *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"),
        *("missing_scope", "no_permission", "not_in_channel", "channel_not_found", "is_archived"),
    }
)
_UNTOLD = _FOR_A_PERSON | {"ratelimited", "rate_limited"}
_GONE = frozenset({"message_not_found", "channel_not_found"})
_CLOSED = frozenset({"cant_update_message", "edit_window_closed"})
# What Slack says where it cannot fetch a picture, and to other faults of ours as well.
_PICTURELESS = frozenset({"invalid_blocks", "invalid_attachments"})
_BAD = frozenset({400})


class SlackChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """With `url`, an incoming webhook; with `token` and `channel`, a bot.

    The bot's message about an incident is updated where it stands, and what changed is said in its
    thread.
    """

    url: str = ""
    """The incoming webhook."""
    token: str = ""
    """The bot's token, `xoxb-...`, with the right `chat:write`."""
    channel: str = ""
    """Where the bot speaks: a channel's id or name; the bot has to be in it."""
    api: str = "https://slack.com/api"
    """Where the bot asks; for a Slack of its own."""

    TAKES_CHART_LINK: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.token):
            raise ConfigError("url", "say either `url`, or `token` and `channel`")
        if self.token and not self.channel:
            raise ConfigError("channel", "a bot has to know where to speak")
        check_address("url" if self.url else "api", self.url or self.api)

    def tell(self, message: Message) -> Delivery:
        if self.url:
            return self._by_webhook(message)
        channel, _, stamp = message.reference.partition("/")
        if stamp and self._update(message, channel, stamp):
            return DELIVERED
        answer = self._method("chat.postMessage", {"channel": self.channel}, message)
        said = answer.document()
        # One that names neither has taken it all the same: it is not told twice for that.
        place = f"{said.get('channel', '')}/{said.get('ts', '')}".strip("/")
        return Delivery(outcome="delivered", reference=place if "/" in place else "")

    def _by_webhook(self, message: Message) -> Delivery:
        expects = _BAD if message.chart_link else frozenset[int]()
        call = Call(url=self.url, **as_json(content_of(message)))
        if not self.ask(call, message, expects=expects).is_well:
            plain = content_of(replace(message, chart_link=""))
            self.ask(Call(url=self.url, **as_json(plain)), message)
        return DELIVERED

    def _update(self, message: Message, channel: str, stamp: str) -> bool:
        """The message as it is now, and the news in its thread; no if there is no such message."""
        place = {"channel": channel, "ts": stamp}
        answer = self._method("chat.update", place, message, expects=_GONE | _CLOSED)
        if answer.document().get("error") in _GONE:
            return False
        news = {"channel": channel, "thread_ts": stamp}
        answer = self._method("chat.postMessage", news, message, expects=_GONE)
        return bool(answer.document().get("ok"))

    def _method(
        self,
        name: str,
        place: dict[str, str],
        message: Message,
        *,
        expects: frozenset[str] = frozenset(),
    ) -> Answer:
        key = {"event_type": "qmon_alert", "event_payload": {"key": message.key}}
        document = {**place, **content_of(message), "metadata": key}
        call = Call(
            url=f"{self.api.rstrip('/')}/{name}",
            **as_json(document, authorization=f"Bearer {self.token}"),
        )
        answer = self.ask(call, message)
        said = answer.document()
        error = str(said.get("error", "no answer of Slack's"))
        if message.chart_link and error in _PICTURELESS:
            # It fetches the picture before it answers; what is said matters more.
            return self._method(name, place, replace(message, chart_link=""), expects=expects)
        if said.get("ok") is True or error in expects:
            return answer
        may_pass = error in _PASSING | _FOR_A_PERSON or not said
        outcome: Any = "retry" if may_pass else "refused"
        untold = error in _UNTOLD
        raise Unsent(Delivery(outcome=outcome, detail=f"{name}: {error}", untold=untold))


def content_of(message: Message) -> dict[str, Any]:
    """What it says: plain text wherever somebody else's words stand."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "section",
            "text": {
                "type": "plain_text",
                "text": cut(told(message), _SECTION),
                "emoji": False,
            },
        }
    ]
    if message.chart_link:
        picture = {"image_url": message.chart_link, "alt_text": "the last values"}
        blocks.append({"type": "image", **picture})
    if message.buttons:
        # No buttons: each of them would show a warning, unless the app has an address to ask.
        links = " · ".join(
            f"<{_escaped(each.link).replace('|', '%7C')}|{_escaped(each.name)}>"
            for each in message.buttons
            if len(each.link) <= _LINK
        )
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": links[:_SECTION]}})
    title = cut(message.title, _TITLE)
    return {
        "text": _escaped(title),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "attachments": [
            {"color": f"#{colour_of(message):06x}", "fallback": title, "blocks": blocks}
        ],
    }


def _escaped(text: str) -> str:
    """Slack's own three: without them nobody is called and nothing becomes a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
