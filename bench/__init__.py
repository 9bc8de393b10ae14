"""Measures what recording costs, side by side with other recorders on the machine at hand (`make bench`).

No part of the product: it is not in the wheel, and nothing of the product imports it. It starts the box as its user
does, and feeds every recorder from the same simulated cameras.
"""
