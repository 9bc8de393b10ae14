"""How fast each camera's clock ran away from ours, of each segment: nothing is known of those before.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; what it is for stands in `recorder/store/tables.py`."""
    op.add_column("items", sa.Column("clock_drift_ppb", sa.BigInteger(), nullable=True))
