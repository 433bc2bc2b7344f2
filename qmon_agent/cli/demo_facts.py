"""What the demo shows, read back from the agent as anybody can: by SQL, through its control socket."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from qmon_agent.cli._control import Control

SHOP = "shop"
STEPS = ("view_product", "add_to_cart", "checkout", "paid")
TABLES = ("spans", "errors", "events", "sessions", "points", "logs", "checkins")
_RECENT = "5 seconds"

COUNTS = "SELECT " + ", ".join(
    f"(SELECT count(*) FROM {table} WHERE service = '{SHOP}') AS {table}" for table in TABLES
)
ROUTES = f"""
WITH served AS (SELECT * FROM spans WHERE service = '{SHOP}' AND kind = 'server'),
     span AS (SELECT min(time) AS first, max(time) AS last FROM served)
SELECT name, count(*) AS requests,
       count(*) / greatest(date_diff('millisecond', any_value(first), any_value(last)), 1000) * 1000
         AS per_second,
       count(*) FILTER (time > last - INTERVAL {_RECENT}) / 5.0 AS per_second_now,
       quantile_cont(duration_ns, 0.95) / 1e6 AS p95_ms,
       count(*) FILTER (status = 'error') AS errors
FROM served, span GROUP BY name ORDER BY requests DESC LIMIT 10
"""
ISSUES = f"""
SELECT type, arg_max(message, time) AS message, culprit, bool_and(handled) AS handled,
       count(*) AS times, count(DISTINCT user_id) AS users, arg_min(stack, time) AS stack
FROM errors WHERE service = '{SHOP}'
GROUP BY grouping, type, culprit ORDER BY users DESC, type LIMIT 10
"""
# A step counts for a user who has taken all the steps before it, in this order.
FUNNEL = f"""
WITH moments AS (
  SELECT user_id, {", ".join(f"min(time) FILTER (name = '{step}') AS {step}" for step in STEPS)}
  FROM events WHERE service = '{SHOP}' GROUP BY user_id)
SELECT count(view_product) AS view_product,
       count(*) FILTER (add_to_cart >= view_product) AS add_to_cart,
       count(*) FILTER (checkout >= add_to_cart AND add_to_cart >= view_product) AS checkout,
       count(*) FILTER (paid >= checkout AND checkout >= add_to_cart
                        AND add_to_cart >= view_product) AS paid
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
    """One route of the shop; `per_second_now` is of the last five seconds."""

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
    """This machine, as shares of all it has; nothing before its first reading."""

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
    rows: list[dict[str, Any]] = control.post("/api/query", {"sql": sql, "limit": None})["rows"]
    return rows


def _issue(row: dict[str, Any]) -> Issue:
    return Issue(**{**row, "stack": _stack(row["stack"])})


def _stack(text: str) -> list[str]:
    """The application's own frames of the error itself, as a person reads them."""
    chain = json.loads(text).get("chain") or [{}]
    frames = [frame for frame in chain[0].get("frames", ()) if frame.get("in_app")]
    return [
        f"{frame['module']}:{frame['line']} in {frame['function']}: {frame.get('code', '').strip()}"
        for frame in frames
    ]
