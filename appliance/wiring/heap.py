"""The C library's heap of a process that lives for months: fewer pools of memory, and what is free goes back.

glibc gives each thread a pool (arena) of its own, up to eight for each core, and keeps what is freed in them: free
memory of one thread serves no other. With dozens of threads that each do a little the heap grew by 20 MB within a
quarter of an hour while what was in use stood still. A C library that has not these functions is left alone.
"""

from __future__ import annotations

import ctypes
from typing import Final

ARENAS: Final = 2
"""One that threads hold up is one that they wait for; more than a process has at work at once serve nobody."""

PERIOD_S: Final = 60.0
"""How often free memory is given back: that takes some milliseconds, in which threads that want memory wait."""

_M_ARENA_MAX: Final = -8
"""mallopt(3); the number is glibc's, and part of its interface."""

_libc = ctypes.CDLL(None)


def share_arenas() -> bool:
    """Have all threads that are yet to come share a few arenas; false where the C library knows of none."""
    if not hasattr(_libc, "mallopt"):
        return False
    return bool(_libc.mallopt(_M_ARENA_MAX, ARENAS))


def give_back() -> bool:
    """Return to the system what is free in all arenas (malloc_trim(3)); whether there was any."""
    if not hasattr(_libc, "malloc_trim"):
        return False
    return bool(_libc.malloc_trim(0))
