"""A-law and mu-law to samples."""

import struct
from typing import Literal

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.g711 import A_LAW, MU_LAW, G711Depacketiser
from recorder.capture.rtp.units import AccessUnit

ALL_CODES = bytes(range(256))


def samples(unit: AccessUnit) -> list[int]:
    return list(struct.unpack(f"<{len(unit.data) // 2}h", unit.data))


@pytest.mark.parametrize(("law", "codec"), [("pcma", "pcm_alaw"), ("pcmu", "pcm_mulaw")])
def test_every_code(law: Literal["pcma", "pcmu"], codec: str) -> None:
    """Each of the 256 codes gives the sample that FFmpeg's decoder gives."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = 8000
    context.layout = "mono"
    (frame,) = context.decode(av.Packet(ALL_CODES))
    expected = frame.to_ndarray().reshape(-1).tolist()

    (unit,) = G711Depacketiser(law).feed(memoryview(ALL_CODES), 160, False)

    assert samples(unit) == expected
    assert (unit.timestamp, unit.is_key, unit.damaged) == (160, True, False)


def test_values_of_the_standard() -> None:
    """Loudest and quietest codes (ITU-T G.711, tables 1 and 2), scaled to 16 bits."""
    assert (A_LAW[0xAA], A_LAW[0x2A], A_LAW[0xD5], A_LAW[0x55]) == (4032 * 8, -4032 * 8, 8, -8)
    assert (MU_LAW[0x80], MU_LAW[0x00], MU_LAW[0xFF], MU_LAW[0x7F]) == (8031 * 4, -8031 * 4, 0, 0)


def test_a_packet_after_lost_ones() -> None:
    """It stands by itself: its time stamp shows the hole, and nothing in it is damaged."""
    depacketiser = G711Depacketiser("pcma")
    depacketiser.feed(memoryview(b"\xd5" * 160), 0, True)
    depacketiser.lost()

    assert depacketiser.feed(memoryview(b"\xd5"), 480, False) == (AccessUnit(b"\x08\x00", 480, True, False),)


def test_a_buffer_that_is_used_again() -> None:
    """What was handed out does not change with it."""
    buffer = bytearray(b"\xd5\x55")
    (unit,) = G711Depacketiser("pcma").feed(memoryview(buffer), 0, False)
    buffer[:] = b"\x00\x00"

    assert samples(unit) == [8, -8]


@given(st.lists(st.tuples(st.binary(max_size=400), st.booleans(), st.booleans()), max_size=20))
def test_any_payloads(steps: list[tuple[bytes, bool, bool]]) -> None:
    """Nothing is raised; out come two bytes for each that went in, and the samples tell the codes again."""
    depacketiser = G711Depacketiser("pcma")
    back = {sample: code for code, sample in enumerate(A_LAW)}
    for payload, marker, hole in steps:
        if hole:
            depacketiser.lost()
        out = depacketiser.feed(memoryview(payload), 0, marker)
        assert bytes(back[sample] for unit in out for sample in samples(unit)) == payload
