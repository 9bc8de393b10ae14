"""The routes, a page each."""
