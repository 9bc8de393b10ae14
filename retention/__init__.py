"""The keeping: how long footage stays, for whom, and how it goes."""
