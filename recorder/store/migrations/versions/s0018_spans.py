"""Indexes by which a month's coverage is found: runs by their end, receipts by their items.

Revision ID: 0018
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Make the indexes; both tables are small beside the items."""
    op.create_index("runs_by_end", "runs", ["stream_id", "t1_us"])
    op.create_index("receipts_by_item", "receipts", ["stream_id", "n0"])
