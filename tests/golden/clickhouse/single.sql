CREATE DATABASE IF NOT EXISTS `qmon`;

CREATE TABLE IF NOT EXISTS `qmon`.`spans` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `name`, `time`)
TTL toDateTime(time) + toIntervalSecond(604800)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`errors` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `issue_id`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`events` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `name`, `time`)
TTL multiIf(service = 'shop', toDateTime(toDate(time), 'UTC') + toIntervalSecond(172800), service = 'till', toDateTime(toDate(time), 'UTC') + toIntervalSecond(2678400), toDateTime(4294967295, 'UTC'))
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 0, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`sessions` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`points` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `metric`, `host`, `process`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`logs` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `time`)
TTL multiIf(service = 'it\'s', toDateTime(toDate(time), 'UTC') + toIntervalSecond(864000), toDateTime(toDate(time), 'UTC') + toIntervalSecond(345600))
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 0, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`checkins` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `monitor`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`snapshots` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `measure`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`findings` (
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
) ENGINE = MergeTree()
PARTITION BY toDate(`time`)
ORDER BY (`service`, `rule`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1;

CREATE TABLE IF NOT EXISTS `qmon`.`resources` (
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
) ENGINE = ReplacingMergeTree(`time`)
ORDER BY (`process`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

