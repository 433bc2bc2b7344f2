SELECT
  time,
  service,
  name,
  kind,
  status,
  duration_ns / 1e6 AS duration_ms,
  trace_id,
  span_id
FROM spans
WHERE
  time >= $since
  AND time < $until
  AND duration_ns >= $at_least_ms * 1e6
  AND (
    $service = '' OR service = $service
  )
  AND (
    $name = '' OR name = $name
  )
ORDER BY
  duration_ns DESC,
  time,
  span_id
LIMIT $top
