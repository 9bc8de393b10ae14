"""The log, read by programs that were not written here."""
