"""A number for each stream, by which its rows lie together from now on (adr/0032); those of before stay where they are.

Revision ID: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Number the streams as their cameras were registered: there are a few hundred of them at most."""
    op.add_column("streams", sa.Column("number", sa.Integer()))
    op.execute(
        "UPDATE streams SET number = (SELECT count(*) FROM cameras AS one WHERE one.leaf_index <= "
        "(SELECT leaf_index FROM cameras WHERE cameras.id = streams.camera_id))"
    )
