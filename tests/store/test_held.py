"""Held media on the disk: second names, what reads it again, and that no way of deleting reaches it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from config.times import DAY_US, SECOND_US, format_us
from recorder.errors import StorageError, UnderHold
from recorder.store.daycount import earliest_discard_us
from recorder.store.fsck import Finding, check
from recorder.store.held import Damage
from recorder.store.pressure import reserve_bytes
from recorder.store.records import HoldPlan, ManagedBy, MediaState
from recorder.store.store import Store
from recorder.store.verify import verify
from retention import custody
from retention.custody import RATE_BYTES_S, RECHECK_US, TURN_BYTES, Custody, verified
from retention.evidence import holds as desk
from retention.holding import Stock
from retention.sweep import sweep
from tests.fakes.box import hold, new_store, record, release, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.disks import Disks
from tests.fakes.power import PowerCut

AHEAD_US = 2**52
"""In 2112: a hold until then has all that these tests record."""


def leaves(store: Store, kind: str, what: str) -> list[dict[str, object]]:
    found = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == kind]
    return [dict(leaf.fields) for leaf in found if leaf.fields.get("what") == what]


def second_names(store: Store) -> set[str]:
    """Below `hold/`, without the folders that they lie in."""
    tree = store.layout.hold_tree()
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()} if tree.exists() else set()


def names_of(store: Store, clock: FakeClock, *hold_ids: int) -> set[str]:
    return {f"{number}/{one.path}" for number in hold_ids for one in segments(store, clock)}


def turned(store: Store, clock: FakeClock) -> Custody:
    """The duty, after it has done all that was due."""
    duty = Custody(store, clock)
    duty.run()
    while duty.pause_s() < custody.PERIOD_S:
        duty.run()
    return duty


def test_held_media_gets_a_second_name_for_each_hold_and_is_read(store: Store, clock: FakeClock) -> None:
    """The very file, under every hold on it; and an entry says what the reading came to."""
    one, other = hold(store, ["gate"], 0, AHEAD_US), hold(store, ["gate"], 0, AHEAD_US)

    duty = turned(store, clock)

    assert second_names(store) == names_of(store, clock, one.id, other.id)
    for media in store.held.all_media(one.id):
        assert media.held_path.samefile(media.path)
        assert media.path.stat().st_nlink == 3
    found = leaves(store, "audit", "hold_checked")
    size = sum(x.bytes for x in segments(store, clock))
    assert [(x["hold"], x["segments"], x["bytes"], x["damaged"]) for x in found] == [(1, 2, size, 0), (2, 2, size, 0)]
    assert duty.held_bytes() == size
    assert duty.states()[one.id].is_linked
    assert verify(store) == []


def test_a_hold_that_reaches_ahead_holds_what_is_recorded_then(store: Store, clock: FakeClock) -> None:
    """Linked as it is committed; what comes behind the padding is not."""
    begun_us = clock.utc_us
    plan = HoldPlan(("gate",), begun_us, begun_us + 2 * SECOND_US, "c", "r", padding_after_s=2)
    placed, covered, _ = desk.place(store, clock, plan)
    assert covered.segments == 0
    turned(store, clock)

    record(store, clock, SECOND * 10)

    held = [one for one in segments(store, clock) if one.held]
    assert held
    assert all(one.t0_us < begun_us + 4 * SECOND_US and one.t1_us > begun_us for one in held)
    assert second_names(store) == {f"{placed.id}/{one.path}" for one in held}
    assert len(held) < len(segments(store, clock))
    assert check(store) == []


def test_padding_protects_what_was_not_asked_for(store: Store, clock: FakeClock) -> None:
    """The leaf has both; the wider one decides, and stops at what can be written."""
    last = segments(store, clock)[-1]
    plan = HoldPlan(("gate",), last.t1_us + SECOND_US, last.t1_us + 2 * SECOND_US, "c", "r", padding_before_s=2)
    clock.advance(40 * 86400)
    placed, covered, outlook = desk.place(store, clock, plan)
    wide = hold(store, ["gate"], 1, 2**57, padding_before_s=86_400, padding_after_s=86_400)

    assert covered.segments == 1
    assert [type(error) for _, error in store.discard([last.id], "target").refused] == [UnderHold]
    assert (placed.t0_us, placed.asked_t0_us) == (last.t1_us - SECOND_US, last.t1_us + SECOND_US)
    assert wide.t0_us == 0
    fields = next(leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "hold")
    assert (fields["t0"], fields["asked_t0"]) == (format_us(placed.t0_us), format_us(placed.asked_t0_us))
    assert (fields["padding_before_s"], fields["basis"]) == (2, "internal")
    assert (outlook.soon_segments, outlook.all_held_bytes) == (1, last.bytes)


def test_whoever_places_a_hold_is_told_what_came_too_late_and_what_just_in_time(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry of what went, what would have gone within the week, and the day on which the disk will be full because
    nothing may go; without the hold it would not be."""
    first = segments(store, clock)[0]
    clock.advance(32 * 86400)
    store.discard([first.id], "target")
    record(store, clock, SECOND * 4)
    now_us = clock.utc_us
    a_day = sum(one.bytes for one in segments(store, clock) if one.t1_us > now_us - DAY_US)
    disk = Disks(monkeypatch).add(store.layout.volume(), 1_000_000)
    disk.ballast_bytes = disk.free_bytes - reserve_bytes(disk.size_bytes) - 5 * a_day - 1

    _, covered, outlook = desk.place(store, clock, HoldPlan(("gate",), 0, now_us + DAY_US, "c", "r"))

    (receipt,) = outlook.receipts
    assert (receipt.first_n, receipt.last_n, receipt.segments) == (first.n, first.n, 1)
    assert next(leaf.type for _, leaf in store.leaves(receipt.leaf_index, receipt.leaf_index + 1)) == "del"
    assert covered.already_gone == 1
    assert outlook.soon_segments == 1
    assert outlook.soon_us is not None
    assert outlook.soon_us <= now_us
    assert outlook.all_held_bytes == covered.bytes
    assert (outlook.floor_fails_us, outlook.without_us) == (now_us + 6 * DAY_US, None)


def test_what_another_hold_keeps_would_not_have_gone(store: Store, clock: FakeClock) -> None:
    """Of three segments that are due one lies under a hold already: the new one saves two, and keeps three."""
    first, *rest = segments(store, clock)
    clock.advance(31 * 86_400)
    hold(store, ["gate"], first.t0_us, first.t1_us)

    _, covered, outlook = desk.place(store, clock, HoldPlan(("gate",), 0, AHEAD_US, "c", "r"))

    assert covered.segments == len(rest) + 1
    assert (outlook.soon_segments, outlook.soon_bytes) == (len(rest), sum(one.bytes for one in rest))


def test_what_a_hold_costs_is_counted_until_footage_really_goes(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day of recording is not counted, so footage of 31 days lies there for up to 32: a disk that has room for less
    is full before anything goes."""
    counted: list[Stock] = []

    def noted(free_bytes: float, stocks: Sequence[Stock], now_us: int) -> None:
        counted.extend(stocks)

    monkeypatch.setattr(desk, "full_in_days", noted)
    desk.place(store, clock, HoldPlan(("gate",), 0, AHEAD_US, "c", "r"))

    first_us = segments(store, clock)[0].t0_us
    goes_us = earliest_discard_us(first_us, store.cameras.keeping("gate").target_days, store.zone)
    assert {one.target_days for one in counted} == {32}
    assert first_us + 31 * DAY_US < goes_us <= first_us + 32 * DAY_US


def test_what_is_going_when_a_hold_is_placed_is_told_as_gone(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry stands in the log and its file is still there: it is counted as gone, with that entry, and nothing of
    it as kept; it gets no second name, and goes as announced, which is right in everybody's eyes."""
    going, *others = segments(store, clock)
    clock.advance(40 * 86_400)

    def cut(*arguments: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.files.unlink", cut)
        with pytest.raises(PowerCut):
            store.discard([going.id], "target")
    assert store.media_path(going).exists()

    placed, covered, outlook = desk.place(store, clock, HoldPlan(("gate",), 0, AHEAD_US, "c", "r"))
    turned(store, clock)

    assert (covered.segments, covered.already_gone) == (len(others), 1)
    assert covered.bytes == outlook.all_held_bytes == sum(one.bytes for one in others)
    assert [(one.first_n, one.last_n, one.segments) for one in outlook.receipts] == [(going.n, going.n, 1)]
    assert outlook.soon_segments == len(others)
    assert second_names(store) == {f"{placed.id}/{one.path}" for one in others}
    assert sweep(store, clock).did == 1
    assert not store.media_path(going).exists()
    store.checkpoint()
    assert verify(store) == []


def test_what_is_damaged_under_two_holds_is_counted_once(store: Store, clock: FakeClock) -> None:
    """For each hold it is one; of all together it is one too."""
    holds = [hold(store, ["gate"], 0, AHEAD_US) for _ in range(2)]
    store.media_path(segments(store, clock)[0]).write_bytes(b"")
    duty = turned(store, clock)

    assert [duty.states()[one.id].damaged for one in holds] == [1, 1]
    assert duty.damaged() == 1
    release(store, holds[0].id)
    assert turned(store, clock).damaged() == 1
    release(store, holds[1].id)
    assert turned(store, clock).damaged() == 0


def test_a_review_date_is_changed_by_an_entry_and_releases_nothing(store: Store, clock: FakeClock) -> None:
    """Long past it the hold is in force as before; who changed it and why stands in the side record."""
    placed = hold(store, ["gate"], 0, AHEAD_US, review_us=clock.utc_us + DAY_US)
    changed = desk.review(store, clock, placed.id, clock.utc_us + 2 * DAY_US, "the trial goes on", "Li")
    clock.advance(400 * 86400)

    assert sweep(store, clock).did == 0
    assert changed.review_us is not None
    (told,) = leaves(store, "audit", "hold_review")
    assert told["review"] == format_us(changed.review_us)
    assert [(one.reason, one.changed_by) for one in store.holds.reviews(placed.id)] == [("the trial goes on", "Li")]
    assert store.holds.active()[0].review_us == changed.review_us
    with pytest.raises(desk.HoldInvalid):
        desk.review(store, clock, placed.id, clock.utc_us, "r")
    assert check(store) == []


def test_second_names_go_only_once_the_hold_is_released(store: Store, clock: FakeClock) -> None:
    """Those of the other hold stay; the files have their own names still."""
    one, other = hold(store, ["gate"], 0, AHEAD_US), hold(store, ["gate"], 0, AHEAD_US)
    turned(store, clock)
    release(store, one.id)
    assert check(store) == []
    turned(store, clock)

    assert second_names(store) == names_of(store, clock, other.id)
    assert all(store.media_path(x).exists() for x in segments(store, clock))
    assert not (store.layout.hold_tree() / str(one.id)).exists()
    assert check(store) == []


def discarded_everything(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    store.discard([one.id for one in segments(store, clock)], "everything")


def swept(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    assert sweep(store, clock).did == 0


def retired(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    store.cameras.retire("gate", ManagedBy.API)
    clock.advance(4000 * 86400)
    sweep(store, clock)


def pressed(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    for _ in range(3):
        sweep(store, clock)
        store.finish_discards()


def lowered(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    store.cameras.change("gate", ManagedBy.API, {"floor_days": 30, "target_days": 30})
    sweep(store, clock)


def started_anew(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    store.close()
    clock.reboot("boot-2")
    again = Store.open(tmp_path / "data", clock)
    again.recover()
    sweep(again, clock)
    again.discard([one.id for one in segments(again, clock)], "everything")
    again.close()


def set_ahead(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    clock.set_wall("2099-01-01T00:00:00Z")
    sweep(store, clock)


def looked_after(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    turned(store, clock)
    clock.advance(30 * 86400)
    turned(store, clock)


WAYS = (discarded_everything, swept, retired, pressed, lowered, started_anew, set_ahead, looked_after)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_held_footage(
    store: Store, clock: FakeClock, tmp_path: Path, way: Callable[[Store, FakeClock, Path], None]
) -> None:
    """Sweep, direct discard, a retired camera, a lowered floor, a restart, clocks: the file is there, byte for byte,
    under both its names."""
    clock.advance(100 * 86400)
    hold(store, ["gate"], 0, AHEAD_US)
    turned(store, clock)
    before = {store.media_path(one): store.media_path(one).read_bytes() for one in segments(store, clock)}
    names = second_names(store)

    way(store, clock, tmp_path)

    assert {path: path.read_bytes() for path in before} == before
    assert second_names(Store.open(tmp_path / "data", clock, exclusive=False)) == names


def test_discarded_footage_leaves_no_second_name(store: Store, clock: FakeClock) -> None:
    """A hold that was just released: the sweep comes before the duty, and media of which a name is left is not gone."""
    placed = hold(store, ["gate"], 0, AHEAD_US)
    turned(store, clock)
    clock.advance(100 * 86400)
    release(store, placed.id)

    assert sweep(store, clock).did == 2

    assert second_names(store) == set()
    turned(store, clock)
    assert verify(store) == []


def test_a_crash_between_commit_and_second_name_is_mended_at_start(
    store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row and its leaf stand; the next start gives the file its second name."""

    def cut(*_: object) -> None:
        raise PowerCut

    hold(store, ["gate"], 0, AHEAD_US)
    turned(store, clock)
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.held.HeldMediaStore.link_new", cut)
        with pytest.raises(PowerCut):
            record(store, clock, SECOND * 2)
    store.close()

    again = Store.open(tmp_path / "data", clock)
    again.recover()

    assert second_names(again) == names_of(again, clock, 1)
    again.checkpoint()
    assert verify(again) == []


@pytest.mark.parametrize("at", range(3))
def test_a_crash_while_names_are_made_or_taken_away_is_mended(
    store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Wherever it comes: the next turn does the rest."""
    left = [at]

    def cut(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            return real(*arguments)

        return call

    placed = hold(store, ["gate"], 0, AHEAD_US)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", cut(os.link))
        try:
            turned(store, clock)
        except PowerCut:
            assert at < 2
    store.close()
    store = Store.open(tmp_path / "data", clock)
    store.recover()
    turned(store, clock)
    assert second_names(store) == names_of(store, clock, placed.id)

    left[0] = at
    release(store, placed.id)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", cut(Path.rmdir))
        with pytest.raises(PowerCut):
            turned(store, clock)
    turned(store, clock)

    assert not (store.layout.hold_tree() / str(placed.id)).exists()
    store.checkpoint()
    assert verify(store) == []


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_makes_no_names_keeps_no_commit(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Footage is recorded and held all the same; the duty says what is wrong, and makes the names once it can."""

    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    hold(store, ["gate"], 0, AHEAD_US)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refused)
        record(store, clock, SECOND * 2)
        with pytest.raises(StorageError):
            Custody(store, clock).run()
        clock.advance(100 * 86400)
        assert store.discard([segments(store, clock)[-1].id], "target").discarded == ()

    turned(store, clock)
    assert second_names(store) == names_of(store, clock, 1)


def test_another_file_of_that_name_is_not_overwritten(store: Store, clock: FakeClock) -> None:
    """It is told, by the duty and by fsck."""
    one = segments(store, clock)[0]
    placed = hold(store, ["gate"], 0, AHEAD_US)
    turned(store, clock)
    name = store.layout.held(placed.id, one.path)
    name.unlink()
    name.write_bytes(b"another")

    with pytest.raises(StorageError):
        Custody(store, clock).run()

    assert name.read_bytes() == b"another"
    assert check(store) == [Finding(12, one.id, f"its second name for hold {placed.id} is of another file")]


def test_fsck_finds_what_has_no_second_name_and_names_without_a_hold(store: Store, clock: FakeClock) -> None:
    """Invariant 12, both ways round."""
    one, last = segments(store, clock)
    placed = hold(store, ["gate"], 0, one.t1_us - 1)
    turned(store, clock)
    store.layout.held(placed.id, one.path).unlink()
    stray = store.layout.held(placed.id, last.path)
    os.link(store.media_path(last), stray)
    other = store.layout.hold_tree() / "77" / "x"
    other.parent.mkdir()
    other.write_bytes(b"")

    assert [(found.invariant, found.where) for found in check(store)] == [
        (12, one.id),
        (12, f"hold/{placed.id}/{last.path}"),
        (12, "hold/77/x"),
    ]
    turned(store, clock)
    assert [found.where for found in check(store)] == [f"hold/{placed.id}/{last.path}"]
    assert (store.layout.damaged / "x").exists()


@pytest.mark.parametrize(
    ("damage", "harm"),
    [
        (Damage.ALTERED, lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x00")),
        (Damage.ALTERED, lambda path: path.write_bytes(b"")),
        (Damage.MISSING, lambda path: path.unlink()),
    ],
    ids=["changed", "emptied", "gone"],
)
def test_damage_is_told_once_and_removes_nothing(
    store: Store, clock: FakeClock, damage: Damage, harm: Callable[[Path], None]
) -> None:
    """A finding and the count of the pass; the next pass does not tell it anew. What is whole again is told too."""
    placed, one = hold(store, ["gate"], 0, AHEAD_US), segments(store, clock)[0]
    turned(store, clock)
    path, name = store.media_path(one), store.layout.held(placed.id, one.path)
    whole = path.read_bytes()
    harm(path)
    if damage is Damage.MISSING:
        name.unlink()
    for _ in range(2):
        clock.advance(RECHECK_US / 1e6)
        duty = turned(store, clock)

    assert duty.states()[placed.id].damaged == 1
    (told,) = leaves(store, "finding", "held_damaged")
    assert (told["stream"], told["n"], told["why"], told["hold"]) == ("gate.main", one.n, damage.value, placed.id)
    assert [x["damaged"] for x in leaves(store, "audit", "hold_checked")] == [0, 1, 1]
    assert store.segment(one.id).state is MediaState.PRESENT
    path.write_bytes(whole)
    clock.advance(RECHECK_US / 1e6)

    assert turned(store, clock).states()[placed.id].damaged == 0
    assert len(leaves(store, "finding", "held_whole_again")) == 1


def test_what_the_disk_cannot_read_is_told(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, and nobody can say what it holds."""
    from recorder.errors import StorageFailed

    def broken(*_: object, **__: object) -> None:
        raise StorageFailed

    placed = hold(store, ["gate"], 0, AHEAD_US)
    (media, _) = store.held.all_media(placed.id)
    with monkeypatch.context() as patch:
        patch.setattr("retention.custody.hashes_of", broken)
        assert verified(media) == (Damage.UNREADABLE, 0)
    assert verified(media) == (None, media.bytes)


def test_a_file_that_somebody_removed_gets_its_name_back(store: Store, clock: FakeClock) -> None:
    """Past all rules, by hand: it is still there under its second name, is whole, and an entry says so."""
    placed, one = hold(store, ["gate"], 0, AHEAD_US), segments(store, clock)[0]
    turned(store, clock)
    store.media_path(one).unlink()
    assert [found.invariant for found in check(store)] == [1]
    clock.advance(RECHECK_US / 1e6)

    turned(store, clock)

    assert verify(store) == []
    assert [x["n"] for x in leaves(store, "finding", "held_name_back")] == [one.n]
    store.media_path(one).unlink()
    release(store, placed.id)
    turned(store, clock)
    assert verify(store) == []


def test_a_pass_goes_on_after_a_restart_at_a_bounded_pace(
    store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One segment a turn, where a turn may read no more: the third store reads what the first two did not."""
    monkeypatch.setattr(custody, "TURN_BYTES", 1)
    read: list[Path] = []
    real = custody.hashes_of
    monkeypatch.setattr(custody, "hashes_of", lambda path, **more: (read.append(path), real(path, **more))[1])
    hold(store, ["gate"], 0, AHEAD_US)
    for turn in range(3):
        duty = Custody(store, clock)
        duty.run()
        assert duty.pause_s() < custody.PERIOD_S or turn == 2
        store.close()
        store = Store.open(tmp_path / "data", clock)

    assert [path.name for path in read] == [store.media_path(one).name for one in segments(store, clock)]
    assert len(leaves(store, "audit", "hold_checked")) == 1
    assert TURN_BYTES / RATE_BYTES_S < 10


def test_whoever_stops_the_box_does_not_wait_for_a_pass(store: Store, clock: FakeClock) -> None:
    """It ends behind the segment that it reads, and knows where it was."""
    placed = hold(store, ["gate"], 0, AHEAD_US)
    duty = Custody(store, clock)
    duty.stop()
    duty.run()

    assert store.held.state(placed.id).checked is None
    assert turned(store, clock).states()[placed.id].checked is not None


def test_all_held_media_is_read_every_week(store: Store, clock: FakeClock) -> None:
    """Not sooner; at once where the clock was set back behind the last time."""
    hold(store, ["gate"], 0, AHEAD_US)
    duty = turned(store, clock)
    clock.advance(RECHECK_US / 1e6 - 60)
    duty.run()
    assert len(leaves(store, "audit", "hold_checked")) == 1
    clock.advance(60)
    duty.run()
    duty.run()
    assert len(leaves(store, "audit", "hold_checked")) == 2
    clock.set_wall("2020-01-01T00:00:00Z")
    duty.run()
    assert len(leaves(store, "audit", "hold_checked")) == 3


def test_holds_from_before_there_was_padding_are_read_as_they_are(tmp_path: Path, clock: FakeClock) -> None:
    """Their rows have nothing of what came later; their media is linked and read at the next turn."""
    store = new_store(tmp_path, clock, "gate")
    clock.advance(2)
    record(store, clock, SECOND * 4)
    placed = hold(store, ["gate"], 0, AHEAD_US)
    with store.database.write() as connection:
        names = ("asked_t0_us", "asked_t1_us", "padding_before_s", "padding_after_s", "basis")
        connection.exec_driver_sql(f"UPDATE holds SET {', '.join(f'{name} = NULL' for name in names)}")
        connection.exec_driver_sql("DELETE FROM hold_work")
    store.checkpoint()

    turned(store, clock)

    old = store.holds.get(placed.id)
    assert (old.asked_t0_us, old.asked_t1_us, old.padding_before_s, old.basis) == (0, AHEAD_US, 0, None)
    assert second_names(store) == names_of(store, clock, placed.id)
    assert verify(store) == []
