"""Time stamps to decode and presentation times."""

from recorder.capture.rtp.stamps import STILL_LIMIT, Stamps


def test_pictures_in_the_order_of_their_showing() -> None:
    """Both times are the stamp, in ticks of 90 kHz whatever the track's clock."""
    assert Stamps(90_000).take(3600, 0) == (3600, 3600)
    assert Stamps(45_000).take(3600, 0) == (7200, 7200)


def test_pictures_that_are_swapped() -> None:
    """Once the swapping is seen, decode times rise, and none lies behind its showing."""
    stamps = Stamps(90_000)
    shown = [0] + [at * 3600 for first in range(1, 30, 3) for at in (first + 2, first, first + 1)]
    found = [stamps.take(at, 0) for at in shown]

    assert stamps.depth == 1
    settled = found[8:]
    assert all(dts is not None and pts is not None and dts <= pts for dts, pts in settled)
    times = [dts for dts, _ in settled]
    assert times == sorted(times, key=lambda one: one or 0)
    assert len(set(times)) == len(times)


def test_stamps_that_stand_still() -> None:
    """First they count as missing; then arrival counts, because otherwise an hour would be recorded as a second."""
    stamps = Stamps(90_000)
    found = [stamps.take(5, index * 40_000)[0] for index in range(50)]

    assert found[0] == 5
    assert found[1:STILL_LIMIT] == [None] * (STILL_LIMIT - 1)
    assert stamps.stands_still
    assert found[STILL_LIMIT:] == [5 + index * 3600 for index in range(STILL_LIMIT, 50)]


def test_stamps_that_go_on_after_standing_still() -> None:
    """They count again."""
    stamps = Stamps(90_000)
    for index in range(20):
        stamps.take(5, index * 40_000)

    assert stamps.take(3605, 0) == (3605, 3605)
    assert not stamps.stands_still


def test_a_jump_is_no_swap() -> None:
    """A camera that sets its clock back by an hour has not shown pictures in another order."""
    stamps = Stamps(90_000)
    stamps.take(90_000 * 3600, 0)

    assert stamps.take(0, 0) == (0, 0)
    assert stamps.depth == 0
