"""How much of a disk a package may take: rules alone; what an export does with them is in tests/store."""

from __future__ import annotations

import pytest

from recorder.errors import NoRoomForExport
from recorder.store.places import Space
from recorder.store.pressure import RESERVE_BYTES
from retention.evidence.room import kept_bytes, refuse

GB = 1_000_000_000


def test_a_day_of_recording_stays_free() -> None:
    """That of the last day, or one at the rate of the last hour, whichever is more; and the reserve besides."""
    assert kept_bytes(1000 * GB, 50 * GB, 1 * GB) == RESERVE_BYTES + 50 * GB
    assert kept_bytes(1000 * GB, 3 * GB, 2 * GB) == RESERVE_BYTES + 48 * GB
    assert kept_bytes(1 * GB, 0, 0) == GB // 50


def test_what_fits_may_be_written_and_what_does_not_may_not() -> None:
    """To the byte; and the refusal says how much it would need."""
    space = Space(100 * GB, 1000 * GB)
    refuse(space, 60 * GB, 40 * GB)
    with pytest.raises(NoRoomForExport, match="needs 40000 MB more, 100000 MB are free"):
        refuse(space, 60 * GB, 40 * GB + 1)


def test_nothing_more_is_written_on_a_disk_that_has_less_than_is_kept() -> None:
    """Even what needs no more of it."""
    with pytest.raises(NoRoomForExport):
        refuse(Space(59 * GB, 1000 * GB), 60 * GB, 0)
