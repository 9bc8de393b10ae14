"""Segments to bytes for people."""
