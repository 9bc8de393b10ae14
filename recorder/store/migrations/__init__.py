"""The way up from one version of the catalogue to the next, one step a file (Alembic)."""
