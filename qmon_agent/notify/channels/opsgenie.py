"""Opsgenie, and Jira Service Management, which has taken over its interface."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import cut, told
from ._http import Call, HttpChannel, as_json, check_address

_PRIORITIES = {"critical": "P1", "error": "P2", "warning": "P3"}
_LATER = {"acknowledged": "acknowledge", "resolved": "close"}
_MESSAGE, _TEXT, _ENTITY, _NOTE, _SOURCE = 130, 15_000, 512, 25_000, 100
# All names and values of the details together.
_DETAILS, _DETAIL = 8_000, 400


class OpsgenieChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """The incident is the alias: however often a message comes, there is one alert.

    Opsgenie itself ends on 5 April 2027; `url` says where to instead.
    """

    api_key: str
    """The key of an API integration."""
    url: str = "https://api.opsgenie.com"
    """In Europe `https://api.eu.opsgenie.com`; for Jira Service Management
    `https://api.atlassian.com/jsm/ops/integration`."""
    teams: tuple[str, ...] = ()
    """Names of the teams that respond, if not the integration's own."""

    def __post_init__(self) -> None:
        check_address("url", self.url)

    def tell(self, message: Message) -> Delivery:
        place, alias = f"{self.url.rstrip('/')}/v2/alerts", quote(message.notice.thread, safe="")
        later = _LATER.get(message.notice.status)
        if later is None:
            document = self._alert(message)
        else:
            place = f"{place}/{alias}/{later}?identifierType=alias"
            note = cut(f"{message.title}\n{told(message)}", _NOTE)
            document = {"source": "qmon", "user": "qmon", "note": note}
        call = Call(url=place, **as_json(document, authorization=f"GenieKey {self.api_key}"))
        self.ask(call, message)
        return DELIVERED

    def _alert(self, message: Message) -> dict[str, Any]:
        notice = message.notice
        links = "".join(f"\n{each.name}: {each.link}" for each in message.actions)
        alert: dict[str, Any] = {
            "message": cut(message.title, _MESSAGE),
            "alias": notice.thread,
            "description": cut(f"{message.title}\n{told(message)}{links}", _TEXT),
            "entity": cut(notice.system or notice.alert, _ENTITY),
            "source": "qmon",
            "priority": _PRIORITIES.get(notice.severity, "P5"),
            "tags": ["qmon", notice.severity[:50]],
            "details": _details(message),
        }
        if self.teams:
            alert["responders"] = [{"name": name, "type": "team"} for name in self.teams]
        return alert


def _details(message: Message) -> dict[str, str]:
    """As many of the labels as there is room for."""
    details, room = {"key": message.key}, _DETAILS - 200
    for name, value in message.notice.labels.items():
        short = cut(value, _DETAIL)
        room -= len(name) + len(short)
        if room < 0:
            break
        details[name] = short
    return details
