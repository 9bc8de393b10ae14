"""Sound beside pictures: by the camera's reports, or by what arrives."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import SECOND_US
from recorder.capture.rtp.alignment import JUMP_US, REALIGN_US, WINDOW_US, Alignment, Lateness

RATE_HZ = 16_000
FRAME = 1024
FRAME_US = FRAME * SECOND_US // RATE_HZ


class Camera:
    """A camera whose pictures and sound count from anywhere; sound as early as its picture, unless told otherwise."""

    def __init__(self, *, first_tick: int = 777_000, first_sample: int = 5000, sound_late_us: int = 0) -> None:
        self.first_tick, self.first_sample, self.sound_late_us = first_tick, first_sample, sound_late_us
        self.alignment = Alignment(RATE_HZ)
        self.now_us = 50 * SECOND_US
        self.begun_us = self.now_us
        self.drift_ppm = 0

    def play(self, seconds: float, delays_us: Iterable[int] = ()) -> None:
        """Pictures and sound arrive, each late by the next of the delays."""
        delays = iter(delays_us)
        ends_us = self.now_us + round(seconds * SECOND_US)
        while self.now_us < ends_us:
            passed_us = self.now_us - self.begun_us
            late_us = next(delays, 0)
            self.alignment.picture(self.tick(passed_us), self.now_us + late_us)
            self.alignment.sound(self.sample(passed_us), self.now_us + late_us + self.sound_late_us)
            self.now_us += 40_000

    def tick(self, passed_us: int) -> int:
        return self.first_tick + passed_us * 9 // 100

    def sample(self, passed_us: int) -> int:
        passed_us += passed_us * self.drift_ppm // 1_000_000
        return self.first_sample + passed_us * RATE_HZ // SECOND_US

    def off_us(self, passed_us: int | None = None) -> int:
        """By how much the sound of a moment is placed behind its picture."""
        passed_us = self.now_us - self.begun_us if passed_us is None else passed_us
        placed = self.alignment.place(self.sample(passed_us))
        return placed * SECOND_US // RATE_HZ - self.tick(passed_us) * 100 // 9


def test_nothing_is_placed_before_a_second_of_pictures() -> None:
    """What a camera had buffered arrives in a burst: only then is it known how late it all was."""
    camera = Camera()
    camera.play(0.9)
    assert not camera.alignment.is_settled()
    camera.play(0.3)
    assert camera.alignment.is_settled()


def test_sound_alone_is_never_placed() -> None:
    """It is the pictures' line."""
    alignment = Alignment(RATE_HZ)
    for index in range(100):
        alignment.sound(index * FRAME, index * FRAME_US)

    assert not alignment.is_settled()


def test_by_arrival_the_least_delayed_count() -> None:
    """Delays that come and go change nothing."""
    camera = Camera()
    camera.play(3, [0, 200_000, 90_000] * 40)
    camera.alignment.settle()

    assert abs(camera.off_us()) < 1000


def test_pictures_that_were_buffered() -> None:
    """Five seconds of them arrive at once, before any sound of that time: the newest tell where the others belong."""
    camera = Camera()
    for index in range(125):
        camera.alignment.picture(camera.first_tick - (125 - index) * 3600, camera.now_us)
    camera.play(1.2)
    camera.alignment.settle()

    assert abs(camera.off_us()) < 1000


def test_reports_are_believed_before_arrivals() -> None:
    """Sound that takes half a second longer on its way belongs to the picture that the camera says."""
    camera = Camera(sound_late_us=500_000)
    camera.play(2)
    camera.alignment.settle()
    assert abs(camera.off_us() - 500_000) < 1000

    camera.alignment.reports((9_000_000, camera.tick(0)), (9_250_000, camera.sample(250_000)))
    camera.alignment.settle()

    assert abs(camera.off_us()) < 1000
    assert camera.alignment.realigned == 1


@pytest.mark.parametrize("other_us", [3_000_000, -(10**15)])
def test_reports_of_two_clocks_are_not_believed(other_us: int) -> None:
    """One that was set between them, or counts from another day."""
    camera = Camera()
    camera.play(2)
    camera.alignment.reports((9_000_000, camera.tick(0)), (9_000_000 + other_us, camera.sample(0)))
    camera.alignment.settle()

    assert abs(camera.off_us()) < 1000


def test_one_report_is_none() -> None:
    """And one that is taken back, because the pictures' stamps tell nothing, counts no more."""
    camera = Camera(sound_late_us=200_000)
    camera.play(2)
    camera.alignment.reports((0, camera.tick(0)), (0, camera.sample(0)))
    camera.alignment.reports(None, (0, camera.sample(0)))
    camera.alignment.settle()

    assert abs(camera.off_us() - 200_000) < 1000


def test_drift_is_followed_in_steps() -> None:
    """A clock that runs 1000 ppm fast: sound is never off by more than the limit and what the window hides."""
    camera = Camera()
    camera.drift_ppm = 1000
    camera.play(2)
    for _ in range(60):
        camera.play(5)
        camera.alignment.settle()
        assert abs(camera.off_us()) <= REALIGN_US + 2 * WINDOW_US // 1000 + 5000

    assert 2 <= camera.alignment.realigned <= 4


def test_little_drift_moves_nothing() -> None:
    """Between one second and the next sound runs on without seams."""
    camera = Camera()
    camera.drift_ppm = 50
    camera.play(2)
    camera.alignment.settle()
    places = [camera.alignment.place(5000 + index * FRAME) for index in range(3)]
    camera.play(60)
    camera.alignment.settle()

    assert camera.alignment.realigned == 0
    assert [camera.alignment.place(5000 + index * FRAME) for index in range(3)] == places
    assert places[1] - places[0] == places[2] - places[1] == FRAME


def test_pictures_that_jump() -> None:
    """The camera set its media clock: nothing is placed until it is known anew, and then rightly."""
    camera = Camera()
    camera.play(2)
    camera.alignment.settle()
    camera.first_tick += 3600 * 90_000
    camera.play(0.5)
    assert not camera.alignment.is_settled()
    camera.play(1)
    assert camera.alignment.is_settled()
    camera.alignment.settle()

    assert abs(camera.off_us()) < 1000


@given(st.lists(st.integers(0, 300_000), max_size=200), st.integers(-(10**9), 10**9), st.integers(0, 2**33))
def test_whatever_the_delays_the_distance_is_that_of_the_least(
    delays_us: list[int], first_tick: int, first_sample: int
) -> None:
    """From one to two windows; clocks may begin anywhere."""
    camera = Camera(first_tick=first_tick, first_sample=first_sample)
    camera.play(10, delays_us)
    camera.alignment.settle()

    least_us = min([*delays_us[:250], *([0] if len(delays_us) < 250 else [])])
    assert abs(camera.off_us()) <= 1000 + least_us


def test_a_jump_forgets_what_was_known() -> None:
    """Media time that moves by more than two seconds at once begins anew; a window that has passed is forgotten."""
    late = Lateness()
    assert (late.least_us(), late.since_us()) == (None, None)
    late.take(0, 1000)
    late.take(40_000, 41_500)
    assert (late.least_us(), late.since_us()) == (1000, 1000)
    late.take(40_000 + JUMP_US + 1, 90_000)
    assert (late.least_us(), late.since_us()) == (90_000 - 40_000 - JUMP_US - 1, 90_000)
    for index in range(1, 1000):
        late.take(40_000 + JUMP_US + 1 + index * 40_000, 90_000 + index * 40_000 + 7000)
    assert late.least_us() == 90_000 - 40_000 - JUMP_US - 1 + 7000
