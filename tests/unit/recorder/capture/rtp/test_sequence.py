"""Numbers that wrap, and what is missing in them."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.sequence import SequenceTracker, TimestampUnwrapper


def take(tracker: SequenceTracker, *numbers: int) -> list[int]:
    return [tracker.take(number, 0, 0) for number in numbers]


def test_numbers_without_holes_across_the_wrap() -> None:
    """Nothing is missing, and the highest number goes on."""
    tracker = SequenceTracker(90_000)

    assert take(tracker, 65_534, 65_535, 0, 1) == [0, 0, 0, 0]
    assert tracker.extended_highest == 65_537


def test_a_hole_a_duplicate_and_a_late_one() -> None:
    """Three are missing; what comes twice or too late is left out."""
    tracker = SequenceTracker(90_000)

    assert take(tracker, 10, 14, 14, 12, 15) == [0, 3, -1, -1, 0]
    assert tracker.lost == 3
    assert tracker.fraction_lost() == 3 * 256 // 6
    assert tracker.fraction_lost() == 0


def test_a_stray_number_and_a_new_beginning() -> None:
    """One number far away is not followed; two in a row are (RFC 3550, A.1), as a hole of one."""
    tracker = SequenceTracker(90_000)

    assert take(tracker, 10, 30_000, 11, 40_000, 40_001, 40_002) == [0, -1, 0, -1, 1, 0]
    assert tracker.lost == 0


def test_jitter_of_packets_that_come_evenly_and_unevenly() -> None:
    """Even arrival has none; arrival that swings by 20 ms has some, below the swing."""
    even, uneven = SequenceTracker(90_000), SequenceTracker(90_000)
    for number in range(200):
        even.take(number, number * 3600, number * 40_000)
        uneven.take(number, number * 3600, number * 40_000 + number % 2 * 20_000)

    assert even.jitter == 0
    assert 900 < uneven.jitter <= 1800


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=50))
def test_stamps_that_wrap(first: int, steps: list[int]) -> None:
    """Whatever steps the camera makes below half the range, their sum is kept."""
    unwrap = TimestampUnwrapper()
    expected = unwrap.take(first)
    for step in steps:
        expected += step
        assert unwrap.take(expected % 2**32) == expected
