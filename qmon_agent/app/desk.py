"""The agent as its HTTP routes see it; whatever waits for a disk is done on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from qmon_agent.app.busiest import BusyReport
from qmon_agent.app.following import AgentLinks
from qmon_agent.app.health import Health, Log
from qmon_agent.app.keepsakes import AgentKeeping
from qmon_agent.app.page_serving import AgentPage
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.app.stacks import stacks
from qmon_agent.app.status import StatusReport
from qmon_agent.domain.errors import StoreError
from qmon_agent.http.access import Sessions
from qmon_agent.store.telemetry import QueryResult

if TYPE_CHECKING:
    from qmon_agent.alerting.muting import Muting


class AgentDesk:
    """Fits the agent to the port the routes ask for."""

    def __init__(
        self,
        plan: Plan,
        parts: Parts,
        *,
        report: StatusReport,
        busy: BusyReport,
        health: Health,
        log: Log,
    ) -> None:
        options = plan.settings.http
        self.vitals = parts.vitals
        self.sessions = Sessions(code_ttl_s=options.sign_in_ttl_s, ttl_s=options.session_ttl_s)
        self.session_ttl_s = options.session_ttl_s
        self.most_rows: Mapping[str, int] = {
            str(scope): n for scope, n in plan.settings.store.most_rows.items()
        }
        self.usual_rows = plan.settings.store.query_rows
        self.hung = health.hung
        self.unready = health.unready
        self.log = log.lines
        self.passing: Callable[[str, int], dict[str, Any]] = _nothing_passes
        """What passes a place of the stream, from a number on."""
        self.reloading: Callable[[], Awaitable[dict[str, Any]]] = _nothing_to_reload
        """Reads the configuration again, and tells what came of it."""
        self.intake = parts.taking.intake
        self.links = AgentLinks(parts, plan.clock)
        self.keeping = AgentKeeping(parts, plan.clock)
        self.page = AgentPage(parts, plan.clock, plan.plugins)
        self._say = log
        self._export_timeout_s = plan.settings.store.export_timeout_s
        self._parts = parts
        self._clock = plan.clock
        self._report = report
        self._busy = busy

    def stacks(self) -> Mapping[str, Sequence[str]]:
        return stacks(asyncio.get_running_loop())

    async def status(self) -> dict[str, Any]:
        return await self._report.make()

    async def busiest(self) -> dict[str, Any]:
        return await self._busy.make()

    async def reload(self) -> dict[str, Any]:
        answer = await self.reloading()
        self._say(answer["said"])
        return answer

    async def query(
        self, sql: str, *, limit: int | None = None, timeout_s: float | None = None
    ) -> QueryResult:
        store = self._parts.store
        if store is None:
            raise StoreError("this agent runs without a telemetry store (--no-store)")
        # Imported with the state store, and not before an agent is ready.
        from qmon_agent.app.state_views import state_tables

        tables = await asyncio.to_thread(state_tables, self._parts.judged.state, sql)
        return await store.query(sql, limit=limit, timeout_s=timeout_s, state_tables=tables)

    async def questions(self) -> list[dict[str, Any]]:
        from qmon_agent.store.telemetry.asked import all_questions

        return list(all_questions())

    async def ask(self, name: str, said: Mapping[str, str]) -> dict[str, Any]:
        from qmon_agent.store.telemetry.asked import answer_by

        store = self._parts.store
        if store is None:
            raise StoreError("this agent runs without a telemetry store (--no-store)")
        return await answer_by(store, name, said, now=self._clock.now())

    async def look(self, files: Sequence[str]) -> Sequence[str]:
        store = self._parts.store
        return () if store is None else await store.look(files)

    async def behind_records(self) -> int:
        store = self._parts.store
        return 0 if store is None else await store.behind()

    async def export(
        self,
        sql: str,
        *,
        form: str,
        limit: int | None,
        left_out: Callable[[Sequence[str]], None],
    ) -> AsyncGenerator[bytes]:
        from qmon_agent.app.state_views import state_tables

        store = self._parts.store
        if store is None:
            raise StoreError("this agent runs without a telemetry store (--no-store)")
        tables = await asyncio.to_thread(state_tables, self._parts.judged.state, sql)
        pieces = store.stream(
            sql,
            form=form,
            limit=limit,
            timeout_s=self._export_timeout_s,
            state_tables=tables,
        )
        async with aclosing(pieces) as open_pieces:
            async for piece in open_pieces:
                left_out(piece.missing)
                yield piece.data

    async def incidents(self, *, states: Sequence[str], limit: int) -> list[dict[str, Any]]:
        from qmon_agent.app.management import incidents_of
        from qmon_agent.app.quieting import held_by_storms, muted_by

        judged = self._parts.judged
        find = judged.state.incidents.find
        found = await asyncio.to_thread(find, states=states, limit=limit)
        muted = await judged.walk.on_thread(lambda: muted_by(judged, found, self._clock.now()))
        storms, outbox = judged.alerting.storms, judged.state.outbox
        held = await asyncio.to_thread(held_by_storms, storms, outbox, found)
        by = {each.id: (*muted.get(each.id, ()), *held.get(each.id, ())) for each in found}
        return await asyncio.to_thread(incidents_of, judged.state, found, by)

    async def incident(self, incident: str) -> dict[str, Any] | None:
        from qmon_agent.app.management import whole_incident

        return await asyncio.to_thread(whole_incident, self._parts.judged.state, incident)

    async def handle(self, incident: str, deed: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        from qmon_agent.app.management import deed_of

        care = self._parts.judged.alerting.care
        done = deed_of(deed, asked, self._clock)
        handling = await asyncio.to_thread(care.do, incident, done)
        return msgspec.structs.asdict(handling)

    async def merge(self, into: str, asked: Mapping[str, Any]) -> list[str]:
        care = self._parts.judged.alerting.care
        return await asyncio.to_thread(care.merge, into, asked["incidents"], by=asked["by"])

    async def why(self, *, incident: str, alert: str, channel: str) -> dict[str, Any]:
        from qmon_agent.app.why import why_alert, why_incident

        judged, asked = self._parts.judged, why_alert if alert else why_incident
        return await judged.walk.on_thread(
            lambda: asked(judged, alert or incident, channel=channel, clock=self._clock)
        )

    async def alert_figures(self, *, since_s: float, zone: str) -> dict[str, Any]:
        from qmon_agent.app.alert_figures import figures_since

        judged = self._parts.judged
        plan = judged.alerting.care.plan
        people = plan.duty.people if plan else {}
        return await asyncio.to_thread(
            figures_since,
            judged.state,
            since_s=since_s,
            zone=zone,
            people=people,
            clock=self._clock,
        )

    async def label(self, incident: str, asked: Mapping[str, Any]) -> bool:
        from qmon_agent.app.alert_figures import label_incident

        state = self._parts.judged.state
        return await asyncio.to_thread(label_incident, state, incident, asked, clock=self._clock)

    async def silences(self) -> list[dict[str, Any]]:
        from qmon_agent.app.management import all_silences

        return await asyncio.to_thread(all_silences, self._muting, self._clock)

    async def add_silence(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        from qmon_agent.app.management import add_silence

        state = self._parts.judged.state
        return await asyncio.to_thread(
            add_silence, self._muting, asked, clock=self._clock, state=state
        )

    async def expire_silence(self, silence: str) -> dict[str, Any] | None:
        from qmon_agent.app.management import expire_silence

        return await asyncio.to_thread(expire_silence, self._muting, silence, self._clock)

    @property
    def _muting(self) -> Muting:
        return self._parts.judged.alerting.muting

    async def tokens(self) -> list[dict[str, Any]]:
        known = await asyncio.to_thread(self._parts.judged.state.tokens.all)
        return [msgspec.to_builtins(token) for token in known]

    async def create_token(self, scope: str, *, name: str, ttl_s: float) -> dict[str, Any]:
        tokens = self._parts.judged.state.tokens
        secret, token = await asyncio.to_thread(tokens.create, scope, name=name, ttl_s=ttl_s)
        self._parts.tokens.forget()
        return {"token": secret, **msgspec.to_builtins(token)}

    async def revoke_token(self, token_id: int) -> bool:
        ended = await asyncio.to_thread(self._parts.judged.state.tokens.revoke, token_id)
        self._parts.tokens.forget()
        return ended


async def _nothing_to_reload() -> dict[str, Any]:
    """Before the services are there."""
    raise StoreError("the agent is just starting")


def _nothing_passes(*_: object) -> dict[str, Any]:
    """Before anything is there that could."""
    return {"next": 0, "missed": 0, "rows": []}
