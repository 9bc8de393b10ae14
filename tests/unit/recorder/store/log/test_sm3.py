"""SM3, as GB/T 32905 has it."""

import hashlib

import pytest

from recorder.store.log.errors import Sm3Unavailable
from recorder.store.log.sm3 import sm3


def test_the_examples_of_the_standard() -> None:
    """GB/T 32905, annex A: one block, and one that is fed in pieces."""
    assert sm3(b"abc").hexdigest() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    pieces = sm3()
    for _ in range(16):
        pieces.update(b"abcd")
    assert pieces.hexdigest() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_a_python_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By our own error, not by that of the library."""

    def without(name: str, data: bytes = b"") -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", without)
    with pytest.raises(Sm3Unavailable):
        sm3(b"abc")
