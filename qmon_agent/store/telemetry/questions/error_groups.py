"""Which errors come most, and when."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.parameters import DAY, HOUR, Length, Moment
from qmon_agent.store.telemetry.questions import Series, Windowed

TEXT = """
WITH kept AS (
  SELECT
    time,
    service,
    CASE
      WHEN issue_id <> '' THEN issue_id
      WHEN "grouping" <> '' THEN "grouping"
      ELSE concat(type, '@', culprit)
    END AS error_group,
    type,
    culprit,
    user_id
  FROM errors
  WHERE time >= $since AND time < $until AND ($service = '' OR service = $service)
),
largest AS (
  SELECT
    service,
    error_group,
    min(type) AS error_type,
    min(culprit) AS error_culprit,
    count(*) AS total,
    count(DISTINCT nullif(user_id, '')) AS users,
    min(time) AS first_seen,
    max(time) AS last_seen
  FROM kept
  GROUP BY service, error_group
  ORDER BY total DESC, error_group, service
  LIMIT $top
),
stretches AS (
  SELECT
    service,
    error_group,
    make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
    count(*) AS errors
  FROM kept
  GROUP BY service, error_group, start
)
SELECT
  largest.service AS service,
  largest.error_group AS error_group,
  error_type,
  error_culprit,
  total,
  users,
  first_seen,
  last_seen,
  start,
  errors
FROM largest
JOIN stretches
  ON largest.service = stretches.service AND largest.error_group = stretches.error_group
ORDER BY total DESC, error_group, service, start
"""


class ErrorGroupsQuestion(Windowed, frozen=True, kw_only=True):
    """The groups of errors that come most, each with its users and its trend by step.

    Errors are of one group as the rules tell them apart: by their issue where they have one, else
    by their grouping, else by type and culprit.
    """

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
        by=("service", "error_group", "error_type", "error_culprit", "total", "users"), of="errors"
    )
