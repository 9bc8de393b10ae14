"""The ways in: JSON over HTTP. No SQL, no video, no file access of its own."""
