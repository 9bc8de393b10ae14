"""How much disk a site needs, by rules that can be turned round."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.capacity import DAY_S, MARGIN_SHARE, Group, fit, need

SITE = Group(64, 4_000_000, 30)
RESERVE = 64 * 1024 * 1024

groups = st.lists(
    st.builds(
        Group,
        cameras=st.integers(1, 500),
        bitrate_bps=st.integers(50_000, 40_000_000).map(float),
        days=st.integers(30, 400),
    ),
    min_size=1,
    max_size=4,
)
segments = st.sampled_from([2.0, 60.0, 600.0])


def test_a_site_of_sixty_four_cameras() -> None:
    """64 cameras of 4 Mbit/s are 2.76 TB a day; thirty days must lie there, one of recording and one of margin."""
    found = need([SITE], 60, RESERVE)

    assert found.video == 64 * 4_000_000 // 8 * DAY_S * 32
    assert found.container / found.video < 0.002
    assert found.margin == pytest.approx((found.video + found.container) * MARGIN_SHARE)
    assert (found.log + found.catalogue) / found.video < 0.005
    assert found.total == pytest.approx(97.8e12, rel=0.01)


@given(groups, segments)
def test_a_disk_of_just_that_size_fits_and_one_byte_less_does_not(site: list[Group], segment_s: float) -> None:
    """And its days and cameras are those that were asked for."""
    total = need(site, segment_s, RESERVE).total
    found = fit(site, segment_s, total, RESERVE)

    assert found.fits
    assert not fit(site, segment_s, total - 1, RESERVE).fits
    for one, days, cameras in zip(site, found.days, found.cameras, strict=True):
        assert days == one.days
        assert cameras == one.cameras


@given(groups, segments, st.integers(0, 10**16))
def test_what_fits_by_days_and_cameras_fits(site: list[Group], segment_s: float, disk_bytes: int) -> None:
    """Whoever keeps to the answer has room: as many cameras beside the others, and as many days of all."""
    found = fit(site, segment_s, disk_bytes, RESERVE)
    for number, cameras in enumerate(found.cameras):
        others = [one for at, one in enumerate(site) if at != number]
        if cameras:
            asked = [*others, replace(site[number], cameras=cameras)]
            assert need(asked, segment_s, RESERVE).total <= disk_bytes + len(site) + 8
    if all(30 <= days <= 400 for days in found.days):
        asked = [replace(one, days=days) for one, days in zip(site, found.days, strict=True)]
        assert need(asked, segment_s, RESERVE).total <= disk_bytes + len(site) + 8
    assert found.fits == (need(site, segment_s, RESERVE).total <= disk_bytes)


@given(groups, segments)
def test_more_of_anything_needs_more(site: list[Group], segment_s: float) -> None:
    """A camera more, a day more, a bit more."""
    first, *rest = site
    total = need(site, segment_s, RESERVE).total
    more = (
        replace(first, cameras=first.cameras + 1),
        replace(first, days=first.days + 1),
        replace(first, bitrate_bps=first.bitrate_bps * 2),
    )
    for one in more:
        assert need([one, *rest], segment_s, RESERVE).total > total


def test_a_disk_smaller_than_the_reserve_holds_nothing() -> None:
    """No days, no cameras, and no number below nought."""
    found = fit([SITE], 60, 1000, RESERVE)

    assert (found.fits, found.days, found.cameras) == (False, (0,), (0,))
