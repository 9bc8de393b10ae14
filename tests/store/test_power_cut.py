"""Power that goes while four cameras are recorded: what was not made durable is gone, in whole or in part.

The disk is a real folder beside which is kept what of it would survive: contents as they were when they were last
made durable, names as they were when their folder was. When the power goes, each file and each name is as it is or as
it was; what was appended since may be there up to any byte or page, or be as long as it was and hold nothing but zeros.
SQLite writes for itself, and a commit makes its files durable (`synchronous=FULL`): between commits they are treated
as all others. `tests/whole/test_power_fuse.py` cuts under SQLite's own calls too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from config.times import SECOND_US
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.errors import StorageFailed, StorageFull
from recorder.store import files
from recorder.store.boxes import UNWRITTEN, outline
from recorder.store.database import Database
from recorder.store.fsck import check
from recorder.store.records import CodecName, Segment
from recorder.store.store import Store
from recorder.store.tiling import Kind
from recorder.store.verify import verify
from tests.fakes.box import new_store, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.disk import Disk
from tests.fakes.four_cameras import CAMERAS, FourCameras
from tests.fakes.lottery import Lottery
from tests.fakes.power import PowerCut
from tests.fakes.unsynced import Unsynced

LONG = bool(os.environ.get("CUSTOS_LONG"))
CUTS = 50 if LONG else 12
LOSS_BOUND_S, FRAGMENT_S = 2.0, 1.0


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """For one cut: behind it the disk is as it is."""
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.mark.parametrize("cut", range(CUTS))
def test_the_power_goes_anywhere(tmp_path: Path, patch: pytest.MonkeyPatch, cut: int) -> None:
    """Of each camera two seconds and a fragment at most are lost, nothing is unexplained, and all of it verifies
    (ZoneMinder 2567, 2028, 2684)."""
    chance = random.Random(cut)
    clock, after = FakeClock(), tmp_path / "after"
    data = tmp_path / "data"
    new_store(tmp_path, clock, *CAMERAS).close()
    patch.setattr(Database, "prepare", lambda itself: None)  # it was just made
    disk = Disk(patch, data)
    survives = Unsynced(data, disk, Lottery(chance))
    store = Store.open(data, clock)
    store.cameras.bring_rules_in_force()
    four = FourCameras(store, clock)
    four.go_on(chance.randrange(3, 9))
    # From the next step on, or from one of the next few hundred: about as many as ten seconds have.
    disk.cut_before(chance.randrange(300), lambda: survives.cut(after))
    with pytest.raises(PowerCut):
        four.go_on(60)
    store.close()
    patch.undo()

    print(f"cut {cut}: {stands_as_promised(after, clock, four.told_us):.1f} s lost at most")


def stands_as_promised(data: Path, clock: FakeClock, told_us: dict[str, int]) -> float:
    """Open what survived, and look at all of it; the most that any camera lost, in seconds."""
    clock.advance(20)
    clock.reboot("boot-2")
    store = Store.open(data, clock)
    try:
        signed = store.keys.opened(store.checkpoint_text()).size
        assert signed <= store.log_size, "the checkpoint signs what is not there"
        assert check(store) == []
        store.recover()
        store.checkpoint()
        assert verify(store) == []
        lost_s = [_lost_s(store, camera, told_us[camera], clock.read().utc_us) for camera in told_us]
        FourCameras(store, clock).go_on(4)
        store.checkpoint()
        assert verify(store) == []
    finally:
        store.close()
    most_s = max(lost_s, default=0.0)
    assert most_s <= LOSS_BOUND_S + FRAGMENT_S
    return most_s


def _lost_s(store: Store, camera: str, told_us: int, now_us: int) -> float:
    items = [one for one in store.items(f"{camera}.main", 0, now_us + 1) if isinstance(one, Segment)]
    begun_us = store.cameras.get(camera).registered_us
    stretches = store.coverage(f"{camera}.main", begun_us, now_us)
    assert Kind.UNKNOWN not in {one.kind for one in stretches}
    end_us = max((one.t1_us for one in items), default=told_us)
    return max(0, told_us - end_us) / SECOND_US


TAILS = {"zeros": bytes(9000), "half a moof": b"\0\0\0\x20moof" + bytes(24), "garbage": b"garbage!" * 200}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_what_was_never_written_takes_nothing_with_it(tmp_path: Path, clock: FakeClock, tail: bytes) -> None:
    """A file that is longer than what reached the disk is cut there: all fragments before it are recovered."""
    store, part = _begun(tmp_path, clock)
    whole = part.read_bytes()
    with part.open("ab") as stream:
        stream.write(tail)

    _is_recovered(store, clock, tmp_path, outline(whole).frames, part)


def test_pictures_of_which_the_disk_has_only_the_length_are_no_footage(tmp_path: Path, clock: FakeClock) -> None:
    """The boxes of a fragment lie in a page that was written, its pictures in one that was not."""
    store, part = _begun(tmp_path, clock)
    whole = bytearray(part.read_bytes())
    last = outline(bytes(whole)).fragments[-1]
    at = bytes(whole).index(b"mdat", last.offset) + 4
    whole[at:] = bytes(len(whole) - at)
    assert len(whole) - at > len(UNWRITTEN)
    part.write_bytes(whole)

    _is_recovered(store, clock, tmp_path, outline(bytes(whole)).frames - last.frames, part)


def _pierced(part: Path, number: int) -> bytes:
    """A page in the middle of a growing file never reached the disk, and those behind it did; the file as it is now."""
    whole = bytearray(part.read_bytes())
    fragment = outline(bytes(whole)).fragments[number]
    begin = bytes(whole).index(b"mdat", fragment.offset) + 4
    whole[begin : fragment.offset + fragment.size] = bytes(fragment.offset + fragment.size - begin)
    part.write_bytes(whole)
    return bytes(whole)


def test_what_lies_behind_a_damage_is_kept_as_it_was(tmp_path: Path, clock: FakeClock) -> None:
    """It is no item of the record, for a file made out of pieces is not what was recorded; nor is it thrown away. The
    gap says why it is one, and where the bytes are."""
    store, part = _begun(tmp_path, clock)
    pierced = _pierced(part, 1)
    good = outline(pierced).fragments[0]
    store.close()
    again = Store.open(tmp_path / "data", clock)
    report = again.recover()
    again.checkpoint()

    (kept,) = (tmp_path / "data" / "spool" / "damaged").iterdir()
    assert report.recovered == ("gate.main.0",)
    assert report.damaged == (str(kept),)
    assert kept.read_bytes() == pierced
    assert [one.frames for one in segments(again, clock)] == [good.frames]
    told = [leaf.fields for _, leaf in again.leaves(0, again.log_size) if leaf.type in ("gap", "finding")]
    assert [one["detail"] for one in told if one.get("cause") == "box_down"] == [
        f"damaged; the whole file is kept as {kept.name}"
    ]
    assert [one["file"] for one in told if one.get("what") == "damaged"] == [kept.name]
    assert verify(again) == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_file_is_put_away_where_it_cannot_be_cut(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Its first fragment is damaged, so that nothing comes before; or no byte is free for a copy of it. It was no
    file without a picture."""
    store, part = _begun(tmp_path, clock)
    pierced = _pierced(part, number)
    store.close()
    if number:
        monkeypatch.setattr(files, "copy", _no_room)
    again = Store.open(tmp_path / "data", clock)
    report = again.recover()
    again.checkpoint()

    (kept,) = (tmp_path / "data" / "spool" / "damaged").iterdir()
    assert (report.recovered, report.damaged, report.empty) == ((), (str(kept),), ())
    assert kept.read_bytes() == pierced
    assert verify(again) == []


def _no_room(source: Path, target: Path, *_: object) -> None:
    target.touch()
    raise StorageFull


def test_a_file_that_the_only_disk_does_not_give_keeps_nobody_from_recording(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad sector in what was growing when the power went: the file is put away, and the box begins."""
    store, part = _begun(tmp_path, clock)
    store.close()
    mapped = files.mapped

    def read(path: Path) -> AbstractContextManager[memoryview]:
        if path == part:
            raise StorageFailed
        return mapped(path)

    monkeypatch.setattr(files, "mapped", read)
    again = Store.open(tmp_path / "data", clock)
    report = again.recover()
    again.checkpoint()

    assert report.damaged == (str(tmp_path / "data" / "spool" / "damaged" / part.name),)
    assert verify(again) == []


def test_a_disk_that_does_not_even_move_a_file_costs_its_camera_alone(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others begin; that one is told, and tried again by each of its sessions until the disk gives it."""
    store, _ = _begun(tmp_path, clock)
    store.cameras.add("yard", "Yard", "rtsp://127.0.0.1:554/main")
    store.close()
    again = Store.open(tmp_path / "data", clock)
    with monkeypatch.context() as patch:
        patch.setattr(files, "mapped", _broken)
        patch.setattr(files, "put_away", _broken)
        again.recover()
        with pytest.raises(StorageFailed):
            again.resume("gate.main")

    assert again.catalogue.last_cause("yard.main") is Cause.BOX_DOWN
    assert segments(again, clock) == []
    again.resume("gate.main")
    again.checkpoint()
    assert [one.recovered for one in segments(again, clock)] == [True]
    assert verify(again) == []


def _broken(*_: object) -> None:
    raise StorageFailed


def _begun(tmp_path: Path, clock: FakeClock) -> tuple[Store, Path]:
    """A box whose power went, and the file that was growing."""
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", 60 * SECOND_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in packets(SECOND * 4, clock):
        recording.feed(packet)
    recording.abandon()
    (part,) = (tmp_path / "data" / "media").rglob("*.part")
    return store, part


def _is_recovered(store: Store, clock: FakeClock, tmp_path: Path, frames: int, part: Path) -> None:
    store.close()
    again = Store.open(tmp_path / "data", clock)
    report = again.recover()
    again.checkpoint()

    assert report.damaged == ()
    assert [one.frames for one in segments(again, clock)] == [frames]
    assert not part.exists()
    assert verify(again) == []
    again.close()
