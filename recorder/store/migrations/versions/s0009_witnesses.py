"""Who it is that says something of the log: an authority, or one of the witnesses.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; all anchors so far are stamps of authorities."""
    op.add_column("anchors", sa.Column("kind", sa.String(), nullable=False, server_default="rfc3161"))
    op.add_column("anchors", sa.Column("witness", sa.String()))
    op.create_index("anchors_of", "anchors", ["kind", "witness", "size"])
