"""What somebody outside the box says of its log, or has still to be asked for.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the table; what its columns are for stands in `recorder/store/tables.py`."""
    op.create_table(
        "anchors",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("wanted_us", sa.BigInteger(), nullable=False),
        sa.Column("stamped_us", sa.BigInteger()),
        sa.Column("token", sa.String()),
        sa.Column("leaf_index", sa.BigInteger()),
        sa.Index(
            "anchors_pending", "id", sqlite_where=sa.text("token IS NULL"), postgresql_where=sa.text("token IS NULL")
        ),
    )
