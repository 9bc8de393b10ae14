"""Whose signatures a picture carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.fragments import picture_pieces
from recorder.capture.nal import units
from recorder.store.camsig import MESSAGES_LIMIT, NONE, UNITS_LIMIT, signatures, stored_signatures, stored_units
from recorder.store.records import CameraSignature, CodecName
from tests.fakes.signing import BEHIND, NOISE, UUID, escaped, message, sei_unit, signature_unit

AXIS, ONVIF = CameraSignature.AXIS, CameraSignature.ONVIF
UNITS = (CodecName.H264, CodecName.H265)
SLICE = {CodecName.H264: b"\x41\x9a", CodecName.H265: b"\x02\x01"}

whose = st.sampled_from(CameraSignature)
codecs = st.sampled_from(UNITS)
other_messages = st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=40)), max_size=4)


def found(codec: CodecName, *mine: bytes) -> frozenset[CameraSignature]:
    return signatures(mine, codec)


@pytest.mark.parametrize("codec", UNITS)
@pytest.mark.parametrize("one", list(CameraSignature))
def test_each_kind_is_known_by_its_uuid(codec: CodecName, one: CameraSignature) -> None:
    """In an SEI unit of a picture that has one slice."""
    assert found(codec, signature_unit(codec, one), SLICE[codec]) == {one}


def test_two_kinds_in_one_picture() -> None:
    """Also in one unit; and one that stands behind the slices, as H.265 allows it."""
    both = sei_unit(CodecName.H264, *(message(5, UUID[one]) for one in (AXIS, ONVIF)))
    behind = sei_unit(CodecName.H265, message(5, UUID[ONVIF] + NOISE), header=BEHIND)

    assert found(CodecName.H264, both) == {AXIS, ONVIF}
    assert found(CodecName.H265, SLICE[CodecName.H265], behind) == {ONVIF}


@pytest.mark.parametrize(
    "unit",
    [
        sei_unit(CodecName.H264, message(4, UUID[ONVIF] + NOISE)),
        sei_unit(CodecName.H264, message(5, bytes(16) + UUID[ONVIF])),
        sei_unit(CodecName.H264, message(5, UUID[ONVIF][:15])),
        b"\x41" + signature_unit(CodecName.H264, ONVIF)[1:],
        b"\x06\x05\xff",
        b"\x06",
        b"",
        signature_unit(CodecName.H264, ONVIF)[:-20],
    ],
    ids=["other type", "other uuid", "too short", "a slice", "no length", "header alone", "empty", "cut off"],
)
def test_what_only_looks_like_a_signature_is_none(unit: bytes) -> None:
    """The UUID must begin a message of the right type, in an SEI unit, that is whole."""
    assert found(CodecName.H264, unit) == NONE


def test_jpeg_carries_none() -> None:
    """Its pictures have no units, whatever their bytes look like."""
    picture = b"\0\0\1" + signature_unit(CodecName.H264, AXIS)

    assert found(CodecName.MJPEG, picture) == stored_signatures([picture], CodecName.MJPEG) == NONE


def test_what_is_looked_at_has_a_bound() -> None:
    """A unit without end of messages, and a picture without end of units, cost no more than real ones."""
    messages = [message(1, b"")] * MESSAGES_LIMIT
    stored = b"\0\0\0\1\x41" * UNITS_LIMIT + (19).to_bytes(4, "big") + sei_unit(CodecName.H264, message(5, UUID[AXIS]))

    assert found(CodecName.H264, sei_unit(CodecName.H264, *messages[1:], message(5, UUID[AXIS]))) == {AXIS}
    assert found(CodecName.H264, sei_unit(CodecName.H264, *messages, message(5, UUID[AXIS]))) == NONE
    assert len(list(stored_units(stored))) == UNITS_LIMIT
    assert stored_signatures([stored], CodecName.H264) == NONE


@given(codecs, whose, other_messages, st.binary(max_size=600), other_messages)
def test_a_signature_is_found_among_any_other_messages(
    codec: CodecName,
    one: CameraSignature,
    before: list[tuple[int, bytes]],
    noise: bytes,
    behind: list[tuple[int, bytes]],
) -> None:
    """Whatever they hold: lengths are counted without the bytes against emulated start codes."""
    others = {payload[:16] for kind, payload in (*before, *behind) if kind == 5}
    mine = message(5, UUID[one] + noise)
    unit = sei_unit(codec, *(message(*m) for m in before), mine, *(message(*m) for m in behind))

    assert found(codec, unit) == {one} | {kind for kind, uuid in UUID.items() if uuid in others}


@given(codecs, whose, st.binary(min_size=1, max_size=300))
def test_it_is_found_from_the_picture_as_from_the_file(codec: CodecName, one: CameraSignature, noise: bytes) -> None:
    """By start codes while it is recorded, by lengths when it is read back."""
    mine = signature_unit(codec, one, noise)
    picture = b"".join(b"\0\0\0\1" + unit for unit in (mine, SLICE[codec]))
    pieces = picture_pieces(picture, codec, None)

    assert signatures(pieces[1::2], codec) == stored_signatures([b"".join(pieces)], codec) == {one}
    assert list(units(picture)) == [bytes(unit) for unit in stored_units(b"".join(pieces))] == [mine, SLICE[codec]]


@given(codecs, st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_of_a_camera_are_an_error(codec: CodecName, data: bytes, cut: int) -> None:
    """Noise behind the header of an SEI unit, a true one cut anywhere, and a stored picture of noise."""
    head = signature_unit(codec, ONVIF)[:cut]
    for unit in (data, signature_unit(codec, AXIS)[:2] + data, head, head + data):
        assert signatures([unit], codec) <= set(CameraSignature)
        assert stored_signatures([unit], codec) <= set(CameraSignature)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 255]), max_size=60).map(bytes))
def test_escaped_payloads_hold_no_start_code(payload: bytes) -> None:
    """The fake camera of these tests keeps to the standard."""
    made = escaped(payload)

    assert not any(code in made for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    assert made.replace(b"\0\0\3", b"\0\0") == payload
