"""A POST to a URL: Alertmanager's body, which hundreds of receivers read, or Standard Webhooks'."""

from __future__ import annotations

from string import punctuation
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.signing import key_of, signed_headers
from qmon_agent.notify.alertmanager import body_of, extension_of
from qmon_agent.notify.message import Message, moment

from . import DELIVERED, Delivery
from ._fitting import cut
from ._http import Call, HttpChannel, check_address

# Standard Webhooks asks for less than 20 kB; what has more to say is cut short.
_MOST_BYTES = 20_000
_TEXT, _WORD, _MANY = 4_000, 200, 20


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
    whole = _standard(message, text=_TEXT, many=_MANY)
    return whole if len(whole) < _MOST_BYTES else _standard(message, text=_TEXT // 4, many=0)


def _standard(message: Message, *, text: int, many: int) -> bytes:
    notice = message.notice
    own = {**extension_of(message), "alert": notice.alert}
    data: dict[str, Any] = {
        **{key: cut(said, _WORD) if isinstance(said, str) else said for key, said in own.items()},
        "severity": notice.severity,
        "status": notice.status,
        "title": cut(message.title, text),
        "text": cut(message.text, text),
        "labels": {name: cut(notice.labels[name], _WORD) for name in [*notice.labels][:many]},
        "link": message.link,
        "actions": msgspec.to_builtins(message.actions),
        "others": message.others,
        "members": [_member(each) for each in notice.members[:many]],
        "left_out": notice.left_out + len(notice.members[many:]),
    }
    happened = notice.resolved_at or notice.fired_at or message.sent_at
    document = {"type": f"alert.{notice.status}", "timestamp": moment(happened), "data": data}
    return msgspec.json.encode(document)


def _member(notice: Notice) -> dict[str, Any]:
    """One incident of a group, in brief."""
    own = ("incident", "alert", "status", "severity", "system", "value", "fired_at", "resolved_at")
    said = {name: getattr(notice, name) for name in own}
    return {**said, "alert": cut(notice.alert, 100), "system": cut(notice.system, 100)}
