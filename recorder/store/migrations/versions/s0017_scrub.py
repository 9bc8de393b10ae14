"""When stored media was last looked at, what was wrong with it, and how far the scrub is.

Revision ID: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the columns and the table; what they are for stands in `recorder/store/tables.py`.

    What lies there already was never looked at as far as anybody knows, so it comes first.
    """
    for column in (
        sa.Column("checked_elapsed_us", sa.BigInteger()),
        sa.Column("damage", sa.String()),
        sa.Column("damage_leaf", sa.BigInteger()),
    ):
        op.add_column("items", column)
    present, damaged = sa.text("state = 'present'"), sa.text("damage IS NOT NULL")
    by_check = ["volume", "checked_elapsed_us"]
    op.create_index("present_by_check", "items", by_check, sqlite_where=present, postgresql_where=present)
    op.create_index("damaged", "items", ["stream_id", "n"], sqlite_where=damaged, postgresql_where=damaged)
    op.create_table(
        "scrubs",
        sa.Column("volume", sa.String(), primary_key=True),
        sa.Column("begun_us", sa.BigInteger(), nullable=False),
        sa.Column("begun_elapsed_us", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
    )
