"""Alerts of other people's rules: Prometheus takes the agent for an Alertmanager."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

from qmon_agent.ingest.alerts import Alert, line_of, points_of, read_alerts, resource_of
from qmon_agent.ingest.entrance import Entrance, Receive, Scope, Send
from qmon_agent.ingest.exchange import Exchange
from qmon_agent.ingest.foreign import Parcel, take_parcel
from qmon_agent.ingest.loose import NotJsonError, decoded
from qmon_agent.ingest.outcome import Fate
from qmon_agent.ingest.sources import Door
from qmon_agent.ingest.sources._mounted import MountedSource
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

_REMEMBERED = 10_000


class AlertmanagerSource(MountedSource, kw_only=True, forbid_unknown_fields=True):
    """`[sources.alertmanager]`: alerts posted as to Alertmanager v2, or by its webhook."""

    entrance: ClassVar[Entrance] = Entrance(
        paths=("/api/v2/alerts", "/api/alertmanager"), max_body_bytes=4 << 20
    )

    service: str = "alertmanager"
    """The service that alerts are about which have neither a label `service` nor `job`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._known: OrderedDict[str, tuple[bool, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application; token, body limits and gzip are the gate's work."""
        exchange = await Exchange.read(scope, receive, send)
        door = self._door
        if door is None:
            await exchange.answer(503, {"error": "the agent is stopping"}, retry_after="1")
            return
        if wait_s := door.intake.wait_before(exchange.peer, len(exchange.body)):
            await exchange.answer(429, {"error": "over budget"}, retry_after=str(wait_s))
            return
        async with door.intake.admission.workroom.work(len(exchange.body), exchange.peer):
            await self._read(exchange, door)

    async def _read(self, exchange: Exchange, door: Door) -> None:
        try:
            said = decoded(exchange.body)
        except NotJsonError as problem:
            door.vitals.add("bodies_rejected", reason=problem.reason)
            await exchange.answer(400, {"error": str(problem)})
            return
        await self._take(exchange, door, read_alerts(said, now=time.time_ns()))

    async def _take(self, exchange: Exchange, door: Door, read: Sequence[Alert | None]) -> None:
        alerts = [alert for alert in read if alert is not None]
        invalid = len(read) - len(alerts)
        parcel = Parcel(
            protocol="alertmanager",
            groups=self._groups(alerts, now=time.time_ns()),
            original=exchange.body,
            dropped={"alert/invalid": invalid} if invalid else {},
        )
        outcome = await take_parcel(door.intake, parcel, exchange.peer)
        if outcome.fate is Fate.REFUSED:
            await exchange.answer(503, {"error": outcome.reason}, retry_after="1")
            return
        for alert in alerts:
            self._remember(alert)
        is_wrong = not alerts and (invalid or exchange.body.strip() not in {b"[]", b"{}"})
        await exchange.answer(400 if is_wrong else 200, {"taken": len(alerts), "invalid": invalid})

    def _groups(
        self, alerts: Sequence[Alert], *, now: int
    ) -> tuple[tuple[Resource, list[Signal]], ...]:
        """The state of each alert, and a line for each that is not as it was told last."""
        groups: dict[tuple[Any, ...], tuple[Resource, list[Signal]]] = {}
        for alert in alerts:
            resource = resource_of(alert, service=self.service)
            signals = groups.setdefault((*resource[:-1],), (resource, []))[1]
            signals.extend(points_of(alert, now=now))
            if self._known.get(alert.fingerprint) != alert.state:
                signals.append(line_of(alert, now=now))
        return tuple(groups.values())

    def _remember(self, alert: Alert) -> None:
        self._known[alert.fingerprint] = alert.state
        self._known.move_to_end(alert.fingerprint)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
