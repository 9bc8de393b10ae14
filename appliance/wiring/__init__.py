"""Puts the parts of a box together: `box` is the only file that names them all."""
