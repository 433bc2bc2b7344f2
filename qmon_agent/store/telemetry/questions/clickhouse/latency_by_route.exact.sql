SELECT
  fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
  service,
  name AS route,
  COUNT(*) AS requests,
  quantileExactInclusive(0.5)(duration_ns / 1e6) AS p50_ms,
  quantileExactInclusive(0.95)(duration_ns / 1e6) AS p95_ms,
  quantileExactInclusive(0.99)(duration_ns / 1e6) AS p99_ms
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
ORDER BY
  start,
  service,
  route
