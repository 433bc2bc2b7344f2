"""A metric over time, one line for each host, or for each value of a label."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from qmon_agent.store.telemetry.parameters import MINUTE, Length
from qmon_agent.store.telemetry.questions import Series, Windowed

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
  AND ($service = '' OR service = $service)
GROUP BY start, service, host, label_value, kind, unit
ORDER BY start, service, host, label_value, kind, unit
"""


class MetricSeriesQuestion(Windowed, frozen=True, kw_only=True):
    """A metric by step, host and the values of a label: sums, bounds, and the level to draw.

    The level is a gauge's latest value, what a counter grew, and a distribution's mean.
    """

    metric: Annotated[str, Meta(min_length=1, description="Its name.")]
    label: Annotated[str, Meta(description="Tell series apart by this attribute as well.")] = ""
    step: Annotated[Length, Meta(description="How long each stretch is.")] = MINUTE

    texts: ClassVar = {
        "whole": TEXT.format(label="''"),
        "by_label": TEXT.format(label="coalesce(attributes[$label], '')"),
    }
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
