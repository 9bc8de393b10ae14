"""PKCS #11 URLs: what one signing key needs of RFC 7512, and nothing that is not understood."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.token_url import TokenUrl, TokenUrlInvalid, TokenUrlSecret, parse

QUERY = "?module-path=/usr/lib/token.so&pin-source=file:/etc/custos/pin"


def test_a_key_is_named_by_token_and_label() -> None:
    """Percent-encoded parts are text, an id is bytes, and the PIN's file may be a path or a URL."""
    found = parse("pkcs11:token=The%20log;serial=07%3B;object=sign;id=%01%ff;type=private" + QUERY)

    wanted = TokenUrl(Path("/usr/lib/token.so"), Path("/etc/custos/pin"), "The log", "07;", "sign", b"\x01\xff")
    assert found == wanted
    for written in ("/etc/custos/pin", "file:///etc/custos/pin"):
        assert parse(f"pkcs11:token=a;object=b?module-path=/m&pin-source={written}").pin_file == wanted.pin_file


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file:/keys/log",
        "pkcs11:",
        "pkcs11:object=log" + QUERY,
        "pkcs11:token=custos" + QUERY,
        "pkcs11:token=custos;object=log",
        "pkcs11:token=custos;object=log?module-path=/m",
        "pkcs11:token=custos;object=log?module-path=m&pin-source=/p",
        "pkcs11:token=custos;object=log?module-path=/m&pin-source=pin",
        "pkcs11:token=custos;object=log?module-path=/m&pin-source=|/bin/pin",
        "pkcs11:token=custos;object=log?module-path=/m&pin-source=/p%00",
        "pkcs11:token=custos;token=other;object=log" + QUERY,
        "pkcs11:token=custos;object=log;type=public" + QUERY,
        "pkcs11:token=custos;object=" + QUERY,
        "pkcs11:token=custos;object=%ff" + QUERY,
        "pkcs11:token=custos;object=log;slot-id=1" + QUERY,
        "pkcs11:token=custos;object=" + "a" * 2000 + QUERY,
    ],
)
def test_what_names_no_key_is_refused(text: str) -> None:
    """One that was half understood might name another token's key."""
    with pytest.raises(TokenUrlInvalid):
        parse(text)


def test_one_that_is_too_long_is_told_so() -> None:
    """Not that it began wrongly."""
    with pytest.raises(TokenUrlInvalid, match="more than 2000 characters"):
        parse("pkcs11:token=custos;object=" + "a" * 2000 + QUERY)


def test_a_pin_in_the_url_is_refused_and_not_shown() -> None:
    """Settings stand in the log and in answers."""
    with pytest.raises(TokenUrlSecret) as refused:
        parse("pkcs11:token=custos;object=log?module-path=/m&pin-value=4321&pin-source=/p")

    assert "4321" not in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_a_key_or_refused(rest: str) -> None:
    """Never anything else."""
    for text in (rest, f"pkcs11:{rest}", f"pkcs11:token=a;object={rest}{QUERY}"):
        with contextlib.suppress(TokenUrlInvalid):
            assert isinstance(parse(text), TokenUrl)
