"""The status page as the routes see it: made anew for us, kept some seconds for everybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from qmon_agent.app.checking import Plugins
from qmon_agent.app.parts import Parts
from qmon_agent.domain.alarms.components import Page
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.clock import Clock

KEPT_S = 10.0
"""However many ask, the past is read so often at most."""


class AgentPage:
    """Fits the agent to the port of the status page."""

    def __init__(self, parts: Parts, clock: Clock, plugins: Plugins) -> None:
        self.in_force: Callable[[], Plugins] = lambda: plugins
        """What the configuration makes, which a reload may change."""
        self._parts = parts
        self._clock = clock
        self._making = asyncio.Lock()
        self._kept: tuple[Page | None, float, dict[str, Any] | None] = (None, 0.0, None)

    @property
    def is_public(self) -> bool:
        page = self.in_force().page
        return page is not None and page.is_public

    async def public(self) -> dict[str, Any] | None:
        async with self._making:
            page, until, document = self._kept
            if page is None or page is not self.in_force().page or time.monotonic() >= until:
                document = await self.current(with_internals=False)
                self._kept = (self.in_force().page, time.monotonic() + KEPT_S, document)
            return document

    async def current(self, *, with_internals: bool) -> dict[str, Any] | None:
        plugins = self.in_force()
        if plugins.page is None:
            return None
        return await asyncio.to_thread(
            self._made, plugins.page, plugins.windows, with_internals=with_internals
        )

    def _made(
        self, page: Page, windows: tuple[Window, ...], *, with_internals: bool
    ) -> dict[str, Any]:
        # Imported with the state store, and not before an agent is ready.
        from qmon_agent.app.page_document import page_document
        from qmon_agent.app.page_history import Past, shown_since
        from qmon_agent.app.page_internals import internals
        from qmon_agent.store.state.chronicle import chronicle

        judged, now = self._parts.judged, self._clock.now()
        past = Past(page, chronicle(judged.state, shown_since(page, now)), windows, now=now)
        courses = past.courses()
        document = page_document(past, courses)
        if with_internals:
            document["internal"] = internals(
                courses,
                judged.alerting.standings(),
                problems=judged.alerting.problems,
                is_cut=past.chronicle.is_cut,
            )
        return document
