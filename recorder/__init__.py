"""The record: what came in from the cameras, and everything that is written down."""
