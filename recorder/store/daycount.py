"""The day count of the law, and the time that may be trusted to count with. Pure.

Civil Code article 201: the first day is not counted. So footage of local date D that must be kept for 30 days may
go at 00:00 local on D+31 at the earliest; an age of 30 times 86,400 seconds would let it go during D+30.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.times import DAY_US, LAST_US, from_datetime, to_datetime

LAST_DATE_MARGIN_DAYS = 3
"""Before the last date that can be written: a clock gone wild makes footage stay, and is no error."""


def earliest_discard_us(t1_us: int, days: int, zone: ZoneInfo) -> int:
    """When footage that ended at `t1_us` (its last instant lies before it) may go after being kept for `days`.

    The date is that of the footage's last instant, so that a segment over midnight counts for the later day. Where
    the zone's midnight does not exist or happens twice, the later reading counts: never a minute too early.
    """
    if t1_us > LAST_US - (days + LAST_DATE_MARGIN_DAYS) * DAY_US:
        return LAST_US
    last = to_datetime(t1_us - 1).astimezone(zone).date()
    midnight = datetime.combine(last + timedelta(days=days + 1), time(0), tzinfo=zone)
    return max(from_datetime(midnight.replace(fold=fold).astimezone(UTC)) for fold in (0, 1))


def trusted_now_us(t1_us: int, leaf_elapsed_us: int, wall_now_us: int, elapsed_now_us: int) -> int:
    """The latest instant that both clocks agree has been reached since the footage was written down.

    Its age is the smaller of what the wall clock says and of the monotonic time that the box has seen pass since:
    a clock set to 2035 makes nothing old, a clock set to 1970 neither.
    """
    return t1_us + min(wall_now_us - t1_us, elapsed_now_us - leaf_elapsed_us)
