"""The newest group of pictures in memory. The queue's tests stand with the session, whose promise it keeps."""

from itertools import pairwise

from recorder.capture.intake import TAP_LIMIT_PACKETS, Tap
from tests.fakes.camera import packets
from tests.fakes.clock import FakeClock


def test_a_view_begins_at_the_newest_key_picture() -> None:
    """What came before it is forgotten; what follows is there in order."""
    tap = Tap()
    tap.take(list(packets("PPIPPIPPP", FakeClock())))

    kept = tap.since_key()
    assert [one.is_key for one in kept] == [True, False, False, False]
    assert tap.key() == kept[0]
    assert all(before.arrived < after.arrived for before, after in pairwise(kept))


def test_before_the_first_key_picture_there_is_nothing() -> None:
    """Half a group cannot be looked at."""
    tap = Tap()
    tap.take(list(packets("PPP", FakeClock())))

    assert (tap.key(), tap.since_key()) == (None, ())


def test_a_group_without_end_is_cut_to_its_key_picture() -> None:
    """A camera that sends no second key picture takes no more memory for it."""
    tap = Tap()
    for packet in packets("I" + "P" * TAP_LIMIT_PACKETS, FakeClock()):
        tap.take([packet])

    assert tap.is_cut_off
    assert len(tap.since_key()) == 1
    tap.clear()
    assert (tap.key(), tap.is_cut_off) == (None, False)
