SELECT
  time,
  service,
  name,
  kind,
  status,
  duration_ns / 1e6 AS duration_ms,
  span_id,
  parent_id
FROM spans
WHERE
  trace_id = $trace_id AND time >= $since AND time < $until
ORDER BY
  time,
  span_id
