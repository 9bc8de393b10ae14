"""What each camera said of itself when it was last connected to, for support: nothing is known of those before.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; what it is for stands in `recorder/store/tables.py`."""
    op.add_column("cameras", sa.Column("description", sa.LargeBinary(), nullable=True))
