"""A text message to a phone, by Twilio."""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import quote

from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.message import Message

from . import Delivery
from ._fitting import cut
from ._http import Call, HttpChannel, check_address

_NUMBER = re.compile(r"\+[1-9]\d{1,14}")
_SERVICE = "MG"
_MOST = 1_600
_LINKS = 2


class TwilioChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """The title and the links, nothing else: a text message is short and costs money."""

    account: str
    """The account's SID, `AC...`."""
    auth_token: str
    """The account's token, or the secret of `key`."""
    key: str = ""
    """The SID of an API key, `SK...`, where one is used instead of the account's token."""
    sender: str
    """Our number, as `+15551234567`; or a messaging service, `MG...`."""
    to: str
    """Whose phone, as `+15551234567`; another person is another channel."""
    api: str = "https://api.twilio.com"
    """Where to ask."""

    def __post_init__(self) -> None:
        check_address("api", self.api)
        if not _NUMBER.fullmatch(self.to):
            raise ConfigError("to", "is no number as +15551234567")
        if not self.sender.startswith(_SERVICE) and not _NUMBER.fullmatch(self.sender):
            raise ConfigError("sender", "is neither a number as +15551234567 nor a service, MG...")

    def tell(self, message: Message) -> Delivery:
        by = "MessagingServiceSid" if self.sender.startswith(_SERVICE) else "From"
        form = {"To": self.to, by: self.sender, "Body": _words(message)}
        account = quote(self.account, safe="")
        who = b64encode(f"{self.key or self.account}:{self.auth_token}".encode()).decode()
        answer = self.ask(
            Call(
                url=f"{self.api.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json",
                body=form,
                headers={"authorization": f"Basic {who}"},
            ),
            message,
        )
        return Delivery(outcome="delivered", reference=str(answer.document().get("sid", "")))


def _words(message: Message) -> str:
    # To look, and to take it on: more would be the better part of what is paid for.
    links = "".join(f"\n{each.name}: {each.link}" for each in message.buttons[:_LINKS])
    again = f"\n(attempt {message.attempt})" if message.attempt > 1 else ""
    rest = f"{links}{again}"
    if len(rest) > _MOST // 2:
        rest = ""
    return cut(message.title, _MOST - len(rest)) + rest
