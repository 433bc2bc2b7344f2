CREATE TABLE checkpoints (
    name VARCHAR(64) NOT NULL,
    position TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_checkpoints PRIMARY KEY (name)
);
CREATE TABLE forgettings (
    id VARCHAR(32) NOT NULL,
    person TEXT DEFAULT '' NOT NULL,
    mark VARCHAR(64) DEFAULT '' NOT NULL,
    author TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    upto BIGINT NOT NULL,
    report JSON DEFAULT '{}' NOT NULL,
    finished_at BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_forgettings PRIMARY KEY (id)
);
CREATE INDEX ix_forgettings_created_at ON forgettings (created_at);
CREATE TABLE holds (
    id VARCHAR(32) NOT NULL,
    kinds JSON DEFAULT '[]' NOT NULL,
    service TEXT DEFAULT '' NOT NULL,
    person TEXT DEFAULT '' NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    author TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT DEFAULT '0' NOT NULL,
    removed_by TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (id)
);
CREATE TABLE silences (
    id VARCHAR(32) NOT NULL,
    matchers TEXT DEFAULT '' NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    author TEXT DEFAULT '' NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    until_resolved BOOLEAN DEFAULT '0' NOT NULL,
    has_muted BOOLEAN DEFAULT '0' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_silences PRIMARY KEY (id)
);
CREATE INDEX ix_silences_ends_at ON silences (ends_at);
CREATE TABLE systems (
    id INTEGER NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    created_by VARCHAR(64) DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status VARCHAR(64) DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_systems PRIMARY KEY (id),
    CONSTRAINT uq_systems_name UNIQUE (name)
);
CREATE INDEX ix_systems_created_at ON systems (created_at);
CREATE INDEX ix_systems_created_by ON systems (created_by);
CREATE INDEX ix_systems_status ON systems (status);
CREATE TABLE tokens (
    id INTEGER NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    scope VARCHAR(64) DEFAULT '' NOT NULL,
    hash VARCHAR(64) NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_tokens PRIMARY KEY (id),
    CONSTRAINT uq_tokens_hash UNIQUE (hash)
);
CREATE TABLE metrics (
    id INTEGER NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    metric_type VARCHAR(64) DEFAULT 'gauge' NOT NULL,
    monitoring_system INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status VARCHAR(64) DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_metrics PRIMARY KEY (id),
    CONSTRAINT uq_metrics_monitoring_system_name UNIQUE (monitoring_system, name),
    CONSTRAINT fk_metrics_monitoring_system FOREIGN KEY(monitoring_system) REFERENCES systems (id)
);
CREATE INDEX ix_metrics_created_at ON metrics (created_at);
CREATE INDEX ix_metrics_status ON metrics (status);
CREATE TABLE alerts (
    id INTEGER NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    metric INTEGER,
    threshold TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status VARCHAR(64) DEFAULT 'active' NOT NULL,
    severity VARCHAR(64) DEFAULT 'warning' NOT NULL,
    channels JSON DEFAULT '[]' NOT NULL,
    rule VARCHAR(64) DEFAULT 'threshold' NOT NULL,
    for_s FLOAT DEFAULT '0' NOT NULL,
    keep_firing_for_s FLOAT DEFAULT '0' NOT NULL,
    options JSON DEFAULT '{}' NOT NULL,
    created_by VARCHAR(64) DEFAULT '' NOT NULL,
    CONSTRAINT pk_alerts PRIMARY KEY (id),
    CONSTRAINT uq_alerts_name UNIQUE (name),
    CONSTRAINT fk_alerts_metric FOREIGN KEY(metric) REFERENCES metrics (id)
);
CREATE INDEX ix_alerts_created_at ON alerts (created_at);
CREATE INDEX ix_alerts_created_by ON alerts (created_by);
CREATE INDEX ix_alerts_metric ON alerts (metric);
CREATE INDEX ix_alerts_status ON alerts (status);
CREATE TABLE analytics (
    id INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    value FLOAT NOT NULL,
    timestamp BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_analytics PRIMARY KEY (id),
    CONSTRAINT fk_analytics_metric FOREIGN KEY(metric) REFERENCES metrics (id)
);
CREATE INDEX ix_analytics_created_at ON analytics (created_at);
CREATE INDEX ix_analytics_metric_timestamp ON analytics (metric, timestamp);
CREATE INDEX ix_analytics_timestamp ON analytics (timestamp);
CREATE TABLE incidents (
    id VARCHAR(32) NOT NULL,
    alert INTEGER NOT NULL,
    instance TEXT DEFAULT '' NOT NULL,
    labels JSON DEFAULT '{}' NOT NULL,
    state VARCHAR(64) DEFAULT '' NOT NULL,
    unknown VARCHAR(64) DEFAULT '' NOT NULL,
    severity VARCHAR(64) DEFAULT 'warning' NOT NULL,
    value FLOAT,
    event_time BIGINT DEFAULT '0' NOT NULL,
    since BIGINT NOT NULL,
    fired_at BIGINT DEFAULT '0' NOT NULL,
    resolved_at BIGINT DEFAULT '0' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_incidents PRIMARY KEY (id),
    CONSTRAINT fk_incidents_alert FOREIGN KEY(alert) REFERENCES alerts (id)
);
CREATE INDEX ix_incidents_alert ON incidents (alert);
CREATE INDEX ix_incidents_since ON incidents (since);
CREATE INDEX ix_incidents_state ON incidents (state);
CREATE TABLE rule_state (
    alert INTEGER NOT NULL,
    instance TEXT NOT NULL,
    state TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_rule_state PRIMARY KEY (alert, instance),
    CONSTRAINT fk_rule_state_alert FOREIGN KEY(alert) REFERENCES alerts (id)
);
CREATE TABLE alarm_groups (
    id VARCHAR(64) NOT NULL,
    anchor VARCHAR(32) NOT NULL,
    state TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_alarm_groups PRIMARY KEY (id),
    CONSTRAINT fk_alarm_groups_anchor FOREIGN KEY(anchor) REFERENCES incidents (id)
);
CREATE INDEX ix_alarm_groups_anchor ON alarm_groups (anchor);
CREATE TABLE handlings (
    incident VARCHAR(32) NOT NULL,
    state TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_handlings PRIMARY KEY (incident),
    CONSTRAINT fk_handlings_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE TABLE outbox (
    id INTEGER NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    incident VARCHAR(32) NOT NULL,
    channel VARCHAR(64) DEFAULT '' NOT NULL,
    notice TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    status VARCHAR(64) DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    leased_by TEXT DEFAULT '' NOT NULL,
    leased_until BIGINT DEFAULT '0' NOT NULL,
    sent_at BIGINT DEFAULT '0' NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    thread TEXT DEFAULT '' NOT NULL,
    says VARCHAR(64) DEFAULT '' NOT NULL,
    weight INTEGER DEFAULT '0' NOT NULL,
    doubts INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_key UNIQUE ("key"),
    CONSTRAINT fk_outbox_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE INDEX ix_outbox_created_at ON outbox (created_at);
CREATE INDEX ix_outbox_incident ON outbox (incident);
CREATE INDEX ix_outbox_status_channel_due_at ON outbox (status, channel, due_at);
CREATE INDEX ix_outbox_thread_channel ON outbox (thread, channel);
CREATE TABLE remarks (
    id INTEGER NOT NULL,
    incident VARCHAR(32) NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(64) DEFAULT '' NOT NULL,
    author TEXT DEFAULT '' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_remarks PRIMARY KEY (id),
    CONSTRAINT fk_remarks_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE INDEX ix_remarks_at ON remarks (at);
CREATE INDEX ix_remarks_incident ON remarks (incident);
CREATE TABLE threads (
    incident VARCHAR(32) NOT NULL,
    channel VARCHAR(64) NOT NULL,
    thread TEXT NOT NULL,
    reference TEXT DEFAULT '' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_threads PRIMARY KEY (incident, channel, thread),
    CONSTRAINT fk_threads_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE TABLE transitions (
    id INTEGER NOT NULL,
    incident VARCHAR(32) NOT NULL,
    "before" VARCHAR(64) DEFAULT '' NOT NULL,
    "after" VARCHAR(64) DEFAULT '' NOT NULL,
    reason VARCHAR(64) DEFAULT '' NOT NULL,
    value FLOAT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_transitions PRIMARY KEY (id),
    CONSTRAINT fk_transitions_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE INDEX ix_transitions_at ON transitions (at);
CREATE INDEX ix_transitions_incident ON transitions (incident);
CREATE TABLE deliveries (
    id INTEGER NOT NULL,
    outbox INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at BIGINT NOT NULL,
    duration_ns BIGINT NOT NULL,
    outcome VARCHAR(64) DEFAULT '' NOT NULL,
    detail TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT fk_deliveries_outbox FOREIGN KEY(outbox) REFERENCES outbox (id)
);
CREATE INDEX ix_deliveries_at ON deliveries (at);
CREATE INDEX ix_deliveries_outbox ON deliveries (outbox);
CREATE TABLE group_members (
    alarm_group VARCHAR(64) NOT NULL,
    incident VARCHAR(32) NOT NULL,
    alarm TEXT DEFAULT '' NOT NULL,
    notice TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_group_members PRIMARY KEY (alarm_group, incident),
    CONSTRAINT fk_group_members_alarm_group FOREIGN KEY(alarm_group) REFERENCES alarm_groups (id),
    CONSTRAINT fk_group_members_incident FOREIGN KEY(incident) REFERENCES incidents (id)
);
CREATE INDEX ix_group_members_incident ON group_members (incident);
