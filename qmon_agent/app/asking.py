"""What rules ask the store: one at a time, each in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from qmon_agent.alerting.observed import Reply
from qmon_agent.domain.errors import QmonError
from qmon_agent.store.telemetry import QueryResult
from qmon_agent.vitals import Vitals

if TYPE_CHECKING:
    from qmon_agent.alerting import AlertService
    from qmon_agent.alerting.rules import Statement

LOOK_S = 1.0
AGAIN_S = 10.0
"""When it is asked again what had no answer, at the latest."""
MOST_ROWS = 1_000
_GRACE_S = 5.0
Ask = Callable[..., Awaitable[QueryResult]]
OnThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Asking:
    """A loop that asks what is due; a store that is away is an answer too, and never waited for."""

    def __init__(
        self, alerting: AlertService, *, ask: Ask, on_thread: OnThread, vitals: Vitals
    ) -> None:
        """`on_thread` runs what judges where nothing else is judged."""
        self._alerting = alerting
        self._ask = ask
        self._on_thread = on_thread
        self._vitals = vitals
        self._due: dict[tuple[int, str], float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.turn()

    async def turn(self) -> None:
        """Ask all that is due, one after the other."""
        now = asyncio.get_running_loop().time
        statements = self._alerting.statements
        asked = {(number, statement.sql) for number, statement in statements}
        self._due = {key: due for key, due in self._due.items() if key in asked}
        for number, statement in statements:
            if now() >= self._due.get((number, statement.sql), 0.0):
                reply = await self._reply(statement)
                await self._settle(number, reply)
                soon_s = min(statement.every_s, AGAIN_S) if reply.failed else statement.every_s
                self._due[number, statement.sql] = now() + soon_s

    async def _settle(self, number: int, reply: Reply) -> None:
        await self._on_thread(lambda: self._alerting.reply(number, reply))
        if reply.failed:
            self._vitals.add("alert_statements_failed")

    async def _reply(self, statement: Statement) -> Reply:
        patience_s = statement.timeout_s + _GRACE_S
        try:
            result = await asyncio.wait_for(
                self._ask(statement.sql, limit=MOST_ROWS, timeout_s=statement.timeout_s), patience_s
            )
        except TimeoutError:
            return Reply(sql=statement.sql, failed=f"no answer within {patience_s:g} s")
        except QmonError as problem:
            return Reply(sql=statement.sql, failed=str(problem))
        return Reply(sql=statement.sql, rows=tuple(result.records()))
