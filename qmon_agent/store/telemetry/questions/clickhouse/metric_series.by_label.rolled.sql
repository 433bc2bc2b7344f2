SELECT
  fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
  service,
  host,
  COALESCE(attributes[$label], '') AS label_value,
  kind,
  unit,
  toInt64(SUM("count")) AS samples,
  SUM("sum") AS total,
  MIN(minimum) AS lowest,
  MAX(maximum) AS highest,
  argMax("last", last_time) AS latest,
  CASE
    WHEN kind = 'gauge'
    THEN argMax("last", last_time)
    WHEN kind = 'counter'
    THEN SUM("sum")
    ELSE SUM("sum") / SUM("count")
  END AS level
FROM points_{tier}_parts
WHERE
  time >= $since
  AND time < $until
  AND metric = $metric
  AND (
    $service = '' OR service = $service
  )
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
