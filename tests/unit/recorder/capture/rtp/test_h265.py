"""H.265 out of RTP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.nal import units
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.units import AccessUnit
from recorder.store.records import CodecName
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import annex_b, h265_payloads, picture

VPS, SPS, PPS = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1"
IDR, SLICE = b"\x26\x01\xaf\x00", b"\x02\x01\xd0\x00"


class Fed:
    """A depacketiser and what came out of it."""

    def __init__(self, donl: bool = False) -> None:
        self.depacketiser = H265Depacketiser(donl=donl)
        self.out: list[AccessUnit] = []

    def feed(self, payload: bytes, stamp: int, marker: bool = False) -> None:
        self.out += self.depacketiser.feed(memoryview(payload), stamp, marker)


def test_a_film_in_small_packets() -> None:
    """What x265 made comes out as it went in, picture by picture, with its key frames known."""
    shots = list(access_units(CodecName.H265, 30, 25))
    fed = Fed()
    for stamp, (shot, _) in enumerate(shots):
        for payload, marker in h265_payloads(list(units(shot)), 200):
            fed.feed(payload, stamp * 3600, marker)

    assert [one.data for one in fed.out] == [annex_b(list(units(shot))) for shot, _ in shots]
    assert [one.is_key for one in fed.out] == [is_key for _, is_key in shots]
    assert not any(one.damaged for one in fed.out)


def test_the_last_picture_without_a_marker() -> None:
    """It comes when the camera says that nothing follows; then there is nothing left."""
    fed = Fed()
    fed.feed(SLICE, 10, marker=True)
    fed.feed(VPS, 20)
    fed.feed(SLICE, 20)

    assert [one.data for one in fed.depacketiser.finish()] == [annex_b([VPS, SLICE])]
    assert list(fed.depacketiser.finish()) == []


@pytest.mark.parametrize("donl", [False, True])
def test_an_aggregate_of_sets(donl: bool) -> None:
    """With decoding order numbers between its units, or without them (4.4.2)."""
    number = [b"\x00\x01", b"\x00", b"\x00"] if donl else [b""] * 3
    body = b"".join(n + len(one).to_bytes(2, "big") + one for n, one in zip(number, (VPS, SPS, PPS), strict=True))
    fed = Fed(donl)
    fed.feed(b"\x60\x01" + body, 10)
    fed.feed(IDR[:2] + (b"\x00\x02" if donl else b"") + IDR[2:], 10, marker=True)

    assert fed.out == [picture([VPS, SPS, PPS, IDR], 10, is_key=True)]


def test_an_aggregate_that_is_cut_off() -> None:
    """The units before the cut are kept; the picture is damaged."""
    fed = Fed()
    fed.feed(b"\x60\x01" + len(SLICE).to_bytes(2, "big") + SLICE + b"\x00\x50ab", 10, marker=True)

    assert fed.out == [picture([SLICE], 10, damaged=True)]


def test_fragments_with_order_numbers() -> None:
    """The number stands in the first fragment only (4.4.3)."""
    fed = Fed(donl=True)
    fed.feed(b"\x62\x01\x81\x00\x07\xd0one", 10)
    fed.feed(b"\x62\x01\x41two", 10, marker=True)

    assert fed.out == [picture([b"\x02\x01\xd0onetwo"], 10)]


def test_a_fragment_without_its_beginning() -> None:
    """It is damage; what else the picture has is kept."""
    fed = Fed()
    fed.feed(b"\x62\x01\x41tail", 10)
    fed.feed(SLICE, 10, marker=True)

    assert fed.out == [picture([SLICE], 10, damaged=True)]


STEPS = st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 3), st.booleans(), st.booleans()), max_size=60)


@given(STEPS, st.booleans())
def test_any_payloads(steps: list[tuple[bytes, int, bool, bool]], donl: bool) -> None:
    """Nothing is raised, and no more comes out than went in."""
    fed = Fed(donl)
    for payload, stamp, marker, hole in steps:
        if hole:
            fed.depacketiser.lost()
        fed.feed(payload, stamp, marker)

    assert sum(len(one.data) for one in fed.out) <= sum(3 * len(payload) + 8 for payload, *_ in steps)
