"""Holds: padding, basis, review dates, their media, and who may release them.

Revision ID: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the columns and tables; what they are for stands in `recorder/store/tables.py`.

    Holds so far have no padding, no basis and no review date. Their media is linked and checked at the next start.
    """
    for name in ("asked_t0_us", "asked_t1_us"):
        op.add_column("holds", sa.Column(name, sa.BigInteger()))
    for name in ("padding_before_s", "padding_after_s"):
        op.add_column("holds", sa.Column(name, sa.Integer()))
    op.add_column("holds", sa.Column("basis", sa.String()))
    op.add_column("holds", sa.Column("review_us", sa.BigInteger()))
    op.create_table(
        "hold_reviews",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hold_id", sa.Integer(), sa.ForeignKey("holds.id"), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.Column("review_us", sa.BigInteger()),
        sa.Column("record", sa.String(), nullable=False),
    )
    op.create_index("hold_reviews_of", "hold_reviews", ["hold_id", "leaf_index"])
    op.create_table(
        "hold_checks",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hold_id", sa.Integer(), sa.ForeignKey("holds.id"), nullable=False),
        sa.Column("checked_us", sa.BigInteger(), nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
    )
    op.create_index("hold_checks_of", "hold_checks", ["hold_id", "leaf_index"])
    op.create_table(
        "hold_damage",
        sa.Column("stream_id", sa.String(), sa.ForeignKey("streams.id"), primary_key=True),
        sa.Column("n", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "hold_work",
        sa.Column("hold_id", sa.Integer(), sa.ForeignKey("holds.id"), primary_key=True),
        sa.Column("is_linked", sa.Boolean(), nullable=False),
        sa.Column("stream_id", sa.String()),
        sa.Column("n", sa.BigInteger()),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "release_holders",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Column("ripe_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "release_refusals",
        sa.Column("leaf_index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("elapsed_us", sa.BigInteger(), nullable=False),
    )
