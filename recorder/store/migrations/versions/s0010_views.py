"""Who was handed footage, and which side records were erased.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the tables; what their columns are for stands in `recorder/store/tables.py`."""
    op.create_table(
        "views",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("t0_us", sa.BigInteger(), nullable=False),
        sa.Column("t1_us", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Index("views_by_time", "opened_us", "id"),
        sa.Index("views_by_stream", "stream_id", "opened_us", "id"),
        sa.Index("views_by_leaf", "leaf_index", unique=True),
    )
    op.create_table(
        "erasures",
        sa.Column("hash", sa.String(), sa.ForeignKey("records.hash"), primary_key=True),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Column("erased_us", sa.BigInteger(), nullable=False),
        sa.Column("audit_leaf", sa.BigInteger(), nullable=False),
    )
