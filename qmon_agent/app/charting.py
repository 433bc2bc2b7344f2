"""The last values of what an alert is about, as a chart for the channels that take pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

from qmon_agent.domain.charts import Point, drawn
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.errors import InvalidThresholdError
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.thresholds import parse_threshold
from qmon_agent.store.telemetry import QueryResult

PATIENCE_S = 2.0
_BEFORE_NS, _MOST_NS = 3_600 * SECOND, 6 * 3_600 * SECOND
_ROWS = 2_000
_LABELS = 10
_FEWEST = 2
# In a storm the store has other things to do, and people no eyes for pictures.
_STORM = 20


class StoreCharts:
    """Asks the telemetry store, briefly: a message never waits long for its picture."""

    def __init__(self, ask: Callable[..., Awaitable[QueryResult]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock

    async def chart_of(self, notice: Notice, *, others: int, at: int = 0) -> bytes | None:
        """The last hour, or since a while before it began; none of what has no values.

        It ends now, or at the moment that is said.
        """
        if not notice.metric or len(notice.members) > 1 or others >= _STORM:
            return None
        now = at or self._clock.now()
        start = max(min(notice.since or now, now) - _BEFORE_NS, now - _MOST_NS)
        async with asyncio.timeout(PATIENCE_S):
            found = await self._ask(
                _question(notice, start, now if at else 0), limit=_ROWS, timeout_s=PATIENCE_S
            )
        points = [*_points(found), *_newest(notice)]
        if len(points) < _FEWEST:
            return None
        return drawn(points, start=start, end=now, bound=_bound(notice))


def _question(notice: Notice, start: int, end: int) -> str:
    own = {name: value for name, value in notice.labels.items() if name != "service"}
    labels = "".join(
        f" AND attributes[{_quoted(name)}] = {_quoted(value)}"
        for name, value in [*own.items()][:_LABELS]
    )
    until = f" AND time <= '{_written(end)}'" if end else ""
    service = f" AND service = {_quoted(notice.system)}" if notice.system else ""
    return (
        "SELECT time, value FROM points "  # noqa: S608 - by `_quoted`, tried with hostile names
        f"WHERE metric = {_quoted(notice.metric)} AND kind IN ('gauge', 'counter') "
        f"AND time >= '{_written(start)}'{until}{service}{labels} ORDER BY time DESC"
    )


def _written(moment: int) -> str:
    return datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _quoted(text: str) -> str:
    """A text of somebody else's, as a text of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _points(found: QueryResult) -> Iterator[Point]:
    for time, value in found.rows:
        if isinstance(time, str) and isinstance(value, int | float):
            # Nanoseconds are more than is read, and more than is seen.
            whole = datetime.fromisoformat(time[:19]).replace(tzinfo=UTC)
            yield round(whole.timestamp()) * SECOND, float(value)


def _newest(notice: Notice) -> Iterator[Point]:
    """What it is about may be newer than all that the store has."""
    if notice.value is not None and notice.event_time:
        yield notice.event_time, notice.value


def _bound(notice: Notice) -> float | None:
    try:
        return parse_threshold(notice.threshold).bound if notice.threshold else None
    except InvalidThresholdError:
        return None
