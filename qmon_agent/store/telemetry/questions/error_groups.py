"""Which errors come most, and when."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.parameters import DAY, HOUR, Length, Moment
from qmon_agent.store.telemetry.questions import Series, Windowed

TEXT = """
WITH kept AS (
  SELECT time, service, issue_id, type, culprit, user_id
  FROM errors
  WHERE time >= $since AND time < $until AND ($service = '' OR service = $service)
),
largest AS (
  SELECT
    service,
    issue_id,
    min(type) AS error_type,
    min(culprit) AS error_culprit,
    count(*) AS total,
    count(DISTINCT nullif(user_id, '')) AS users,
    min(time) AS first_seen,
    max(time) AS last_seen
  FROM kept
  GROUP BY service, issue_id
  ORDER BY total DESC, issue_id, service
  LIMIT $top
),
stretches AS (
  SELECT
    service,
    issue_id,
    make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
    count(*) AS errors
  FROM kept
  GROUP BY service, issue_id, start
)
SELECT
  largest.service AS service,
  largest.issue_id AS issue_id,
  error_type,
  error_culprit,
  total,
  users,
  first_seen,
  last_seen,
  start,
  errors
FROM largest
JOIN stretches ON largest.service = stretches.service AND largest.issue_id = stretches.issue_id
ORDER BY total DESC, issue_id, service, start
"""


class ErrorGroupsQuestion(Windowed, frozen=True, kw_only=True):
    """The groups of errors that come most, each with its users and its trend by step."""

    since: Annotated[Moment, Meta(description="From when on, itself included.")] = -DAY
    top: Annotated[int, Meta(ge=1, le=1_000, description="How many groups at most.")] = 20
    step: Annotated[Length, Meta(description="How long each stretch of the trend is.")] = HOUR

    texts: ClassVar = {"raw": TEXT}
    units: ClassVar = {
        "total": "1",
        "users": "1",
        "first_seen": "UTC",
        "last_seen": "UTC",
        "start": "UTC",
        "errors": "1",
    }
    series: ClassVar = Series(
        by=("service", "issue_id", "error_type", "error_culprit", "total", "users"), of="errors"
    )
