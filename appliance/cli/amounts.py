"""Sizes, bit rates and groups of cameras as people write them on the command line. Pure.

A letter behind a number means what makers of disks and cameras mean by it: k, M, G, T are powers of 1000; Ki, Mi, Gi,
Ti of 1024. What is left open is not guessed: ``4MB`` is no bit rate, and ``8Tbit`` no size.
"""

from __future__ import annotations

import re
from typing import Final

from config.errors import CustosError, ExitCode
from config.keeping import DAYS_LIMIT, Protection
from retention.capacity import Group

CAMERAS_LIMIT: Final = 100_000
"""Of one group: more is a slip, and no box has so many."""

BITRATE_LEAST_BPS: Final = 10_000
"""Below this no camera sends video: somebody wrote 4 and meant 4M."""

BITRATE_LIMIT_BPS: Final = 1_000_000_000
"""Above this none does."""

SIZE_LIMIT_BYTES: Final = 10**18
"""An exabyte: no disk, nor what many make together."""

_POWERS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY: Final = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_NUMBER: Final = r"(\d{1,15}(?:\.\d{1,9})?)"
_SIZE = re.compile(_NUMBER + r"\s?([kmgtp]i?)?b?", re.IGNORECASE | re.ASCII)
_RATE = re.compile(_NUMBER + r"\s?([kmg])?(?:bit/s|bits/s|bps|bit)?", re.IGNORECASE | re.ASCII)
_GROUP = re.compile(r"(\d{1,6})\s?[x×]\s?([^@]+?)(?:\s?@\s?(\d{1,6})d?)?", re.IGNORECASE | re.ASCII)


class SizeUnclear(CustosError):
    """That is no size of a disk: write bytes with a unit, such as 8T, 500G or 3.6Ti. 请写明容量，例如 8T、500G 或 3.6Ti"""  # noqa: E501 - one sentence, twice

    code = "size_unclear"
    exit_code = ExitCode.USAGE


class BitrateUnclear(CustosError):
    """That is no bit rate of a camera: write bits a second with a unit, such as 4M, 2.5M or 800k. 请写明码率（每秒比特数），例如 4M、2.5M 或 800k"""  # noqa: E501 - one sentence, twice

    code = "bitrate_unclear"
    exit_code = ExitCode.USAGE


class GroupUnclear(CustosError):
    """That is no group of cameras: write cameras x bit rate @ days, such as 20x4M@90. 请按“台数x码率@天数”填写，例如 20x4M@90"""  # noqa: E501 - one sentence, twice

    code = "group_unclear"
    exit_code = ExitCode.USAGE


class DaysUnlawful(CustosError):
    """The law wants footage kept for 30 days at least (order 168 of Wuxi, article 28). 法定最短留存期为三十日"""

    code = "days_unlawful"
    exit_code = ExitCode.USAGE


def size_bytes(text: str) -> int:
    """Bytes: ``8T``, ``500 GB``, ``3.6Ti``; a number alone is bytes.

    Raises:
        SizeUnclear: it is none, nought, or more than there can be.
    """
    found = _SIZE.fullmatch(text.strip())
    size = 0 if found is None else round(float(found[1]) * (_POWERS | _BINARY)[(found[2] or "").lower()])
    if not 0 < size <= SIZE_LIMIT_BYTES:
        raise SizeUnclear(f"{text!r}: {SizeUnclear.sentence()}")
    return size


def bitrate_bps(text: str) -> int:
    """Bits a second: ``4M``, ``2.5 Mbit/s``, ``800k``, ``6000000``; a large B, which would be bytes, is refused.

    Raises:
        BitrateUnclear: it is none, or no camera sends so little or so much.
    """
    found = _RATE.fullmatch(text.strip())
    rate = 0 if found is None else round(float(found[1]) * _POWERS[(found[2] or "").lower()])
    if not BITRATE_LEAST_BPS <= rate <= BITRATE_LIMIT_BPS:
        raise BitrateUnclear(f"{text!r}: {BitrateUnclear.sentence()}")
    return rate


def group(text: str, days: int) -> Group:
    """Cameras that are alike: ``20x4M@90``; `days`: where none are said.

    Raises:
        GroupUnclear, BitrateUnclear, DaysUnlawful: as they say.
    """
    found = _GROUP.fullmatch(text.strip())
    if found is None:
        raise GroupUnclear(f"{text!r}: {GroupUnclear.sentence()}")
    return checked_group(int(found[1]), bitrate_bps(found[2]), int(found[3] or days))


def checked_group(cameras: int, rate_bps: int, days: int) -> Group:
    """A group whose numbers can be.

    Raises:
        GroupUnclear, DaysUnlawful: they cannot.
    """
    if not 0 < cameras <= CAMERAS_LIMIT or days > DAYS_LIMIT:
        raise GroupUnclear(f"{cameras} x {days} d: {GroupUnclear.sentence()}")
    if days < Protection.ORDINARY.least_days:
        raise DaysUnlawful(f"{days} d: {DaysUnlawful.sentence()}")
    return Group(cameras, rate_bps, days)
