"""How long requests take, by route and stretch of time."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.parameters import DAY, HOUR, MINUTE, Length
from qmon_agent.store.telemetry.questions import Series, Windowed

EXACT_WITHIN = DAY + HOUR
"""Exact quantiles keep every value in memory; a longer time is counted in log buckets."""

EXACT = """
WITH grouped AS (
  SELECT
    make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
    service,
    name AS route,
    count(*) AS requests,
    quantile_cont(duration_ns / 1e6, [0.5, 0.95, 0.99]) AS quantiles
  FROM spans
  WHERE time >= $since AND time < $until AND kind = $kind
    AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
  GROUP BY start, service, name
)
SELECT
  start,
  service,
  route,
  requests,
  quantiles[1] AS p50_ms,
  quantiles[2] AS p95_ms,
  quantiles[3] AS p99_ms
FROM grouped
ORDER BY start, service, route
"""

# The buckets of `qmon_sdk.protocol.buckets`: 0.04001066... is log γ, 0.02020270... log((γ+1)/2).
BUCKETS = """
WITH counted AS (
  SELECT
    make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
    service,
    name AS route,
    CAST(ceil(ln(greatest(duration_ns, 1)) / 0.040005334613699206) AS INTEGER) AS bucket,
    count(*) AS hits
  FROM spans
  WHERE time >= $since AND time < $until AND kind = $kind
    AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
  GROUP BY start, service, name, bucket
),
ranked AS (
  SELECT
    start,
    service,
    route,
    exp(bucket * 0.040005334613699206 - 0.02020270731751947) / 1e6 AS middle_ms,
    sum(hits) OVER (PARTITION BY start, service, route ORDER BY bucket) AS reached,
    sum(hits) OVER (PARTITION BY start, service, route) AS everything
  FROM counted
)
SELECT
  start,
  service,
  route,
  CAST(max(everything) AS BIGINT) AS requests,
  min(CASE WHEN reached > 0.5 * (everything - 1) THEN middle_ms END) AS p50_ms,
  min(CASE WHEN reached > 0.95 * (everything - 1) THEN middle_ms END) AS p95_ms,
  min(CASE WHEN reached > 0.99 * (everything - 1) THEN middle_ms END) AS p99_ms
FROM ranked
GROUP BY start, service, route
ORDER BY start, service, route
"""


class LatencyByRouteQuestion(Windowed, frozen=True, kw_only=True):
    """How long requests take: the 50th, 95th and 99th percentile by route and step."""

    route: Annotated[str, Meta(description="Of one route only: the name of its spans.")] = ""
    kind: Annotated[str, Meta(description="The kind of spans that are requests.")] = "server"
    step: Annotated[Length, Meta(description="How long each stretch is.")] = MINUTE

    texts: ClassVar = {"exact": EXACT, "buckets": BUCKETS}
    units: ClassVar = {
        "start": "UTC",
        "requests": "1",
        "p50_ms": "ms",
        "p95_ms": "ms",
        "p99_ms": "ms",
    }
    series: ClassVar = Series(by=("service", "route"), of="p95_ms")
    precision: ClassVar = {"buckets": "within 2 %"}

    def text(self) -> str:
        return "exact" if self.until - self.since <= EXACT_WITHIN else "buckets"
