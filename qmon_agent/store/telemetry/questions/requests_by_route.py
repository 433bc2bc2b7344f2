"""How many requests there are, and how many of them fail."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.domain.tiers import Asked
from qmon_agent.store.telemetry.questions import Series, Stepped

TEXT = """
SELECT
  make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
  service,
  name AS route,
  count(*) AS requests,
  count(*) FILTER (WHERE status = 'error') AS errors,
  count(*) FILTER (WHERE status = 'error') / count(*) AS error_share,
  avg(duration_ns) / 1e6 AS mean_ms
FROM spans
WHERE time >= $since AND time < $until AND kind = $kind
  AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
GROUP BY start, service, name
ORDER BY start, service, route
"""


ROLLED = """
SELECT
  make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
  service,
  name AS route,
  CAST(sum(parts.requests) AS BIGINT) AS requests,
  CAST(sum(parts.errors) AS BIGINT) AS errors,
  sum(parts.errors) / sum(parts.requests) AS error_share,
  sum(duration_ns) / sum(parts.requests) / 1e6 AS mean_ms
FROM spans_{tier}_parts AS parts
WHERE time >= $since AND time < $until AND kind = $kind
  AND ($service = '' OR service = $service) AND ($route = '' OR name = $route)
GROUP BY start, service, name
ORDER BY start, service, name
"""


class RequestsByRouteQuestion(Stepped, frozen=True, kw_only=True):
    """How many requests come, fail, and how long they take on average, by route and step."""

    route: Annotated[str, Meta(description="Of one route only: the name of its spans.")] = ""
    kind: Annotated[str, Meta(description="The kind of spans that are requests.")] = "server"

    texts: ClassVar = {"raw": TEXT}
    rolled: ClassVar = {"raw": ROLLED}
    about: ClassVar = Asked(
        table="spans", start=0, end=0, statistic="average", columns=("service", "name", "kind")
    )
    units: ClassVar = {
        "start": "UTC",
        "requests": "1",
        "errors": "1",
        "error_share": "1",
        "mean_ms": "ms",
    }
    series: ClassVar = Series(by=("service", "route"), of="requests")
