"""Instants as whole microseconds since the Unix epoch, UTC; their written forms; nothing local.

Local time exists only in the day count of the law (`recorder.store.daycount`) and in what people see.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
DAY_US = 86_400 * SECOND_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_US = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z: the last instant that RFC 3339 can write."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def format_us(instant_us: int) -> str:
    """RFC 3339 in UTC with six decimals, such as ``2026-11-24T08:00:00.000000Z``: one form, so bytes compare."""
    return to_datetime(instant_us).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def format_name(instant_us: int) -> str:
    """The form used in file names, milliseconds: ``20261124T080000.000Z``."""
    moment = to_datetime(instant_us)
    return f"{moment.year:04d}{moment:%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def parse_us(text: str) -> int:
    """Read RFC 3339 with any offset; a time without an offset is refused.

    Raises:
        ValueError: not RFC 3339, or no offset. A local time would mean something else on every machine.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is not a time as RFC 3339 writes it, such as 2026-11-24T08:00:00Z")
    return from_datetime(datetime.fromisoformat(_six_decimals(text)))


def to_datetime(instant_us: int) -> datetime:
    """The instant as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant_us)


def from_datetime(moment: datetime) -> int:
    """An aware datetime as microseconds; a naive one is refused with ``ValueError``."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset is not an instant")
    delta = moment - EPOCH
    return delta.days * DAY_US + delta.seconds * SECOND_US + delta.microseconds


def _six_decimals(text: str) -> str:
    """Cut nanoseconds, which Python cannot read, down to microseconds."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text.upper().replace(" ", "T")).replace("Z", "+00:00")
