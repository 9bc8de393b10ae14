"""Pieces of units that are taken where they lie: the same as packet by packet, whatever comes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.nal import units
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.receiver import TrackReceiver
from recorder.capture.rtp.units import AccessUnit
from recorder.capture.rtsp.framing import Framer
from recorder.errors import SourceError
from recorder.store.records import CodecName
from tests.fakes.rtsp_camera import interleaved, packets, rtp
from tests.fakes.video import access_units

KINDS = {CodecName.H264: H264Depacketiser, CodecName.H265: H265Depacketiser}


def stream(codec: CodecName) -> list[bytes]:
    """Interleaved packets of a film, the large pictures in many pieces."""
    shots = [b"".join(b"\0\0\0\1" + one for one in units(shot)) for shot, _ in access_units(codec, 12, 6, 320, 240)]
    return [interleaved(packet) for packet in packets(shots, codec, 2**32 - 7200)]


def received(codec: CodecName, data: bytes, size: int, *, at_once: bool) -> tuple[list[AccessUnit], object]:
    """What comes out, read in pieces of that size."""
    depacketiser = KINDS[codec]()
    receiver = TrackReceiver(depacketiser, 96, 90_000, own_ssrc=1, fragmenting=depacketiser if at_once else None)
    framer, found = Framer(), list[AccessUnit]()

    def pieces(buffer: memoryview, at: int, end: int) -> int:
        return receiver.pieces(buffer, at, end, 0)

    for start in range(0, len(data), size):
        part = data[start : start + size]
        room = framer.room()
        room[: len(part)] = part
        framer.filled(len(part))
        framer.drain(
            lambda channel, view: found.extend(receiver.rtp(view, 0)) if channel == 0 else None,
            lambda message: None,
            pieces if at_once else None,
        )
    return found, receiver.tally


@pytest.mark.parametrize("codec", list(KINDS))
@pytest.mark.parametrize("size", [700, 1500, 40_000])
def test_a_film_comes_out_the_same(codec: CodecName, size: int) -> None:
    """Every picture, and every count."""
    data = b"".join(stream(codec))
    plain, counted = received(codec, data, size, at_once=False)
    fast, counted_fast = received(codec, data, size, at_once=True)

    assert len(plain) >= 11
    assert fast == plain
    assert counted_fast == counted


@pytest.mark.parametrize("codec", list(KINDS))
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), size=st.integers(50, 5000))
def test_a_stream_that_is_spoilt_comes_out_the_same(codec: CodecName, seed: int, size: int) -> None:
    """Packets lost, doubled, swapped, of another source, type or channel, with bytes changed, reports between."""
    chance, spoilt = random.Random(seed), stream(codec)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(spoilt))
        kind = chance.randrange(7)
        if kind == 0:
            del spoilt[at]
        elif kind == 1:
            spoilt.insert(at, spoilt[at])
        elif kind == 2:
            spoilt[at - 1], spoilt[at] = spoilt[at], spoilt[at - 1]
        elif kind == 3:
            spoilt.insert(at, interleaved(rtp(b"\x7c\x05other", chance.randrange(65_536), 7, False, ssrc=5)))
        elif kind == 4:
            spoilt.insert(at, interleaved(spoilt[at][4:], 1))
        elif kind == 5:
            where = chance.randrange(4, len(spoilt[at]))
            spoilt[at] = spoilt[at][:where] + bytes([chance.randrange(256)]) + spoilt[at][where + 1 :]
        else:
            spoilt.insert(at, b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n")
    outcomes = []
    for at_once in (False, True):
        try:
            outcomes.append(received(codec, b"".join(spoilt), size, at_once=at_once))
        except SourceError as err:
            outcomes.append(([], type(err)))

    assert outcomes[0] == outcomes[1]
