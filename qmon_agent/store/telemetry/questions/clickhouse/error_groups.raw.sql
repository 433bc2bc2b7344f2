WITH kept AS (
  SELECT
    time,
    service,
    issue_id,
    type,
    culprit,
    user_id
  FROM errors
  WHERE
    time >= $since AND time < $until AND (
      $service = '' OR service = $service
    )
), largest AS (
  SELECT
    service,
    issue_id,
    MIN(type) AS error_type,
    MIN(culprit) AS error_culprit,
    COUNT(*) AS total,
    COUNT(DISTINCT nullIf(user_id, '')) AS users,
    MIN(time) AS first_seen,
    MAX(time) AS last_seen
  FROM kept
  GROUP BY
    service,
    issue_id
  ORDER BY
    total DESC,
    issue_id,
    service
  LIMIT $top
), stretches AS (
  SELECT
    service,
    issue_id,
    fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
    COUNT(*) AS errors
  FROM kept
  GROUP BY
    service,
    issue_id,
    start
)
SELECT
  largest.service AS service,
  largest.issue_id AS issue_id,
  error_type,
  error_culprit,
  total,
  users,
  first_seen,
  last_seen,
  start,
  errors
FROM largest
JOIN stretches
  ON largest.service = stretches.service AND largest.issue_id = stretches.issue_id
ORDER BY
  total DESC,
  issue_id,
  service,
  start
