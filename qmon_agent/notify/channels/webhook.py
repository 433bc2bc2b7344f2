"""A POST to a URL: Alertmanager's body, which hundreds of receivers read, or Standard Webhooks'."""

from __future__ import annotations

from string import punctuation
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.signing import key_of, signed_headers
from qmon_agent.notify.alertmanager import body_of, extension_of
from qmon_agent.notify.message import Message, moment

from . import DELIVERED, Delivery
from ._fitting import cut
from ._http import Call, HttpChannel, check_address

# Standard Webhooks asks for less than 20 kB.
_TEXT, _LABELS = 4_000, 20


class WebhookChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """`secrets` sign by Standard Webhooks, each with one signature so that they can be rotated."""

    url: str
    """Where to."""
    format: Literal["alertmanager", "standard"] = "alertmanager"
    """The body: Alertmanager's, version 4, or the one of Standard Webhooks (`type`, `data`)."""
    secrets: tuple[str, ...] = ()
    """Keys to sign with, `whsec_` and base64 each; all of them sign."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Further headers, for example `Authorization`."""
    _keys: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        check_address("url", self.url)
        self._keys = tuple(key_of(secret) for secret in self.secrets)

    def tell(self, message: Message) -> Delivery:
        body = body_of(message) if self.format == "alertmanager" else standard_body_of(message)
        self.ask(Call(url=self.url, body=body, headers=self._signed(message, body)), message)
        return DELIVERED

    def _signed(self, message: Message, body: bytes) -> dict[str, str]:
        stamp = str(message.sent_at // SECOND)
        # Headers know few letters, and the names of channels more.
        name = quote(message.key, safe=punctuation)
        signed = signed_headers(self._keys, name=name, stamp=stamp, body=body)
        return {
            "content-type": "application/json",
            "idempotency-key": name,
            **self.headers,
            **signed,
        }


def standard_body_of(message: Message) -> bytes:
    """The document as Standard Webhooks has it; times under `data` are nanoseconds UTC."""
    notice = message.notice
    data: dict[str, Any] = {
        **extension_of(message),
        "alert": notice.alert,
        "severity": notice.severity,
        "status": notice.status,
        "title": cut(message.title, _TEXT),
        "text": cut(message.text, _TEXT),
        "labels": {name: cut(notice.labels[name], 200) for name in [*notice.labels][:_LABELS]},
        "link": message.link,
        "actions": msgspec.to_builtins(message.actions),
        "others": message.others,
    }
    happened = notice.resolved_at or notice.fired_at or message.sent_at
    document = {"type": f"alert.{notice.status}", "timestamp": moment(happened), "data": data}
    return msgspec.json.encode(document)
