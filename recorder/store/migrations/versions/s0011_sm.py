"""Commercial cryptography: the SM3 of each segment, and the SM2 key that the log binds; none of those before.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; what they are for stands in `recorder/store/tables.py`."""
    op.add_column("items", sa.Column("sm3", sa.String(), nullable=True))
    op.add_column("log_state", sa.Column("sm2_public", sa.String(), nullable=True))
    op.add_column("log_state", sa.Column("sm2_leaf", sa.BigInteger(), nullable=True))
