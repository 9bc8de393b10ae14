"""Sound beside pictures, stored for real: two tracks in one file, and never at the price of the pictures."""

import io
import itertools
import json
import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.capture.audioline import AudioLine
from recorder.capture.recording import Recording
from recorder.capture.rtp.opus import opus_head
from recorder.capture.segmenter import AudioState, WriteAudio, WritePacket
from recorder.capture.source import AudioFrame, AudioTrack, Track
from recorder.capture.writer import FRAGMENT_TICKS, RunWriter, SegmentWriter
from recorder.causes import Cause
from recorder.errors import StorageFull
from recorder.store.boxes import BoxesDamaged, audio_entry, init_of, outline, sample_entry
from recorder.store.fsck import check
from recorder.store.parts import PartFile
from recorder.store.records import AudioCodec, AudioFacts, CodecName, Gap, SegmentHeader
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import SEGMENT_US, new_store, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.sound import Sound, beside, sound_of
from tests.fakes.video import access_units

HEADER = SegmentHeader("box", "gate", "gate.main", 0, 0, 0, "00")


def recorded(
    store: Store, clock: FakeClock, drawing: str, sound: Sound, heard: Callable[[float], bool] = lambda at_s: True
) -> Recording:
    """What is drawn, with sound."""
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264, audio=sound.track))
    for packet in beside(packets(drawing, clock, first_dts=123_456_789), sound, heard):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE, "the drawing ended")
    return recording


def counted(data: bytes, path: Path) -> dict[str, int]:
    """Packets of each track, as ffprobe counts them: another library than the one that wrote them."""
    path.write_bytes(data)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets",
         "-of", "json", str(path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert shown.stderr == ""
    return {one["codec_type"]: int(one.get("nb_read_packets", 0)) for one in json.loads(shown.stdout)["streams"]}


def decoded(data: bytes, track: str) -> list[tuple[float, int]]:
    """When each frame of a track is shown or heard, and its samples; an error in any raises."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0] if track == "audio" else container.streams.video[0]
        return [(float(one.time or 0), getattr(one, "samples", 0)) for one in container.decode(stream)]


@pytest.mark.parametrize("codec", list(AudioCodec))
def test_each_file_has_both_tracks_and_all_play_as_one(tmp_path: Path, codec: AudioCodec) -> None:
    """Inits of a run are equal; ffprobe counts both tracks, of each file and of all; frames are as they came."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(codec, 7.0)
    recorded(store, clock, SECOND * 7, sound)

    found = segments(store, clock)
    files = [store.media_path(one).read_bytes() for one in found]
    counts = [counted(data, tmp_path / "one.mp4") for data in files]
    assert [one["video"] for one in counts] == [one.frames for one in found] == [20, 20, 20, 10]
    assert [one["audio"] for one in counts] == [one.audio.frames for one in found if one.audio]
    assert len({one.init_sha256 for one in found}) == len({one.run for one in found}) == 1
    joined = init_of(files[0]) + b"".join(data[one.init_bytes :] for data, one in zip(files, found, strict=True))
    heard = sum(one["audio"] for one in counts)
    assert counted(joined, tmp_path / "all.mp4") == {"video": 70, "audio": heard}
    assert len(sound.frames) - 12 <= heard <= len(sound.frames)  # what came behind the last picture is not there
    with av.open(io.BytesIO(joined)) as container:
        frames = [bytes(one) for one in container.demux(audio=0) if one.size]
    assert frames == list(sound.frames[:heard])
    assert verify(store) == []


@pytest.mark.parametrize("codec", list(AudioCodec))
def test_both_tracks_run_on_together(tmp_path: Path, codec: AudioCodec) -> None:
    """Decode times go on from file to file; sound begins with the first picture, and ends with the last."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recorded(store, clock, SECOND * 6, sound_of(codec, 6.0))

    outlines = [outline(store.media_path(one).read_bytes()) for one in segments(store, clock)]
    ends = [one.fragments[-1].start_ticks + one.fragments[-1].duration_ticks for one in outlines]
    assert [0, *ends[:-1]] == [one.fragments[0].start_ticks for one in outlines]
    files = [store.media_path(one).read_bytes() for one in segments(store, clock)]
    joined = init_of(files[0]) + b"".join(data[outline(data).init_bytes :] for data in files)
    times = decoded(joined, "audio")
    lengths = [(after - at) for (at, _), (after, _) in itertools.pairwise(times)]
    assert max(lengths) - min(lengths) < 0.001
    assert times[0][0] < 0.08
    assert 5.7 < times[-1][0] <= 6.0
    assert len(decoded(joined, "video")) == 60


def test_the_leaf_tells_of_sound_only_where_there_is_a_track(tmp_path: Path) -> None:
    """Codec, rate, channels, frames, and what is missing; a segment without a track of it has no such field."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(AudioCodec.AAC, 4.0)
    recorded(store, clock, SECOND * 4, sound)
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in packets(SECOND * 2, clock):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)
    store.checkpoint()

    found = segments(store, clock)
    told = [leaf.fields.get("audio") for _, leaf in store.leaves(0, store.log_size) if leaf.type == "seg"]
    assert [one.audio for one in found[:-1]] == [
        AudioFacts(AudioCodec.AAC, 16_000, 1, one["frames"], 0) for one in told[:-1]
    ]
    assert (found[-1].audio, told[-1]) == (None, None)
    assert set(told[0]) == {"codec", "rate_hz", "channels", "frames", "lost_packets"}
    assert check(store) == []


def test_sound_that_never_comes_is_not_in_the_file(tmp_path: Path) -> None:
    """Quirk 16. It was announced: after three seconds the run is begun with pictures alone, and all of them."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = recorded(store, clock, SECOND * 6, sound_of(AudioCodec.AAC, 6.0), lambda at_s: False)

    found = segments(store, clock)
    assert sum(one.frames for one in found) == 60
    assert [audio_entry(init_of(store.media_path(one).read_bytes())) for one in found] == [None] * len(found)
    assert recording.segmenter is not None
    assert recording.segmenter.audio_state is AudioState.SILENT


def test_sound_that_begins_late_and_falls_silent(tmp_path: Path) -> None:
    """The next segment that is due begins a new run with it, or without: no picture is lost, and no gap is made.

    One segment at most is described with sound and has none.
    """
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(AudioCodec.AAC, 24.0)
    recorded(store, clock, SECOND * 24, sound, lambda at_s: 5 < at_s < 11.9)

    assert [item for item in store.items("gate.main", 0, 2**62) if isinstance(item, Gap)] == []
    assert sum(one.frames for one in segments(store, clock)) == 240
    described = [audio_entry(init_of(store.media_path(one).read_bytes())) is not None for one in segments(store, clock)]
    assert drawn(described) == "---###" + "#-----"
    told = [one.audio for one in segments(store, clock)]
    assert [one is not None for one in told] == described
    assert drawn(one is not None and one.frames > 0 for one in told) == "---###" + "------"
    assert len({one.run for one in segments(store, clock)}) == 3
    assert verify(store) == []


def test_a_box_killed_in_the_middle_of_a_file_with_two_tracks(tmp_path: Path) -> None:
    """What is whole on the disk is found again, with both tracks counted; what was half is cut off."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(AudioCodec.AAC, 30.0)
    recording = Recording(store, "gate.main", 60_000_000, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264, audio=sound.track))
    for packet in beside(packets(SECOND * 30, clock), sound):
        recording.feed(packet)
    path = next(store.layout.volume().rglob("*.part"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 700])  # the last fragment is half
    store.resume("gate.main")

    (one,) = segments(store, clock)
    data = store.media_path(one).read_bytes()
    assert one.recovered
    assert counted(data, tmp_path / "one.mp4") == {"video": one.frames, "audio": one.audio.frames if one.audio else 0}
    assert one.frames >= 260
    assert one.audio is not None
    assert one.audio.frames > 400
    assert one.t1_us - one.t0_us == outline(data).duration_ticks * 100 // 9
    assert verify(store) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 60_000))
def test_a_file_with_two_tracks_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """The outline is that of the whole fragments before the cut, in both tracks."""
    data = two_tracks(tmp_path_factory)[:cut]
    try:
        seen = outline(data)
    except BoxesDamaged:
        return
    again = outline(data[: seen.end])
    assert (again.frames, again.audio_frames, again.end) == (seen.frames, seen.audio_frames, seen.end)


_MADE: list[bytes] = []


def two_tracks(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of ten seconds."""
    if not _MADE:
        folder = tmp_path_factory.mktemp("two")
        writer, part = begun(folder, sound_of(AudioCodec.AAC, 10.0).track)
        write_all(writer, sound_of(AudioCodec.AAC, 10.0), 250)
        writer.close()
        part.close()
        _MADE.append(part.path.read_bytes())
    return _MADE[0]


def begun(folder: Path, track: AudioTrack) -> tuple[SegmentWriter, PartFile]:
    units = access_units(CodecName.H264, 50, 10)
    part = PartFile(HEADER, folder / "x.part")
    run = RunWriter(CodecName.H264, units[0][0], track)
    assert run.audio is track
    return run.open(part), part


def write_all(writer: SegmentWriter, sound: Sound | None, pictures: int, gop: int = 10) -> None:
    """25 pictures a second, sound in between."""
    units, told = access_units(CodecName.H264, 250, gop), 0
    for n in range(pictures):
        if sound is not None:
            while told < len(sound.frames) and told * sound.samples <= n * sound.track.rate_hz // 25:
                writer.write_audio(WriteAudio(sound.frames[told], told * sound.samples, sound.samples))
                told += 1
        data, is_key = units[n % len(units)]
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))


def test_fragments_are_cut_as_without_sound(tmp_path: Path) -> None:
    """At key frames, and after two seconds at the latest."""
    sound = sound_of(AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path, sound.track)
    write_all(writer, sound, 250, gop=250)
    writer.close()
    part.close()
    long = outline(part.path.read_bytes())
    assert all(one.duration_ticks <= FRAGMENT_TICKS for one in long.fragments)
    assert (long.frames, long.audio_frames) == (250, writer.audio_frames)

    (tmp_path / "other").mkdir()
    other, part = begun(tmp_path / "other", sound.track)
    write_all(other, sound, 250, gop=25)
    other.close()
    part.close()
    short = outline(part.path.read_bytes())
    assert [one.frames for one in short.fragments] == [25] * 10
    assert sample_entry(init_of(part.path.read_bytes())) == ("h264", 160, 120)
    assert audio_entry(init_of(part.path.read_bytes())) == ("aac", 16_000, 1)


def test_pictures_do_not_wait_for_sound(tmp_path: Path) -> None:
    """A described track in which nothing comes holds back one picture, and never a fragment."""
    writer, part = begun(tmp_path, sound_of(AudioCodec.AAC, 1.0).track)
    write_all(writer, None, 102, gop=25)

    assert [one.frames for one in outline(part.path.read_bytes()).fragments] == [25] * 4
    writer.close()
    part.close()
    assert outline(part.path.read_bytes()).frames == 102


def test_sound_alone_does_not_break_a_file(tmp_path: Path) -> None:
    """Pictures that stay away for seconds while sound goes on: fragments of sound alone measure nothing."""
    sound = sound_of(AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path, sound.track)
    units = access_units(CodecName.H264, 50, 10)
    writer.write(WritePacket(units[0][0], 0, 0, 900_000, True))
    for n, frame in enumerate(sound.frames):
        writer.write_audio(WriteAudio(frame, n * sound.samples, sound.samples))
    writer.write(WritePacket(units[0][0], 900_000, 900_000, 3600, True))
    writer.close()
    part.close()

    seen = outline(part.path.read_bytes())
    assert any(not one.frames and one.audio_frames for one in seen.fragments)
    assert (seen.frames, seen.audio_frames) == (2, len(sound.frames))
    assert seen.duration_ticks == 903_600
    assert [one.start_ticks for one in seen.fragments if one.frames] == [0, 900_000]


def test_sound_behind_a_hole_is_where_it_belongs(tmp_path: Path) -> None:
    """Wherever fragments are cut: each frame is heard at its own time."""
    sound = sound_of(AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path, sound.track)
    units, told, sent = access_units(CodecName.H264, 250, 25), 0, list[int]()
    for n in range(250):
        while told * sound.samples <= n * 640:
            if told % 13 < 6:
                writer.write_audio(WriteAudio(sound.frames[told], told * sound.samples, sound.samples))
                sent.append(told * sound.samples)
            told += 1
        data, is_key = units[n]
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))
    writer.close()
    part.close()

    with av.open(str(part.path), format="mp4") as container:
        assert [one.dts for one in container.demux(audio=0) if one.size] == sent


def drawn(has: Iterable[bool]) -> str:
    """A segment each: `#` with sound, `-` without."""
    return "".join("#" if one else "-" for one in has)


@pytest.mark.parametrize("codec", list(AudioCodec))
def test_no_bytes_of_sound_cost_a_picture(tmp_path: Path, codec: AudioCodec) -> None:
    """Whatever a camera sends as sound: all pictures are stored, and what the muxer refuses is counted (Viseron 344;
    lightNVR 183; bluecherry 521)."""
    chance = random.Random(codec.value)
    track = sound_of(codec, 1.0).track
    writer, part = begun(tmp_path, track)
    line, units = AudioLine(track, 0), access_units(CodecName.H264, 250, 25)
    for n in range(500):
        for _ in range(chance.randrange(4)):
            data = chance.randbytes(chance.choice((0, 1, 2, 7, 40, 3000)))
            data = chance.choice((data, b"\xff\xf1" + data, b"\xff\xfb\x90" + data, b"fLaC" + data))
            at = n * track.rate_hz // 25 + chance.choice((0, 0, 0, -(10**6), 10**6, 2**31, 2**40))
            frame = AudioFrame(data, at, chance.choice((0, 1, 160, 1024, 5760, 2**31)))
            place = line.place(frame, n * 3600)
            if place is not None:
                writer.write_audio(WriteAudio(data, place, frame.samples))
        data, is_key = units[n % 250]
        writer.write(WritePacket(data, n * 3600, n * 3600, 3600, is_key))
    writer.close()
    part.close()

    seen = outline(part.path.read_bytes())
    assert seen.frames == 500
    assert seen.audio_frames == writer.audio_frames > 0
    assert (writer.audio_refused > 0) == (codec is AudioCodec.AAC)


def test_sound_that_cannot_be_described(tmp_path: Path) -> None:
    """A configuration that the muxer does not take is found out before a picture is written: the run has none."""
    units = access_units(CodecName.H264, 50, 10)
    for track in (
        AudioTrack(AudioCodec.FLAC, 8000, 1, b"short"),
        AudioTrack(AudioCodec.OPUS, 48_000, 1, b""),
        AudioTrack(AudioCodec.OPUS, 48_000, 1, opus_head(1)[:-4]),
    ):
        run = RunWriter(CodecName.H264, units[0][0], track)
        assert run.audio is None
        part = PartFile(HEADER, tmp_path / f"{len(track.config)}-{track.codec}.part")
        writer = run.open(part)
        writer.write_audio(WriteAudio(b"sound", 0, 160))
        write_all(writer, None, 50)
        writer.close()
        part.close()
        assert outline(part.path.read_bytes()).frames == 50
        assert writer.audio_refused == 1


def test_a_full_disk_is_told_through_sound_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no refusal of the muxer."""
    sound = sound_of(AudioCodec.AAC, 10.0)
    writer, part = begun(tmp_path, sound.track)

    def full(*pieces: bytes) -> None:
        raise StorageFull

    monkeypatch.setattr(part, "append", full)

    def write_sound() -> None:
        for n, frame in enumerate(sound.frames):
            writer.write_audio(WriteAudio(frame, n * sound.samples, sound.samples))

    with pytest.raises(StorageFull):
        write_sound()
    writer.abandon()


def test_a_description_that_is_damaged_anywhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One bit of the boxes is another: they are refused in words, or read; nothing else is raised."""
    data, chance = two_tracks(tmp_path_factory), random.Random(7)
    init_bytes = outline(data).init_bytes
    refused = 0
    for _ in range(3000):
        other = bytearray(data[: init_bytes + 4000])
        other[chance.randrange(init_bytes)] ^= 1 << chance.randrange(8)
        try:
            outline(bytes(other))
            sample_entry(init_of(other))
            audio_entry(init_of(other))
        except BoxesDamaged:
            refused += 1
    assert refused > 100


def test_a_fragment_of_a_track_that_nothing_describes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is damage: nobody could tell what it measures."""
    data = two_tracks(tmp_path_factory)
    at = data.index(b"tfhd")
    with pytest.raises(BoxesDamaged, match="nothing describes"):
        outline(data[: at + 8] + b"\x00\x00\x00\x09" + data[at + 12 :])


def test_sound_from_before_the_first_picture_is_left_out(tmp_path: Path) -> None:
    """A run begins with its first picture."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(AudioCodec.AAC, 4.0)
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264, audio=sound.track))
    for index, packet in enumerate(beside(packets(SECOND * 4, clock), sound)):
        earlier = tuple(AudioFrame(one.data, one.at - 20_000, one.samples) for one in packet.audio)
        recording.feed(packet if index > 20 else packet._replace(audio=earlier))
    recording.stop(Cause.UNREACHABLE)

    assert recording.segmenter is not None
    assert recording.segmenter.counts.audio_dropped == 0
    assert recording.segmenter.counts.audio_frames > 0
    assert sum(one.frames for one in segments(store, clock)) == 40
    assert verify(store) == []


@pytest.mark.parametrize("codec", list(CodecName))
def test_sound_beside_every_kind_of_picture(tmp_path: Path, codec: CodecName) -> None:
    """Of MJPEG each picture is a fragment; sound is in those that come behind it. All of it plays as one."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sound = sound_of(AudioCodec.AAC, 6.0)
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(codec, audio=sound.track))
    for packet in beside(packets(SECOND * 6, clock, codec), sound):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)

    found = segments(store, clock)
    files = [store.media_path(one).read_bytes() for one in found]
    joined = init_of(files[0]) + b"".join(data[one.init_bytes :] for data, one in zip(files, found, strict=True))
    heard = sum(one.audio.frames for one in found if one.audio)
    assert counted(joined, tmp_path / "all.mp4") == {"video": 60, "audio": heard}
    assert heard >= len(sound.frames) - 3
    assert len(decoded(joined, "video")) == 60
    assert len({one.run for one in found}) == 1
    assert verify(store) == []
