"""The ground floor: what the box was told, what time it is, and the root of all errors."""
