"""PagerDuty by its Events API, version 2: an incident here is one alert there."""

from __future__ import annotations

from typing import Any, ClassVar

from qmon_agent.notify.message import Message, moment

from . import DELIVERED, Delivery
from ._fitting import cut, told
from ._http import Call, HttpChannel, as_json, check_address

_ACTIONS = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_SEVERITIES = frozenset({"critical", "error", "warning", "info"})
_SUMMARY, _TEXT = 1_024, 20_000
_LABELS, _LABEL = 40, 500


class PagerdutyChannel(HttpChannel, kw_only=True, forbid_unknown_fields=True):
    """The incident is the `dedup_key`: however often a message comes, there is one alert."""

    routing_key: str
    """The integration key of a service, 32 letters and digits."""
    url: str = "https://events.pagerduty.com/v2/enqueue"
    """Where to; accounts in Europe have `https://events.eu.pagerduty.com/v2/enqueue`."""

    TAKES_CHART_LINK: ClassVar[bool] = True

    # Too many calls were 403 before they were 429, and for some still are.
    TRY_AGAIN: ClassVar[frozenset[int]] = frozenset({403})

    def __post_init__(self) -> None:
        check_address("url", self.url)

    def tell(self, message: Message) -> Delivery:
        self.ask(Call(url=self.url, **as_json(self._event(message))), message)
        return DELIVERED

    def _event(self, message: Message) -> dict[str, Any]:
        notice = message.notice
        event: dict[str, Any] = {
            "routing_key": self.routing_key,
            "event_action": _ACTIONS[notice.status],
            "dedup_key": notice.thread,
            "client": "qmon",
        }
        if message.link:
            event["client_url"] = message.link
        if message.buttons:
            event["links"] = [{"href": each.link, "text": each.name} for each in message.buttons]
        # It shows no picture that does not come by TLS.
        if message.chart_link.startswith("https://"):
            picture = {"src": message.chart_link, "alt": "the last values"}
            event["images"] = [picture | ({"href": message.link} if message.link else {})]
        event["payload"] = {
            "summary": cut(message.title, _SUMMARY),
            "source": notice.system or notice.alert,
            "severity": notice.severity if notice.severity in _SEVERITIES else "info",
            "timestamp": moment(notice.fired_at or message.sent_at),
            "component": notice.metric,
            "group": notice.system,
            "class": notice.rule,
            "custom_details": {
                **{name: cut(notice.labels[name], _LABEL) for name in [*notice.labels][:_LABELS]},
                "text": cut(told(message), _TEXT),
                "value": notice.value,
                "threshold": notice.threshold,
                "key": message.key,
            },
        }
        return event
