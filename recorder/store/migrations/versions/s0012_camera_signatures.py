"""Whose signatures of its camera each segment carries, and by which midnights its day is counted.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns and make the table; what they are for stands in `recorder/store/tables.py`."""
    op.add_column("items", sa.Column("camsig", sa.String(), nullable=True))
    op.add_column("items", sa.Column("utc_offset_s", sa.Integer(), nullable=True))
    op.create_table(
        "signing",
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), primary_key=True),
        sa.Column("kinds", sa.String(), nullable=False),
        sa.Column("signed_us", sa.BigInteger(), nullable=False),
        sa.Column("unsigned_since_us", sa.BigInteger()),
        sa.Column("unsigned_us", sa.BigInteger(), nullable=False),
    )
