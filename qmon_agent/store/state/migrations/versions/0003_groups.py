"""Groups of incidents that are told together, and silences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("anchor", sa.String(length=32), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["anchor"], ["incidents.id"], name=op.f("fk_alarm_groups_anchor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_groups")),
    )
    op.create_index(op.f("ix_alarm_groups_anchor"), "alarm_groups", ["anchor"])
    op.create_table(
        "group_members",
        sa.Column("alarm_group", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("alarm", sa.Text(), server_default="", nullable=False),
        sa.Column("notice", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["alarm_group"], ["alarm_groups.id"], name=op.f("fk_group_members_alarm_group")
        ),
        sa.ForeignKeyConstraint(
            ["incident"], ["incidents.id"], name=op.f("fk_group_members_incident")
        ),
        sa.PrimaryKeyConstraint("alarm_group", "incident", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_incident"), "group_members", ["incident"])
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("matchers", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("until_resolved", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("has_muted", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"])


def downgrade() -> None:
    op.drop_table("silences")
    op.drop_table("group_members")
    op.drop_table("alarm_groups")
