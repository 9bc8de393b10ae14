"""AAC out of RTP: what cameras send, and what some of them should not."""

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.aac import (
    RATES_HZ,
    UNIT_LIMIT_BYTES,
    UNITS_LIMIT,
    AacConfig,
    AacDepacketiser,
    config_for,
    parse_config,
)
from recorder.capture.rtp.units import AccessUnit
from tests.fakes.sound import encoded
from tests.unit.recorder.capture.rtp.packets import aac_payload, adts

CONFIG = AacConfig(16_000, 1, 1024)
UNITS = st.lists(st.binary(min_size=1, max_size=80).filter(lambda one: one[0] != 0xFF), min_size=1, max_size=12)


def fed(payload: bytes, stamp: int = 0, one: AacDepacketiser | None = None) -> list[AccessUnit]:
    return list((one or AacDepacketiser(CONFIG, 16_000, {})).feed(memoryview(payload), stamp, True))


def unit(data: bytes, stamp: int = 0) -> AccessUnit:
    return AccessUnit(data, stamp, True, False)


DAMAGE = AccessUnit(b"", 0, True, True)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (16_000, 1), (44_100, 2), (48_000, 2)])
def test_the_configuration_of_an_encoder(rate_hz: int, channels: int) -> None:
    """It says what the encoder was told; and the one made for cameras that tell none says the same."""
    config, _, size = encoded("aac", rate_hz, 0.5, channels)

    assert parse_config(config) == AacConfig(rate_hz, channels, size)
    made = config_for(rate_hz, channels)
    assert made is not None
    assert parse_config(made) == parse_config(config)


@pytest.mark.parametrize(
    ("config", "read"),
    [
        ("2b8a0800", AacConfig(22_050, 1, 1024)),  # replication in front: twice as many samples are played
        ("eb098800", AacConfig(24_000, 1, 1024)),  # parametric stereo
        ("1788000000080000", None),  # a rate beside the table, of 0
        ("17801f4008", AacConfig(16_000, 1, 1024)),  # the same, of 16000
        ("140c", AacConfig(16_000, 1, 960)),
        ("1438", AacConfig(16_000, 8, 1024)),
        ("1400", None),  # channels told by an element of their own
        ("0c08", None),  # Main
        ("f8e85000", None),  # an object type of two parts
        ("14", None),
        ("", None),
    ],
)
def test_other_configurations(config: str, read: AacConfig | None) -> None:
    """Replication is AAC-LC below; what is no AAC-LC, or cut off, is none."""
    assert parse_config(bytes.fromhex(config)) == read


def test_there_is_no_configuration_for_what_the_tables_do_not_have() -> None:
    """A rate of its own, or no channel."""
    assert (config_for(15_999, 1), config_for(16_000, 0), config_for(16_000, 9)) == (None, None, None)
    assert all(config_for(rate_hz, 1) for rate_hz in RATES_HZ)


def test_frames_of_an_encoder_come_out_as_they_went_in() -> None:
    """Several in a packet, each a frame's length after the one before; a decoder takes all of them."""
    config, frames, size = encoded("aac", 16_000, 2.0)
    one, out = AacDepacketiser(CONFIG, 16_000, {}), []
    for index in range(0, len(frames), 3):
        out += fed(aac_payload(list(frames[index : index + 3])), 500 + index * size, one)

    assert out == [unit(frame, 500 + index * size) for index, frame in enumerate(frames)]
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = config
    assert sum(len(decoder.decode(av.Packet(frame.data))) for frame in out) >= len(frames) - 1


@given(UNITS, st.integers(1, 20))
def test_units_in_packets_and_pieces(units: list[bytes], most: int) -> None:
    """However units are spread over packets they come out once, in order."""
    one, out, stamp = AacDepacketiser(CONFIG, 16_000, {}), list[AccessUnit](), 0
    for data in units:
        if len(data) <= most:
            out += fed(aac_payload([data]), stamp, one)
        else:
            for at in range(0, len(data), most):
                out += fed(aac_payload([data[at : at + most]], len(data)), stamp, one)
        stamp += 1024

    assert out == [unit(data, index * 1024) for index, data in enumerate(units)]


def test_a_unit_whose_middle_is_lost() -> None:
    """Half a unit is none; what follows is whole."""
    one = AacDepacketiser(CONFIG, 16_000, {})

    assert fed(aac_payload([b"ab"], 6), 0, one) == []
    one.lost()
    assert fed(aac_payload([b"ef"], 6), 0, one) == []
    assert fed(aac_payload([b"next"]), 1024, one) == [DAMAGE, unit(b"next", 1024)]


def test_a_unit_that_is_never_finished() -> None:
    """The next one begins: what was there of it is called damaged, and nothing of it is kept."""
    one = AacDepacketiser(CONFIG, 16_000, {})
    fed(aac_payload([b"ab"], 6), 0, one)

    assert fed(aac_payload([b"cd"], 4), 1024, one) == [DAMAGE]
    assert fed(aac_payload([b"ef"], 4), 1024, one) == [unit(b"cdef", 1024)]


def test_low_bit_rate() -> None:
    """AAC-lbr: a byte of header a unit."""
    one = AacDepacketiser(CONFIG, 16_000, {"mode": "AAC-lbr"})

    assert fed(b"\x00\x10" + bytes((2 << 2, 3 << 2)) + b"abcde", 0, one) == [unit(b"ab"), unit(b"cde", 1024)]


def test_headers_of_odd_lengths() -> None:
    """Lengths are those of the format parameters; fields that tell nothing here are passed over."""
    lengths = {"sizelength": "6", "indexlength": "2", "indexdeltalength": "2", "ctsdeltalength": "4"}
    fmtp = lengths | {"dtsdeltalength": "3", "randomaccessindication": "1", "auxiliarydatasizelength": "8"}
    one = AacDepacketiser(CONFIG, 16_000, fmtp)
    #                  size   index dts    rap      size   delta cts      dts rap
    bits = "000010" + "00" + "1101" + "1" + "000011" + "00" + "10011" + "0" + "1"
    padded = int(bits.ljust(32, "0"), 2).to_bytes(4, "big")

    payload = len(bits).to_bytes(2, "big") + padded + b"\x09\xaa\xbb" + b"abcde"
    assert fed(payload, 0, one) == [unit(b"ab"), unit(b"cde", 1024)]


def test_units_of_one_size() -> None:
    """`constantsize` and no headers at all."""
    one = AacDepacketiser(CONFIG, 16_000, {"constantsize": "2"})

    assert fed(b"abcd", 0, one) == [unit(b"ab"), unit(b"cd", 1024)]


def test_units_in_another_order() -> None:
    """Interleaving (3.2.3.2) is refused as damage: an index that is not 0, or a delta that is not."""
    index, delta = (2 << 3 | 1).to_bytes(2, "big"), (2 << 3 | 2).to_bytes(2, "big")
    for headers in (b"\x00\x10" + index, b"\x00\x20\x00\x10" + delta):
        assert fed(headers + b"abcd") == [DAMAGE]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", b"\x00\x10", b"\x00\x00abcd", b"\x00\x11\x00\x10\x00ab", b"\x20\x00" + bytes(2000), b"\x00\x10\x00"],
)
def test_headers_that_contradict_themselves(payload: bytes) -> None:
    """No headers, headers that are cut off, or more than anybody sends."""
    assert fed(payload) == [DAMAGE]


def test_a_unit_that_is_cut_off_behind_others() -> None:
    """Those before it are kept."""
    assert fed(aac_payload([b"ab", b"cde"])[:-1]) == [unit(b"ab"), AccessUnit(b"", 1024, True, True)]


def test_quirk_16_adts_in_the_units() -> None:
    """Headers are taken off: behind those of RTP, or in their place, one frame or several."""
    frames = [adts(b"first"), adts(b"second")]

    assert fed(aac_payload([frames[0]])) == [unit(b"first")]
    assert fed(b"".join(frames)) == [unit(b"first"), unit(b"second", 1024)]
    with_checksum = bytearray(adts(b"xxfirst"))
    with_checksum[1] &= 0xFE
    assert fed(bytes(with_checksum)) == [unit(b"first")]


def test_adts_of_another_kind() -> None:
    """A file has one description: frames of another rate, layout, or length than they say, do not go under it."""
    assert fed(adts(b"other", rate_index=4)) == [DAMAGE]
    assert fed(adts(b"other", channels=2)) == [DAMAGE]
    assert fed(adts(b"whole") + adts(b"cut")[:-1]) == [unit(b"whole"), AccessUnit(b"", 1024, True, True)]


def test_a_clock_that_counts_what_is_played() -> None:
    """Under spectral band replication the clock goes at twice the rate of the core."""
    one = AacDepacketiser(AacConfig(22_050, 1, 1024), 44_100, {})

    assert [found.timestamp for found in fed(aac_payload([b"ab", b"cd"]), 0, one)] == [0, 2048]


FMTP = st.dictionaries(
    st.sampled_from(["sizelength", "indexlength", "indexdeltalength", "constantsize", "ctsdeltalength",
                     "dtsdeltalength", "randomaccessindication", "streamstateindication",
                     "auxiliarydatasizelength", "mode"]),
    st.sampled_from(["0", "1", "3", "13", "32", "99999", "-1", "x", "AAC-lbr"]), max_size=5,
)  # fmt: skip


@given(st.lists(st.binary(max_size=200), max_size=6), FMTP)
def test_any_bytes_under_any_parameters(payloads: list[bytes], fmtp: dict[str, str]) -> None:
    """Nothing is raised; no more comes out than went in, and no unit is larger, nor a packet fuller, than may be."""
    one = AacDepacketiser(CONFIG, 16_000, fmtp)
    for payload in payloads:
        found = fed(payload, 0, one)
        assert len(found) <= UNITS_LIMIT + 2
        assert all(len(one.data) <= UNIT_LIMIT_BYTES for one in found)
        assert all(bool(one.data) != one.damaged for one in found)
