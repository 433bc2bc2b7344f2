SELECT
  fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
  service,
  name AS route,
  toInt64(SUM(parts.requests)) AS requests,
  toInt64(SUM(parts.errors)) AS errors,
  SUM(parts.errors) / SUM(parts.requests) AS error_share,
  SUM(duration_ns) / SUM(parts.requests) / 1e6 AS mean_ms
FROM spans_{tier}_parts AS parts
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
  name
