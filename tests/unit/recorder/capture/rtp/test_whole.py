"""Whole pictures out of a connection's bytes: what is plain is taken, all else is left, and both twins agree."""

import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.nal import units
from recorder.capture.rtp import receiver, whole
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.whole import PIECES_LIMIT, UNITS_LIMIT, Answer, PicturesIn, compiled, interpreted
from recorder.capture.rtsp.framing import LEFT_LIMIT_BYTES
from recorder.store.records import CodecName
from tests.fakes.looks import Looks, shared_buffer
from tests.fakes.rtsp_camera import SSRC, film, interleaved, large_film, packets, rtp
from tests.unit.recorder.capture.rtp.packets import annex_b

COMPILER = shutil.which("gcc") or shutil.which("cc")
TWINS: list[PicturesIn] = [interpreted] + ([] if compiled is None else [compiled])
CODECS = [CodecName.H264, CodecName.H265]
DEPACKETISERS = {CodecName.H264: H264Depacketiser, CodecName.H265: H265Depacketiser}
STAMP = 9000

twins = pytest.mark.parametrize("taken", TWINS, ids=["interpreted", "compiled"][: len(TWINS)])
codecs = pytest.mark.parametrize("codec", CODECS)


def asked(taken: PicturesIn, data: bytes, codec: CodecName = CodecName.H264, number: int = 0, stamp: int = 0) -> Answer:
    """Of a connection whose channel is 0, and whose next packet has that number."""
    return taken(memoryview(data), 0, len(data), codec is CodecName.H265, 0, 96, SSRC, number, stamp)


def wire(*payloads: bytes, number: int = 0, stamp: int = STAMP) -> list[bytes]:
    """Packets of a picture, the marker on the last."""
    last = len(payloads) - 1
    return [interleaved(rtp(one, number + at, stamp, at == last)) for at, one in enumerate(payloads)]


SLICE = b"\x41\x9a" + bytes(range(60))
KEY = [b"\x67\x42\x00\x1e\xab", b"\x68\xce\x38\x80", b"\x65\x88" + bytes(80)]
BEGIN, MORE, END = (bytes((0x7C, flags | 5)) + b"\x88" * 40 for flags in (0x80, 0, 0x40))


@twins
@codecs
def test_a_film_is_taken_at_once(taken: PicturesIn, codec: CodecName) -> None:
    """Every picture, with its stamp and its units; nothing is left."""
    shots = film(codec, 12)
    data = b"".join(interleaved(one) for one in packets(shots, codec, STAMP))
    at, count, waits, found = asked(taken, data, codec)

    assert (at, waits) == (len(data), True)
    assert count == len(list(packets(shots, codec)))
    assert [one[0] for one in found] == shots
    assert [one[1] for one in found] == [STAMP + 3600 * index for index in range(12)]
    assert found[0][2]
    assert not all(one[2] for one in found)
    for shot, _, _, starts in found:
        behind = (*starts[1:], len(shot))
        assert [shot[begin + 4 : end] for begin, end in zip(starts, behind, strict=True)] == list(units(shot))


@twins
def test_pieces_and_units(taken: PicturesIn) -> None:
    """A unit in pieces has its header back, between units that are packets by themselves."""
    data = b"".join(wire(*KEY[:2], BEGIN, MORE, MORE, END))
    at, count, _, found = asked(taken, data)

    assert (at, count) == (len(data), 6)
    assert found == [(annex_b([*KEY[:2], b"\x65" + b"\x88" * 160]), STAMP, True, (0, 9, 17))]


@twins
def test_a_recovery_point(taken: PicturesIn) -> None:
    """Decoding may begin with a picture that says so (H.264, D.1.8), key slice or not."""
    for message, is_key in ((b"\x06\x06\x01\xc4\x80", True), (b"\x06\x06\x01\x44\x80", False)):
        assert asked(taken, b"".join(wire(message, SLICE)))[3][0][2] is is_key


@twins
def test_numbers_and_stamps_that_wrap(taken: PicturesIn) -> None:
    """Behind 65535 comes 0; a stamp is told as it came."""
    pieces = [BEGIN, *[MORE] * 6, END]
    for first in range(65_528, 65_537):
        data = b"".join(wire(*pieces, number=first, stamp=2**32 - 1))
        assert asked(taken, data, number=first & 0xFFFF)[:2] == (len(data), 8)


@twins
@codecs
def test_a_picture_that_has_not_wholly_come(taken: PicturesIn, codec: CodecName) -> None:
    """At whatever byte it is cut off, the one before is taken, and it is waited for."""
    first, second = [
        [interleaved(one) for one in packets([shot], codec, stamp)]
        for shot, stamp in zip(large_film(codec)[:2], (STAMP, STAMP * 2), strict=True)
    ]
    second = [one[:6] + (len(first) + at).to_bytes(2, "big") + one[8:] for at, one in enumerate(second)]
    whole_one, more = b"".join(first), b"".join(second)
    for size in range(0, len(more), 7):
        at, count, waits, found = asked(taken, whole_one + more[:size], codec)
        assert (at, count, waits, len(found)) == (len(whole_one), len(first), True, 1)
    assert len(asked(taken, whole_one + more, codec)[3]) == 2


def changed(at: int, value: int) -> Callable[[list[bytes]], list[bytes]]:
    """The second packet with another byte there."""
    return lambda wired: [wired[0], wired[1][:at] + bytes([value]) + wired[1][at + 1 :], *wired[2:]]


UNUSUAL: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a hole": lambda wired: [wired[0], *wired[2:]],
    "a packet twice": lambda wired: [wired[0], wired[0], *wired[1:]],
    "swapped": lambda wired: [wired[1], wired[0], *wired[2:]],
    "a report between": lambda wired: [wired[0], b"$\x01\x00\x08" + bytes(8), *wired[1:]],
    "an answer between": lambda wired: [wired[0], b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n", *wired[1:]],
    "noise between": lambda wired: [wired[0], b"\x00", *wired[1:]],
    "another channel": changed(1, 2),
    "too short": lambda wired: [wired[0], b"$\x00\x00\x0f" + bytes(15), *wired[1:]],
    "padding": changed(4, 0xA0),
    "an extension": changed(4, 0x90),
    "a contributing source": changed(4, 0x81),
    "another payload type": changed(5, 97),
    "a marker in the middle": changed(5, 0x80 | 96),
    "another stamp": changed(11, 1),
    "another source": changed(15, 1),
    "another indicator": changed(16, 0x5C),
    "a piece of another unit": changed(17, 1),
    "a reserved bit": changed(17, 0x25),
    "a unit that begins within another": changed(17, 0x85),
    "a unit between the pieces of another": changed(16, 0x61),
    "units together": lambda _: wire(b"\x78\x00\x02\x41\x9a"),
    "interleaved units": lambda _: wire(b"\x79\x00\x00\x00\x02\x41\x9a"),
    "no unit": lambda _: wire(b"\x40\x9a\x01\x02", b"\x40\x9a\x01\x02"),
    "pieces of no unit": lambda _: wire(b"\x7c\x80\x88\x01", b"\x7c\x40\x88\x01"),
    "pieces without a beginning": lambda wired: wire(MORE, END),
    "pieces without an end": lambda wired: wire(BEGIN, MORE),
    "no slice": lambda _: wire(*KEY[:2]),
    "a slice in the middle of a picture": lambda _: wire(b"\x41\x1a" + bytes(9)),
    "a slice in the middle of a picture, in pieces": lambda _: wire(*[one[:2] + b"\x11" * 9 for one in (BEGIN, END)]),
    "the stamp of the picture before": lambda _: wire(BEGIN, MORE, END, stamp=7),
    "more units than are told": lambda _: wire(*[b"\x06\x05\x01\x01"] * UNITS_LIMIT, SLICE),
    "more pieces than there is room for": lambda _: wire(BEGIN, *[MORE[:9]] * (PIECES_LIMIT - 1), END),
}
"""What happens to a picture of three pieces, so that it is none that is taken at once."""


@twins
@pytest.mark.parametrize("how", UNUSUAL)
def test_what_is_not_plain_is_left(taken: PicturesIn, how: str) -> None:
    """All of it, and nobody waits for more: what it means is decided elsewhere. A picture before it is taken."""
    before = b"".join(wire(SLICE, number=65_535, stamp=7))
    spoilt = b"".join(UNUSUAL[how](wire(BEGIN, MORE, END)))
    at, count, waits, found = asked(taken, before + spoilt, number=65_535)

    assert (at, count, waits, len(found)) == (len(before), 1, False, 1)
    assert asked(taken, b"".join(wire(BEGIN, MORE, END)), stamp=7)[1] == 3


@twins
def test_as_much_as_is_told(taken: PicturesIn) -> None:
    """As many units, and as many pieces, as the limits say."""
    assert asked(taken, b"".join(wire(*[b"\x06\x05\x01\x01"] * (UNITS_LIMIT - 1), SLICE)))[1] == UNITS_LIMIT
    assert asked(taken, b"".join(wire(BEGIN, *[MORE[:9]] * (PIECES_LIMIT - 2), END)))[1] == PIECES_LIMIT


@twins
@pytest.mark.parametrize(("at", "end"), [(-1, 2), (3, 2), (0, 11)])
def test_places_outside_the_buffer(taken: PicturesIn, at: int, end: int) -> None:
    """Nothing is read there."""
    with pytest.raises(ValueError, match="outside"):
        taken(memoryview(bytes(10)), at, end, False, 0, 96, SSRC, 0, 0)


def spoilt(codec: CodecName, seed: int) -> bytes:
    """A film's packets, some of them changed, lost, doubled, swapped or cut."""
    chance = random.Random(seed)
    found = [interleaved(one) for one in packets(large_film(codec)[:6], codec, STAMP)]
    for _ in range(chance.randint(0, 6)):
        at, kind = chance.randrange(len(found)), chance.randrange(5)
        if kind == 0:
            del found[at]
        elif kind == 1:
            found.insert(at, found[at])
        elif kind == 2:
            found[at - 1], found[at] = found[at], found[at - 1]
        elif kind == 3:
            found[at] = found[at][: chance.randrange(len(found[at]))]
        else:
            where = chance.randrange(min(24, len(found[at]))) if found[at] else 0
            found[at] = found[at][:where] + bytes([chance.randrange(256)]) + found[at][where + 1 :]
    return b"".join(found)


@pytest.mark.skipif(compiled is None, reason="there was no C compiler")
@codecs
@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), cut_off=st.integers(0, 3000))
def test_the_twins_agree(codec: CodecName, seed: int, cut_off: int) -> None:
    """Byte for byte, from wherever they are asked."""
    assert compiled is not None
    data, at, number, stamp = spoilt(codec, seed)[: -cut_off or None], 0, 0, -1
    while at < len(data):
        there = (at, len(data), codec is CodecName.H265, 0, 96, SSRC, number, stamp)
        answer = interpreted(memoryview(data), *there)
        assert compiled(memoryview(data), *there) == answer
        at = max(data.find(b"$\0", answer[0] + 1), answer[0] + 1)
        number = int.from_bytes(data[at + 2 + 4 : at + 4 + 4], "big")


@codecs
@twins
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), size=st.integers(50, 30_000))
def test_a_connection_makes_the_same_of_it(codec: CodecName, taken: PicturesIn, seed: int, size: int) -> None:
    """Whole pictures, pieces or single packets: the same pictures and the same counts, however it comes."""
    data, seen = spoilt(codec, seed), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(receiver, "pictures_in", taken)
        for at_once in (False, True):
            one = Looks(DEPACKETISERS[codec](), shared_buffer(), at_once=at_once)
            one.looks(data, size)
            seen.append((one.found, one.receiver.tally))

    assert seen[0] == seen[1]


def test_what_is_left_has_a_bound() -> None:
    """A picture that is larger comes out all the same, and its beginning is not kept in the buffer."""
    large = [BEGIN, *[MORE + bytes(1000)] * 200, END]
    data = b"".join((*wire(SLICE), *wire(*large, number=1, stamp=STAMP * 2)))
    one, most = Looks(H264Depacketiser(), buffer := shared_buffer()), 0
    for at in range(0, len(data), 10_000):
        one.look(data[at : at + 10_000])
        most = max(most, one.framer.begin(buffer))

    assert LEFT_LIMIT_BYTES - 10_000 < most <= LEFT_LIMIT_BYTES
    assert [len(shot.data) for shot in one.found] == [4 + len(SLICE), 4 + 1 + 202 * 40 + 200 * 1000]


def test_order_numbers_are_not_plain() -> None:
    """An H.265 track whose packets carry them is taken packet by packet."""
    assert H265Depacketiser().is_between()
    assert not H265Depacketiser(donl=True).is_between()


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_the_compiled_one_is_what_its_source_says(tmp_path: Path) -> None:
    """It compiles without a single warning, and what was installed here was compiled."""
    source = Path(whole.__file__).with_name("_whole.c")
    strict = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fPIC", "-shared"]
    include = f"-isystem{sysconfig.get_paths()['include']}"
    command = [str(COMPILER), *strict, include, str(source), "-o", str(tmp_path / "out.so")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert said.returncode == 0, said.stderr
    assert compiled is not None, "the project is to be installed anew"
    assert whole.pictures_in is compiled


@pytest.mark.parametrize("is_there", [True, False], ids=["compiled", "not compiled"])
def test_which_of_the_twins_is_in_use(is_there: bool) -> None:
    """It is said in a word; without the compiled one everything is there all the same."""
    hidden = "" if is_there else "import sys; sys.modules['recorder.capture.rtp._whole'] = None; "
    program = f"{hidden}from recorder.capture.rtp import whole; print(whole.in_use(), whole.pictures_in.__name__)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    if is_there and compiled is not None:
        assert said.stdout == "compiled pictures_in\n"
    else:
        assert said.stdout == "interpreted interpreted\n"
