"""The writer: a beginning by libav, our header, and fragments of our own, in a part file."""

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.segmenter import WritePacket
from recorder.capture.writer import FRAGMENT_TICKS, RunWriter
from recorder.errors import SourceInvalid, StorageFull
from recorder.store.boxes import BoxesDamaged, boxes, header_box, init_of, outline, sample_entry
from recorder.store.parts import PartFile
from recorder.store.records import CodecName, SegmentHeader
from tests.fakes.video import access_units

HEADER = SegmentHeader("box", "gate", "gate.main", 0, 0, 0, "00")


def test_the_header_stands_behind_moov(tmp_path: Path) -> None:
    """Before the first picture: a crash leaves a file that tells whose it is."""
    part = PartFile(HEADER, tmp_path / "x.part")
    RunWriter(CodecName.H264, access_units(CodecName.H264, 10)[0][0]).open(part)

    found = list(boxes(part.path.read_bytes()))
    assert [box.type for box in found] == [b"ftyp", b"moov", b"uuid"]
    assert part.path.read_bytes()[found[2].offset :] == header_box(HEADER)
    part.close()


def test_every_fragment_reaches_the_disk_when_it_is_whole(tmp_path: Path) -> None:
    """A crash costs the fragment being written: a key frame completes the one before."""
    units = access_units(CodecName.H264, 50, 10)
    part = PartFile(HEADER, tmp_path / "x.part")
    run = RunWriter(CodecName.H264, units[0][0])
    writer = run.open(part)
    for n, (data, is_key) in enumerate(units[:35]):
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))

    seen = outline(part.path.read_bytes())

    assert seen.header == HEADER
    assert [fragment.frames for fragment in seen.fragments] == [10, 10, 10]
    writer.close()
    part.close()
    assert outline(part.path.read_bytes()).frames == 35


def test_long_groups_are_cut_every_two_seconds(tmp_path: Path) -> None:
    """A camera that sends no key frames does not make a crash dearer."""
    units = access_units(CodecName.H264, 250, 250)
    part = PartFile(HEADER, tmp_path / "x.part")
    writer = RunWriter(CodecName.H264, units[0][0]).open(part)
    for n, (data, is_key) in enumerate(units):
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))
    writer.close()

    lengths = [fragment.duration_ticks for fragment in outline(part.path.read_bytes()).fragments]
    assert max(lengths) == FRAGMENT_TICKS


@pytest.mark.parametrize(
    ("limit", "most", "frames"), [("FRAGMENT_LIMIT_BYTES", 4000, None), ("FRAGMENT_LIMIT_SAMPLES", 7, 7)]
)
def test_what_waits_for_a_fragment_has_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, frames: int | None
) -> None:
    """A camera that sends much, or many, and no key frame: the fragment is cut early, and nothing is lost."""
    monkeypatch.setattr(f"recorder.capture.writer.{limit}", most)
    units = access_units(CodecName.H264, 50, 50)
    part = PartFile(HEADER, tmp_path / "x.part")
    writer = RunWriter(CodecName.H264, units[0][0]).open(part)
    for n, (data, is_key) in enumerate(units):
        writer.write(WritePacket(data, n * 900, n * 900, 900, is_key))
    writer.close()

    seen = outline(part.path.read_bytes())
    assert seen.frames == 50
    assert len(seen.fragments) > 3
    if frames:
        assert max(one.frames for one in seen.fragments) == frames
    else:
        assert all(one.size < most + 1000 for one in seen.fragments if one.frames > 1)


def test_a_frame_without_a_picture_is_refused(tmp_path: Path) -> None:
    """In words: what follows is a session begun anew."""
    part = PartFile(HEADER, tmp_path / "x.part")
    writer = RunWriter(CodecName.H264, access_units(CodecName.H264, 10)[0][0]).open(part)
    with pytest.raises(SourceInvalid):
        writer.write(WritePacket(b"no start code", 0, 0, 3600, True))
    writer.abandon()


def test_a_disk_that_is_full_at_the_beginning_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything was written; the file is let go of, so that it can be finished or put away."""

    def full(*pieces: bytes) -> None:
        raise StorageFull

    part = PartFile(HEADER, tmp_path / "x.part")
    monkeypatch.setattr(part, "append", full)
    run = RunWriter(CodecName.H264, access_units(CodecName.H264, 10)[0][0])
    with pytest.raises(StorageFull):
        run.open(part)
    assert part._handle is None


def test_every_jpeg_picture_is_a_fragment(tmp_path: Path) -> None:
    """A crash costs the picture being written, and none is held back in memory for others."""
    units = access_units(CodecName.MJPEG, 30)
    part = PartFile(HEADER, tmp_path / "x.part")
    writer = RunWriter(CodecName.MJPEG, units[0][0]).open(part)
    for n, (data, is_key) in enumerate(units):
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))

    seen = outline(part.path.read_bytes())

    assert [fragment.frames for fragment in seen.fragments] == [1] * 29
    assert seen.fragments[-1].offset + seen.fragments[-1].size == part.bytes_written
    assert max(one.size - len(data) for one, (data, _) in zip(seen.fragments, units[:29], strict=True)) < 128
    writer.close()


def described(codec: CodecName, tmp_path: Path) -> bytes:
    """The beginning of a file of that codec."""
    units = access_units(codec)
    part = PartFile(HEADER, tmp_path / f"{codec.value}.part")
    writer = RunWriter(codec, units[0][0]).open(part)
    writer.write(WritePacket(units[0][0], 0, 0, 3600, True))
    writer.close()
    return init_of(part.path.read_bytes())


def test_every_codec_is_told_by_its_file(tmp_path: Path) -> None:
    """As the index is made again from files, so must be what they hold."""
    assert [sample_entry(described(codec, tmp_path)) for codec in CodecName] == [
        (codec.value, 160, 120) for codec in CodecName
    ]


def test_mpeg_4_video_is_not_taken_for_jpeg(tmp_path: Path) -> None:
    """Both are `mp4v`; what tells them apart stands in their `esds` box."""
    with av.open(tmp_path / "old.mp4", "w", options={"movflags": "frag_keyframe+empty_moov"}) as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(160, 120, "yuv420p")))
        out.mux(stream.encode())

    with pytest.raises(BoxesDamaged, match="mp4v"):
        sample_entry(init_of((tmp_path / "old.mp4").read_bytes()))


@given(st.data())
def test_a_damaged_description_is_told_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Nothing but the declared error, wherever bytes differ or end."""
    init = bytearray(described(CodecName.MJPEG, tmp_path_factory.mktemp("init")))
    for at in data.draw(st.lists(st.integers(0, len(init) - 1), max_size=4)):
        init[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(init)))
    try:
        codec, width, height = sample_entry(bytes(init[:end]))
    except BoxesDamaged:
        return
    assert codec in list(CodecName)
    assert 0 <= width <= 0xFFFF
    assert 0 <= height <= 0xFFFF


def test_a_picture_that_tells_no_size_is_refused() -> None:
    """In words, not with a trace of the library."""
    with pytest.raises(SourceInvalid):
        RunWriter(CodecName.H264, b"\0\0\0\1\x65nothing of a picture")


def test_a_disk_that_fills_up_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the fragment that does not fit; and letting go afterwards raises nothing."""
    units = access_units(CodecName.H264, 50, 10)
    part = PartFile(HEADER, tmp_path / "x.part")
    writer = RunWriter(CodecName.H264, units[0][0]).open(part)

    def full(*pieces: bytes) -> None:
        raise StorageFull

    monkeypatch.setattr(part, "append", full)
    commands = [WritePacket(data, n * 3600, n * 3600, 3600, key) for n, (data, key) in enumerate(units)]

    def write_all() -> None:
        for command in commands:
            writer.write(command)

    with pytest.raises(StorageFull):
        write_all()
    writer.abandon()
