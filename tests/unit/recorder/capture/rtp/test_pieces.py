"""Pieces of units that are taken where they lie: the same as packet by packet, whatever comes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.nal import units
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.units import AccessUnit
from recorder.capture.rtsp.framing import BUFFER_BYTES
from recorder.errors import SourceError
from recorder.store.records import CodecName
from tests.fakes.looks import Looks, shared_buffer
from tests.fakes.rtsp_camera import interleaved, packets, rtp
from tests.fakes.video import access_units

KINDS = {CodecName.H264: H264Depacketiser, CodecName.H265: H265Depacketiser}


def stream(codec: CodecName) -> list[bytes]:
    """Interleaved packets of a film, the large pictures in many pieces."""
    shots = [b"".join(b"\0\0\0\1" + one for one in units(shot)) for shot, _ in access_units(codec, 12, 6, 320, 240)]
    return [interleaved(packet) for packet in packets(shots, codec, 2**32 - 7200)]


def received(codec: CodecName, data: bytes, size: int, *, at_once: bool) -> tuple[list[AccessUnit], object]:
    """What comes out, read in looks of that size."""
    one = Looks(KINDS[codec](), shared_buffer(), at_once=at_once)
    one.looks(data, size)
    return one.found, one.receiver.tally


@pytest.mark.parametrize("codec", list(KINDS))
@pytest.mark.parametrize("size", [1, 700, 1500, 40_000])
def test_a_film_comes_out_the_same(codec: CodecName, size: int) -> None:
    """Every picture, and every count, however many looks a picture comes in; the same as in one."""
    data = b"".join(stream(codec))
    plain, counted = received(codec, data, size, at_once=False)
    fast, counted_fast = received(codec, data, size, at_once=True)

    assert len(data) < BUFFER_BYTES
    assert len(plain) >= 11
    assert fast == plain
    assert counted_fast == counted
    assert (fast, counted_fast) == received(codec, data, len(data), at_once=True)


def test_connections_that_share_a_buffer() -> None:
    """Each gets its own pictures, however their looks take turns."""
    buffer = shared_buffer()
    films = [b"".join(stream(codec)) for codec in KINDS]
    cameras = [Looks(kind(), buffer) for kind in KINDS.values()]
    for at in range(0, max(map(len, films)), 777):
        for data, one in zip(films, cameras, strict=True):
            one.look(data[at : at + 777])

    assert [one.found for one in cameras] == [
        received(codec, data, len(data), at_once=False)[0] for codec, data in zip(KINDS, films, strict=True)
    ]


@pytest.mark.parametrize("codec", list(KINDS))
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), size=st.integers(50, 20_000), holes=st.integers(0, 12))
def test_places_of_units(codec: CodecName, seed: int, size: int, holes: int) -> None:
    """Told are those that reading the picture finds; units that broke off have none."""
    chance, kept = random.Random(seed), stream(codec)
    for _ in range(holes):
        del kept[chance.randrange(len(kept))]
    found, _ = received(codec, b"".join(kept), size, at_once=True)

    assert found
    for one in found:
        behind = (*one.unit_starts[1:], len(one.data))
        cut = [one.data[begin:end] for begin, end in zip(one.unit_starts, behind, strict=True)]
        assert cut == [b"\0\0\0\1" + unit for unit in units(one.data)]


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
