"""A metric over time, one line for each host, or for each value of a label."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.domain.tiers import Asked
from qmon_agent.store.telemetry.questions import Series, Stepped

TEXT = """
SELECT
  make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
  service,
  host,
  {label} AS label_value,
  kind,
  unit,
  CAST(sum("count") AS BIGINT) AS samples,
  sum(value) AS total,
  min(CASE WHEN kind = 'distribution' THEN minimum ELSE value END) AS lowest,
  max(CASE WHEN kind = 'distribution' THEN maximum ELSE value END) AS highest,
  arg_max(value, time) AS latest,
  CASE
    WHEN kind = 'gauge' THEN arg_max(value, time)
    WHEN kind = 'counter' THEN sum(value)
    ELSE sum(value) / sum("count")
  END AS level
FROM points
WHERE time >= $since AND time < $until AND metric = $metric
  AND ($service = '' OR service = $service) AND isfinite(value)
GROUP BY start, service, host, label_value, kind, unit
ORDER BY start, service, host, label_value, kind, unit
"""


ROLLED = """
SELECT
  make_timestamp_ns(epoch_ns(time) // $step * $step) AS start,
  service,
  host,
  {label} AS label_value,
  kind,
  unit,
  CAST(sum("count") AS BIGINT) AS samples,
  sum("sum") AS total,
  min(minimum) AS lowest,
  max(maximum) AS highest,
  arg_max("last", last_time) AS latest,
  CASE
    WHEN kind = 'gauge' THEN arg_max("last", last_time)
    WHEN kind = 'counter' THEN sum("sum")
    ELSE sum("sum") / sum("count")
  END AS level
FROM points_{tier}_parts
WHERE time >= $since AND time < $until AND metric = $metric
  AND ($service = '' OR service = $service)
GROUP BY start, service, host, label_value, kind, unit
ORDER BY start, service, host, label_value, kind, unit
"""
BY_LABEL = "coalesce(attributes[$label], '')"


class MetricSeriesQuestion(Stepped, frozen=True, kw_only=True):
    """A metric by step, host and the values of a label: sums, bounds, and the level to draw.

    The level is a gauge's latest value, what a counter grew, and a distribution's mean.
    """

    metric: Annotated[str, Meta(min_length=1, description="Its name.")]
    label: Annotated[str, Meta(description="Tell series apart by this attribute as well.")] = ""

    texts: ClassVar = {
        "whole": TEXT.replace("{label}", "''"),
        "by_label": TEXT.replace("{label}", BY_LABEL),
    }
    rolled: ClassVar = {
        "whole": ROLLED.replace("{label}", "''"),
        "by_label": ROLLED.replace("{label}", BY_LABEL),
    }
    about: ClassVar = Asked(
        table="points",
        start=0,
        end=0,
        statistic="last",
        columns=("service", "host", "metric", "kind", "unit", "attributes"),
    )
    units: ClassVar = {
        "start": "UTC",
        "samples": "1",
        "total": "see `unit`",
        "lowest": "see `unit`",
        "highest": "see `unit`",
        "latest": "see `unit`",
        "level": "see `unit`",
    }
    series: ClassVar = Series(by=("service", "host", "label_value", "kind", "unit"), of="level")

    def text(self) -> str:
        return "by_label" if self.label else "whole"
