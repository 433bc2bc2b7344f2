SELECT
  fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
  service,
  name AS route,
  COUNT(*) AS requests,
  COUNT(*) FILTER(WHERE
    status = 'error') AS errors,
  COUNT(*) FILTER(WHERE
    status = 'error') / COUNT(*) AS error_share,
  AVG(duration_ns) / 1e6 AS mean_ms
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
