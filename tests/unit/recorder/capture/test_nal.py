"""NAL units."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.nal import holds_key_picture, parameter_sets, unit_spans, unit_type, units, with_sets
from recorder.store.records import CodecName
from tests.fakes.video import access_units


def test_units_of_a_real_picture_are_found() -> None:
    """A key picture of H.264 carries SPS, PPS and an IDR slice."""
    key, _ = access_units(CodecName.H264)[0]

    types = [unit_type(unit, CodecName.H264) for unit in units(key)]

    assert {7, 8, 5} <= set(types)


def test_parameter_sets_of_h265_are_three() -> None:
    """A key picture of H.265 carries VPS, SPS and PPS."""
    key, _ = access_units(CodecName.H265)[0]

    assert [unit_type(unit, CodecName.H265) for unit in parameter_sets(key, CodecName.H265)] == [32, 33, 34]


def test_pictures_in_between_have_no_key_slice_and_no_sets() -> None:
    """Only key pictures let decoding begin."""
    for codec in CodecName:
        for unit, is_key in access_units(codec):
            assert holds_key_picture(unit, codec) == is_key
            assert bool(parameter_sets(unit, codec)) == is_key


def test_a_jpeg_has_its_header_for_sets() -> None:
    """It is the same in every picture of a size, and differs where the size does."""
    sizes = ((160, 120), (176, 144))
    films = [
        {parameter_sets(shot, CodecName.MJPEG) for shot, _ in access_units(CodecName.MJPEG, 5, 1, *size)}
        for size in sizes
    ]

    assert [len(film) for film in films] == [1, 1]
    assert films[0] != films[1]
    assert parameter_sets(b"no picture", CodecName.MJPEG) == ()


def test_sets_are_found_where_units_are_known_to_begin() -> None:
    """The same as by looking through the picture."""
    for codec in (CodecName.H264, CodecName.H265):
        for shot, _ in access_units(codec):
            whole = b"".join(b"\0\0\0\1" + unit for unit in units(shot))
            starts = tuple(begin - 4 for begin, _ in unit_spans(whole))
            assert parameter_sets(whole, codec, starts) == parameter_sets(shot, codec)


@given(st.binary(max_size=300))
def test_spans_are_those_of_the_units(data: bytes) -> None:
    """Of any bytes, with start codes of three bytes and of four."""
    data = data.replace(b"\x07", b"\0\0\1").replace(b"\x08", b"\0\0\0\1")
    assert [data[begin:end] for begin, end in unit_spans(data)] == list(units(data))


def test_sets_repeated_in_one_picture_count_once() -> None:
    """A camera that sends its sets twice changed nothing."""
    key, _ = access_units(CodecName.H264)[0]
    sets = parameter_sets(key, CodecName.H264)

    assert sets == parameter_sets(with_sets(sets, key), CodecName.H264)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_apart_without_an_error(data: bytes) -> None:
    """Noise gives units or none, never an exception; no unit holds a start code."""
    for unit in units(data):
        assert b"\x00\x00\x01" not in unit
        assert unit


@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\x00", b"\x02") or b"\x02"), max_size=8))
def test_units_put_together_come_apart_again(parts: list[bytes]) -> None:
    """What `with_sets` joins, `units` parts."""
    assert parts == list(units(with_sets(tuple(parts), b"")))
