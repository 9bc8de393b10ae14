"""Fragments, read back by libav behind a beginning that libav wrote."""

import io
import tracemalloc

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.fragments import UNITS_LIMIT, VIDEO_TRACK, Sample, TrackPart, fragment, picture_pieces
from recorder.capture.nal import units
from recorder.capture.writer import RunWriter
from recorder.store.boxes import boxes
from recorder.store.records import CodecName
from tests.fakes.video import access_units

SAMPLES = st.lists(
    st.tuples(st.integers(1, 20_000), st.integers(0, 9_000), st.binary(min_size=1, max_size=40)),
    min_size=1,
    max_size=30,
)


def beginning() -> bytes:
    """Of a file of one run, as its writer makes it."""
    return RunWriter(CodecName.H264, access_units(CodecName.H264, 10)[0][0])._beginning


@settings(max_examples=60)
@given(st.lists(SAMPLES, min_size=1, max_size=4), st.integers(0, 2**40))
def test_samples_are_read_as_they_were_written(fragments: list[list[tuple[int, int, bytes]]], start: int) -> None:
    """Every byte, duration, decode time and time of showing, however many samples and fragments there are."""
    file, at, expected = beginning(), start, []
    for number, samples in enumerate(fragments, 1):
        made = []
        for index, (duration, later, data) in enumerate(samples):
            unit = (b"\x41" if index else b"\x65") + data
            made.append(Sample(duration, 4 + len(unit), later, not index, (len(unit).to_bytes(4, "big"), unit)))
        file += b"".join(fragment(number, [TrackPart(VIDEO_TRACK, at, made)]))
        for one in made:
            expected.append((at, at + one.later, one.duration, b"".join(one.pieces)))
            at += one.duration

    with av.open(io.BytesIO(file)) as container:
        read = [(one.dts, one.pts, one.duration, bytes(one)) for one in container.demux(video=0) if one.size]
    assert [one[:2] + one[3:] for one in read] == [one[:2] + one[3:] for one in expected]
    assert [one[2] for one in read[:-1]] == [one[2] for one in expected[:-1]]


def test_a_fragment_says_how_long_it_is() -> None:
    """Its boxes end where its bytes end; only the first of its pictures can be decoded alone."""
    samples = [Sample(3600, 3, later, later == 0, (b"abc",)) for later in (0, 7200, 3600)]
    data = b"".join(fragment(7, [TrackPart(VIDEO_TRACK, 90_000, samples)]))
    moof, mdat = boxes(data)

    assert (moof.type, mdat.type) == (b"moof", b"mdat")
    assert mdat.offset + mdat.size == len(data)
    assert data[mdat.content :] == b"abc" * 3
    tfhd, trun = data.index(b"tfhd"), data.index(b"trun")
    assert (data[tfhd + 12 : tfhd + 16], data[trun + 16 : trun + 20]) == (b"\1\1\0\0", b"\2\0\0\0")


@pytest.mark.parametrize("codec", [CodecName.H264, CodecName.H265])
@pytest.mark.parametrize("start", [b"\0\0\1", b"\0\0\0\1"])
def test_every_unit_stands_behind_its_length(codec: CodecName, start: bytes) -> None:
    """Whatever start codes there were; nothing else is changed."""
    found = [list(units(data)) for data, _ in access_units(codec, 12, 6)]
    for mine in found:
        lengths = b"".join(len(one).to_bytes(4, "big") + one for one in mine)
        assert b"".join(picture_pieces(start + start.join(mine), codec, None)) == lengths


def test_known_beginnings_are_believed() -> None:
    """Also where a unit holds what looks like a start code."""
    data = b"\0\0\0\1\x65ab\0\0\1cd\0\0\0\1\x41e"
    assert b"".join(picture_pieces(data, CodecName.H264, (0, 12))) == b"\0\0\0\x08\x65ab\0\0\1cd\0\0\0\2\x41e"


def test_a_picture_of_tiny_units_takes_no_more_memory_than_it_has_bytes() -> None:
    """An attack: for each piece of its own a unit of a byte would take two hundred."""
    data = b"\0\0\1\x41" * 500_000
    tracemalloc.start()
    pieces = picture_pieces(data, CodecName.H264, None)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert pieces == [b"\0\0\0\1\x41" * 500_000]
    assert most < 5 * len(data)
    few = b"\0\0\1\x41" * (UNITS_LIMIT + 1)
    assert b"".join(picture_pieces(few, CodecName.H264, None)) == b"\0\0\0\1\x41" * (UNITS_LIMIT + 1)


def test_jpeg_files_stay_as_they_are() -> None:
    """They have no units."""
    data = access_units(CodecName.MJPEG, 1)[0][0]
    assert picture_pieces(data, CodecName.MJPEG, None) == [data]


def test_a_picture_without_units_has_nothing_to_store() -> None:
    """Who writes refuses it."""
    assert picture_pieces(b"no start code", CodecName.H264, None) == []
