"""What the scrub reads next, and how fast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US
from recorder.store.records import Checkable, VolumeState
from retention.pace import SLOW_SYNC_S, Load, Pace, first, readable


def file(n: int, checked_elapsed_us: int | None, volume: str = "main") -> Checkable:
    return Checkable("gate.main", n, volume, "x.mp4", 100, "00", None, checked_elapsed_us)


@given(st.lists(st.tuples(st.integers(1, 2**20), st.integers(0, 10**7)), min_size=1, max_size=50))
def test_no_second_has_more_than_its_share(read: list[tuple[int, int]]) -> None:
    """However long each piece took: reading and resting together take what the rate allows, or longer."""
    pace = Pace(1_000_000, 7)
    spent_s = sum(took_us / 1e6 + pace.pause_s(count, took_us) for count, took_us in read)

    assert spent_s >= sum(count for count, _ in read) / 1_000_000 - 1e-6


def test_a_clock_that_ran_backwards_gives_no_credit() -> None:
    """A piece that seems to have taken less than no time is rested for as one that took none."""
    assert Pace(1_000, 7).pause_s(500, -(10**9)) == 0.5


def test_recording_comes_first() -> None:
    """A slow sync, or one that fails, stops the reading; a quick one does not."""
    assert not Load(SLOW_SYNC_S, False).is_pressing
    assert Load(SLOW_SYNC_S + 0.01, False).is_pressing
    assert Load(0.0, True).is_pressing


def test_a_week_must_have_passed() -> None:
    """In box time: nobody makes a disk read itself to death by setting the clock."""
    assert Pace(1, 7).due_before_us(10 * DAY_US) == 3 * DAY_US


def test_the_volume_that_waited_longest_comes_first() -> None:
    """What was never looked at waited longest of all; a volume without anything due is passed over."""
    old, new, never = [file(1, 5)], [file(2, 6)], [file(3, None, "b")]

    assert first([new, old]) == old
    assert first([old, never]) == never
    assert first([[], new]) == new
    assert first([[], []]) == []


def test_a_volume_that_cannot_be_judged_is_not_read() -> None:
    """What is missing on a disk that is missing is no news of the footage."""
    states = ("ok", "low", "full", "read_only", "io_error", "missing")

    assert readable(VolumeState(state, "/", 1, 1, state) for state in states) == ["ok", "low", "full"]
