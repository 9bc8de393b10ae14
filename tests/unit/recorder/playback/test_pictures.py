"""Pictures without their sound: the same bytes, and a file that any library reads."""

import io
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.segmenter import WriteAudio, WritePacket
from recorder.playback.pictures import Piece, fragment_pieces, init_pieces, length_of
from recorder.store.boxes import BoxesDamaged, audio_entry, init_of, outline, sample_entry
from recorder.store.records import AudioCodec, CodecName
from tests.fakes.sound import sound_of
from tests.fakes.video import access_units
from tests.store.test_sound import begun, write_all


@pytest.fixture(scope="module", params=[*AudioCodec, None], ids=str)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds with sound of each kind, and with a track in which nothing came."""
    sound = sound_of(request.param or AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path_factory.mktemp("stored"), sound.track)
    write_all(writer, sound if request.param else None, 250)
    writer.close()
    part.close()
    return part.path.read_bytes()


def joined(data: bytes, pieces: list[Piece]) -> bytes:
    made = b"".join(one if isinstance(one, bytes) else data[one[0] : one[1]] for one in pieces)
    assert length_of(pieces) == len(made)
    return made


def pictures(data: bytes) -> list[tuple[int, int, bytes]]:
    with av.open(io.BytesIO(data)) as container:
        return [(one.dts or 0, one.pts or 0, bytes(one)) for one in container.demux(video=0) if one.size]


def test_every_picture_is_the_stored_one(stored: bytes) -> None:
    """Byte by byte, at the same times; there is no track of sound; all of it decodes."""
    without = joined(stored, list(init_pieces(stored))) + joined(stored, list(fragment_pieces(stored)))

    assert pictures(without) == pictures(stored)
    assert len(pictures(without)) == 250
    assert audio_entry(init_of(without)) is None
    assert sample_entry(init_of(without)) == sample_entry(init_of(stored))
    with av.open(io.BytesIO(without)) as container:
        assert len(container.streams.audio) == 0
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        assert sum(1 for _ in container.decode(video=0)) == 250


def test_fragments_of_sound_alone_are_left_out(tmp_path: Path) -> None:
    """Where pictures stay away for seconds."""
    sound = sound_of(AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path, sound.track)
    picture = access_units(CodecName.H264, 50, 10)[0][0]
    writer.write(WritePacket(picture, 0, 0, 900_000, True))
    for n, frame in enumerate(sound.frames):
        writer.write_audio(WriteAudio(frame, n * sound.samples, sound.samples))
    writer.write(WritePacket(picture, 900_000, 900_000, 3600, True))
    writer.close()
    part.close()
    data = part.path.read_bytes()

    assert len(outline(data).fragments) > 2
    made = joined(data, list(init_pieces(data))) + joined(data, list(fragment_pieces(data)))
    assert [dts for dts, _, _ in pictures(made)] == [0, 900_000]


@given(at=st.integers(0, 40_000), bit=st.integers(0, 7), cut=st.integers(0, 60_000))
def test_a_damaged_file_is_refused_or_read(stored: bytes, at: int, bit: int, cut: int) -> None:
    """Nothing but damage is raised, and nothing is read from behind the end."""
    other = bytearray(stored[:cut])
    if at < len(other):
        other[at] ^= 1 << bit
    data = bytes(other)
    try:
        pieces = [*init_pieces(data), *fragment_pieces(data)]
    except BoxesDamaged:
        return
    assert all(isinstance(one, bytes) or 0 <= one[0] <= one[1] <= len(data) for one in pieces)
