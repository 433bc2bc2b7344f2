WITH counted AS (
  SELECT
    start,
    service,
    route,
    entry.key AS bucket,
    toInt64(SUM(entry.value)) AS hits
  FROM (
    SELECT
      fromUnixTimestamp64Nano(intDiv(toUnixTimestamp64Nano(time), $step) * $step, 'UTC') AS start,
      service,
      name AS route,
      arrayJoin(CAST(buckets, 'Array(Tuple(key Int32, value Int64))')) AS entry
    FROM spans_{tier}_parts
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
  )
  GROUP BY
    start,
    service,
    route,
    bucket
), ranked AS (
  SELECT
    start,
    service,
    route,
    EXP(bucket * 0.040005334613699206 - 0.02020270731751947) / 1e6 AS middle_ms,
    SUM(hits) OVER (PARTITION BY start, service, route ORDER BY bucket) AS reached,
    SUM(hits) OVER (PARTITION BY start, service, route) AS everything
  FROM counted
)
SELECT
  start,
  service,
  route,
  toInt64(MAX(everything)) AS requests,
  MIN(CASE WHEN reached > 0.5 * (
    everything - 1
  ) THEN middle_ms END) AS p50_ms,
  MIN(CASE WHEN reached > 0.95 * (
    everything - 1
  ) THEN middle_ms END) AS p95_ms,
  MIN(CASE WHEN reached > 0.99 * (
    everything - 1
  ) THEN middle_ms END) AS p99_ms
FROM ranked
GROUP BY
  start,
  service,
  route
ORDER BY
  start,
  service,
  route
