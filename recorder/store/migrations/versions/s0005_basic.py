"""Whether each camera may be shown its password readable: those there were may not, as before.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; what it is for stands in `recorder/store/tables.py`."""
    op.add_column("cameras", sa.Column("allow_basic", sa.Boolean(), nullable=False, server_default=sa.false()))
