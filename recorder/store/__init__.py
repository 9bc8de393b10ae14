"""The cellar: everything written down, and the only place that writes. No PyAV, no sockets, no HTTP."""
