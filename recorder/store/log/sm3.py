"""SM3 (GB/T 32905), by the OpenSSL that Python uses.

`hashlib` and not `cryptography`: the same speed, but it lets the other threads of a process go on meanwhile.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from recorder.store.log.errors import Sm3Unavailable

if TYPE_CHECKING:
    from hashlib import _Hash


def sm3(data: bytes | memoryview = b"") -> _Hash:
    """A hash that grows by `update`, as those of `hashlib` do.

    Raises:
        Sm3Unavailable: Python was built with an OpenSSL that has none.
    """
    try:
        return hashlib.new("sm3", data)
    except ValueError as err:
        raise Sm3Unavailable from err
