"""Recording into a real store: gaps, files, frames, commits."""

import io
import itertools
from pathlib import Path

import av
import pytest

from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.errors import StorageFull
from recorder.store.boxes import init_of, outline
from recorder.store.parts import PartFile
from recorder.store.records import CodecName, Gap, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import SEGMENT_US, new_store, record, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock


def decoded(data: bytes) -> int:
    """Frames that decode; an error in any of them raises."""
    with av.open(io.BytesIO(data)) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("codec", list(CodecName))
def test_each_file_decodes_alone_and_all_decode_as_one(tmp_path: Path, codec: CodecName) -> None:
    """Every stored file plays by itself; one init and the fragments of all play as one; inits of a run are equal."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(codec))
    for packet in packets(SECOND * 7, clock, codec):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)

    found = segments(store, clock)
    files = [store.media_path(segment).read_bytes() for segment in found]
    assert [decoded(data) for data in files] == [20, 20, 20, 10]
    assert len({segment.init_sha256 for segment in found}) == 1
    joined = init_of(files[0]) + b"".join(
        data[segment.init_bytes :] for data, segment in zip(files, found, strict=True)
    )
    assert decoded(joined) == 70
    assert verify(store) == []


def test_decode_times_in_the_files_run_on(tmp_path: Path) -> None:
    """The first fragment of a file begins at the media time at which the file before ended."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 6)

    outlines = [outline(store.media_path(one).read_bytes()) for one in segments(store, clock)]

    ends = [one.fragments[-1].start_ticks + one.fragments[-1].duration_ticks for one in outlines]
    assert [0, *ends[:-1]] == [one.fragments[0].start_ticks for one in outlines]


def test_the_gap_before_a_run_has_the_cause_of_what_went_before(tmp_path: Path) -> None:
    """A camera that was unreachable for a minute leaves a gap of a minute that says so."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 3)
    clock.advance(60)
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.UNREACHABLE, "cable")
    recording.begin(Track(CodecName.H264))
    for packet in packets(SECOND * 3, clock):
        recording.feed(packet)
    recording.stop(Cause.STALLED)

    gaps = [item for item in store.items("gate.main", 0, clock.read().utc_us) if isinstance(item, Gap)]
    assert gaps[-1].cause is Cause.UNREACHABLE
    assert 59_000_000 < gaps[-1].t1_us - gaps[-1].t0_us < 61_000_000
    assert verify(store) == []


def test_other_parameter_sets_leave_no_gap(tmp_path: Path) -> None:
    """A camera that changes its size is recorded through: two runs that touch, no gap between."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 3 + "S" + SECOND * 3)

    found = segments(store, clock)
    assert {(160, 120), (176, 144)} == {(one.width, one.height) for one in found}
    assert len({one.run for one in found}) == 2
    assert all(one.t1_us == after.t0_us for one, after in itertools.pairwise(found))
    assert sum(one.frames for one in found) == 60


def record_jpeg(store: Store, clock: FakeClock, drawing: str) -> list[bytes]:
    """Record a drawn MJPEG camera; the pictures it sent."""
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.MJPEG))
    sent = list(packets(drawing, clock, CodecName.MJPEG))
    for packet in sent:
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)
    return [one.data for one in sent]


def stored_frames(data: bytes) -> list[bytes]:
    """The frames of a file, byte by byte."""
    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_jpeg_pictures_are_stored_as_they_come(tmp_path: Path) -> None:
    """Byte by byte, cut by time alone: decoding can begin with any of them."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sent = record_jpeg(store, clock, "I" * 25 + "P" * 20)

    found = segments(store, clock)
    assert [one.frames for one in found] == [20, 20, 5]
    assert {(one.codec, one.width, one.height) for one in found} == {(CodecName.MJPEG, 160, 120)}
    assert [frame for one in found for frame in stored_frames(store.media_path(one).read_bytes())] == sent
    assert verify(store) == []


def test_jpeg_pictures_of_another_size_leave_no_gap(tmp_path: Path) -> None:
    """As with other parameter sets: a run ends where the next one begins, and every file tells the size it holds."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    sent = record_jpeg(store, clock, "I" * 13 + "S" + "I" * 7)

    found = segments(store, clock)
    assert [(one.frames, one.width, one.height) for one in found] == [(13, 160, 120), (7, 176, 144)]
    assert len({one.run for one in found}) == 2
    assert found[0].t1_us == found[1].t0_us
    assert [frame for one in found for frame in stored_frames(store.media_path(one).read_bytes())] == sent
    assert verify(store) == []


def test_a_crash_costs_two_jpeg_pictures(tmp_path: Path) -> None:
    """What lies on the disk when the power goes is read back to its last whole picture, as what it is."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", 60_000_000, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.MJPEG))
    sent = list(packets("I" * 30, clock, CodecName.MJPEG))
    for packet in sent:
        recording.feed(packet)
    (part,) = (tmp_path / "data" / "media").rglob("*.part")
    with part.open("ab") as half:
        half.write(b"\0\0\0\x68moof" + bytes(50))
    store.close()
    clock.advance(60)

    store = Store.open(tmp_path / "data", clock)
    store.recover()
    store.checkpoint()

    (found,) = segments(store, clock)
    # The last picture waits for its duration, the one before for the end of its fragment.
    assert (found.frames, found.recovered, found.codec) == (28, True, CodecName.MJPEG)
    assert (found.width, found.height) == (160, 120)
    assert stored_frames(store.media_path(found).read_bytes()) == [one.data for one in sent[:28]]
    assert found.t1_us - found.t0_us == 2_800_000
    assert verify(store) == []


def feed_all(recording: Recording, drawing: str, clock: FakeClock) -> None:
    for packet in packets(drawing, clock):
        recording.feed(packet)


class FullAfter(PartFile):
    """A part file on a disk with little room."""

    room_bytes = 0

    def append(self, *pieces: bytes | memoryview) -> None:
        data = b"".join(pieces)
        if self.bytes_written + len(data) > self.room_bytes:
            super().append(data[: self.room_bytes - self.bytes_written])
            raise StorageFull
        super().append(data)


def test_a_disk_that_fills_up_costs_the_fragment_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its name; what was whole on the disk is found again by `resume`; nothing needs mending."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 2)
    size = store.media_path(segments(store, clock)[0]).stat().st_size
    monkeypatch.setattr("recorder.store.parts.PartFile", FullAfter)
    monkeypatch.setattr(FullAfter, "room_bytes", size * 2 // 3)
    recording = Recording(store, "gate.main", 60_000_000, Cause.UNREACHABLE, "")
    recording.begin(Track(CodecName.H264))
    clock.advance(5)

    with pytest.raises(StorageFull):
        feed_all(recording, SECOND * 9, clock)

    monkeypatch.undo()
    store.resume("gate.main")
    assert segments(store, clock)[-1].recovered
    assert verify(store) == []


def test_a_recovered_segment_knows_nothing_of_the_cameras_clock(tmp_path: Path) -> None:
    """Nobody wrote it into the file: neither how wrong it was, nor how fast it ran away."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    recording.clock_drift_ppb = -12_345
    for packet in packets(SECOND * 4, clock):
        recording.feed(packet._replace(clock_offset_us=5))
    recording.abandon()
    store.resume("gate.main")

    told = [(one.recovered, one.clock_offset_us, one.clock_drift_ppb) for one in segments(store, clock)]
    assert told == [(False, 5, -12_345), (True, None, None)]
    leaves = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "seg"]
    assert [one.get("clock_drift_ppb", "absent") for one in leaves] == [-12_345, "absent"]
    assert verify(store) == []


def test_what_was_lost_on_the_way_stands_in_the_segment(tmp_path: Path) -> None:
    """The sum of what its pictures lost, and what the camera last said of its clock; nothing where nobody knows."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for index, packet in enumerate(packets(SECOND * 4, clock)):
        told = index < 20
        recording.feed(
            packet._replace(lost_packets=index % 2 if told else None, clock_offset_us=index if told else None)
        )
    recording.stop(Cause.UNREACHABLE)

    found = segments(store, clock)
    assert [(one.lost_packets, one.clock_offset_us) for one in found] == [(10, 19), (None, None)]
    assert verify(store) == []


def test_a_gap_that_changes_its_cause_before_a_run(tmp_path: Path) -> None:
    """What was written down of it meanwhile is behind the run's start: the run follows it, and says the new cause."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    clock.advance(10)
    head = store.commit_gap("gate.main", clock.read().utc_us, Cause.NO_MEDIA)
    recording.go_on(head, Cause.OVERLOAD, "")
    clock.advance(5)
    for packet in packets(SECOND * 3, clock):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)

    found = [item for item in store.items("gate.main", 0, clock.read().utc_us + 1) if isinstance(item, Gap)]
    assert [(one.cause, (one.t1_us - one.t0_us) // 1_000_000) for one in found] == [
        (Cause.NO_MEDIA, 10),
        (Cause.OVERLOAD, 5),
    ]
    assert verify(store) == []


def test_a_gap_behind_what_nobody_sealed(tmp_path: Path) -> None:
    """A process was killed with a segment open, and its camera switched off: the footage is in the record, then the
    gap. Had the gap come first, no item could ever tell of the file."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", 60 * SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in packets(SECOND * 7, clock):
        recording.feed(packet)
    recording.abandon()
    clock.advance(30)
    store.commit_gap_until_now("gate.main", Cause.OPERATOR)

    items = store.items("gate.main", 0, clock.read().utc_us + 1)
    assert [type(item).__name__ for item in items] == ["Segment", "Gap"]
    assert isinstance(items[0], Segment)
    assert items[0].recovered
    assert verify(store) == []
