WITH grouped AS (
  SELECT
    fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
    service,
    name AS route,
    COUNT(*) AS requests,
    quantilesExactInclusive(0.5, 0.95, 0.99)(duration_ns / 1e6) AS quantiles
  FROM spans
  WHERE
    time >= $since
    AND time < $until
    AND kind = $kind
    AND (
      $service = '' OR service = $service
    )
    AND (
      $route = '' OR name = $route
    )
  GROUP BY
    start,
    service,
    name
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
ORDER BY
  start,
  service,
  route
