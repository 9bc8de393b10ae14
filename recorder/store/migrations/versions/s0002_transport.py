"""How each camera's media comes, and whom to believe about its certificate: those there were come over TCP, as before.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; what they are for stands in `recorder/store/tables.py`."""
    op.add_column("cameras", sa.Column("transport", sa.String(), nullable=False, server_default="tcp"))
    op.add_column("cameras", sa.Column("ca_file", sa.String(), nullable=True))
