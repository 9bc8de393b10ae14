"""Media time to UTC."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.timeline import EARLY_LIMIT_US, LATE_LIMIT_US, STEER_LIMIT_PPM, TICKS_PER_S, Timeline, ticks_to_us

MINUTE_TICKS = 60 * TICKS_PER_S


def test_a_camera_in_step_is_not_steered() -> None:
    """Frames that arrive when media time says leave UTC at media time."""
    line = Timeline(1_000_000)
    for second in range(60):
        line.observe(line.late_us(second * TICKS_PER_S, 1_000_000 + second * 1_000_000))

    assert line.cut(MINUTE_TICKS) == 61_000_000
    assert line.utc_us(2 * MINUTE_TICKS) == 121_000_000


def test_a_slow_camera_is_followed_by_at_most_500_ppm() -> None:
    """A camera 200 ppm slow is followed; its error does not grow from segment to segment (Moonfire 350)."""
    line, errors = Timeline(0), []
    for minute in range(30):
        for second in range(60):
            ticks = (minute * 60 + second) * TICKS_PER_S
            line.observe(line.late_us(ticks, round(ticks_to_us(ticks) * 1.0002)))
        end = line.cut((minute + 1) * MINUTE_TICKS)
        errors.append(abs(end - round((minute + 1) * 60_000_000 * 1.0002)))

    assert max(errors[5:]) < 30_000


@given(st.lists(st.integers(min_value=-(10**9), max_value=10**9), min_size=1, max_size=20))
def test_segments_touch_and_run_forwards_whatever_arrives(late: list[int]) -> None:
    """However late or early frames come, each cut lies ahead, at a rate within 500 ppm of media time; unless no network
    can have made them so late or early: then it lies where they came."""
    line, before = Timeline(0), 0
    for n, lateness in enumerate(late):
        line.observe(line.late_us(n * MINUTE_TICKS, before + lateness))
        least = line.late_us(n * MINUTE_TICKS, before + lateness)
        expected = line.utc_us((n + 1) * MINUTE_TICKS)
        end = line.cut((n + 1) * MINUTE_TICKS)
        assert end > before
        if -EARLY_LIMIT_US <= least <= LATE_LIMIT_US:
            assert abs(end - before - 60_000_000) <= 60 * STEER_LIMIT_PPM + 1
        else:
            assert end == max(expected + least, before + 1)
        before = end
