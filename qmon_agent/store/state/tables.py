"""The tables of the state store, in words every engine knows; times are nanoseconds UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# Named constraints are what lets a later migration alter or drop them, on every engine.
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    # SQLite counts by itself only in a column that is exactly INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _time(name: str, *, index: bool = False, default: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=False, index=index, server_default=default)


def _text(name: str, *, index: bool = False, unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, index=index, unique=unique, server_default="")


def _word(name: str, default: str = "", *, index: bool = False) -> Column[str]:
    return Column(name, String(64), nullable=False, index=index, server_default=default)


def _json(name: str, default: str) -> Column[Any]:
    return Column(name, JSON, nullable=False, server_default=default)


def _to(name: str, target: str, *, nullable: bool = False, index: bool = True) -> Column[Any]:
    return Column(name, ForeignKey(target), nullable=nullable, index=index)


SYSTEMS = Table(
    "systems",
    METADATA,
    _id(),
    _text("name", unique=True),
    _text("description"),
    _word("created_by", index=True),
    _time("created_at", index=True),
    _time("updated_at"),
    _word("status", "active", index=True),
)

METRICS = Table(
    "metrics",
    METADATA,
    _id(),
    _text("name"),
    _text("description"),
    _word("metric_type", "gauge"),
    # The unique constraint begins with this column and serves as its index.
    _to("monitoring_system", "systems.id", index=False),
    _time("created_at", index=True),
    _time("updated_at"),
    _word("status", "active", index=True),
    UniqueConstraint("monitoring_system", "name"),
)

ALERTS = Table(
    "alerts",
    METADATA,
    _id(),
    _text("name", unique=True),
    _text("description"),
    _to("metric", "metrics.id", nullable=True),
    _text("threshold"),
    _time("created_at", index=True),
    _time("updated_at"),
    _word("status", "active", index=True),
    _word("severity", "warning"),
    _json("channels", "[]"),
    _word("rule", "threshold"),
    Column("for_s", Float, nullable=False, server_default="0"),
    Column("keep_firing_for_s", Float, nullable=False, server_default="0"),
    _json("options", "{}"),
    _word("created_by", index=True),
)

ANALYTICS = Table(
    "analytics",
    METADATA,
    _id(),
    _to("metric", "metrics.id", index=False),
    Column("value", Float, nullable=False),
    _time("timestamp", index=True),
    _time("created_at", index=True),
    Index(None, "metric", "timestamp"),
)

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", String(32), primary_key=True),
    _to("alert", "alerts.id"),
    _text("instance"),
    _json("labels", "{}"),
    _word("state", index=True),
    _word("unknown"),
    _word("severity", "warning"),
    Column("value", Float),
    _time("event_time", default="0"),
    _time("since", index=True),
    _time("fired_at", default="0"),
    _time("resolved_at", default="0"),
    _time("updated_at"),
)

TRANSITIONS = Table(
    "transitions",
    METADATA,
    _id(),
    _to("incident", "incidents.id"),
    _word("before"),
    _word("after"),
    _word("reason"),
    Column("value", Float),
    _time("at", index=True),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    _id(),
    Column("key", String(64), nullable=False, unique=True),
    _to("incident", "incidents.id"),
    _word("channel"),
    _text("notice"),
    _time("created_at", index=True),
    _time("due_at"),
    _time("deadline"),
    _word("status", "waiting"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("leased_by"),
    _time("leased_until", default="0"),
    _time("sent_at", default="0"),
    _text("detail"),
    # What it is about, for whoever hears of it: an incident, or a group of one route.
    _text("thread"),
    _word("says"),
    Column("weight", Integer, nullable=False, server_default="0"),
    # How many attempts there were of which nobody knows whether they arrived.
    Column("doubts", Integer, nullable=False, server_default="0"),
    Index(None, "status", "channel", "due_at"),
    Index(None, "thread", "channel"),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    _id(),
    _to("outbox", "outbox.id"),
    Column("attempt", Integer, nullable=False),
    _time("at", index=True),
    _time("duration_ns"),
    _word("outcome"),
    _text("detail"),
)

THREADS = Table(
    "threads",
    METADATA,
    Column("incident", ForeignKey("incidents.id"), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("thread", Text, primary_key=True),
    _text("reference"),
    _time("updated_at"),
)

ALARM_GROUPS = Table(
    "alarm_groups",
    METADATA,
    Column("id", String(64), primary_key=True),
    # The incident whose name all messages of the group have.
    _to("anchor", "incidents.id"),
    _text("state"),
    _time("updated_at"),
)

GROUP_MEMBERS = Table(
    "group_members",
    METADATA,
    Column("alarm_group", ForeignKey("alarm_groups.id"), primary_key=True),
    Column("incident", ForeignKey("incidents.id"), primary_key=True, index=True),
    _text("alarm"),
    _text("notice"),
)

SILENCES = Table(
    "silences",
    METADATA,
    Column("id", String(32), primary_key=True),
    _text("matchers"),
    _time("starts_at"),
    _time("ends_at", index=True),
    _text("author"),
    _text("comment"),
    Column("until_resolved", Boolean, nullable=False, server_default="0"),
    Column("has_muted", Boolean, nullable=False, server_default="0"),
    _time("created_at"),
    _time("updated_at"),
)

HANDLINGS = Table(
    "handlings",
    METADATA,
    Column("incident", ForeignKey("incidents.id"), primary_key=True),
    _text("state"),
    _time("updated_at"),
)

REMARKS = Table(
    "remarks",
    METADATA,
    _id(),
    _to("incident", "incidents.id"),
    _time("at", index=True),
    _word("kind"),
    _text("author"),
    _text("text"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    _id(),
    _text("name"),
    _word("scope"),
    Column("hash", String(64), nullable=False, unique=True),
    _time("created_at"),
    _time("expires_at"),
    _time("revoked_at", default="0"),
)

RULE_STATE = Table(
    "rule_state",
    METADATA,
    Column("alert", ForeignKey("alerts.id"), primary_key=True),
    Column("instance", Text, primary_key=True),
    _text("state"),
    _time("updated_at"),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("name", String(64), primary_key=True),
    _text("position"),
    _time("updated_at"),
)

HOLDS = Table(
    "holds",
    METADATA,
    Column("id", String(32), primary_key=True),
    _json("kinds", "[]"),
    _text("service"),
    _text("person"),
    _time("since"),
    _time("until"),
    _text("reason"),
    _text("author"),
    _time("created_at"),
    _time("removed_at", default="0"),
    _text("removed_by"),
)

FORGETTINGS = Table(
    "forgettings",
    METADATA,
    Column("id", String(32), primary_key=True),
    # Only until all is done; then the mark alone says who it was.
    _text("person"),
    _word("mark"),
    _text("author"),
    _time("created_at", index=True),
    _time("upto"),
    _json("report", "{}"),
    _time("finished_at", default="0"),
)
