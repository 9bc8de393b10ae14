"""Sound on the line of a run."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.audioline import (
    AHEAD_MS,
    FRAME_LIMIT_BYTES,
    FRAME_LIMIT_SAMPLES,
    OVERLAP_MS,
    SEAM_MS,
    AudioLine,
)
from recorder.capture.source import AudioFrame, AudioTrack
from recorder.store.records import AudioCodec

TRACK = AudioTrack(AudioCodec.AAC, 16_000, 1, b"")
MS = 16
"""Samples."""
ORIGIN = 900_000


def placed(*at: int, samples: int = 1024, picture_s: float = 100) -> list[int | None]:
    """Where frames go that are heard so many samples after the run's first picture."""
    line = AudioLine(TRACK, ORIGIN)
    return [line.place(AudioFrame(b"x", 160_000 + one, samples), round(picture_s * 90_000)) for one in at]


def test_frames_that_nearly_touch_are_made_to_touch() -> None:
    """Stamps of another clock are rounded on their way: that makes no hole, and no overlap."""
    assert placed(5, 5 + 1024 + SEAM_MS * MS, 5 + 2048 - 3) == [5, 5 + 1024, 5 + 2048]


def test_what_is_missing_is_a_hole() -> None:
    """Even the shortest packet that is lost."""
    assert placed(0, 160, 480, samples=160) == [0, 160, 480]


def test_sound_that_overlaps_too_far_is_dropped() -> None:
    """It catches up frame by frame; what overlaps a little is moved."""
    overlap, begin = OVERLAP_MS * MS, 5000
    at = placed(begin, begin + 1024 - overlap, begin + 2048 - overlap - 1, begin + 2048 - overlap)
    assert at == [begin, begin + 1024, None, begin + 2048]


def test_sound_from_before_the_run_is_left_out() -> None:
    """A run begins with its first picture."""
    assert placed(-1, 0) == [None, 0]


def test_misplaced_sound_does_not_bar_what_follows() -> None:
    """Far ahead of its picture it is dropped."""
    ahead = AHEAD_MS * MS
    assert placed(ahead + 1, ahead, 0, picture_s=0) == [None, ahead, None]


def test_frames_that_cannot_be() -> None:
    """Nothing, too much, for no time, or for too long."""
    line = AudioLine(TRACK, 0)
    wrong = ((b"", 1), (bytes(FRAME_LIMIT_BYTES + 1), 1), (b"x", 0), (b"x", -1), (b"x", FRAME_LIMIT_SAMPLES + 1))
    for data, samples in wrong:
        assert line.place(AudioFrame(data, 0, samples), 0) is None
    assert line.place(AudioFrame(bytes(FRAME_LIMIT_BYTES), 0, FRAME_LIMIT_SAMPLES), 0) == 0


FRAMES = st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(-1, 6000)), max_size=60)


@given(FRAMES, st.integers(-(2**40), 2**40))
def test_whatever_comes_frames_are_in_order_and_never_overlap(frames: list[tuple[int, int]], origin: int) -> None:
    """A muxer refuses anything else."""
    line, end = AudioLine(TRACK, origin), 0
    for at, samples in frames:
        place = line.place(AudioFrame(b"x", origin * 16_000 // 90_000 + at, samples), 10**7)
        if place is not None:
            assert place >= end
            assert place - at <= OVERLAP_MS * MS
            end = place + samples
