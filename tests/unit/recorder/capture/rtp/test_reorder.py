"""UDP packets in order again."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.reorder import AGE_LIMIT_US, WINDOW_LIMIT_PACKETS, ReorderWindow


def through(numbers: list[int], now_us: int = 0) -> list[int]:
    window = ReorderWindow()
    return [
        int.from_bytes(packet, "big")
        for number in numbers
        for packet in window.take(number, memoryview(number.to_bytes(2, "big")), now_us)
    ]


def test_two_packets_that_overtook_each_other() -> None:
    """They come out in order, across the wrap too."""
    assert through([65_534, 0, 65_535, 1]) == [65_534, 65_535, 0, 1]


def test_a_packet_that_never_comes() -> None:
    """What waits behind it goes on when it has waited too long."""
    window = ReorderWindow()
    list(window.take(1, memoryview(b"1"), 0))
    assert list(window.take(3, memoryview(b"3"), 1000)) == []
    assert list(window.older(1000 + AGE_LIMIT_US)) == []

    assert [bytes(one) for one in window.older(1001 + AGE_LIMIT_US)] == [b"3"]
    assert list(window.take(2, memoryview(b"2"), 2000 + AGE_LIMIT_US)) == []


def test_a_full_window() -> None:
    """The hole is given up at a bound, whatever the time."""
    assert through([1, *range(3, 3 + WINDOW_LIMIT_PACKETS)]) == [1, *range(3, 3 + WINDOW_LIMIT_PACKETS)]


def test_a_camera_that_begins_anew() -> None:
    """Numbers far away are not waited for; what was held goes first."""
    assert through([1, 3, 30_000, 30_001]) == [1, 3, 30_000, 30_001]


def test_the_end() -> None:
    """What waits behind a hole comes out, in order."""
    window = ReorderWindow()
    for number in (1, 5, 3):
        list(window.take(number, memoryview(bytes([number])), 0))

    assert [bytes(one) for one in window.rest()] == [b"\3", b"\5"]
    assert list(window.rest()) == []


@given(st.lists(st.integers(0, 65_535), max_size=300))
def test_any_numbers(numbers: list[int]) -> None:
    """Nothing comes out that did not go in, and the window stays bounded."""
    window = ReorderWindow()
    out = 0
    for number in numbers:
        out += len(list(window.take(number, memoryview(b"x"), 0)))
        assert len(window._held) < WINDOW_LIMIT_PACKETS
    assert out <= len(numbers)


@given(st.integers(0, 65_535), st.integers(1, 200), st.randoms(use_true_random=False))
def test_any_order_within_the_window(first: int, count: int, chance: object) -> None:
    """Packets that are swapped by a few places all come out, in order."""
    places = sorted(range(count), key=lambda index: index + chance.random() * 8)  # type: ignore[attr-defined]  # a Random
    places.remove(0)
    numbers = [(first + place) % 65_536 for place in [0, *places]]

    assert through(numbers) == [(first + index) % 65_536 for index in range(count)]
