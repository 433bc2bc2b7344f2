CREATE DATABASE IF NOT EXISTS `qmon` ON CLUSTER 'main';

CREATE TABLE IF NOT EXISTS `qmon`.`spans_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `trace_id` String DEFAULT '' CODEC(ZSTD(1)),
  `span_id` String DEFAULT '' CODEC(ZSTD(1)),
  `parent_id` String DEFAULT '' CODEC(ZSTD(1)),
  `name` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT 'internal',
  `duration_ns` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `status` LowCardinality(String) DEFAULT 'unset',
  `user_id` String DEFAULT '' CODEC(ZSTD(1)),
  `session_id` String DEFAULT '' CODEC(ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  `events` String DEFAULT '' CODEC(ZSTD(3)),
  `links` String DEFAULT '' CODEC(ZSTD(3)),
  INDEX `by_trace_id` `trace_id` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX `by_user_id` `user_id` TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/spans', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `name`, `time`)
TTL multiIf(service = 'shop', toDateTime(toDate(time), 'UTC') + toIntervalSecond(5270400), toDateTime(toDate(time), 'UTC') + toIntervalSecond(2678400))
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 0, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`spans` ON CLUSTER 'main'
AS `qmon`.`spans_local`
ENGINE = Distributed('main', 'qmon', 'spans_local', cityHash64(`trace_id`));

CREATE TABLE IF NOT EXISTS `qmon`.`errors_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `error_id` String DEFAULT '' CODEC(ZSTD(1)),
  `issue_id` String DEFAULT '' CODEC(ZSTD(1)),
  `type` LowCardinality(String) DEFAULT '',
  `message` String DEFAULT '' CODEC(ZSTD(3)),
  `culprit` LowCardinality(String) DEFAULT '',
  `level` LowCardinality(String) DEFAULT 'error',
  `handled` Bool DEFAULT true,
  `trace_id` String DEFAULT '' CODEC(ZSTD(1)),
  `span_id` String DEFAULT '' CODEC(ZSTD(1)),
  `user_id` String DEFAULT '' CODEC(ZSTD(1)),
  `session_id` String DEFAULT '' CODEC(ZSTD(1)),
  `stack` String DEFAULT '' CODEC(ZSTD(3)),
  `grouping` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  INDEX `by_trace_id` `trace_id` TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX `by_user_id` `user_id` TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/errors', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `issue_id`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`errors` ON CLUSTER 'main'
AS `qmon`.`errors_local`
ENGINE = Distributed('main', 'qmon', 'errors_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`events_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `event_id` String DEFAULT '' CODEC(ZSTD(1)),
  `name` LowCardinality(String) DEFAULT '',
  `user_id` String DEFAULT '' CODEC(ZSTD(1)),
  `anonymous_id` String DEFAULT '' CODEC(ZSTD(1)),
  `session_id` String DEFAULT '' CODEC(ZSTD(1)),
  `sequence` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  INDEX `by_user_id` `user_id` TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/events', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `name`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`events` ON CLUSTER 'main'
AS `qmon`.`events_local`
ENGINE = Distributed('main', 'qmon', 'events_local', cityHash64(`user_id`));

CREATE TABLE IF NOT EXISTS `qmon`.`sessions_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `session_id` String DEFAULT '' CODEC(ZSTD(1)),
  `user_id` String DEFAULT '' CODEC(ZSTD(1)),
  `status` LowCardinality(String) DEFAULT 'healthy',
  `started` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `duration_ns` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `errors` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  INDEX `by_user_id` `user_id` TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/sessions', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`sessions` ON CLUSTER 'main'
AS `qmon`.`sessions_local`
ENGINE = Distributed('main', 'qmon', 'sessions_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`points_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `metric` LowCardinality(String) DEFAULT '',
  `kind` LowCardinality(String) DEFAULT 'gauge',
  `value` Float64 DEFAULT 0.0 CODEC(Gorilla, ZSTD(1)),
  `unit` LowCardinality(String) DEFAULT '',
  `count` Int64 DEFAULT 1 CODEC(T64, ZSTD(1)),
  `minimum` Float64 DEFAULT 0.0 CODEC(Gorilla, ZSTD(1)),
  `maximum` Float64 DEFAULT 0.0 CODEC(Gorilla, ZSTD(1)),
  `buckets` Map(Int32, Int64) DEFAULT map() CODEC(ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/points', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `metric`, `host`, `process`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`points` ON CLUSTER 'main'
AS `qmon`.`points_local`
ENGINE = Distributed('main', 'qmon', 'points_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`logs_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `level` LowCardinality(String) DEFAULT 'info',
  `body` String DEFAULT '' CODEC(ZSTD(3)),
  `template` LowCardinality(String) DEFAULT '',
  `logger` LowCardinality(String) DEFAULT '',
  `trace_id` String DEFAULT '' CODEC(ZSTD(1)),
  `span_id` String DEFAULT '' CODEC(ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
  INDEX `by_trace_id` `trace_id` TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/logs', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`logs` ON CLUSTER 'main'
AS `qmon`.`logs_local`
ENGINE = Distributed('main', 'qmon', 'logs_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`checkins_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `monitor` LowCardinality(String) DEFAULT '',
  `status` LowCardinality(String) DEFAULT 'ok',
  `duration_ns` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/checkins', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `monitor`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`checkins` ON CLUSTER 'main'
AS `qmon`.`checkins_local`
ENGINE = Distributed('main', 'qmon', 'checkins_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`snapshots_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `scan` LowCardinality(String) DEFAULT '',
  `commit` String DEFAULT '' CODEC(ZSTD(1)),
  `measure` LowCardinality(String) DEFAULT '',
  `value` Float64 DEFAULT 0.0 CODEC(Gorilla, ZSTD(1)),
  `definition` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/snapshots', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `measure`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`snapshots` ON CLUSTER 'main'
AS `qmon`.`snapshots_local`
ENGINE = Distributed('main', 'qmon', 'snapshots_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`findings_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `scan` LowCardinality(String) DEFAULT '',
  `commit` String DEFAULT '' CODEC(ZSTD(1)),
  `tool` LowCardinality(String) DEFAULT '',
  `rule` LowCardinality(String) DEFAULT '',
  `severity` LowCardinality(String) DEFAULT 'info',
  `path` LowCardinality(String) DEFAULT '',
  `line` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `symbol` LowCardinality(String) DEFAULT '',
  `fingerprint` String DEFAULT '' CODEC(ZSTD(1)),
  `state` LowCardinality(String) DEFAULT 'new',
  `message` String DEFAULT '' CODEC(ZSTD(3)),
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/qmon/findings', '{replica}')
PARTITION BY toDate(`time`)
ORDER BY (`service`, `rule`, `time`)
TTL toDateTime(time) + toIntervalSecond(2592000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`findings` ON CLUSTER 'main'
AS `qmon`.`findings_local`
ENGINE = Distributed('main', 'qmon', 'findings_local', cityHash64(`process`));

CREATE TABLE IF NOT EXISTS `qmon`.`resources_local` ON CLUSTER 'main' (
  `time` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `service` LowCardinality(String) DEFAULT '',
  `release` LowCardinality(String) DEFAULT '',
  `environment` LowCardinality(String) DEFAULT '',
  `host` LowCardinality(String) DEFAULT '',
  `process` LowCardinality(String) DEFAULT '',
  `pid` Int64 DEFAULT 0 CODEC(T64, ZSTD(1)),
  `started` DateTime64(9, 'UTC') DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
  `sdk` LowCardinality(String) DEFAULT '',
  `attributes` Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/qmon/resources', '{replica}', `time`)
ORDER BY (`process`)
TTL toDateTime(time) + toIntervalSecond(5184000)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `qmon`.`resources` ON CLUSTER 'main'
AS `qmon`.`resources_local`
ENGINE = Distributed('main', 'qmon', 'resources_local', cityHash64(`process`));

