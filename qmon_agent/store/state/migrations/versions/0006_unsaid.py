"""What of a message decides whether it is said still, and when: what it says, how bad, how sure."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_SEVERITIES = ("info", "warning", "error", "critical")
_OUTBOX = sa.table(
    "outbox",
    *map(sa.column, ("id", "notice", "status", "says", "weight", "attempts", "doubts")),
)


def upgrade() -> None:
    op.add_column(
        "outbox", sa.Column("says", sa.String(length=64), server_default="", nullable=False)
    )
    for name in ("weight", "doubts"):
        op.add_column("outbox", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    # What came of attempts before is not known: they may have arrived.
    op.execute(sa.update(_OUTBOX).values(doubts=_OUTBOX.c.attempts))
    _read_notices()


def _read_notices() -> None:
    """A few at a time: notices may be long."""
    connection, last = op.get_bind(), 0
    some = sa.select(_OUTBOX.c.id, _OUTBOX.c.notice)
    while rows := connection.execute(
        some.where(_OUTBOX.c.id > last).order_by(_OUTBOX.c.id).limit(_AT_ONCE)
    ).fetchall():
        last = rows[-1].id
        connection.execute(
            sa.update(_OUTBOX)
            .where(_OUTBOX.c.id == sa.bindparam("row"))
            .values(says=sa.bindparam("said"), weight=sa.bindparam("weighs")),
            [{"row": row.id, **_heading_of(row.notice)} for row in rows],
        )


def _heading_of(notice: str) -> dict[str, object]:
    try:
        said = json.loads(notice)
        says, severity = str(said.get("status", "")), said.get("severity", "warning")
    except (ValueError, AttributeError):
        return {"said": "", "weighs": 0}
    weight = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
    return {"said": says[:64], "weighs": weight}


def downgrade() -> None:
    for name in ("doubts", "weight", "says"):
        op.drop_column("outbox", name)
