"""The states of a volume, and which one comes first: rules over values."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from recorder.store.pressure import (
    FAILED_HELD_US,
    HERE,
    PRESSED,
    RESERVE_BYTES,
    WRITABLE,
    Look,
    condition,
    in_order,
    levels,
    overwritable,
    reserve_bytes,
    rooms,
)
from recorder.store.records import Condition, VolumeState

TB = 10**12
SPACE = [Condition.OK, Condition.LOW, Condition.CRITICAL, Condition.FULL]

SIZES = st.integers(0, 100 * TB)
BEFORE = st.sampled_from([None, *Condition])
TOLD = st.none() | st.integers(0, TB)


@st.composite
def looks(draw: st.DrawFn) -> Look:
    """A look at a volume that is there."""
    total = draw(SIZES)
    return Look(draw(st.integers(0, total)), total)


def test_a_volume_fills_up() -> None:
    """Of a terabyte: low below fifty gigabytes, critical below ten, full below 64 MiB."""
    told = [condition(Look(free, TB)) for free in (TB // 2, 49 * 10**9, 9 * 10**9, RESERVE_BYTES - 1)]

    assert told == SPACE


def test_a_small_disk_keeps_a_fiftieth() -> None:
    """And a setting makes the reserve larger, never smaller."""
    assert reserve_bytes(10**8) == 2 * 10**6
    assert reserve_bytes(TB) == RESERVE_BYTES == reserve_bytes(TB, 1)
    assert reserve_bytes(TB, 10**9) == 10**9


@given(SIZES, TOLD)
def test_levels_stand_in_order(total: int, told: int | None) -> None:
    """Low comes before critical, and critical before full, of any size and reserve."""
    found = levels(total, told)

    assert found.full <= found.critical <= found.low


@given(looks(), TOLD, BEFORE, st.sampled_from([Condition.MISSING, Condition.FOREIGN, Condition.IO_ERROR]))
def test_what_is_not_there_is_not_full(look: Look, told: int | None, before: Condition | None, why: Condition) -> None:
    """Whatever was known of it: what cannot be looked at has that state and no other."""
    assert condition(replace(look, trouble=why, is_read_only=True), told, before, 0) is why


@given(looks(), TOLD, BEFORE, st.none() | st.integers(0, 10**9))
def test_read_only_comes_before_errors_and_space(
    look: Look, told: int | None, before: Condition | None, ago: int | None
) -> None:
    """A file system that was remounted read-only says so."""
    assert condition(replace(look, is_read_only=True), told, before, ago) is Condition.READ_ONLY


@given(looks(), TOLD, BEFORE, st.integers(0, 2 * FAILED_HELD_US))
def test_an_error_is_remembered_for_a_minute(look: Look, told: int | None, before: Condition | None, ago: int) -> None:
    """Errors come in bursts: between two of them the disk is not well."""
    assert (condition(look, told, before, ago) is Condition.IO_ERROR) is (ago < FAILED_HELD_US)


@given(looks(), TOLD, BEFORE)
def test_a_look_that_changes_nothing_changes_nothing(look: Look, told: int | None, before: Condition | None) -> None:
    """The same facts a second time give the same state."""
    once = condition(look, told, before)

    assert condition(look, told, once) is once


@given(looks(), TOLD, BEFORE)
def test_what_gets_worse_counts_at_once(look: Look, told: int | None, before: Condition | None) -> None:
    """No memory makes a volume look better than it is."""
    assert SPACE.index(condition(look, told, before)) >= SPACE.index(condition(look, told))


@given(st.integers(TB // 100, 100 * TB), TOLD, st.lists(st.integers(-9, 9), min_size=2, max_size=40), st.data())
def test_a_volume_does_not_flap(total: int, told: int | None, swings: list[int], data: st.DataObject) -> None:
    """Free space that swings by a tenth about a limit changes the state once at most."""
    found = levels(total, told)
    limit = data.draw(st.sampled_from([found.full, found.critical, found.low]))
    state, seen = condition(Look(min(total, limit * 109 // 100), total), told), []
    for percent in swings:
        state = condition(Look(min(total, limit * (100 + percent) // 100), total), told, state)
        seen.append(state)

    assert sum(one is not two for one, two in itertools.pairwise(seen)) <= 1


@given(looks(), TOLD)
def test_it_gets_well_again(look: Look, told: int | None) -> None:
    """With half as much again free as a limit wants, no state stays behind."""
    found = levels(look.total_bytes, told)
    plenty = replace(look, free_bytes=found.low * 3 // 2 + 2)

    assert {condition(plenty, told, before) for before in SPACE} == {Condition.OK}


STATES = st.builds(
    VolumeState,
    name=st.sampled_from("abcdef"),
    path=st.just(""),
    free_bytes=st.integers(0, 10),
    total_bytes=st.just(10),
    state=st.sampled_from(list(Condition)),
    is_written=st.booleans(),
)
VOLUMES = st.lists(STATES, unique_by=lambda one: one.name)


@given(VOLUMES, st.none() | st.sampled_from("abcdef"))
def test_the_one_with_most_free_comes_first(volumes: list[VolumeState], pinned: str | None) -> None:
    """Of those that take segments, unless the camera is pinned to another of them; the rest come behind them."""
    found = in_order(volumes, pinned)
    takes = [one for one in found if one.state in WRITABLE]

    assert {one.name for one in found} == {one.name for one in volumes if one.is_written}
    assert found[: len(takes)] == takes
    if takes and pinned in {one.name for one in takes}:
        assert takes[0].name == pinned
    elif takes:
        assert takes[0].free_bytes == max(one.free_bytes for one in takes)
    assert [one.state for one in found[len(takes) :] if one.state == Condition.IO_ERROR] == [
        one.state for one in found[len(takes) :]
    ][: sum(one.state == Condition.IO_ERROR for one in found)]


@given(VOLUMES)
def test_nothing_gives_way_while_any_disk_has_room(volumes: list[VolumeState]) -> None:
    """The floor may be broken of full disks alone, and only where recording could go nowhere else."""
    found = overwritable(volumes)
    has_room = any(one.is_written and one.state in (Condition.OK, Condition.LOW) for one in volumes)

    assert all(one.is_written and one.state in PRESSED for one in found)
    assert bool(found) is (not has_room and any(one.is_written and one.state in PRESSED for one in volumes))


def test_every_state_belongs_somewhere() -> None:
    """What takes segments is there; what is pressed is short of space."""
    assert set(WRITABLE) < set(HERE)
    assert set(PRESSED) < set(HERE)
    assert set(Condition) - set(HERE) == {Condition.MISSING, Condition.FOREIGN}


def test_volumes_of_one_file_system_are_one_room() -> None:
    """Its free bytes are there once; a disk that is only read has none for new footage, one that is away its own."""
    volumes = [
        VolumeState("a", "/a", 5, 9, "ok", device=1),
        VolumeState("b", "/b", 5, 9, "full", device=1),
        VolumeState("c", "/c", 5, 9, "ok", device=2),
        VolumeState("d", "/d", 5, 9, "ok", device=3, is_written=False),
        VolumeState("e", "/e", 0, 0, "missing"),
        VolumeState("f", "/f", 0, 0, "missing"),
    ]
    assert [one.name for one in rooms(volumes)] == ["a", "c", "e", "f"]
