"""Pictures out of NAL units, whatever the codec."""

from recorder.capture.rtp.assembly import Assembly


def test_a_hole_between_two_pictures() -> None:
    """What is missing may have been the end of one or the beginning of the other: both say so."""
    picture = Assembly()
    picture.at(10)
    picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)
    picture.lost()
    first = picture.at(20)
    picture.unit(memoryview(b"b"), is_slice=True, is_first=True, is_key=False)
    second = picture.marked()

    assert [one.damaged for one in (*first, *second)] == [True, True]


def test_a_unit_that_begins_inside_another() -> None:
    """The one before never ended: it is dropped."""
    picture = Assembly()
    picture.at(10)
    picture.begin_fragment(b"h", memoryview(b"never ends"))
    picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)

    assert [(one.data, one.damaged) for one in picture.marked()] == [(b"\x00\x00\x00\x01a", True)]
