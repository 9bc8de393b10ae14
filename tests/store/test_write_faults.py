"""Every write between a frame and its row, and around holds, exports and discards, fails in two ways.

"failed": nothing was done, or half of a write. "failed but was written": all was done, and the call says that it was
not. For each thing that the box writes down each of its steps is failed once (`tests.fakes.disk`), in both ways; then
the box goes on, or starts anew, by turns. What it says is the error of that name; what it records then is sound.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from recorder.causes import Cause
from recorder.errors import StorageError, StorageFailed, StorageFull, StorageReadOnly
from recorder.store.database import Database
from recorder.store.fsck import check
from recorder.store.log.errors import KeyUnavailable
from recorder.store.parts import REST_US
from recorder.store.records import ManagedBy, MediaState, Segment
from recorder.store.store import Store
from recorder.store.tiling import Kind
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes import tiny
from tests.fakes.box import hold, new_store, release
from tests.fakes.clock import FakeClock
from tests.fakes.disk import Disk, Mode

FAULTS_OF_A_BOX = 12
"""So many, one after the other: its log stays short, and looking at all of it cheap."""

ERRORS = {errno.ENOSPC: StorageFull, errno.EIO: StorageFailed, errno.EROFS: StorageReadOnly}
DAYS_40 = 40 * 86400


class Box:
    """One that is written to, again and again."""

    def __init__(self, folder: Path, like: Box | None = None) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.turn = 0 if like is None else like.turn
        if like is None:
            new_store(folder, self.clock, "gate", "yard").close()
        else:
            shutil.copytree(like.folder / "data", folder / "data")
        self.starts()

    def starts(self) -> None:
        self.store = Store.open(self.folder / "data", self.clock)
        self.store.recover()

    def records(self) -> None:
        self.store.resume("gate.main")
        self.store.commit_gap_until_now("gate.main", Cause.UNREACHABLE)
        tiny.record(self.store, self.clock, "gate.main")

    def newest(self) -> Segment:
        return [one for one in self.store.items("gate.main", 0, 2**62) if isinstance(one, Segment)][-1]


def _nothing(box: Box) -> None:
    box.clock.advance(1)


def _old_footage(box: Box) -> None:
    box.records()
    box.clock.advance(DAYS_40)


def _held(box: Box) -> None:
    hold(box.store, ["gate"], 0, 2)


def _camera(box: Box) -> None:
    box.turn += 1
    box.store.cameras.add(f"more{box.turn}", "More", "rtsp://127.0.0.1/", password=SecretStr("s"))


def _place(box: Box) -> None:
    hold(box.store, ["gate"], 0, 1)


def _release(box: Box) -> None:
    release(box.store, box.store.holds.active()[-1].id)


def _ask(box: Box) -> None:
    box.store.exports.ask("gate.main", 0, 1, "case", "reason")


def _add(box: Box) -> None:
    box.turn += 1
    box.store.cameras.add(f"new{box.turn}", "New", "rtsp://127.0.0.1/", password=SecretStr("s"))


def _change(box: Box) -> None:
    box.turn += 1
    box.store.cameras.change("yard", ManagedBy.API, {"name": f"Yard {box.turn}", "floor_days": 40 + box.turn})


def _retire(box: Box) -> None:
    box.store.cameras.retire(f"more{box.turn}", ManagedBy.API)
    box.store.tell_retired(f"more{box.turn}.main")


_STREAM, _ROW, _LEAF = "UPDATE streams", "INSERT items", ["INSERT leaves", "UPDATE log_state"]
_SIGNING = ["BEGIN", *_LEAF, "COMMIT", "create tile", "write tile", "fsync tile", "rename tile", "fsync folder"]
_SIGNED = [*_SIGNING, "write checkpoint", "fsync checkpoint", "rename checkpoint", "UPDATE log_state", "DELETE leaves"]

PROCEDURES: dict[str, tuple[Callable[[Box], object], Callable[[Box], object], list[str]]] = {
    "a segment": (
        _nothing,
        Box.records,
        ["create part", "write part", "fsync part", "rename part", "fsync folder", "BEGIN", *_LEAF, _ROW, _STREAM],
    ),
    "a gap": (_nothing, lambda box: box.store.commit_gap_until_now("gate.main", Cause.STALLED), [_ROW, _STREAM]),
    "a checkpoint": (Box.records, lambda box: box.store.checkpoint(), _SIGNED),
    "a sync": (Box.records, lambda box: box.store.sync(), ["syncfs folder"]),
    "a discard": (
        _old_footage,
        lambda box: sweep(box.store, box.clock),
        ["UPDATE items", *_SIGNED, "unlink media", "fsync folder"],
    ),
    "a hold": (_nothing, _place, ["INSERT records", "INSERT holds", "INSERT hold_cameras", *_SIGNED]),
    "a release": (_held, _release, ["UPDATE holds", *_SIGNED]),
    "an export": (_nothing, _ask, ["INSERT exports", *_SIGNED]),
    "a new camera": (_nothing, _add, ["INSERT cameras", "INSERT streams", "INSERT rules"]),
    "a changed camera": (_nothing, _change, ["UPDATE cameras", "INSERT rules"]),
    "a retired camera": (_camera, _retire, ["UPDATE cameras", "INSERT items"]),
}
"""What comes before, what is done, and which steps must be among those that fail."""


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """For one test, and nothing that runs behind it."""
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("name", list(PROCEDURES))
def test_each_step_fails_and_what_is_recorded_is_sound(
    tmp_path: Path, patch: pytest.MonkeyPatch, mode: Mode, name: str
) -> None:
    """The error has its name, nothing is found wrong, and every second is recorded or explained."""
    before, act, steps = PROCEDURES[name]
    box = like = Box(tmp_path / "like")
    patch.setattr(Database, "prepare", lambda itself: None)  # it has this program's schema
    disk = Disk(patch, tmp_path)
    seen = set[str]()
    for number, step in enumerate(_steps_of(disk, box, before, act)):
        if number % FAULTS_OF_A_BOX == 0:  # what is wrong does not go away by itself
            _all_is_sound(box)
            box = Box(tmp_path / str(number), like)
        before(box)
        code = sorted(ERRORS)[number % 3]
        with disk.at(step, mode, code):
            _is_named(act, box, ERRORS[code])
        if disk.has_failed:  # a tile more or less, and the last of a name does not come
            seen.add(step[0])
        if number % 2:
            box.store.close()
            box.starts()
        box.clock.advance(REST_US / 1e6)  # so long a disk that failed is left alone
        box.store.finish_discards()
        box.records()
    _all_is_sound(box)
    assert set(steps) <= seen


def _steps_of(
    disk: Disk, box: Box, before: Callable[[Box], object], act: Callable[[Box], object]
) -> list[tuple[str, int]]:
    """Each step where nothing fails: its name, and how many of that name come before."""
    before(box)
    with disk.at(None, "failed", 0):
        act(box)
        names = list(disk.steps)
    return [(name, names[:number].count(name)) for number, name in enumerate(names)]


def _is_named(act: Callable[[Box], object], box: Box, kind: type[StorageError]) -> None:
    told: StorageError | None = None
    try:
        act(box)
    except StorageError as err:
        told = err
    assert told is None or type(told) is kind


def _all_is_sound(box: Box) -> None:
    box.store.checkpoint()
    assert check(box.store) == []
    box.store.commit_gap_until_now("gate.main", Cause.UNREACHABLE)
    begun_us = box.store.cameras.get("gate").registered_us
    stretches = box.store.coverage("gate.main", begun_us, box.clock.utc_us)
    assert Kind.UNKNOWN not in {one.kind for one in stretches}
    for one in box.store.items("gate.main", 0, 2**62):
        if isinstance(one, Segment):
            assert box.store.media_path(one).exists() == (one.state is MediaState.PRESENT)
    assert verify(box.store) == []
    box.store.close()


def test_a_camera_that_could_not_be_retired_keeps_its_password(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """Its row stands as it did: without the password it would be dark. Once it is retired the password goes."""
    box = Box(tmp_path)
    for name in ("pool", "door"):
        box.store.cameras.add(name, name, "rtsp://127.0.0.1/", password=SecretStr("s"))
    disk = Disk(patch, tmp_path / "data")
    commit = _number_of(disk, lambda: box.store.cameras.retire("door", ManagedBy.API), "COMMIT")
    with disk.at(commit, "failed", errno.ENOSPC), pytest.raises(StorageFull):
        box.store.cameras.retire("pool", ManagedBy.API)
    assert box.store.cameras.password("pool") == SecretStr("s")

    with disk.at(commit, "failed but written", errno.EIO), pytest.raises(StorageFailed):
        box.store.cameras.retire("pool", ManagedBy.API)
    box.store.recover()
    assert box.store.cameras.password("pool") is None


def _number_of(disk: Disk, act: Callable[[], object], step: str) -> int:
    with disk.at(None, "failed", 0):
        act()
    return disk.steps.index(step)


def test_a_camera_is_not_told_the_password_of_one_that_was_never_added(
    tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    """The attempt before failed behind its password; the camera that has its id now is at another address."""
    box = Box(tmp_path)
    disk = Disk(patch, tmp_path / "data")
    add = box.store.cameras.add
    add("zero", "Zero", "rtsp://127.0.0.1/", password=SecretStr("s"))  # makes the folder of passwords
    commit = _number_of(disk, lambda: add("one", "One", "rtsp://127.0.0.1/", password=SecretStr("s")), "COMMIT")
    with disk.at(commit, "failed", errno.ENOSPC), pytest.raises(StorageFull):
        add("two", "Two", "rtsp://127.0.0.1/", password=SecretStr("s"))
    add("two", "Two", "rtsp://192.0.2.1/")

    assert box.store.cameras.password("two") is None


def test_a_hold_that_is_in_force_is_not_told_as_failed(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """There is no room to sign it: it stands, and is signed when there is. Likewise its release, and an export."""
    box = Box(tmp_path)
    disk = Disk(patch, tmp_path / "data")
    for act in (_place, _release, _ask):
        number, size = _tile_of(disk, box, act), box.store.log_size
        with disk.at(number, "failed", errno.ENOSPC):
            act(box)
        signed = box.store.latest_checkpoint()
        assert signed is not None
        assert signed.size == size < box.store.log_size
    assert len(box.store.holds.active()) == 1
    assert len(box.store.exports.all()) == 2
    box.store.checkpoint()
    assert verify(box.store) == []


def _tile_of(disk: Disk, box: Box, act: Callable[[Box], None]) -> int:
    """The number of the first step of signing; found out on the like of it."""
    if act is _release:
        _place(box)
    number = _number_of(disk, lambda: act(box), "create tile")
    if act is _place:
        _release(box)
    if act is _release:
        _place(box)
    return number


def test_nothing_is_unlinked_before_its_entry_is_signed(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """A discard that could not be signed is signed before it goes on; where that cannot be, the media stays."""
    box = Box(tmp_path)
    _old_footage(box)
    segment = box.newest()
    disk = Disk(patch, tmp_path / "data")
    with patch.context() as more:
        more.setattr("recorder.store.ledger.Ledger.sign", _full)
        with pytest.raises(StorageFull):
            box.store.discard([segment.id], "target")
        (full,) = box.store.finish_discards().stuck
        more.setattr("recorder.store.ledger.Ledger.sign", _away)
        (away,) = box.store.finish_discards().stuck  # a start goes on without it
    assert [(type(one.error), one.is_tried) for one in (full, away)] == [(StorageFull, False), (KeyUnavailable, False)]
    assert box.store.segment(segment.id).state is MediaState.GOING
    assert box.store.media_path(segment).exists()

    with disk.at(None, "failed", 0):
        assert box.store.finish_discards().discarded == (segment.id,)
    assert disk.steps.index("rename checkpoint") < disk.steps.index("unlink media")
    assert verify(box.store) == []


def _full(*_: object, **__: object) -> None:
    raise StorageFull


def _away(*_: object, **__: object) -> None:
    raise KeyUnavailable
