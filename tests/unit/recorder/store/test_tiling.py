"""Coverage tiles, whatever the items."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.causes import Cause
from recorder.store.records import CodecName, Gap, Item, MediaState, Segment
from recorder.store.tiling import Kind, tile


def segment(t0: int, t1: int, state: MediaState = MediaState.PRESENT) -> Segment:
    return Segment(
        stream_id="gate.main", n=0, run=0, t0_us=t0, t1_us=t1, prev="", leaf_index=0, leaf_hash="", elapsed_us=0,
        volume="main", path="", bytes=1, init_bytes=1, init_sha256="", frames=1, codec=CodecName.H264, width=1,
        height=1, lost_packets=None, clock_offset_us=None, sha256="", recovered=False, state=state,
    )  # fmt: skip


def gap(t0: int, t1: int, cause: Cause = Cause.UNREACHABLE) -> Gap:
    return Gap("gate.main", 0, t0, t1, "", 0, "", 0, cause, "")


SPANS = st.tuples(st.integers(min_value=-50, max_value=150), st.integers(min_value=-50, max_value=150))
ITEMS = st.lists(
    st.builds(lambda span: segment(min(span), max(span)), SPANS)
    | st.builds(lambda span: segment(min(span), max(span), MediaState.GONE), SPANS)
    | st.builds(lambda span, cause: gap(*span, cause), SPANS, st.sampled_from(list(Cause))),
    max_size=12,
)


@given(ITEMS, st.integers(min_value=-20, max_value=100), st.integers(min_value=0, max_value=80))
def test_stretches_tile_the_interval_exactly(items: list[Item], start: int, length: int) -> None:
    """They begin at the start, end at the end, touch, and none is empty."""
    found = tile(items, start, start + length)

    edges = [start, *[one.t1_us for one in found]]
    assert [one.t0_us for one in found] == edges[:-1]
    assert edges[-1] == start + length
    assert all(one.t0_us < one.t1_us for one in found)


@given(ITEMS)
def test_what_is_recorded_is_never_called_missing(items: list[Item]) -> None:
    """At every instant the best that any item says is what coverage says."""
    found = tile(items, 0, 100)

    for instant in range(100):
        said = next(one.kind for one in found if one.t0_us <= instant < one.t1_us)
        over = [item for item in items if item.t0_us <= instant < item.t1_us]
        present = any(isinstance(one, Segment) and one.state is MediaState.PRESENT for one in over)
        gone = any(isinstance(one, Segment) and one.state is MediaState.GONE for one in over)
        expected = Kind.RECORDED if present else Kind.DISCARDED if gone else Kind.GAP if over else Kind.UNKNOWN
        assert said is expected


def test_neighbours_that_say_the_same_are_one() -> None:
    """A minute of segments is one recorded stretch; two causes are two gaps."""
    items: list[Item] = [
        segment(0, 10),
        segment(10, 20),
        gap(20, 30, Cause.STALLED),
        gap(30, 40, Cause.UNREACHABLE),
        segment(40, 50),
    ]

    found = tile(items, 0, 60)

    assert [(one.kind.value, one.t0_us, one.t1_us) for one in found] == [
        ("recorded", 0, 20),
        ("gap", 20, 30),
        ("gap", 30, 40),
        ("recorded", 40, 50),
        ("unknown", 50, 60),
    ]


def test_a_gap_that_leads_back_covers_nothing() -> None:
    """A clock set back ends a gap before it starts: it is a fact of the log, not a stretch of time."""
    assert [one.kind for one in tile([gap(90, 10, Cause.CLOCK_STEP)], 0, 100)] == [Kind.UNKNOWN]
