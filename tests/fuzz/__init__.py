"""Bytes from the network, as nobody would send them: targets for `make fuzz`, and for a short run among the tests."""
