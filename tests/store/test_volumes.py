"""Several disks: where footage goes, and what becomes of it when one of them fails, fills up, goes or is swapped."""

import errno
import itertools
import json
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from config.volumes import VolumeWish
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.errors import (
    DataDirInUse,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
    VolumeAway,
    VolumeForeign,
    VolumeMissing,
    VolumeNotEmpty,
    VolumeSilent,
    VolumeUnknown,
)
from recorder.store import files, tables
from recorder.store.backup import make_backup
from recorder.store.fsck import check
from recorder.store.layout import Layout
from recorder.store.parts import REST_US, Parts
from recorder.store.places import Place, identity_of, is_unused, look_at, space_of, write_identity
from recorder.store.pressure import FAILED_HELD_US, Look
from recorder.store.records import CodecName, Condition, MediaState, Segment, SegmentHeader
from recorder.store.restore import Accepted, restore
from recorder.store.rollback import WouldRollBack
from recorder.store.segments import Finished
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.custody import Custody
from retention.pace import Load, Pace
from retention.reconcile import Retries
from retention.scrub import Scrubber
from retention.sweep import sweep
from tests.fakes.box import SEGMENT_US, hold, record, release, remember, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.disks import Disk, Disks


class Box:
    """A box with the volumes `a` and `b`, of which `a` has more room."""

    def __init__(self, tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.clock, self.disks = tmp_path, FakeClock(), Disks(patch)
        self.a = self.disks.add(tmp_path / "a", 200_000_000)
        self.b = self.disks.add(tmp_path / "b", 100_000_000)
        remember(Store.create(tmp_path / "data", "test", self.clock, "0.0.0"))
        self.store = self.opened()
        self.store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main")
        self.clock.advance(1)

    def opened(self, *names: str) -> Store:
        wishes = [VolumeWish(name, self.folder / name) for name in names or ("a", "b")]
        store = Store.open(self.folder / "data", self.clock, volumes=wishes)
        store.recover()
        return store

    def again(self, *names: str) -> None:
        self.store.close()
        self.store = self.opened(*names)

    def record(self, seconds: int = 4) -> None:
        record(self.store, self.clock, SECOND * seconds)

    def states(self) -> dict[str, str]:
        return {one.name: one.state for one in self.store.volumes()}

    def lies_on(self) -> list[str]:
        return [one.volume for one in segments(self.store, self.clock)]

    def begun(self) -> Recording:
        """A session in the middle of its second segment, of which one fragment is written."""
        self.coming = packets(SECOND * 9, self.clock)
        recording = Recording(self.store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
        recording.begin(Track(CodecName.H264))
        for packet in itertools.islice(self.coming, 35):
            recording.feed(packet)
        return recording

    def fails(self, recording: Recording, kind: type[StorageError]) -> None:
        """The next pictures are more than the disk takes."""
        with pytest.raises(kind):
            self._feed(recording)

    def _feed(self, recording: Recording) -> None:
        for packet in self.coming:
            recording.feed(packet)

    def leaves(self, kind: str) -> list[dict[str, object]]:
        return [dict(leaf.fields) for _, leaf in self.store.leaves(0, self.store.log_size) if leaf.type == kind]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_a_volume_is_made_once_and_the_log_says_so(box: Box) -> None:
    """Each has an id of its own; the next start finds them, and makes nothing."""
    ids = {name: identity_of(box.folder / name)["id"] for name in "ab"}
    box.again()

    told = [one for one in box.leaves("audit") if one["what"] == "volume_made"]
    assert {one["volume"]: one["id"] for one in told} == ids
    assert ids["a"] != ids["b"]
    assert box.states() == {"a": "ok", "b": "ok"}


def test_a_data_directory_from_before_volumes_opens_unchanged(tmp_path: Path) -> None:
    """Its volume has no id, and needs none: it is known by its box."""
    clock = FakeClock()
    Store.create(tmp_path / "data", "test", clock, "0.0.0")
    identity = tmp_path / "data/media/main/volume.json"
    old = json.loads(identity.read_bytes())
    del old["id"]
    identity.write_text(json.dumps(old))
    store = Store.open(tmp_path / "data", clock)
    store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main")
    store.recover()
    store.tend()
    record(store, clock, SECOND * 4)
    store.checkpoint()

    assert json.loads(identity.read_bytes()) == old
    assert {one.volume for one in segments(store, clock)} == {"main"}
    assert [(one.name, one.state, one.is_written) for one in store.volumes()] == [("main", "ok", True)]
    assert verify(store) == []


def test_footage_goes_where_most_is_free(box: Box) -> None:
    """Until the other has more."""
    box.record()
    box.a.ballast_bytes = 150_000_000
    box.record()
    box.store.checkpoint()

    assert box.lies_on() == ["a", "a", "b", "b"]
    assert all(box.store.media_path(one).is_file() for one in segments(box.store, box.clock))
    assert verify(box.store) == []


def test_a_pinned_camera_goes_to_its_volume_while_that_takes_it(box: Box) -> None:
    """Footage on another disk than was meant is better than none."""
    box.store.cameras.change("gate", by=box.store.cameras.get("gate").managed_by, changes={"volume": "b"})
    box.record()
    box.b.ballast_bytes = 99_000_000
    box.record()

    assert box.lies_on() == ["b", "b", "a", "a"]
    assert box.store.cameras.pins() == {"gate": "b"}
    with pytest.raises(VolumeUnknown, match="there is a, b"):
        box.store.disks.refuse_unknown("c")


def test_a_disk_that_fills_up_costs_nothing_where_there_is_another(box: Box) -> None:
    """What was written of the segment is recovered where it lies; the next one goes to the other disk."""
    recording = box.begun()
    box.a.ballast_bytes = 200_000_000
    box.fails(recording, StorageFull)
    box.record()
    box.store.checkpoint()

    assert box.lies_on() == ["a", "a", "b", "b"]
    assert [one.recovered for one in segments(box.store, box.clock)] == [False, True, False, False]
    assert verify(box.store) == []


def test_where_all_disks_are_full_the_gap_says_so(box: Box) -> None:
    """And recording goes on by itself when one has room again."""
    box.record()
    box.a.ballast_bytes = box.b.ballast_bytes = 200_000_000
    with pytest.raises(StorageFull) as told:
        box.record()
    assert told.value.cause is Cause.STORAGE_FULL
    box.b.ballast_bytes = 0
    box.record()

    assert box.lies_on() == ["a", "a", "b", "b"]


def test_a_read_only_remount_costs_a_fragment(box: Box) -> None:
    """What was durable of the open segment is carried to the other disk, and is evidence as it would have been (Frigate
    7252)."""
    recording = box.begun()
    box.a.is_read_only = True
    box.fails(recording, StorageReadOnly)
    assert box.states()["a"] == "read_only"
    box.record()
    box.store.checkpoint()

    found = segments(box.store, box.clock)
    assert [one.volume for one in found[:2]] == ["a", "b"]
    assert (found[1].recovered, found[1].frames) == (True, 10)
    assert set(box.lies_on()[2:]) == {"b"}
    assert verify(box.store)[0].invariant == 2  # what it was carried from cannot be put away yet
    box.a.is_read_only = False
    box.store.tend()
    assert verify(box.store) == []
    assert len([*(box.folder / "a/spool/damaged").iterdir()]) == 1
    assert [one["what"] for one in box.leaves("finding")] == ["left_behind"]


def test_a_read_only_disk_is_named_though_the_other_one_is_away(box: Box) -> None:
    """Where nothing else takes what was open, the operator is told of the disk it lies on, not of the others."""
    recording = box.begun()
    box.a.is_read_only = True
    box.fails(recording, StorageReadOnly)
    box.b.unplug()
    box.store.tend()
    with pytest.raises(StorageReadOnly):
        box.store.resume("gate.main")


def test_a_leftover_that_nothing_has_room_for_waits_for_room(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that it lies on cannot seal it, the other one is full: it stays, and is evidence once there is room."""
    box.begun().abandon()
    box.b.ballast_bytes = box.b.size_bytes
    box.store.tend()
    really_seal = files.seal

    def cannot(part: Path, name: Path) -> None:
        if box.a.root in part.parents:
            raise StorageFailed
        really_seal(part, name)

    monkeypatch.setattr(files, "seal", cannot)
    for _ in range(2):
        with pytest.raises(StorageFull):
            box.store.resume("gate.main")
    box.b.ballast_bytes = 0
    box.store.tend()
    box.store.resume("gate.main")

    last = segments(box.store, box.clock)[-1]
    assert (last.volume, last.recovered, last.frames) == ("b", True, 10)


def test_a_file_that_cannot_be_read_or_written_costs_itself(box: Box) -> None:
    """Its segment is lost, with a gap that says so; the disk is failing for a minute, and well when no more comes."""
    recording = box.begun()
    (part,) = (box.folder / "a").rglob("*.part")
    box.disks.broken.add(part)
    box.fails(recording, StorageFailed)
    box.record()
    box.store.checkpoint()

    assert box.states()["a"] == "io_error"
    assert box.lies_on() == ["a", "b", "b"]
    box.clock.advance(FAILED_HELD_US / 1e6)
    assert box.states()["a"] == "ok"
    box.disks.broken.clear()
    box.store.tend()
    box.record()
    assert box.lies_on()[-1] == "a"
    box.store.checkpoint()
    assert verify(box.store) == []


def test_an_unplugged_disk_is_missing_and_nothing_is_written_in_its_place(box: Box) -> None:
    """The other disk goes on; the open segment is lost; what lies on the one that is away stays in the record."""
    box.record()
    box.begun().abandon()
    box.a.unplug()
    box.record()
    assert box.a.is_empty_mount_point
    assert box.states() == {"a": "missing", "b": "ok"}
    assert box.store.left_behind() == {"a": 1}
    assert box.lies_on() == ["a", "a", "a", "b", "b"]
    box.store.checkpoint()
    assert [(one.invariant, one.where) for one in check(box.store)] == [(1, "volume a")]

    box.again()  # nor does a start write anything there, or forget what lies on it
    assert box.a.is_empty_mount_point
    assert box.lies_on() == ["a", "a", "a", "b", "b"]

    box.a.plug_in()
    box.store.tend()
    assert (box.states()["a"], box.store.left_behind()) == ("ok", {})
    box.record()
    box.store.checkpoint()
    assert box.lies_on()[-1] == "a"
    assert verify(box.store) == []
    assert [one["what"] for one in box.leaves("finding")] == ["left_behind"]


@pytest.mark.parametrize("is_started", [True, False])
def test_a_note_of_what_was_left_behind_that_nothing_came_after(box: Box, is_started: bool) -> None:
    """The disk was back before an item took its place: what lies open on it is recovered, and not put away. When the
    disk goes again, what lies open then is noted, though there was a note of the same disk and stream."""
    box.begun().abandon()
    box.a.unplug()
    box.store.resume("gate.main")
    assert left_behind(box) == [2]
    box.a.plug_in()
    if is_started:
        box.again()
    box.store.tend()
    assert left_behind(box) == []
    box.begun().abandon()
    assert [one.recovered for one in segments(box.store, box.clock)] == [False, True, False]

    box.a.unplug()
    box.record()
    (noted,) = left_behind(box)
    box.a.plug_in()
    box.store.tend()
    box.store.checkpoint()
    assert noted > 2
    assert left_behind(box) == []
    assert len([*(box.folder / "a/spool/damaged").iterdir()]) == 1
    assert verify(box.store) == []


def left_behind(box: Box) -> list[int]:
    """Numbers of the items that may lie on a disk that is away."""
    with box.store.database.read() as connection:
        return [*connection.execute(select(tables.left_behind.c.n)).scalars()]


def test_footage_on_a_disk_that_is_away_is_no_less_kept(box: Box) -> None:
    """No sweep takes its file for gone because it is not to be seen, not even one that was going already (Shinobi
    71)."""
    box.record()
    first = segments(box.store, box.clock)[0]
    box.clock.advance(40 * 86400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.store.segments.Segments._finish", lambda *_: Finished())
        box.store.discard([first.id], "target")
    box.a.unplug()

    report = sweep(box.store, box.clock)

    assert (report.should, report.did) == (2, 0)
    assert {one.code: (one.count, one.failed) for one in report.because} == {
        VolumeAway.code: (1, False),
        VolumeMissing.code: (1, True),
    }
    assert box.store.segment(first.id).state is MediaState.GOING
    box.a.plug_in()
    assert sweep(box.store, box.clock).did == 2
    assert {one.state for one in segments(box.store, box.clock)} == {MediaState.GONE}
    box.store.checkpoint()
    assert verify(box.store) == []


def test_disks_are_added_to_a_box_that_has_recorded_already(box: Box) -> None:
    """What lies inside the data directory stays there, is read and discarded there, and nothing new goes there."""
    box.store.close()
    box.store = Store.open(box.folder / "data", box.clock)
    box.store.recover()
    box.record()
    box.again()
    box.record()
    box.store.checkpoint()

    assert box.lies_on() == ["main", "main", "a", "a"]
    assert [(one.name, one.is_written) for one in box.store.volumes()] == [("a", True), ("b", True), ("main", False)]
    assert verify(box.store) == []
    box.clock.advance(40 * 86400)
    assert sweep(box.store, box.clock).did == 4


def test_what_lies_on_a_disk_that_is_away_has_an_error_of_its_own(box: Box) -> None:
    """It is not lost, nor gone."""
    box.record()
    found = segments(box.store, box.clock)
    box.a.unplug()
    with pytest.raises(VolumeMissing):
        box.store.refuse_away(found)
    write_identity(box.a.root, "a", box.store.box_id, "another")
    with pytest.raises(VolumeForeign):
        box.store.refuse_away(found)


@pytest.mark.parametrize("told", [{"id": "another"}, {"box": "another"}, {"volume": "b"}])
def test_another_disk_at_that_place_is_foreign(box: Box, told: dict[str, str]) -> None:
    """Whether it is of another box, another volume of this one, or an empty one that was made like it."""
    box.record()
    box.a.unplug()
    is_like_it = {"volume": "a", "box": box.store.box_id, "id": identity_of(box.a.elsewhere)["id"], **told}
    write_identity(box.a.root, *(is_like_it[key] for key in ("volume", "box", "id")))
    box.record()
    box.store.tend()

    assert box.states()["a"] == "foreign"
    assert [path.name for path in box.a.root.iterdir()] == ["volume.json"]
    assert box.lies_on() == ["a", "a", "b", "b"]


@pytest.mark.parametrize("text", ["", "[]", "no json", "{}"])
def test_what_is_no_identity_is_foreign(tmp_path: Path, text: str) -> None:
    """A file of that name that says nothing."""
    (tmp_path / "volume.json").write_text(text)

    assert look_at(Place("a", tmp_path, "box", "id"))[0].trouble is Condition.FOREIGN


def test_a_folder_with_something_in_it_is_never_made_a_volume(box: Box) -> None:
    """It may be another disk's, mounted by mistake; an empty one is, when it comes."""
    other = box.disks.add(box.folder / "c")
    (other.root / "holiday.mp4").touch()
    box.again("a", "c")
    assert not (other.root / "volume.json").exists()
    assert box.states()["c"] == "missing"
    assert [one.why_code for one in box.store.volumes()] == [None, VolumeNotEmpty.code, None]
    (other.root / "holiday.mp4").unlink()
    (other.root / "lost+found").mkdir()
    assert is_unused(other.root)
    box.store.tend()

    assert box.states()["c"] == "ok"
    assert {one.why_code for one in box.store.volumes()} == {None}


def test_a_disk_that_this_user_may_not_write_to(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over and says why, as one that fails does; the other is written to."""
    begin = files.begin

    def denied(path: Path, device: int | None = None) -> int:
        with files.translated(path):
            if box.a.root in path.parents:
                raise PermissionError(errno.EACCES, "Permission denied")
        return begin(path, device)

    monkeypatch.setattr(files, "begin", denied)
    box.record()
    found = {one.name: (one.state, one.why_code) for one in box.store.volumes()}

    assert box.lies_on() == ["b", "b"]
    assert found == {"a": ("io_error", StorageDenied.code), "b": ("ok", None)}


def test_a_disk_that_fails_behind_having_made_the_file(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment goes to the other disk, and no file without a byte stays where nobody would look for it."""
    really_open = os.open

    def made_and_failed(path: Path, flags: int, mode: int = 0o777, **more: int) -> int:
        handle = really_open(path, flags, mode, **more)
        if flags & os.O_EXCL and box.a.root in Path(path).parents:
            os.close(handle)
            raise OSError(errno.EIO, "Input/output error")
        return handle

    monkeypatch.setattr(os, "open", made_and_failed)
    box.record()
    box.store.checkpoint()

    assert set(box.lies_on()) == {"b"}
    assert verify(box.store) == []


def test_a_volume_that_the_settings_no_longer_name_is_only_read(box: Box) -> None:
    """Its footage stays where it is, and goes when it is due."""
    box.record()
    box.again("b")
    box.record()
    assert box.lies_on() == ["a", "a", "b", "b"]
    assert {one.name: one.is_written for one in box.store.volumes()} == {"b": True, "a": False}
    box.store.checkpoint()
    assert verify(box.store) == []
    box.clock.advance(40 * 86400)

    assert sweep(box.store, box.clock).did == 4
    assert not [*box.a.root.rglob("*.mp4")]


def test_a_disk_may_be_mounted_elsewhere(box: Box) -> None:
    """The settings name its new place, and its footage is found there."""
    box.record()
    box.store.close()
    box.a.root.rename(box.folder / "moved")
    wishes = [VolumeWish("a", box.folder / "moved"), VolumeWish("b", box.folder / "b")]
    store = Store.open(box.folder / "data", box.clock, volumes=wishes)
    store.recover()
    store.close()
    box.store = store = Store.open(
        box.folder / "data", box.clock, volumes=[VolumeWish("b", box.folder / "b")], exclusive=False
    )

    assert {store.media_path(one).parents[5].name for one in segments(store, box.clock)} == {"moved"}


@pytest.mark.parametrize(("inodes", "left", "free"), [(0, 0, 600), (1000, 900, 600), (1000, 30, 30), (1000, 0, 0)])
def test_a_disk_runs_out_of_inodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inodes: int, left: int, free: int
) -> None:
    """It takes no file any more though bytes are free, and is as full as one without them; some have no such limit."""
    write_identity(tmp_path, "a", "box", "id")
    usage = os.statvfs_result((1, 1, 1000, 600, 600, inodes, left, left, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: usage)

    assert look_at(Place("a", tmp_path))[0].free_bytes == space_of(tmp_path).free_bytes == free


def test_a_disk_that_hangs_keeps_one_thread_and_nobody_else(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks after that is told that it is missing, and why; the other is recorded to. When it answers it is used."""
    answers, asked = threading.Event(), threading.Event()

    def look(place: Place) -> tuple[Look, int | None]:
        if place.name == "a" and not answers.is_set():
            asked.set()
            assert answers.wait(30)
        return look_at(place)

    box.record()
    monkeypatch.setattr("recorder.store.volumes.look_at", look)
    monkeypatch.setattr("recorder.store.volumes.SILENT_S", 1.0)
    first = threading.Thread(target=box.store.volumes)
    first.start()
    assert asked.wait(30)
    box.clock.advance(1)
    box.store.disks.look_around()

    assert {one.name: (one.state, one.why_code) for one in box.store.volumes()} == {
        "a": ("missing", VolumeSilent.code),
        "b": ("ok", None),
    }
    with pytest.raises(VolumeSilent):
        box.store.refuse_away(segments(box.store, box.clock))
    box.store.sync()
    box.record()
    answers.set()
    first.join()
    assert box.states() == {"a": "ok", "b": "ok"}
    assert box.lies_on() == ["a", "a", "b", "b"]


def test_a_disk_that_hangs_at_the_start(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The box begins without it, and records to the other."""
    answers = threading.Event()

    def look(place: Place) -> tuple[Look, int | None]:
        assert place.name == "b" or answers.wait(30)
        return look_at(place)

    box.record()
    monkeypatch.setattr("recorder.store.volumes.look_at", look)
    monkeypatch.setattr("recorder.store.volumes.SILENT_S", 1.0)
    box.again()
    assert box.states() == {"a": "missing", "b": "ok"}
    answers.set()
    for one in threading.enumerate():
        if one.name == "look at a":
            one.join()
    box.record()

    assert box.states() == {"a": "ok", "b": "ok"}
    assert box.lies_on()[:2] == ["a", "a"]


def test_a_failing_disk_is_asked_once_in_ten_seconds(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred cameras that want to write to a disk with errors touch it once, and are told why each time (Frigate
    7252)."""
    told: list[str] = []
    place = Place("a", box.a.root, box.store.box_id)
    parts = Parts(
        Layout(box.folder / "data"),
        lambda camera: [place],
        mono_us=lambda: box.clock.mono_us,
        failed=lambda name, error: told.append(f"{name} {error.code}"),
    )
    header = SegmentHeader(box.store.box_id, "gate", "gate.main", 0, 0, 1_772_323_200_000_000, "ab" * 32)
    box.disks.broken.add(box.a.root / "volume.json")
    box.disks.touched.clear()
    for _ in range(100):
        with pytest.raises(StorageFailed):
            parts.begin(header)
    assert len(box.disks.touched) == 1
    assert told == ["a storage_failed"]
    box.disks.broken.clear()
    box.clock.advance(REST_US / 1e6)

    assert parts.begin(header).volume == "a"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (Condition.FULL, StorageFull),
        (Condition.READ_ONLY, StorageReadOnly),
        (Condition.MISSING, VolumeMissing),
        (Condition.FOREIGN, VolumeForeign),
    ],
)
def test_a_disk_that_is_known_to_take_nothing_is_not_asked(box: Box, state: Condition, kind: type) -> None:
    """Its state says why."""
    parts = Parts(Layout(box.folder / "data"), lambda camera: [Place("a", box.a.root, state=state)])
    box.disks.touched.clear()
    with pytest.raises(kind):
        parts.begin(SegmentHeader("", "gate", "gate.main", 0, 0, 0, "ab" * 32))

    assert box.disks.touched == []


def test_a_file_that_came_to_lie_on_the_wrong_disk_is_taken_away(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was unmounted between the look at its name and the making of the file."""
    monkeypatch.setattr("recorder.store.parts.identify", lambda place: -1)
    with pytest.raises(VolumeMissing):
        box.record()

    assert not [*box.a.root.rglob("*.part"), *box.b.root.rglob("*.part")]


def test_one_disk_that_cannot_be_synced_keeps_no_other_from_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is told behind that."""
    synced: list[Path] = []

    def sync(root: Path) -> None:
        if root == box.a.root:
            raise StorageFailed
        synced.append(root)

    monkeypatch.setattr("recorder.store.files.sync_volume", sync)
    with pytest.raises(StorageFailed):
        box.store.sync()

    assert synced == [box.b.root]
    assert box.states()["a"] == "io_error"


def test_a_disk_that_hangs_keeps_no_other_from_being_made_durable(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told each time, and has one thread that waits, not one for each second."""
    answers, synced = threading.Event(), list[Path]()

    def sync(root: Path) -> None:
        synced.append(root)
        assert root == box.b.root or answers.wait(30)

    monkeypatch.setattr("recorder.store.files.sync_volume", sync)
    monkeypatch.setattr("recorder.store.volumes.SYNC_S", 1.0)
    for _ in range(3):
        with pytest.raises(VolumeSilent):
            box.store.sync()
    assert sorted(synced) == [box.a.root, *[box.b.root] * 3]
    answers.set()
    for one in threading.enumerate():
        if one.name == "sync a":
            one.join()
    monkeypatch.setattr("recorder.store.volumes.SYNC_S", 30.0)
    box.store.sync()


def test_one_disk_that_unlinks_nothing_keeps_no_other_from_it(box: Box) -> None:
    """What could be discarded was, and is told; the rest is tried again."""
    box.record()
    box.a.ballast_bytes = 150_000_000
    box.record()
    first, *_ = found = segments(box.store, box.clock)
    box.clock.advance(40 * 86400)
    box.disks.broken.add(box.store.media_path(first))
    (stuck,) = box.store.discard([one.id for one in found], "target").stuck
    assert (stuck.segment_id, stuck.volume, type(stuck.error)) == (first.id, "a", StorageFailed)
    states = {one.id: one.state for one in segments(box.store, box.clock)}
    assert states[first.id] is MediaState.GOING
    assert [states[one.id] for one in found if one.volume == "b"] == [MediaState.GONE] * 2
    assert sweep(box.store, box.clock).failed == 1
    box.disks.broken.clear()
    assert sweep(box.store, box.clock).did == 1
    box.store.checkpoint()

    assert {one.state for one in segments(box.store, box.clock)} == {MediaState.GONE}
    assert verify(box.store) == []


def test_a_sweep_goes_on_behind_a_disk_that_unlinks_nothing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a few failures nothing more is asked of that one in the pass; what lies on the other goes; it is told."""
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 1)
    monkeypatch.setattr("retention.sweep.UNLINK_FAILURES_LIMIT", 1)
    box.record()
    box.a.ballast_bytes = 150_000_000
    box.record()
    first, second, *_ = found = segments(box.store, box.clock)
    box.clock.advance(40 * 86400)
    box.disks.broken.add(box.store.media_path(first))
    report = sweep(box.store, box.clock)
    states = {one.id: one.state for one in segments(box.store, box.clock)}

    assert (report.did, report.failed, report.is_complete) == (2, 1, False)
    assert (states[first.id], states[second.id]) == (MediaState.GOING, MediaState.PRESENT)
    assert [states[one.id] for one in found if one.volume == "b"] == [MediaState.GONE] * 2


def test_a_copy_that_was_carried_and_not_written_down_is_found(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the power goes in between, the next start has the segment once."""
    recording = box.begun()
    box.a.is_read_only = True
    box.fails(recording, StorageReadOnly)
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.segments.Segments._write_down", _cut)
        with pytest.raises(KeyboardInterrupt):
            box.store.resume("gate.main")
    box.again()
    box.record()
    box.a.is_read_only = False
    box.store.tend()
    box.store.checkpoint()

    assert box.lies_on()[:2] == ["a", "b"]
    assert verify(box.store) == []


def _cut(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_the_disks_are_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake itself: room, ballast, and a mount point that is empty while nothing is plugged in."""
    disk = Disks(monkeypatch).add(tmp_path / "x", 1000)
    (disk.root / "file").write_bytes(b"\0" * 100)
    disk.ballast_bytes = 400
    assert isinstance(disk, Disk)
    assert look_at(Place("x", disk.root))[0].trouble is Condition.MISSING
    assert disk.free_bytes == 500
    disk.unplug()
    assert disk.is_empty_mount_point
    disk.plug_in()
    assert (disk.root / "file").exists()


def both(box: Box) -> list[Segment]:
    """Two segments on each disk."""
    box.record()
    box.a.ballast_bytes = 150_000_000
    box.record()
    found = segments(box.store, box.clock)
    assert [one.volume for one in found] == ["a", "a", "b", "b"]
    return found


def second_names(box: Box) -> dict[str, int]:
    """How many there are on each disk."""
    trees = {name: box.store.layout.hold_tree(name) for name in "ab"}
    return {name: sum(1 for one in tree.rglob("*") if one.is_file()) for name, tree in trees.items()}


def test_held_media_has_its_second_name_on_its_own_disk(box: Box) -> None:
    """What was there when the hold was placed, and what is recorded later; they go when it is released."""
    both(box)
    placed = hold(box.store, ["gate"], 0, 2**52)
    Custody(box.store, box.clock).run()
    assert second_names(box) == {"a": 2, "b": 2}
    box.record(2)
    assert second_names(box) == {"a": 2, "b": 3}
    box.store.checkpoint()
    assert verify(box.store) == []

    release(box.store, placed.id)
    box.clock.advance(40 * 86400)
    assert sweep(box.store, box.clock).did == 5
    assert second_names(box) == {"a": 0, "b": 0}
    Custody(box.store, box.clock).run()
    box.store.checkpoint()
    assert verify(box.store) == []


def test_held_media_on_a_disk_that_is_away_is_not_judged(box: Box) -> None:
    """It is not damaged, nor counted; it gets its second name when the disk is back, and not in its place."""
    found = both(box)
    box.a.unplug()
    placed = hold(box.store, ["gate"], 0, 2**52)
    custody = Custody(box.store, box.clock)
    custody.run()

    checked = box.store.held.state(placed.id).checked
    assert checked is not None
    assert (checked.segments, checked.damaged) == (2, 0)
    assert box.a.is_empty_mount_point
    assert second_names(box) == {"a": 0, "b": 2}
    box.a.plug_in()
    custody.run()
    assert second_names(box) == {"a": 2, "b": 2}
    assert check(box.store) == []
    assert [one.state for one in segments(box.store, box.clock)] == [MediaState.PRESENT] * len(found)


@pytest.mark.parametrize("is_swapped", [False, True])
def test_the_scrub_says_nothing_of_a_disk_that_is_away(box: Box, is_swapped: bool) -> None:
    """Neither where nothing is mounted nor where another disk is; the others are read."""
    both(box)
    box.a.unplug()
    if is_swapped:
        write_identity(box.a.root, "a", box.store.box_id, "another")
    box.clock.advance(8 * 86400)
    scrubber = Scrubber(box.store, box.clock, Pace(10**9, 7), lambda: Load(0.0, is_failing=False))
    scrubber.run()

    assert box.store.scrubs.damaged(10) == []
    assert {one.volume for one in box.store.scrubs.progress()} == {"b"}
    (one,) = box.store.scrubs.next("a", 2**62, 1)
    with pytest.raises(VolumeForeign if is_swapped else VolumeMissing):
        box.store.scrubs.look(one)


def test_what_is_stuck_on_one_disk_keeps_nothing_from_going_on_another(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much that is: the limit is each disk's own."""
    monkeypatch.setattr("retention.sweep.STUCK_LIMIT", 1)
    first, *_ = both(box)
    box.clock.advance(40 * 86400)
    box.disks.broken.add(box.store.media_path(first))
    retries = Retries()
    box.store.discard([first.id], "target")
    report = sweep(box.store, box.clock, retries)

    assert retries.count_on("a") == retries.count == 1
    assert (report.did, report.failed, report.is_complete) == (2, 1, False)
    assert {one.volume for one in segments(box.store, box.clock) if one.state is MediaState.GONE} == {"b"}


def test_a_backup_is_tried_beside_the_box_that_it_is_of(box: Box) -> None:
    """Both know the same disks: nothing is moved under the one that records, whatever is accepted."""
    box.record()
    box.store.checkpoint()
    make_backup(box.store, box.folder / "backup", box.clock.read().utc_us, "0.0.0")
    recording = box.begun()
    before = sorted(box.a.root.rglob("*"))
    with pytest.raises(DataDirInUse, match=r"is recording to .*/a from another data directory"):
        restore(box.folder / "backup", box.folder / "trial", box.clock, accepted=Accepted("boss", "a trial"))
    assert sorted(box.a.root.rglob("*")) == before
    recording.abandon()

    report = restore(box.folder / "backup", box.folder / "trial", box.clock, accepted=Accepted("boss", "a trial"))
    assert report.aside == 1


def test_a_restore_sees_what_lies_on_other_disks(box: Box) -> None:
    """Newer media there means a log that knew it; what cannot go on from the backup is set aside on its own disk."""
    box.record()
    box.store.checkpoint()
    make_backup(box.store, box.folder / "backup", box.clock.read().utc_us, "0.0.0")
    box.record(8)
    box.store.close()
    with pytest.raises(WouldRollBack, match="4 segments on the disk"):
        restore(box.folder / "backup", box.folder / "data", box.clock)
    report = restore(box.folder / "backup", box.folder / "data", box.clock, accepted=Accepted("boss", "fire"))
    box.store = box.opened()

    assert (report.missing, report.aside) == (0, 3)
    assert len([*(box.a.root / "replaced").rglob("*.mp4")]) == 3
    box.store.checkpoint()
    assert verify(box.store) == []
