CREATE TABLE IF NOT EXISTS `qmon`.`points_1m_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `metric` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `unit` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  `points` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `sum` SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
  `count` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum` SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
  `maximum` SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
  `latest` SimpleAggregateFunction(max, Tuple(DateTime64(9, 'UTC'), Float64)) CODEC(ZSTD(1)),
  `last` Float64 ALIAS tupleElement(`latest`, 2),
  `last_time` DateTime64(9, 'UTC') ALIAS tupleElement(`latest`, 1),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/points_1m_parts', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `metric`, `host`, `time`, `release`, `environment`, `kind`, `unit`, mapKeys(`attributes`), mapValues(`attributes`))
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`points_1m_parts` ON CLUSTER 'main'
AS `qmon`.`points_1m_parts_local`
ENGINE = Distributed('main', 'qmon', 'points_1m_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`points_1m_fold` ON CLUSTER 'main'
TO `qmon`.`points_1m_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 60000000000) + 60000000000) % 60000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  toInt64(count()) AS `points`,
  sum(rows.value) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(if(rows.kind = 'distribution', rows.minimum, rows.value)) AS `minimum`,
  max(if(rows.kind = 'distribution', rows.maximum, rows.value)) AS `maximum`,
  max((rows.time, rows.value)) AS `latest`,
  sumMap(multiIf(rows.kind = 'counter', CAST(map(), 'Map(Int32, Int64)'), rows.kind != 'distribution', CAST(map(multiIf(abs(rows.value) < 2.2250738585072014e-308, -100000, rows.value > 0, toInt32(ceil(log(rows.value) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(rows.value)) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)'), length(rows.buckets) > 0, CAST(rows.buckets, 'Map(Int32, Int64)'), CAST(map(multiIf(abs((rows.value / greatest(1, rows.`count`))) < 2.2250738585072014e-308, -100000, (rows.value / greatest(1, rows.`count`)) > 0, toInt32(ceil(log((rows.value / greatest(1, rows.`count`))) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-((rows.value / greatest(1, rows.`count`)))) / 0.040005334613699206))), toInt64(greatest(1, rows.`count`))), 'Map(Int32, Int64)'))) AS `buckets`
FROM `qmon`.`points_local` AS rows
WHERE isFinite(rows.value)
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 60000000000) + 60000000000) % 60000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE VIEW IF NOT EXISTS `qmon`.`points_1m` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  sum(rows.`points`) AS `points`,
  sum(rows.`sum`) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(rows.`minimum`) AS `minimum`,
  max(rows.`maximum`) AS `maximum`,
  tupleElement(max(rows.`latest`), 2) AS `last`,
  tupleElement(max(rows.`latest`), 1) AS `last_time`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`points_1m_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE TABLE IF NOT EXISTS `qmon`.`points_1h_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `metric` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `unit` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  `points` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `sum` SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
  `count` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum` SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
  `maximum` SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
  `latest` SimpleAggregateFunction(max, Tuple(DateTime64(9, 'UTC'), Float64)) CODEC(ZSTD(1)),
  `last` Float64 ALIAS tupleElement(`latest`, 2),
  `last_time` DateTime64(9, 'UTC') ALIAS tupleElement(`latest`, 1),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/points_1h_parts', '{replica}')
PARTITION BY toYYYYMM(`time`)
ORDER BY (`service`, `metric`, `host`, `time`, `release`, `environment`, `kind`, `unit`, mapKeys(`attributes`), mapValues(`attributes`))
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`points_1h_parts` ON CLUSTER 'main'
AS `qmon`.`points_1h_parts_local`
ENGINE = Distributed('main', 'qmon', 'points_1h_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`points_1h_fold` ON CLUSTER 'main'
TO `qmon`.`points_1h_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 3600000000000) + 3600000000000) % 3600000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  toInt64(count()) AS `points`,
  sum(rows.value) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(if(rows.kind = 'distribution', rows.minimum, rows.value)) AS `minimum`,
  max(if(rows.kind = 'distribution', rows.maximum, rows.value)) AS `maximum`,
  max((rows.time, rows.value)) AS `latest`,
  sumMap(multiIf(rows.kind = 'counter', CAST(map(), 'Map(Int32, Int64)'), rows.kind != 'distribution', CAST(map(multiIf(abs(rows.value) < 2.2250738585072014e-308, -100000, rows.value > 0, toInt32(ceil(log(rows.value) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(rows.value)) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)'), length(rows.buckets) > 0, CAST(rows.buckets, 'Map(Int32, Int64)'), CAST(map(multiIf(abs((rows.value / greatest(1, rows.`count`))) < 2.2250738585072014e-308, -100000, (rows.value / greatest(1, rows.`count`)) > 0, toInt32(ceil(log((rows.value / greatest(1, rows.`count`))) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-((rows.value / greatest(1, rows.`count`)))) / 0.040005334613699206))), toInt64(greatest(1, rows.`count`))), 'Map(Int32, Int64)'))) AS `buckets`
FROM `qmon`.`points_local` AS rows
WHERE isFinite(rows.value)
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 3600000000000) + 3600000000000) % 3600000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE VIEW IF NOT EXISTS `qmon`.`points_1h` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  sum(rows.`points`) AS `points`,
  sum(rows.`sum`) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(rows.`minimum`) AS `minimum`,
  max(rows.`maximum`) AS `maximum`,
  tupleElement(max(rows.`latest`), 2) AS `last`,
  tupleElement(max(rows.`latest`), 1) AS `last_time`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`points_1h_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE TABLE IF NOT EXISTS `qmon`.`points_1d_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `metric` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `unit` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  `points` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `sum` SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
  `count` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum` SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
  `maximum` SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
  `latest` SimpleAggregateFunction(max, Tuple(DateTime64(9, 'UTC'), Float64)) CODEC(ZSTD(1)),
  `last` Float64 ALIAS tupleElement(`latest`, 2),
  `last_time` DateTime64(9, 'UTC') ALIAS tupleElement(`latest`, 1),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/points_1d_parts', '{replica}')
PARTITION BY toYYYYMM(`time`)
ORDER BY (`service`, `metric`, `host`, `time`, `release`, `environment`, `kind`, `unit`, mapKeys(`attributes`), mapValues(`attributes`))
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`points_1d_parts` ON CLUSTER 'main'
AS `qmon`.`points_1d_parts_local`
ENGINE = Distributed('main', 'qmon', 'points_1d_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`points_1d_fold` ON CLUSTER 'main'
TO `qmon`.`points_1d_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 86400000000000) + 86400000000000) % 86400000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  toInt64(count()) AS `points`,
  sum(rows.value) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(if(rows.kind = 'distribution', rows.minimum, rows.value)) AS `minimum`,
  max(if(rows.kind = 'distribution', rows.maximum, rows.value)) AS `maximum`,
  max((rows.time, rows.value)) AS `latest`,
  sumMap(multiIf(rows.kind = 'counter', CAST(map(), 'Map(Int32, Int64)'), rows.kind != 'distribution', CAST(map(multiIf(abs(rows.value) < 2.2250738585072014e-308, -100000, rows.value > 0, toInt32(ceil(log(rows.value) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(rows.value)) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)'), length(rows.buckets) > 0, CAST(rows.buckets, 'Map(Int32, Int64)'), CAST(map(multiIf(abs((rows.value / greatest(1, rows.`count`))) < 2.2250738585072014e-308, -100000, (rows.value / greatest(1, rows.`count`)) > 0, toInt32(ceil(log((rows.value / greatest(1, rows.`count`))) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-((rows.value / greatest(1, rows.`count`)))) / 0.040005334613699206))), toInt64(greatest(1, rows.`count`))), 'Map(Int32, Int64)'))) AS `buckets`
FROM `qmon`.`points_local` AS rows
WHERE isFinite(rows.value)
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 86400000000000) + 86400000000000) % 86400000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE VIEW IF NOT EXISTS `qmon`.`points_1d` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`metric` AS `metric`,
  rows.`kind` AS `kind`,
  rows.`unit` AS `unit`,
  rows.`attributes` AS `attributes`,
  sum(rows.`points`) AS `points`,
  sum(rows.`sum`) AS `sum`,
  sum(rows.`count`) AS `count`,
  min(rows.`minimum`) AS `minimum`,
  max(rows.`maximum`) AS `maximum`,
  tupleElement(max(rows.`latest`), 2) AS `last`,
  tupleElement(max(rows.`latest`), 1) AS `last_time`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`points_1d_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`metric`, rows.`kind`, rows.`unit`, rows.`attributes`;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1m_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `name` LowCardinality(String) DEFAULT '',
  `route` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `status` LowCardinality(String) DEFAULT '',
  `requests` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `errors` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `duration_ns` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum_ns` SimpleAggregateFunction(min, Int64) CODEC(ZSTD(1)),
  `maximum_ns` SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/spans_1m_parts', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `name`, `time`, `kind`, `route`, `status`, `release`, `environment`, `host`)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1m_parts` ON CLUSTER 'main'
AS `qmon`.`spans_1m_parts_local`
ENGINE = Distributed('main', 'qmon', 'spans_1m_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`spans_1m_fold` ON CLUSTER 'main'
TO `qmon`.`spans_1m_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 60000000000) + 60000000000) % 60000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`attributes`['http.route'] AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  toInt64(count()) AS `requests`,
  toInt64(countIf(rows.status = 'error')) AS `errors`,
  sum(rows.duration_ns) AS `duration_ns`,
  min(rows.duration_ns) AS `minimum_ns`,
  max(rows.duration_ns) AS `maximum_ns`,
  sumMap(CAST(map(multiIf(abs(toFloat64(rows.duration_ns)) < 2.2250738585072014e-308, -100000, toFloat64(rows.duration_ns) > 0, toInt32(ceil(log(toFloat64(rows.duration_ns)) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(toFloat64(rows.duration_ns))) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)')) AS `buckets`
FROM `qmon`.`spans_local` AS rows
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 60000000000) + 60000000000) % 60000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`attributes`['http.route'], rows.`kind`, rows.`status`;

CREATE VIEW IF NOT EXISTS `qmon`.`spans_1m` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`route` AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  sum(rows.`requests`) AS `requests`,
  sum(rows.`errors`) AS `errors`,
  sum(rows.`duration_ns`) AS `duration_ns`,
  min(rows.`minimum_ns`) AS `minimum_ns`,
  max(rows.`maximum_ns`) AS `maximum_ns`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`spans_1m_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`route`, rows.`kind`, rows.`status`;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1h_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `name` LowCardinality(String) DEFAULT '',
  `route` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `status` LowCardinality(String) DEFAULT '',
  `requests` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `errors` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `duration_ns` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum_ns` SimpleAggregateFunction(min, Int64) CODEC(ZSTD(1)),
  `maximum_ns` SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/spans_1h_parts', '{replica}')
PARTITION BY toYYYYMM(`time`)
ORDER BY (`service`, `name`, `time`, `kind`, `route`, `status`, `release`, `environment`, `host`)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1h_parts` ON CLUSTER 'main'
AS `qmon`.`spans_1h_parts_local`
ENGINE = Distributed('main', 'qmon', 'spans_1h_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`spans_1h_fold` ON CLUSTER 'main'
TO `qmon`.`spans_1h_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 3600000000000) + 3600000000000) % 3600000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`attributes`['http.route'] AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  toInt64(count()) AS `requests`,
  toInt64(countIf(rows.status = 'error')) AS `errors`,
  sum(rows.duration_ns) AS `duration_ns`,
  min(rows.duration_ns) AS `minimum_ns`,
  max(rows.duration_ns) AS `maximum_ns`,
  sumMap(CAST(map(multiIf(abs(toFloat64(rows.duration_ns)) < 2.2250738585072014e-308, -100000, toFloat64(rows.duration_ns) > 0, toInt32(ceil(log(toFloat64(rows.duration_ns)) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(toFloat64(rows.duration_ns))) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)')) AS `buckets`
FROM `qmon`.`spans_local` AS rows
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 3600000000000) + 3600000000000) % 3600000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`attributes`['http.route'], rows.`kind`, rows.`status`;

CREATE VIEW IF NOT EXISTS `qmon`.`spans_1h` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`route` AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  sum(rows.`requests`) AS `requests`,
  sum(rows.`errors`) AS `errors`,
  sum(rows.`duration_ns`) AS `duration_ns`,
  min(rows.`minimum_ns`) AS `minimum_ns`,
  max(rows.`maximum_ns`) AS `maximum_ns`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`spans_1h_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`route`, rows.`kind`, rows.`status`;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1d_parts_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `name` LowCardinality(String) DEFAULT '',
  `route` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT '',
  `status` LowCardinality(String) DEFAULT '',
  `requests` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `errors` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `duration_ns` SimpleAggregateFunction(sum, Int64) CODEC(ZSTD(1)),
  `minimum_ns` SimpleAggregateFunction(min, Int64) CODEC(ZSTD(1)),
  `maximum_ns` SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
  `buckets` SimpleAggregateFunction(sumMap, Map(Int32, Int64)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/qmon/spans_1d_parts', '{replica}')
PARTITION BY toYYYYMM(`time`)
ORDER BY (`service`, `name`, `time`, `kind`, `route`, `status`, `release`, `environment`, `host`)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`spans_1d_parts` ON CLUSTER 'main'
AS `qmon`.`spans_1d_parts_local`
ENGINE = Distributed('main', 'qmon', 'spans_1d_parts_local');

CREATE MATERIALIZED VIEW IF NOT EXISTS `qmon`.`spans_1d_fold` ON CLUSTER 'main'
TO `qmon`.`spans_1d_parts_local`
AS SELECT
  fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 86400000000000) + 86400000000000) % 86400000000000, 'UTC') AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`attributes`['http.route'] AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  toInt64(count()) AS `requests`,
  toInt64(countIf(rows.status = 'error')) AS `errors`,
  sum(rows.duration_ns) AS `duration_ns`,
  min(rows.duration_ns) AS `minimum_ns`,
  max(rows.duration_ns) AS `maximum_ns`,
  sumMap(CAST(map(multiIf(abs(toFloat64(rows.duration_ns)) < 2.2250738585072014e-308, -100000, toFloat64(rows.duration_ns) > 0, toInt32(ceil(log(toFloat64(rows.duration_ns)) / 0.040005334613699206)), -200000 - toInt32(ceil(log(-(toFloat64(rows.duration_ns))) / 0.040005334613699206))), toInt64(1)), 'Map(Int32, Int64)')) AS `buckets`
FROM `qmon`.`spans_local` AS rows
GROUP BY fromUnixTimestamp64Nano(toUnixTimestamp64Nano(rows.time) - ((toUnixTimestamp64Nano(rows.time) % 86400000000000) + 86400000000000) % 86400000000000, 'UTC'), rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`attributes`['http.route'], rows.`kind`, rows.`status`;

CREATE VIEW IF NOT EXISTS `qmon`.`spans_1d` ON CLUSTER 'main'
AS SELECT
  rows.`time` AS `time`,
  rows.`service` AS `service`,
  rows.`release` AS `release`,
  rows.`environment` AS `environment`,
  rows.`host` AS `host`,
  rows.`name` AS `name`,
  rows.`route` AS `route`,
  rows.`kind` AS `kind`,
  rows.`status` AS `status`,
  sum(rows.`requests`) AS `requests`,
  sum(rows.`errors`) AS `errors`,
  sum(rows.`duration_ns`) AS `duration_ns`,
  min(rows.`minimum_ns`) AS `minimum_ns`,
  max(rows.`maximum_ns`) AS `maximum_ns`,
  sumMap(rows.`buckets`) AS `buckets`
FROM `qmon`.`spans_1d_parts` AS rows
GROUP BY rows.`time`, rows.`service`, rows.`release`, rows.`environment`, rows.`host`, rows.`name`, rows.`route`, rows.`kind`, rows.`status`;

