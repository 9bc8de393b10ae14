"""Several volumes, and footage that a full disk takes from its floor.

Revision ID: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the columns, tables and the index; what they are for stands in `recorder/store/tables.py`.

    All footage so far lies on the volume inside the data directory, which is written down when the box next starts.
    """
    op.add_column("cameras", sa.Column("volume", sa.String()))
    op.create_table(
        "volumes",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("id", sa.String()),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("leaf_index", sa.BigInteger()),
    )
    op.create_table(
        "left_behind",
        sa.Column("volume", sa.String(), primary_key=True),
        sa.Column("path", sa.String(), primary_key=True),
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "overwriting",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "breaches",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("n0", sa.BigInteger(), nullable=False),
        sa.Column("n1", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("floor_days", sa.Integer(), nullable=False),
        sa.Column("short_us", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("volume", sa.String(), nullable=False),
    )
    op.create_index("breaches_of", "breaches", ["stream_id", "n0"])
    present = sa.text("state = 'present'")
    columns = ["volume", "t1_us"]
    op.create_index("present_by_volume", "items", columns, sqlite_where=present, postgresql_where=present)
