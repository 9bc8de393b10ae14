"""One key follows another: what both sign, and the walk from the first to the present."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.log.errors import CheckpointMalformed, LinkBroken
from recorder.store.log.keys import fingerprint, public_pem
from recorder.store.log.leaves import decode_leaf, encode_leaf
from recorder.store.log.note import open_checkpoint, verifier_key
from recorder.store.log.succession import LEAF, Link, read_link, read_verifier_key, sign_link, statement, walk

ORIGIN = "custos/0123456789abcdef"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(4)]


def link(number: int, old: Ed25519PrivateKey | None = None, new: Ed25519PrivateKey | None = None) -> dict[str, Any]:
    return sign_link(ORIGIN, number, old or KEYS[number - 1], new or KEYS[number])


def links(*numbers: int) -> list[Link]:
    return [read_link(ORIGIN, link(number)) for number in numbers]


def public(number: int) -> Ed25519PublicKey:
    return KEYS[number].public_key()


def test_a_link_comes_back_from_its_leaf() -> None:
    """With both keys, as the log keeps them."""
    leaf = decode_leaf(encode_leaf(LEAF, 1, 2, link(1)))

    found = read_link(ORIGIN, leaf.fields)
    assert (found.number, found.old, found.new) == (1, public(0), public(1))
    assert leaf.fields["new_key"] == verifier_key(ORIGIN, public(1))


def test_openssl_checks_both_signatures(tmp_path: Path) -> None:
    """A stranger needs nothing of ours."""
    fields = link(1)
    (tmp_path / "text").write_bytes(statement(ORIGIN, 1, public(0), public(1)))
    for number, name in ((0, "old_signature"), (1, "new_signature")):
        (tmp_path / "key").write_bytes(public_pem(public(number)))
        (tmp_path / "signature").write_bytes(base64.b64decode(fields[name]))
        command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in text -sigfile signature"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True, timeout=30)


def test_what_both_sign_can_be_taken_for_nothing_else() -> None:
    """Neither for a checkpoint, whatever stands in it, nor for a list of files."""
    text = statement(ORIGIN, 1, public(0), public(1))
    signature = base64.b64encode(bytes(4) + KEYS[0].sign(text)).decode()
    name = text.decode().partition("\n")[0]

    with pytest.raises(CheckpointMalformed):
        open_checkpoint(f"{text.decode()}\n— {name} {signature}\n", name, public(0))
    assert not any(line[:1] in "0123456789abcdef" and "  " in line for line in text.decode().splitlines())


@pytest.mark.parametrize(
    "edit",
    [
        {"number": 2},
        {"number": 0},
        {"number": True},
        {"number": "1"},
        {"old": fingerprint(public(2))},
        {"new": fingerprint(public(2))},
        {"old_key": verifier_key(ORIGIN, public(2))},
        {"new_key": verifier_key(ORIGIN, public(2))},
        {"new_key": verifier_key("custos/other", public(1))},
        {"new_key": "x"},
        {"old_signature": link(1)["new_signature"]},
        {"new_signature": link(1)["old_signature"]},
        {"new_signature": ""},
        {"new_signature": link(1)["new_signature"] + "\n"},
        {"old_signature": link(1, old=KEYS[3])["old_signature"]},
        {"more": 1},
    ],
)
def test_a_link_with_one_thing_wrong_is_refused(edit: dict[str, Any]) -> None:
    """Fingerprint, key, number and both signatures belong together."""
    with pytest.raises(LinkBroken):
        read_link(ORIGIN, link(1) | edit)


@pytest.mark.parametrize("name", sorted(link(1)))
def test_a_link_without_one_of_its_fields_is_refused(name: str) -> None:
    """None is left to chance."""
    fields = link(1)
    del fields[name]
    with pytest.raises(LinkBroken):
        read_link(ORIGIN, fields)


def test_a_link_of_another_log_is_refused() -> None:
    """The same two keys may sign two logs."""
    with pytest.raises(LinkBroken):
        read_link("custos/ffffffffffffffff", link(1))


def test_the_walk_leads_from_the_first_key_to_the_present() -> None:
    """Over every one between; where none followed, only the fingerprint of the first is known."""
    assert walk(fingerprint(public(0)), links(1, 2, 3)) == [key.public_key() for key in KEYS]
    assert walk(fingerprint(public(0)), []) == []


@pytest.mark.parametrize("order", [(2, 3), (1, 3), (1, 3, 2), (2, 1, 3), (1, 1, 2), (1, 2, 2)])
def test_a_walk_with_a_link_missing_moved_or_doubled_is_refused(order: tuple[int, ...]) -> None:
    """Each is right by itself; together they are not the way."""
    with pytest.raises(LinkBroken):
        walk(fingerprint(public(0)), links(*order))


def test_a_walk_from_another_key_is_refused() -> None:
    """The log's first entry says which one is the first."""
    with pytest.raises(LinkBroken):
        walk(fingerprint(public(1)), links(1, 2))


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_written_in_one_way(seed: bytes) -> None:
    """Whatever its bytes are in base64."""
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    text = verifier_key(ORIGIN, key)

    assert read_verifier_key(ORIGIN, text) == key
    for other in (text + "\n", text[:-1], text.replace("+", "-", 1), "x" + text):
        with pytest.raises(LinkBroken):
            read_verifier_key(ORIGIN, other)
