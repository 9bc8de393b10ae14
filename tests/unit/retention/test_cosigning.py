"""What is asked of a witness, and what its answers mean (C2SP tlog-witness)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.log.cosignature import cosign, witness_key
from recorder.store.log.note import Checkpoint, sign_checkpoint
from retention.evidence.cosigning import (
    PROOF_LIMIT,
    SIZE_TYPE,
    Asked,
    Cosigned,
    RequestMalformed,
    SawLast,
    WitnessAhead,
    WitnessError,
    WitnessForked,
    WitnessRefused,
    WitnessUnaware,
    WitnessWrong,
    judged,
    read_request,
)

BOX = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME, NOW_S = "witness.example/north", 1_790_000_000
WITNESS = witness_key(NAME, KEY.public_key())
NOTE = sign_checkpoint(Checkpoint("custos/0123456789abcdef", 42, bytes(range(32))), BOX)
HASH = base64.b64encode(bytes(32)).decode()
PLAIN = "text/plain"


@given(st.integers(min_value=0, max_value=42), st.lists(st.binary(min_size=32, max_size=32), max_size=PROOF_LIMIT))
def test_a_request_comes_back(old: int, proof: list[bytes]) -> None:
    """What is written is what is read."""
    asked = Asked(old, tuple(proof), NOTE)

    assert read_request(asked.encode()) == asked
    assert asked.size == 42


def test_a_request_is_written_as_the_specification_says() -> None:
    """Old size, proof, an empty line, the note."""
    assert Asked(40, (bytes(32),), NOTE).encode().decode() == f"old 40\n{HASH}\n\n{NOTE}"
    assert Asked(0, (), NOTE).encode().decode() == f"old 0\n\n{NOTE}"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 1",
        f"old\n\n{NOTE}",
        f"old 01\n\n{NOTE}",
        f"old -1\n\n{NOTE}",
        f"old  1\n\n{NOTE}",
        f"old 1 \n\n{NOTE}",
        f"old 1\r\n\r\n{NOTE}",
        f"old {10**19}\n\n{NOTE}",
        f"size 1\n\n{NOTE}",
        f"old 1\nAAAA\n\n{NOTE}",
        f"old 1\n{HASH[:-1]}\n\n{NOTE}",
        f"old 1\n{HASH} \n\n{NOTE}",
        "old 1\n" + f"{HASH}\n" * (PROOF_LIMIT + 1) + f"\n{NOTE}",
    ],
)
def test_what_is_no_request_is_called_so(body: str) -> None:
    """One grammar, and the rest is refused."""
    with pytest.raises(RequestMalformed):
        read_request(body.encode())


def test_bytes_that_are_no_text_are_no_request() -> None:
    """They are refused like the rest."""
    with pytest.raises(RequestMalformed):
        read_request(b"old 1\n\n\xff\xfe")


ASKED = Asked(40, (bytes(32),), NOTE)
SAME = Asked(42, (), NOTE)
FIRST = Asked(0, (), NOTE)


def test_a_cosignature_is_believed() -> None:
    """And nothing is kept of what else stands in the answer: other witnesses', other keys' of the same name."""
    line = cosign(NOTE, NAME, KEY, NOW_S)
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    strange = cosign(NOTE, "somebody", other, NOW_S) + cosign(NOTE, NAME, other, NOW_S)

    found = judged(200, PLAIN, (strange + line).encode(), ASKED, WITNESS)

    assert found == Cosigned(NOTE + line, NOW_S)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello\n",
        b"\xff\n",
        cosign(NOTE, "somebody", KEY, NOW_S).encode(),
        cosign(NOTE.replace("\n42\n", "\n43\n"), NAME, KEY, NOW_S).encode(),
        cosign(NOTE, NAME, Ed25519PrivateKey.from_private_bytes(bytes(32)), NOW_S).encode(),
        cosign(NOTE, NAME, KEY, NOW_S).encode()[:-1],
    ],
)
def test_what_is_no_cosignature_is_not_believed(body: bytes) -> None:
    """No line, another's, over another checkpoint, by another key, cut off."""
    with pytest.raises(WitnessWrong):
        judged(200, PLAIN, body, ASKED, WITNESS)


def test_a_witness_that_saw_another_size_last() -> None:
    """It is asked again from there; also when it remembers less than it should."""
    for size in (0, 7, 41, 42):
        assert judged(409, SIZE_TYPE, f"{size}\n".encode(), ASKED, WITNESS) == SawLast(size)
    assert judged(409, f"{SIZE_TYPE}; charset=utf-8", b"7\n", SAME, WITNESS) == SawLast(7)


def test_a_witness_that_saw_more_than_there_is() -> None:
    """The log was cut off, whatever was asked."""
    for asked in (ASKED, SAME, FIRST):
        with pytest.raises(WitnessAhead) as caught:
            judged(409, SIZE_TYPE, b"43\n", asked, WITNESS)
        assert caught.value.size == 43


def test_a_witness_that_saw_another_log() -> None:
    """Another root of this size, or a beginning from which no proof leads here."""
    for content_type, body in ((SIZE_TYPE, b"42\n"), (PLAIN, b"conflict")):
        with pytest.raises(WitnessForked):
            judged(409, content_type, body, SAME, WITNESS)
    with pytest.raises(WitnessForked) as caught:
        judged(422, PLAIN, b"", ASKED, WITNESS)
    assert caught.value.size == 40


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(SIZE_TYPE, b"40\n"), (SIZE_TYPE, b"41"), (SIZE_TYPE, b"041\n"), (SIZE_TYPE, b"\xff\n"), (PLAIN, b"41\n")],
)
def test_a_conflict_that_says_nothing(content_type: str, body: bytes) -> None:
    """The very size that it was asked about, or none: nothing follows from it."""
    with pytest.raises(WitnessWrong):
        judged(409, content_type, body, ASKED, WITNESS)


@pytest.mark.parametrize(("status", "kind"), [(403, WitnessUnaware), (404, WitnessUnaware), (429, WitnessRefused)])
def test_a_witness_that_refuses(status: int, kind: type[WitnessRefused]) -> None:
    """It says so in words: does not know the log, or has another reason."""
    with pytest.raises(kind, match=str(status)):
        judged(status, PLAIN, b"", ASKED, WITNESS)


@pytest.mark.parametrize("status", [302, 400, 413, 422, 500])
def test_other_answers_are_refusals(status: int) -> None:
    """Of a first request too, where a 422 says nothing of what was seen before."""
    with pytest.raises(WitnessRefused):
        judged(status, PLAIN, b"", FIRST, WITNESS)


@given(
    st.sampled_from([200, 400, 403, 404, 409, 422, 429, 500]),
    st.sampled_from([SIZE_TYPE, PLAIN, ""]),
    st.one_of(st.binary(max_size=200), st.integers(0, 100).map(lambda size: f"{size}\n".encode())),
    st.sampled_from([ASKED, SAME, FIRST]),
)
def test_whatever_is_answered_has_a_name(status: int, content_type: str, body: bytes, asked: Asked) -> None:
    """An error of ours, or a size to go on from that is another and no larger than the log: never a cosignature."""
    try:
        found = judged(status, content_type, body, asked, WITNESS)
    except WitnessError:
        return
    assert isinstance(found, SawLast)
    assert found.size != asked.old
    assert found.size <= asked.size
