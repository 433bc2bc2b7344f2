"""What becomes of a link when somebody follows it: looked at, and done, once, in its own name."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from qmon_agent.app.charting import StoreCharts
from qmon_agent.app.linking import NAMES
from qmon_agent.app.parts import Parts
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.errors import QueryError, StoreError
from qmon_agent.domain.links import MUTES, Deed, Grant
from qmon_agent.http.link_desk import IncidentView, LinkView

_PICTURES = 32


class AgentLinks:
    """Fits the agent to the port of the pages."""

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._acting = asyncio.Lock()
        self._drawn: OrderedDict[str, bytes] = OrderedDict()

    async def look(self, text: str) -> LinkView:
        return await asyncio.to_thread(self._looked, text)

    async def act(self, text: str) -> LinkView:
        # One after another: of two taps at once, the second finds it done.
        async with self._acting:
            return await asyncio.to_thread(self._acted, text)

    async def chart(self, text: str) -> bytes | None:
        grant = await asyncio.to_thread(self._valid, text)
        store = self._parts.store
        if grant is None or grant.deed != "chart" or store is None:
            return None
        if text not in self._drawn:
            from qmon_agent.app.followed import newest_notice

            notice = await asyncio.to_thread(newest_notice, self._parts.judged.state, grant)
            charts = StoreCharts(store.query, self._clock)
            at = grant.at * SECOND
            picture = notice and await charts.chart_of(notice, others=0, at=at)
            if not picture:
                return None
            self._remember(text, picture)
        return self._drawn[text]

    async def may_see(self, incident: str, text: str) -> bool:
        grant = await asyncio.to_thread(self._valid, text)
        return grant is not None and (grant.deed, grant.incident) == ("show", incident)

    async def incident(self, name: str) -> IncidentView | None:
        from qmon_agent.app.followed import view_of_incident
        from qmon_agent.app.why import why_incident

        judged = self._parts.judged
        try:
            told = await judged.walk.on_thread(
                lambda: why_incident(judged, name, channel="", clock=self._clock)
            )
        except QueryError:
            return None
        return view_of_incident(told)

    async def revoke(self) -> None:
        await asyncio.to_thread(self._parts.links.revoke)
        self._drawn.clear()

    def _valid(self, text: str) -> Grant | None:
        grant = self._parts.links.unseal(text)
        return grant if grant and self._clock.now() < grant.until * SECOND else None

    def _looked(self, text: str) -> LinkView:
        grant = self._parts.links.unseal(text)
        if grant is None or grant.deed not in NAMES:
            return LinkView(standing="unknown")
        if self._valid(text) is None:
            return LinkView(standing="expired")
        return self._view(grant, text)

    def _view(self, grant: Grant, text: str) -> LinkView:
        from qmon_agent.app.followed import Scene

        scene = Scene(self._parts.judged, grant, now=self._clock.now())
        view = LinkView(standing="ready", title=scene.title, facts=scene.facts)
        if done := scene.done(mutes_of(grant, text)):
            return msgspec.structs.replace(view, standing="done", said=done)
        if not scene.firing:
            said = "It is over: there is nothing to do about it any more."
            return msgspec.structs.replace(view, standing="over", said=said)
        return msgspec.structs.replace(view, button=_button(grant.deed, len(scene.firing)))

    def _acted(self, text: str) -> LinkView:
        view = self._looked(text)
        if view.standing != "ready":
            return view
        from qmon_agent.app.followed import Scene

        grant = self._parts.links.unseal(text)
        assert grant is not None  # noqa: S101 - or it was not ready
        scene = Scene(self._parts.judged, grant, now=self._clock.now())
        troubles = scene.do(mutes_of(grant, text))
        view = self._view(grant, text)
        if view.standing == "ready" and troubles:
            raise StoreError(troubles[0])
        return view

    def _remember(self, text: str, picture: bytes) -> None:
        self._drawn[text] = picture
        if len(self._drawn) > _PICTURES:
            self._drawn.popitem(last=False)


def mutes_of(grant: Grant, text: str) -> Mapping[str, Any]:
    """Of a link that mutes: for how long, and how its silences are called, always the same."""
    if grant.deed not in MUTES:
        return {}
    return {"for_s": MUTES[grant.deed], "name": sha256(text.encode()).hexdigest()[:12]}


def _button(deed: Deed, firing: int) -> str:
    return f"{NAMES[deed]}: {firing} incidents" if firing > 1 else NAMES[deed]
