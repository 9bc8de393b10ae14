"""How long each camera's footage is kept, and what was discarded of it.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the columns and the table; what they are for stands in `recorder/store/tables.py`.

    Cameras so far were kept as the box was told; their first rule is written when it next records, and counts for what
    lies there. What was discarded so far its items tell.
    """
    op.add_column("cameras", sa.Column("protection", sa.String(), nullable=False, server_default="ordinary"))
    op.add_column("cameras", sa.Column("floor_days", sa.Integer()))
    op.add_column("cameras", sa.Column("target_days", sa.Integer()))
    op.add_column("cameras", sa.Column("purpose", sa.String()))
    op.create_table(
        "rules",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("camera_id", sa.String(), sa.ForeignKey("cameras.id"), nullable=False),
        sa.Column("protection", sa.String(), nullable=False),
        sa.Column("floor_days", sa.Integer(), nullable=False),
        sa.Column("target_days", sa.Integer(), nullable=False),
        sa.Column("margin_days", sa.Integer(), nullable=False),
        sa.Column("record", sa.String()),
    )
    op.create_index("rules_of", "rules", ["camera_id", "leaf_index"])
    present = sa.text("state = 'present'")
    op.drop_index("present_by_end", "items")
    columns = ["stream_id", "t1_us"]
    op.create_index("present_by_end", "items", columns, sqlite_where=present, postgresql_where=present)
    op.create_table(
        "receipts",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("n0", sa.BigInteger(), nullable=False),
        sa.Column("n1", sa.BigInteger(), nullable=False),
        sa.Column("done_leaf", sa.BigInteger()),
    )
    op.create_index("receipts_of", "receipts", ["stream_id", "leaf_index"])
    op.execute(
        "INSERT INTO receipts (leaf_index, stream_id, n0, n1, done_leaf) "
        "SELECT del_leaf, stream_id, min(n), max(n), max(done_leaf) FROM items "
        "WHERE del_leaf IS NOT NULL GROUP BY del_leaf, stream_id"
    )
