"""Whether each camera's sound is recorded, and the sound of each segment: cameras there were are recorded without.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; what they are for stands in `recorder/store/tables.py`."""
    op.add_column("cameras", sa.Column("audio", sa.String(), nullable=False, server_default="off"))
    op.add_column("items", sa.Column("audio", sa.Text(), nullable=True))
