SELECT
  time,
  service,
  host,
  level,
  logger,
  body,
  trace_id,
  span_id
FROM logs
WHERE
  time >= $since
  AND time < $until
  AND (
    $service = '' OR service = $service
  )
  AND (
    $level = '' OR lowerUTF8(level) = lowerUTF8($level)
  )
  AND POSITION(lowerUTF8(body), lowerUTF8($contains)) > 0
ORDER BY
  time DESC,
  service,
  body
LIMIT $top
