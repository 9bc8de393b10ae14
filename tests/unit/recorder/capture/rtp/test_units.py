"""The bounds that all depacketisers share."""

from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit


def test_a_unit_may_be_as_large_as_any_real_picture() -> None:
    """A key frame of a 4K camera has two megabytes; what is many times larger is an attack or noise."""
    assert 4 * 1024 * 1024 <= UNIT_LIMIT_BYTES <= 64 * 1024 * 1024
    assert AccessUnit(b"x", 1, True, False)._fields == ("data", "timestamp", "is_key", "damaged", "unit_starts")
