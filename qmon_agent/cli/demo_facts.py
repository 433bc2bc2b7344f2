"""What the demo shows, read back from the agent as anybody can: by SQL."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from qmon_agent.cli._control import Control

_SHOP = "qmon_agent.cli.demo_shop."

COUNTS = """
SELECT (SELECT count(*) FROM spans WHERE service = 'shop') AS spans,
       (SELECT count(*) FROM errors WHERE service = 'shop') AS errors,
       (SELECT count(*) FROM events WHERE service = 'shop') AS events,
       (SELECT count(*) FROM sessions WHERE service = 'shop') AS sessions,
       (SELECT count(*) FROM points WHERE service = 'shop') AS points,
       (SELECT count(*) FROM logs WHERE service = 'shop') AS logs,
       (SELECT count(*) FROM checkins WHERE service = 'shop') AS checkins
"""
ROUTES = """
WITH served AS (SELECT * FROM spans WHERE service = 'shop' AND kind = 'server'),
     whole AS (SELECT max(time) AS last,
                      greatest(date_diff('millisecond', min(time), max(time)) / 1000, 1) AS lasted
               FROM served)
SELECT name, count(*) AS requests,
       round(count(*) / any_value(lasted), 2) AS per_second,
       round(count(*) FILTER (time > last - INTERVAL 5 seconds) / least(any_value(lasted), 5), 2)
         AS per_second_now,
       round(quantile_cont(duration_ns, 0.95) / 1e6, 2) AS p95_ms,
       count(*) FILTER (status = 'error') AS errors
FROM served, whole GROUP BY name ORDER BY requests DESC LIMIT 10
"""
# An error like one before it has a short stack, so that of a full one is shown.
ISSUES = """
SELECT type, arg_max(message, time) AS message, culprit, bool_and(handled) AS handled,
       count(*) AS times, count(DISTINCT nullif(user_id, '')) AS users,
       coalesce(arg_min(stack, time) FILTER (NOT starts_with(stack, '{"like"')),
                arg_min(stack, time)) AS stack
FROM errors WHERE service = 'shop'
GROUP BY grouping, type, culprit ORDER BY users DESC, type LIMIT 10
"""
# A step counts for a user who has taken all the steps before it, in this order.
FUNNEL = """
WITH moments AS (
  SELECT user_id, min(time) FILTER (name = 'view_product') AS viewed,
         min(time) FILTER (name = 'add_to_cart') AS added,
         min(time) FILTER (name = 'checkout') AS checked_out,
         min(time) FILTER (name = 'paid') AS paid
  FROM events WHERE service = 'shop' GROUP BY user_id)
SELECT count(viewed) AS view_product,
       count(*) FILTER (viewed <= added) AS add_to_cart,
       count(*) FILTER (viewed <= added AND added <= checked_out) AS checkout,
       count(*) FILTER (viewed <= added AND added <= checked_out AND checked_out <= paid) AS paid
FROM moments
"""
HOST = """
SELECT 1 - arg_max(value, time) FILTER (metric = 'system.cpu.utilization'
                                        AND attributes['cpu.mode'] = 'idle') AS cpu,
       arg_max(value, time) FILTER (metric = 'system.memory.utilization'
                                    AND attributes['system.memory.state'] = 'used') AS memory,
       arg_max(value, time) FILTER (metric = 'system.memory.limit') AS memory_bytes,
       count(*) AS points
FROM points WHERE service = 'host'
"""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route of the shop; `per_second_now` is of the last five seconds, or of all so far."""

    name: str
    requests: int
    per_second: float
    per_second_now: float
    p95_ms: float
    errors: int


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one kind; the stack is that of the first, its outermost call first."""

    type: str
    message: str
    culprit: str
    handled: bool
    times: int
    users: int
    stack: list[str]


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """This machine, as shares of all it has; `points` are its own, not the shop's."""

    cpu: float | None = None
    memory: float | None = None
    memory_bytes: float | None = None
    points: int = 0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment."""

    counts: dict[str, int]
    routes: list[Route]
    issues: list[Issue]
    funnel: dict[str, int]
    host: Host


def read(control: Control) -> Facts:
    """Ask the agent for all of it."""
    return Facts(
        counts=counts(control),
        routes=msgspec.convert(_rows(control, ROUTES), list[Route], strict=False),
        issues=[_issue(row) for row in _rows(control, ISSUES)],
        funnel=_row(control, FUNNEL),
        host=msgspec.convert(_row(control, HOST), Host, strict=False),
    )


def counts(control: Control) -> dict[str, int]:
    """Rows of the shop in each table."""
    return _row(control, COUNTS)


def _row(control: Control, sql: str) -> dict[str, Any]:
    return _rows(control, sql)[0]


def _rows(control: Control, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = control.query({"sql": sql, "limit": None})["rows"]
    return rows


def _issue(row: dict[str, Any]) -> Issue:
    return Issue(**{**row, "stack": stack_of(row["stack"])})


def stack_of(text: str) -> list[str]:
    """The shop's own frames of the error itself, as a person reads them."""
    chain = json.loads(text).get("chain") or [{}]
    # By name, since an installed shop lies among the libraries, where nothing is `in_app`.
    frames = [f for f in chain[0].get("frames", ()) if f["module"].startswith(_SHOP)]
    return [
        f"{frame['module']}:{frame['line']} in {frame['function']}: {frame.get('code', '').strip()}"
        for frame in frames
    ]
