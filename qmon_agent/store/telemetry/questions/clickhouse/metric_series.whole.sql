SELECT
  fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
  service,
  host,
  '' AS label_value,
  kind,
  unit,
  toInt64(SUM("count")) AS samples,
  SUM(value) AS total,
  MIN(CASE WHEN kind = 'distribution' THEN minimum ELSE value END) AS lowest,
  MAX(CASE WHEN kind = 'distribution' THEN maximum ELSE value END) AS highest,
  argMax(value, time) AS latest,
  CASE
    WHEN kind = 'gauge'
    THEN argMax(value, time)
    WHEN kind = 'counter'
    THEN SUM(value)
    ELSE SUM(value) / SUM("count")
  END AS level
FROM points
WHERE
  time >= $since
  AND time < $until
  AND metric = $metric
  AND (
    $service = '' OR service = $service
  )
  AND isFinite(value)
GROUP BY
  start,
  service,
  host,
  label_value,
  kind,
  unit
ORDER BY
  start,
  service,
  host,
  label_value,
  kind,
  unit
