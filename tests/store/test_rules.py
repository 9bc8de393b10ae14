"""Rules per camera on a real store: what they protect, what becomes of them, and what the log says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from appliance.wiring.box import RecordingBox
from config.keeping import Defaults, Protection, Terms
from config.settings import BoxSettings, CameraSettings, RetentionSettings, Settings
from recorder.errors import BelowFloor, CameraManagedByFile, CameraRetired, PurposeMissing, RuleInvalid
from recorder.store import tables
from recorder.store.fsck import check
from recorder.store.keeping import Rule, rules_hash
from recorder.store.records import ManagedBy, MediaState
from recorder.store.rules import rules_of
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.store.test_store import old_store, put_back


def box(tmp_path: Path, *cameras: str) -> tuple[Store, FakeClock]:
    """A box whose cameras have three segments each, of 1 March 2026."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, *(cameras or ("gate",)))
    clock.advance(1)
    for camera_id in cameras or ("gate",):
        record(store, clock, SECOND * 6, camera_id)
    store.checkpoint()
    return store, clock


def after(clock: FakeClock, days: int) -> None:
    clock.advance(days * 86_400)


def keep(store: Store, camera_id: str = "gate", **wish: Any) -> None:
    store.cameras.change(camera_id, ManagedBy.API, wish)


def told(store: Store, camera_id: str = "gate") -> list[dict[str, Any]]:
    """What the log says of the camera's rules, the oldest first."""
    leaves = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "camera"]
    return [dict(one) for one in leaves if (one["op"], one["camera"]) == ("rule", camera_id)]


def names(store: Store, clock: FakeClock, camera_id: str = "gate") -> list[str]:
    return [one.id for one in segments(store, clock, camera_id)]


def is_there(store: Store, segment_id: str) -> bool:
    return store.segment(segment_id).state is MediaState.PRESENT


# -- what a rule protects


def test_raising_a_floor_protects_footage_already_stored(tmp_path: Path) -> None:
    """Neither the sweep nor who asks directly gets it after 40 days, nor on the 90th; on the day after, both do."""
    store, clock = box(tmp_path)
    first, *rest = names(store, clock)
    after(clock, 20)
    keep(store, floor_days=90)
    after(clock, 20)

    assert sweep(store, clock).did == 0
    refused = store.discard([first], "by hand").refused
    assert [type(error) for _, error in refused] == [BelowFloor]
    assert "2026-05-30T16:00:00" in str(refused[0][1])  # midnight in Shanghai behind ninety days

    after(clock, 50)
    assert sweep(store, clock).did == 0
    assert not store.discard([first], "by hand").discarded
    after(clock, 1)
    assert store.discard([first], "by hand").discarded == (first,)
    after(clock, 1)
    assert sweep(store, clock).did == len(rest)
    assert verify(store) == []


def test_lowering_a_floor_never_frees_what_was_recorded_under_the_higher(tmp_path: Path) -> None:
    """What is recorded from then on goes by the lower one; the older lies beside it for as long as it had to."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    record(store, clock, SECOND * 2)
    under_the_higher = names(store, clock)
    keep(store, floor_days=None)
    record(store, clock, SECOND * 2)
    newest = names(store, clock)[-1]
    after(clock, 40)

    report = sweep(store, clock)
    assert (report.should, report.did) == (1, 1)
    assert not is_there(store, newest)
    refused = store.discard(under_the_higher, "by hand").refused
    assert {type(error) for _, error in refused} == {BelowFloor}
    assert len(refused) == len(under_the_higher)

    after(clock, 60)
    assert sweep(store, clock).did == len(under_the_higher)
    assert verify(store) == []


def test_a_rule_that_is_raised_and_lowered_before_anything_was_due(tmp_path: Path) -> None:
    """What lay there when it was raised was promised ninety days, and has them, whatever came afterwards."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    keep(store, floor_days=None)
    after(clock, 60)

    assert sweep(store, clock).did == 0
    assert not store.discard(names(store, clock), "by hand").discarded


def test_a_target_that_is_raised_while_a_sweep_is_under_way_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has looked, and somebody is answered before it discards: the camera's footage stays, it is asked for
    once, and no other camera's is kept by that."""
    store, clock = box(tmp_path, "gate", "yard")
    after(clock, 40)
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 1)
    candidates, asked = store.candidates, []

    def meanwhile(stream_id: str, *arguments: Any) -> Any:
        found = candidates(stream_id, *arguments)
        if stream_id == "gate.main":
            asked.append(found)
            keep(store, target_days=365, purpose="contract 7")
        return found

    monkeypatch.setattr(store, "candidates", meanwhile)
    report = sweep(store, clock)

    assert (report.did, [(one.code, one.count) for one in report.because]) == (3, [("rules_changed", 1)])
    assert len(asked) == 1
    assert all(is_there(store, one) for one in names(store, clock))
    assert sweep(store, clock).should == 0
    assert verify(store) == []


def test_a_receipt_tells_the_rule_of_its_items_not_of_today(tmp_path: Path) -> None:
    """Footage of a floor that was lowered since goes by that floor, and its receipt says so in words as well."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    keep(store, floor_days=None)
    record(store, clock, SECOND * 2)
    after(clock, 100)

    assert sweep(store, clock).did == 4
    receipts = store.receipts.page("gate.main", 10)
    assert sorted((one.floor_days, one.rule) for one in receipts) == [
        (30, "target 31 days, floor 30 days"),
        (90, "target 90 days, floor 90 days"),
    ]


def test_what_is_named_twice_is_one_entry(tmp_path: Path) -> None:
    """Whoever asks for a segment twice in one call is no reason for two receipts of it."""
    store, clock = box(tmp_path)
    after(clock, 40)
    first = names(store, clock)[0]

    assert store.discard([first, first], "by hand").discarded == (first,)
    assert len(store.receipts.page("gate.main", 10)) == 1


def test_a_retired_camera_keeps_its_rule(tmp_path: Path) -> None:
    """Nobody changes it any more, and what the box is told of all later does not reach it (MediaMTX 3556, 4449)."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    store.cameras.retire("gate", ManagedBy.API)
    before = told(store)
    with pytest.raises(CameraRetired):
        keep(store, floor_days=None)
    store.close()
    store = Store.open(tmp_path / "data", clock, keeping=Defaults(40, 41))

    assert store.cameras.bring_rules_in_force() == 0
    assert told(store) == before
    after(clock, 89)
    assert sweep(store, clock).did == 0
    after(clock, 3)
    assert sweep(store, clock).did == 3
    assert verify(store) == []


def test_a_target_of_the_counter_terrorism_law_has_ninety_days(tmp_path: Path) -> None:
    """By its protection alone, for footage that lies there too; no floor below that is taken."""
    store, clock = box(tmp_path)
    keep(store, protection=Protection.COUNTER_TERRORISM)

    terms = store.cameras.keeping("gate")
    assert (terms.floor_days, terms.target_days) == (90, 91)
    with pytest.raises(RuleInvalid, match="90 days or more"):
        keep(store, floor_days=60)
    assert store.cameras.get("gate").floor_days is None
    after(clock, 90)
    assert sweep(store, clock).did == 0
    assert not store.discard(names(store, clock), "by hand").discarded
    after(clock, 2)
    assert sweep(store, clock).did == 3


def test_two_cameras_of_different_floors_in_one_discard(tmp_path: Path) -> None:
    """Each goes by its own: of one call one camera's footage goes, and the other's is refused."""
    store, clock = box(tmp_path, "gate", "vault")
    keep(store, "vault", protection=Protection.COUNTER_TERRORISM)
    after(clock, 40)
    gate, vault = names(store, clock), names(store, clock, "vault")

    report = store.discard([*vault, *gate], "by hand")

    assert report.discarded == tuple(gate)
    assert [one for one, _ in report.refused] == vault
    after(clock, 60)
    assert store.discard(vault, "by hand").discarded == tuple(vault)
    store.checkpoint()
    receipts = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "del"]
    assert [(one["stream"], one["floor_days"]) for one in receipts] == [("gate.main", 30), ("vault.main", 90)]
    assert verify(store) == []


def test_a_discard_of_two_floors_of_one_camera_is_two_entries(tmp_path: Path) -> None:
    """Each tells the floor that its items had to be kept for, and by which rules it was asked."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    keep(store, floor_days=None)
    record(store, clock, SECOND * 2)
    after(clock, 100)
    everything = names(store, clock)

    assert store.discard(everything, "by hand").discarded
    store.checkpoint()

    receipts = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "del"]
    assert sorted((one["floor_days"], one["n1"] - one["n0"] + 1) for one in receipts) == [(30, 1), (90, 3)]
    assert {one["rules"] for one in receipts} == {rules_hash(store.cameras.rules("gate"))}
    assert verify(store) == []


# -- what a rule leaves in the log


def test_a_rule_is_told_once_and_not_at_every_start(tmp_path: Path) -> None:
    """At registration, and whenever it is another one: a start that changes nothing writes nothing."""
    store, clock = box(tmp_path)
    assert [(one["floor_days"], one["target_days"], one["margin_days"]) for one in told(store)] == [(30, 31, 1)]
    for _ in range(3):
        store.close()
        store = Store.open(tmp_path / "data", clock)
        assert store.cameras.bring_rules_in_force() == 0
    keep(store, name="Main gate")
    keep(store, floor_days=30)  # said, and yet as before
    assert len(told(store)) == 1

    store.close()
    store = Store.open(tmp_path / "data", clock, keeping=Defaults(60, 62, 2))
    assert store.cameras.bring_rules_in_force() == 1
    assert store.cameras.bring_rules_in_force() == 0
    assert [(one["floor_days"], one["target_days"], one["margin_days"]) for one in told(store)[1:]] == [(30, 32, 2)]
    keep(store, floor_days=None)
    assert [(one["floor_days"], one["target_days"]) for one in told(store)[2:]] == [(60, 62)]
    store.checkpoint()
    assert verify(store) == []


def test_a_box_that_raises_its_floor_lifts_a_target_that_would_lie_below(tmp_path: Path) -> None:
    """An old wish of a camera keeps no box from recording, and no footage from being kept."""
    store, clock = box(tmp_path)
    keep(store, target_days=40, purpose="insurer's month")
    store.close()
    store = Store.open(tmp_path / "data", clock, keeping=Defaults(60, 61))

    store.cameras.bring_rules_in_force()

    terms = store.cameras.keeping("gate")
    assert (terms.floor_days, terms.target_days) == (60, 61)


def test_a_camera_of_the_file_is_kept_as_the_file_says(tmp_path: Path) -> None:
    """Nobody changes its rule by the interface."""
    store, _ = box(tmp_path)
    store.cameras.add("vault", "Vault", "rtsp://127.0.0.1/v", managed_by=ManagedBy.FILE, floor_days=60)

    with pytest.raises(CameraManagedByFile):
        keep(store, "vault", floor_days=None)
    store.cameras.change("vault", ManagedBy.FILE, {"floor_days": 45})
    assert [one["floor_days"] for one in told(store, "vault")] == [60, 45]


def test_a_target_beyond_floor_and_margin_wants_a_purpose(tmp_path: Path) -> None:
    """By the interface it is refused without one, and nothing is written; the file's is recorded, and told of."""
    store, _ = box(tmp_path)
    size = store.log_size

    with pytest.raises(PurposeMissing):
        keep(store, target_days=60)
    with pytest.raises(PurposeMissing):
        store.cameras.add("yard", "Yard", "rtsp://127.0.0.1/y", target_days=60)
    assert store.log_size == size
    assert [one.id for one in store.cameras.all()] == ["gate"]

    keep(store, target_days=60, purpose="insurer's quarter")
    store.cameras.add("vault", "Vault", "rtsp://127.0.0.1/v", managed_by=ManagedBy.FILE, target_days=60)
    assert not store.cameras.keeping("gate").needs_purpose
    assert store.cameras.keeping("vault").needs_purpose


@pytest.mark.parametrize(("floor", "target"), [(29, None), (36_501, None), (60, 59)])
def test_days_that_cannot_be_are_refused(tmp_path: Path, floor: int, target: int | None) -> None:
    """With a sentence; row, log and rule stay as they were."""
    store, _ = box(tmp_path)
    size = store.log_size

    with pytest.raises(RuleInvalid) as refused:
        keep(store, floor_days=floor, target_days=target)

    assert str(floor) in str(refused.value)
    assert store.log_size == size
    assert store.cameras.get("gate").floor_days is None


def test_a_purpose_stands_in_an_erasable_record_and_not_in_the_leaf(tmp_path: Path) -> None:
    """The log carries a salted hash; the words stand in the side record that it names."""
    store, _ = box(tmp_path)
    keep(store, target_days=60, purpose="claim of Mr Wang, flat 12")
    store.checkpoint()

    assert all("Wang" not in json.dumps(dict(leaf.fields)) for _, leaf in store.leaves(0, store.log_size))
    record_hash = told(store)[-1]["record"]
    with store.database.read() as connection:
        query = select(tables.records.c.body).where(tables.records.c.hash == record_hash)
        assert json.loads(connection.execute(query).scalar_one()) == {"purpose": "claim of Mr Wang, flat 12"}
    assert store.cameras.keeping("gate").purpose == "claim of Mr Wang, flat 12"
    assert "record" not in told(store)[0]
    assert verify(store) == []


def test_a_rule_of_the_configuration_file_is_told_once(tmp_path: Path) -> None:
    """By a box that is started again and again with one file: a leaf when the file changes, however much it changes."""
    clock = FakeClock()
    new_store(tmp_path, clock).close()

    def started(retention: RetentionSettings, **said: Any) -> list[tuple[int, int]]:
        """The box starts and ends with that file; what the log says then."""
        vault = CameraSettings(id="vault", name="Vault", url="rtsp://127.0.0.1/v", enabled=False, **said)
        settings = Settings(box=BoxSettings(data_dir=tmp_path / "data"), retention=retention, cameras=[vault])
        store = Store.open(tmp_path / "data", clock, keeping=retention.defaults)
        running = RecordingBox(settings, clock, store, demo=False)
        running.begin()
        running.end()
        store.close()
        store = Store.open(tmp_path / "data", clock)
        days = [(one["floor_days"], one["target_days"]) for one in told(store, "vault")]
        assert check(store) == []
        store.close()
        return days

    lawful, longer = RetentionSettings(), RetentionSettings(floor_days=60)
    assert started(lawful) == [(30, 31)]
    assert started(lawful) == [(30, 31)]
    assert started(lawful, floor_days=45) == [(30, 31), (45, 46)]
    assert started(lawful, floor_days=45) == [(30, 31), (45, 46)]
    assert started(longer, floor_days=45) == [(30, 31), (45, 46)]
    assert started(longer, target_days=70, purpose="insurer") == [(30, 31), (45, 46), (60, 70)]
    assert started(lawful, protection=Protection.COUNTER_TERRORISM)[3:] == [(90, 91)]
    assert started(lawful, protection=Protection.COUNTER_TERRORISM)[3:] == [(90, 91)]


# -- older catalogues


def test_a_catalogue_from_before_rules(tmp_path: Path) -> None:
    """Until its first rule is written its footage is kept as the box is told; the first one counts for it as well."""
    clock = FakeClock()
    store = old_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    store.close()
    put_back(tmp_path / "data", "0013")
    store = Store.open(tmp_path / "data", clock, keeping=Defaults(60, 61))
    after(clock, 40)

    assert store.cameras.rules("gate") == [Rule(0, 60, 61)]
    assert store.cameras.keeping("gate") == Terms(Protection.ORDINARY, 60, 61, 1)
    assert sweep(store, clock).did == 0
    assert not store.discard(names(store, clock), "by hand").discarded

    assert store.cameras.bring_rules_in_force() == 1
    assert sweep(store, clock).did == 0
    after(clock, 22)
    assert sweep(store, clock).did == 3
    store.checkpoint()
    assert verify(store) == []


def test_a_retired_camera_of_a_catalogue_from_before_rules_gets_its_first(tmp_path: Path) -> None:
    """So that the log says how long its footage stays; and it keeps that one."""
    store, clock = box(tmp_path)
    store.cameras.retire("gate", ManagedBy.API)
    store.close()
    put_back(tmp_path / "data", "0013")
    store = Store.open(tmp_path / "data", clock)

    assert store.cameras.bring_rules_in_force() == 1
    store.close()
    store = Store.open(tmp_path / "data", clock, keeping=Defaults(60, 61))
    assert store.cameras.bring_rules_in_force() == 0
    with store.database.read() as connection:
        assert [one.floor_days for one in rules_of(connection, "gate")] == [30]


# -- somebody edits the catalogue


FORGED = {
    "the floor is lowered": "UPDATE rules SET floor_days = 30 WHERE floor_days = 90",
    "the rule is taken away": "DELETE FROM rules WHERE floor_days = 90",
    "a rule of another camera": "UPDATE rules SET camera_id = 'yard' WHERE floor_days = 90",
    "a rule of no entry": "INSERT INTO rules (leaf_index, camera_id, protection, floor_days, target_days, margin_days)"
    " VALUES (0, 'gate', 'ordinary', 30, 31, 1)",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_row_of_a_rule_that_somebody_edited_is_found(tmp_path: Path, name: str) -> None:
    """Invariant 5: each row is what its leaf says, and each leaf has its row."""
    store, _ = box(tmp_path, "gate", "yard")
    keep(store, floor_days=90)
    store.checkpoint()
    assert check(store) == []
    with store.database.write() as connection:
        connection.exec_driver_sql(FORGED[name])

    found = check(store)

    assert {one.invariant for one in found} == {5}
    assert all(one.where.startswith("rule ") for one in found)


def test_a_discard_by_a_row_that_was_edited_is_found_though_the_row_was_put_back(tmp_path: Path) -> None:
    """Invariant 7: its entry says by which rules it was asked, and the log has another one."""
    store, clock = box(tmp_path)
    keep(store, floor_days=90)
    after(clock, 40)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE rules SET floor_days = 30 WHERE floor_days = 90")
    assert len(store.discard(names(store, clock), "by hand").discarded) == 3
    with store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE rules SET floor_days = 90 WHERE leaf_index = (SELECT max(leaf_index) FROM rules)"
        )
    store.checkpoint()

    said = [one.what for one in check(store) if one.invariant == 7]

    assert [one for one in said if "other rules" in one]
    assert [one for one in said if "before the floor" in one]
