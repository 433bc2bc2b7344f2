WITH kept AS (
  SELECT
    time,
    service,
    CASE
      WHEN issue_id <> ''
      THEN issue_id
      WHEN "grouping" <> ''
      THEN "grouping"
      ELSE CONCAT(COALESCE(type, ''), '@', COALESCE(culprit, ''))
    END AS error_group,
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
    error_group,
    MIN(type) AS error_type,
    MIN(culprit) AS error_culprit,
    COUNT(*) AS total,
    COUNT(DISTINCT nullIf(user_id, '')) AS users,
    MIN(time) AS first_seen,
    MAX(time) AS last_seen
  FROM kept
  GROUP BY
    service,
    error_group
  ORDER BY
    total DESC,
    error_group,
    service
  LIMIT $top
), stretches AS (
  SELECT
    service,
    error_group,
    fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
    COUNT(*) AS errors
  FROM kept
  GROUP BY
    service,
    error_group,
    start
)
SELECT
  largest.service AS service,
  largest.error_group AS error_group,
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
  ON largest.service = stretches.service
  AND largest.error_group = stretches.error_group
ORDER BY
  total DESC,
  error_group,
  service,
  start
