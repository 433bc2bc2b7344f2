"""How long requests take, by route and stretch of time."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.domain.tiers import Asked
from qmon_agent.store.telemetry.parameters import DAY, HOUR
from qmon_agent.store.telemetry.questions import RAW, Series, Stepped

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

# The buckets of `qmon_sdk.protocol.buckets`: 0.0400... is log γ, 0.0202... log((γ + 1) / 2), and
# -100000, whose middle is 0, the bucket of zero.
COUNTED = """
  SELECT
    make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
    service,
    name AS route,
    CASE
      WHEN duration_ns > 0 THEN CAST(ceil(ln(duration_ns) / 0.040005334613699206) AS INTEGER)
      ELSE -100000
    END AS bucket,
    count(*) AS hits
  FROM spans
  WHERE time >= $since AND time < $until AND kind = $kind
    AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
  GROUP BY start, service, name, bucket
"""

COUNTED_BEFORE = """
  SELECT start, service, route, entry.key AS bucket, CAST(sum(entry.value) AS BIGINT) AS hits
  FROM (
    SELECT
      make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
      service,
      name AS route,
      unnest(map_entries(buckets)) AS entry
    FROM spans_{tier}_parts
    WHERE time >= $since AND time < $until AND kind = $kind
      AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
  )
  GROUP BY start, service, route, bucket
"""

BUCKETS = """
WITH counted AS ({counted}),
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


class LatencyByRouteQuestion(Stepped, frozen=True, kw_only=True):
    """How long requests take: the 50th, 95th and 99th percentile by route and step."""

    route: Annotated[str, Meta(description="Of one route only: the name of its spans.")] = ""
    kind: Annotated[
        str,
        Meta(
            pattern="^(server|client|producer|consumer|internal)$",
            description="The kind of spans that are requests: server, client, producer, consumer "
            "or internal.",
        ),
    ] = "server"

    texts: ClassVar = {"exact": EXACT, "buckets": BUCKETS.format(counted=COUNTED)}
    rolled: ClassVar = {"buckets": BUCKETS.format(counted=COUNTED_BEFORE)}
    about: ClassVar = Asked(
        table="spans", start=0, end=0, statistic="quantile", columns=("service", "name", "kind")
    )
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

    def tier(self) -> str:
        return RAW if self.text() == "exact" else super().tier()
