"""Sizes, bit rates and groups as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.amounts import (
    BITRATE_LEAST_BPS,
    BITRATE_LIMIT_BPS,
    BitrateUnclear,
    DaysUnlawful,
    GroupUnclear,
    SizeUnclear,
    bitrate_bps,
    checked_group,
    group,
    size_bytes,
)
from config.errors import CustosError, ExitCode
from retention.capacity import Group


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8T", 8 * 10**12),
        ("8TB", 8 * 10**12),
        (" 8 tb ", 8 * 10**12),
        ("500G", 500 * 10**9),
        ("3.6Ti", round(3.6 * 2**40)),
        ("1GiB", 2**30),
        ("4096", 4096),
        ("0.5k", 500),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    """In powers of 1000 as disks are sold, of 1024 where somebody says so."""
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "T", "8X", "-8T", "8T8", "0", "8Tbit", "8 T B", "1e3", "9999999P", "8T/s", "٨T", "4.5.6T"]
)
def test_what_is_no_size_is_refused_with_what_to_write(text: str) -> None:
    """Nothing is guessed, and no half of a word is read: a library of the house read 4.5.6T as four bytes."""
    with pytest.raises(SizeUnclear, match="such as 8T") as caught:
        size_bytes(text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "例如 8T" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("4M", 4_000_000), ("2.5Mbit/s", 2_500_000), ("800 kbps", 800_000), ("6000000", 6_000_000), ("1g", 10**9)],
)
def test_bit_rates_are_bits_a_second(text: str, rate: int) -> None:
    """4M is four million of them."""
    assert bitrate_bps(text) == rate


@pytest.mark.parametrize("text", ["", "4", "4MB", "4MB/s", "4MiB", "-4M", "4T", "2G", "M", "4M4"])
def test_what_is_no_bit_rate_is_refused_with_what_to_write(text: str) -> None:
    """Bytes are not taken for bits, and 4 is not taken for 4M: either would buy an eighth or a millionth of a disk."""
    with pytest.raises(BitrateUnclear, match="such as 4M"):
        bitrate_bps(text)


@given(st.integers(BITRATE_LEAST_BPS, BITRATE_LIMIT_BPS))
def test_whole_numbers_are_themselves(rate: int) -> None:
    """With or without a unit of one."""
    assert bitrate_bps(str(rate)) == bitrate_bps(f"{rate} bit/s") == rate


@given(st.text(max_size=12))
def test_nothing_else_comes_out_of_a_slip(text: str) -> None:
    """A number, or an error of ours."""
    for read in (size_bytes, bitrate_bps, lambda one: group(one, 30)):
        with contextlib.suppress(CustosError):
            assert read(text)


def test_groups_are_written_in_a_word() -> None:
    """Cameras, what each sends, and for how many days; without these the days of all."""
    assert group("20x4M@90", 30) == Group(20, 4_000_000, 90)
    assert group("64 × 2.5M", 30) == Group(64, 2_500_000, 30)
    assert group("3x800k@31d", 30) == Group(3, 800_000, 31)


@pytest.mark.parametrize("text", ["", "20", "x4M", "20x", "0x4M", "20x4M@", "20x4M@90@30", "20*4M", "999999x4M"])
def test_what_is_no_group_is_refused(text: str) -> None:
    """With the form that it has."""
    with pytest.raises((GroupUnclear, BitrateUnclear)):
        group(text, 30)


def test_fewer_days_than_the_law_wants_are_not_planned() -> None:
    """A disk bought for a week would be one on which recording stops."""
    with pytest.raises(DaysUnlawful, match="30 days"):
        group("20x4M@7", 30)
    with pytest.raises(GroupUnclear):
        checked_group(1, 4_000_000, 10**6)
