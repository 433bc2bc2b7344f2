CREATE TABLE hot."spans" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "trace_id" VARCHAR DEFAULT '',
  "span_id" VARCHAR DEFAULT '',
  "parent_id" VARCHAR DEFAULT '',
  "name" VARCHAR DEFAULT '',
  "kind" VARCHAR DEFAULT 'internal',
  "duration_ns" BIGINT DEFAULT CAST(0 AS BIGINT),
  "status" VARCHAR DEFAULT 'unset',
  "user_id" VARCHAR DEFAULT '',
  "session_id" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR)),
  "events" VARCHAR DEFAULT '',
  "links" VARCHAR DEFAULT ''
);

CREATE TABLE hot."errors" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "error_id" VARCHAR DEFAULT '',
  "issue_id" VARCHAR DEFAULT '',
  "type" VARCHAR DEFAULT '',
  "message" VARCHAR DEFAULT '',
  "culprit" VARCHAR DEFAULT '',
  "level" VARCHAR DEFAULT 'error',
  "handled" BOOLEAN DEFAULT CAST(True AS BOOLEAN),
  "trace_id" VARCHAR DEFAULT '',
  "span_id" VARCHAR DEFAULT '',
  "user_id" VARCHAR DEFAULT '',
  "session_id" VARCHAR DEFAULT '',
  "stack" VARCHAR DEFAULT '',
  "grouping" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."events" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "event_id" VARCHAR DEFAULT '',
  "name" VARCHAR DEFAULT '',
  "user_id" VARCHAR DEFAULT '',
  "anonymous_id" VARCHAR DEFAULT '',
  "session_id" VARCHAR DEFAULT '',
  "sequence" BIGINT DEFAULT CAST(0 AS BIGINT),
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."sessions" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "session_id" VARCHAR DEFAULT '',
  "user_id" VARCHAR DEFAULT '',
  "status" VARCHAR DEFAULT 'healthy',
  "started" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "duration_ns" BIGINT DEFAULT CAST(0 AS BIGINT),
  "errors" BIGINT DEFAULT CAST(0 AS BIGINT),
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."points" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "metric" VARCHAR DEFAULT '',
  "kind" VARCHAR DEFAULT 'gauge',
  "value" DOUBLE DEFAULT CAST(0.0 AS DOUBLE),
  "unit" VARCHAR DEFAULT '',
  "count" BIGINT DEFAULT CAST(1 AS BIGINT),
  "minimum" DOUBLE DEFAULT CAST(0.0 AS DOUBLE),
  "maximum" DOUBLE DEFAULT CAST(0.0 AS DOUBLE),
  "buckets" MAP(INTEGER, BIGINT) DEFAULT CAST(MAP {} AS MAP(INTEGER, BIGINT)),
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."logs" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "level" VARCHAR DEFAULT 'info',
  "body" VARCHAR DEFAULT '',
  "template" VARCHAR DEFAULT '',
  "logger" VARCHAR DEFAULT '',
  "trace_id" VARCHAR DEFAULT '',
  "span_id" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."checkins" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "monitor" VARCHAR DEFAULT '',
  "status" VARCHAR DEFAULT 'ok',
  "duration_ns" BIGINT DEFAULT CAST(0 AS BIGINT),
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."snapshots" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "scan" VARCHAR DEFAULT '',
  "commit" VARCHAR DEFAULT '',
  "measure" VARCHAR DEFAULT '',
  "value" DOUBLE DEFAULT CAST(0.0 AS DOUBLE),
  "definition" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."findings" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "scan" VARCHAR DEFAULT '',
  "commit" VARCHAR DEFAULT '',
  "tool" VARCHAR DEFAULT '',
  "rule" VARCHAR DEFAULT '',
  "severity" VARCHAR DEFAULT 'info',
  "path" VARCHAR DEFAULT '',
  "line" BIGINT DEFAULT CAST(0 AS BIGINT),
  "symbol" VARCHAR DEFAULT '',
  "fingerprint" VARCHAR DEFAULT '',
  "state" VARCHAR DEFAULT 'new',
  "message" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);

CREATE TABLE hot."resources" (
  "time" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "service" VARCHAR DEFAULT '',
  "release" VARCHAR DEFAULT '',
  "environment" VARCHAR DEFAULT '',
  "host" VARCHAR DEFAULT '',
  "process" VARCHAR DEFAULT '',
  "pid" BIGINT DEFAULT CAST(0 AS BIGINT),
  "started" TIMESTAMP_NS DEFAULT make_timestamp_ns(0),
  "sdk" VARCHAR DEFAULT '',
  "attributes" MAP(VARCHAR, VARCHAR) DEFAULT CAST(MAP {} AS MAP(VARCHAR, VARCHAR))
);
