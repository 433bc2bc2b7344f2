"""What may not be given up, and who asked to be forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kinds", sa.JSON(), server_default="[]", nullable=False),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False)
            for name in ("service", "person")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("since", "until")),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False)
            for name in ("reason", "author")
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_table(
        "forgettings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("mark", sa.String(length=64), server_default="", nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("finished_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forgettings")),
    )
    op.create_index(op.f("ix_forgettings_created_at"), "forgettings", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_forgettings_created_at"), table_name="forgettings")
    op.drop_table("forgettings")
    op.drop_table("holds")
