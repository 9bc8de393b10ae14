"""Verifier keys (C2SP signed-note): read as other programs write them, and refused where a slip of the pen is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.verifier_keys import COSIGNATURE, ED25519, VerifierKey, parse_verifier_key

REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
"""A witness of the public network."""

LOG = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
"""The example of the specification."""


@pytest.mark.parametrize(("text", "algorithm"), [(REMORA, COSIGNATURE), (LOG, ED25519)])
def test_published_keys_are_read(text: str, algorithm: int) -> None:
    """Their hash is what we compute of name and key, and they come back as they were."""
    key = parse_verifier_key(text, algorithm)

    assert key.text == text
    assert key.id.hex() == text.split("+")[1]


@given(st.from_regex(r"[^\s+]{1,40}", fullmatch=True), st.binary(min_size=32, max_size=32))
def test_a_key_comes_back(name: str, public: bytes) -> None:
    """Whatever the name, and however often base64 writes a plus sign."""
    key = VerifierKey(name, ED25519, public)

    assert parse_verifier_key(key.text, ED25519) == key


@given(st.from_regex(r"[!#-*,-\[\]-~]{1,40}", fullmatch=True), st.binary(min_size=32, max_size=32))
def test_a_witness_has_a_plain_name(name: str, public: bytes) -> None:
    """Scripts read it out of entries: with a quote, a backslash or a letter of another alphabet it is refused."""
    key = VerifierKey(name, COSIGNATURE, public)

    assert parse_verifier_key(key.text, COSIGNATURE) == key
    for mark in ('"', "\\", "東", "é", "\u3000", "\0"):
        with pytest.raises(ValueError, match="name"):
            parse_verifier_key(VerifierKey(name + mark, COSIGNATURE, public).text, COSIGNATURE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "remora.n621.de",
        REMORA.replace("da77", "da78"),
        REMORA.replace("remora", "remara"),
        REMORA[:-1] + "3",
        REMORA[:-4],
        REMORA.upper(),
        REMORA + "\n",
        REMORA.replace("n621.de", "n621 .de"),
        "x" * 2000 + REMORA,
        LOG,
    ],
)
def test_a_slip_of_the_pen_is_noticed(text: str) -> None:
    """Another name, hash or key; one that is cut off; a log's where a witness's is wanted."""
    with pytest.raises(ValueError, match=r"key|hash"):
        parse_verifier_key(text, COSIGNATURE)
