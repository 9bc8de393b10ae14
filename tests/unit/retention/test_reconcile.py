"""The account of a sweep: it adds up, and a failing disk is not asked all the time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import StorageFailed
from recorder.store.records import Stuck
from retention.reconcile import RETRY_FIRST_US, RETRY_LONGEST_US, Retries, Tally

STUCK = Stuck("gate.main.1", 7, StorageFailed())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**9))))
def test_what_should_have_gone_is_what_went_and_what_did_not(parts: list[tuple[int, int]]) -> None:
    """In segments and in bytes, whatever comes in whatever order."""
    tally = Tally()
    for kind, size in parts:
        if kind == 0:
            tally.went(2, size)
        else:
            tally.stuck([Stuck(f"gate.main.{kind}", size, StorageFailed())])
    report = tally.report(5, is_complete=True)

    assert report.should == report.did + sum(one.count for one in report.because)
    assert report.should_bytes == report.bytes + sum(one.bytes for one in report.because) == sum(s for _, s in parts)
    assert report.failed == sum(1 for kind, _ in parts if kind)


@given(st.lists(st.integers(0, 2 * RETRY_LONGEST_US), max_size=60))
def test_a_failing_file_is_asked_ever_more_rarely_and_never_forgotten(waits: list[int]) -> None:
    """At the soonest after the first wait, at the latest once a day, however often somebody looks."""
    retries = Retries()
    retries.note([], [STUCK], 0)
    asked = [0]
    now_us = 0
    for wait_us in waits:
        now_us += wait_us
        if not retries.waiting(now_us):
            retries.note([], [STUCK], now_us)
            asked.append(now_us)
    between = [later - earlier for earlier, later in pairwise(asked)]

    assert all(one >= min(RETRY_FIRST_US << number, RETRY_LONGEST_US) for number, one in enumerate(between))
    assert retries.waiting(now_us + RETRY_LONGEST_US) == []
    retries.note([STUCK.segment_id], [], now_us)
    assert retries.count == 0


def test_what_was_not_tried_is_not_made_to_wait() -> None:
    """It failed nobody: the next pass begins with it."""
    retries = Retries()
    retries.note([], [STUCK, Stuck("gate.main.2", 7, StorageFailed(), is_tried=False)], 0)

    assert retries.waiting(1) == [STUCK]
    assert retries.count == 2


def test_what_is_stuck_is_counted_by_disk() -> None:
    """One that removes nothing is no reason to spare another."""
    retries = Retries()
    retries.note([], [STUCK, Stuck("gate.main.2", 7, StorageFailed(), volume="b")], 0)

    assert (retries.count, retries.count_on("main"), retries.count_on("b"), retries.count_on("c")) == (2, 1, 1, 0)


def test_what_a_full_disk_took_is_no_part_of_what_should_have_gone() -> None:
    """It is told beside it, in the sentence too."""
    tally = Tally()
    tally.broke(3, 70)
    report = tally.report(5, is_complete=True)

    assert (report.should, report.did, report.bytes, report.broken, report.broken_bytes) == (0, 0, 0, 3, 70)
    assert report.sentence == "should have discarded 0, discarded 0; overwrote 3 below the floor"
