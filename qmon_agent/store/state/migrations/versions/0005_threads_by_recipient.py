"""What a message belongs to: its incident, or the group of one route, each a thread of its own."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_OUTBOX = sa.table("outbox", *map(sa.column, ("id", "incident", "notice", "thread")))
_NAMES = ("incident", "channel", "thread", "reference", "updated_at")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("thread", sa.Text(), server_default="", nullable=False))
    _name_threads()
    op.create_index(op.f("ix_outbox_thread_channel"), "outbox", ["thread", "channel"])
    kept = _references()
    op.drop_table("threads")
    op.create_table(
        "threads",
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_threads_incident")),
        sa.PrimaryKeyConstraint("incident", "channel", "thread", name=op.f("pk_threads")),
    )
    if kept:
        threads = sa.table("threads", *map(sa.column, _NAMES))
        op.bulk_insert(threads, [dict(zip(_NAMES, row, strict=True)) for row in kept])


def _name_threads() -> None:
    """A few at a time: notices may be long."""
    connection, last = op.get_bind(), 0
    some = sa.select(_OUTBOX.c.id, _OUTBOX.c.incident, _OUTBOX.c.notice)
    while rows := connection.execute(
        some.where(_OUTBOX.c.id > last).order_by(_OUTBOX.c.id).limit(_AT_ONCE)
    ).fetchall():
        last = rows[-1].id
        connection.execute(
            sa.update(_OUTBOX)
            .where(_OUTBOX.c.id == sa.bindparam("row"))
            .values(thread=sa.bindparam("name")),
            [{"row": row.id, "name": _group_of(row.notice) or row.incident} for row in rows],
        )


def _group_of(notice: str) -> str:
    try:
        return str(json.loads(notice).get("group", ""))
    except (ValueError, AttributeError):
        return ""  # what nobody can read, no channel is given


def _references() -> list[tuple[object, ...]]:
    """What two routes have shared, both may go on with; so may what no message is known of."""
    rows = op.get_bind().execute(
        sa.text(
            "SELECT DISTINCT t.incident, t.channel, coalesce(o.thread, t.incident), t.reference, "
            "t.updated_at FROM threads t LEFT JOIN outbox o "
            "ON o.incident = t.incident AND o.channel = t.channel"
        )
    )
    return [tuple(row) for row in rows]


def downgrade() -> None:
    raise NotImplementedError("two threads to one channel do not fit into what was before")
