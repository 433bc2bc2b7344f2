"""The first schema: catalog, alerting, outbox, tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for create in TABLES:
        create()


def downgrade() -> None:
    for create in reversed(TABLES):
        op.drop_table(create.__name__.removeprefix("_"))


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_checkpoints")),
    )


def _systems() -> None:
    op.create_table(
        "systems",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), server_default="active", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_systems")),
        sa.UniqueConstraint("name", name=op.f("uq_systems_name")),
    )
    op.create_index(op.f("ix_systems_created_at"), "systems", ["created_at"], unique=False)
    op.create_index(op.f("ix_systems_created_by"), "systems", ["created_by"], unique=False)
    op.create_index(op.f("ix_systems_status"), "systems", ["status"], unique=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )


def _metrics() -> None:
    op.create_table(
        "metrics",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("metric_type", sa.String(length=64), server_default="gauge", nullable=False),
        sa.Column("monitoring_system", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), server_default="active", nullable=False),
        sa.ForeignKeyConstraint(
            ["monitoring_system"], ["systems.id"], name=op.f("fk_metrics_monitoring_system")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metrics")),
        sa.UniqueConstraint(
            "monitoring_system", "name", name=op.f("uq_metrics_monitoring_system_name")
        ),
    )
    op.create_index(op.f("ix_metrics_created_at"), "metrics", ["created_at"], unique=False)
    op.create_index(op.f("ix_metrics_status"), "metrics", ["status"], unique=False)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("metric", ID, nullable=True),
        sa.Column("threshold", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), server_default="active", nullable=False),
        sa.Column("severity", sa.String(length=64), server_default="warning", nullable=False),
        sa.Column("channels", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("rule", sa.String(length=64), server_default="threshold", nullable=False),
        sa.Column("for_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("keep_firing_for_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("options", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("created_by", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["metric"], ["metrics.id"], name=op.f("fk_alerts_metric")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("name", name=op.f("uq_alerts_name")),
    )
    op.create_index(op.f("ix_alerts_created_at"), "alerts", ["created_at"], unique=False)
    op.create_index(op.f("ix_alerts_created_by"), "alerts", ["created_by"], unique=False)
    op.create_index(op.f("ix_alerts_metric"), "alerts", ["metric"], unique=False)
    op.create_index(op.f("ix_alerts_status"), "alerts", ["status"], unique=False)


def _analytics() -> None:
    op.create_table(
        "analytics",
        sa.Column("id", ID, nullable=False),
        sa.Column("metric", ID, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["metric"], ["metrics.id"], name=op.f("fk_analytics_metric")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analytics")),
    )
    op.create_index(op.f("ix_analytics_created_at"), "analytics", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_analytics_metric_timestamp"), "analytics", ["metric", "timestamp"], unique=False
    )
    op.create_index(op.f("ix_analytics_timestamp"), "analytics", ["timestamp"], unique=False)


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("alert", ID, nullable=False),
        sa.Column("instance", sa.Text(), server_default="", nullable=False),
        sa.Column("labels", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("state", sa.String(length=64), server_default="", nullable=False),
        sa.Column("unknown", sa.String(length=64), server_default="", nullable=False),
        sa.Column("severity", sa.String(length=64), server_default="warning", nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("event_time", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("fired_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alerts.id"], name=op.f("fk_incidents_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(op.f("ix_incidents_alert"), "incidents", ["alert"], unique=False)
    op.create_index(op.f("ix_incidents_since"), "incidents", ["since"], unique=False)
    op.create_index(op.f("ix_incidents_state"), "incidents", ["state"], unique=False)


def _rule_state() -> None:
    op.create_table(
        "rule_state",
        sa.Column("alert", ID, nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alerts.id"], name=op.f("fk_rule_state_alert")),
        sa.PrimaryKeyConstraint("alert", "instance", name=op.f("pk_rule_state")),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=64), server_default="", nullable=False),
        sa.Column("notice", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("leased_by", sa.Text(), server_default="", nullable=False),
        sa.Column("leased_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_outbox_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(op.f("ix_outbox_created_at"), "outbox", ["created_at"], unique=False)
    op.create_index(op.f("ix_outbox_incident"), "outbox", ["incident"], unique=False)
    op.create_index(
        op.f("ix_outbox_status_channel_due_at"),
        "outbox",
        ["status", "channel", "due_at"],
        unique=False,
    )


def _transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("id", ID, nullable=False),
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("before", sa.String(length=64), server_default="", nullable=False),
        sa.Column("after", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=64), server_default="", nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.id"], name=op.f("fk_transitions_incident")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_at"), "transitions", ["at"], unique=False)
    op.create_index(op.f("ix_transitions_incident"), "transitions", ["incident"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("outbox", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ns", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=64), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name=op.f("fk_deliveries_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_at"), "deliveries", ["at"], unique=False)
    op.create_index(op.f("ix_deliveries_outbox"), "deliveries", ["outbox"], unique=False)


TABLES = (
    _checkpoints,
    _systems,
    _tokens,
    _metrics,
    _alerts,
    _analytics,
    _incidents,
    _rule_state,
    _outbox,
    _transitions,
    _deliveries,
)
