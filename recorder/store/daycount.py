"""The day count of the law, and the time that may be trusted to count with. Pure.

Civil Code article 201: the first day is not counted. So footage of local date D that must be kept for 30 days may
go at 00:00 local on D+31 at the earliest; an age of 30 times 86,400 seconds would let it go during D+30.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TypeGuard
from zoneinfo import ZoneInfo

from config.times import DAY_US, HOUR_US, LAST_US, SECOND_US, from_datetime, to_datetime

SHANGHAI_S = 28_800
"""How far `Asia/Shanghai` is ahead of UTC, all the year. What a leaf says nothing of is this, so that most leaves need
not."""

OFFSET_LIMIT_S = 14 * 3600
"""The line islands are that far ahead; nobody is as far behind."""

UNDATED_US = DAY_US + 2 * HOUR_US
"""So much longer footage of an unknown date is kept. Its first day, which does not count, may have just begun when it
was recorded, whatever its time says: that is most of a day; and clocks may have been set back by up to two hours since
(Troll, in autumn)."""

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


def offset_s(instant_us: int, zone: ZoneInfo) -> int:
    """How far a zone's local time is ahead of UTC at an instant, in seconds."""
    # A clock gone wild is no error here: it finds the offset of an instant that can be written.
    told_us = min(max(instant_us, 0), LAST_US - LAST_DATE_MARGIN_DAYS * DAY_US)
    offset = to_datetime(told_us).astimezone(zone).utcoffset()
    assert offset is not None, "a zone has an offset at every instant"
    return offset // timedelta(seconds=1)


def recorded_offset_s(t1_us: int, zone: ZoneInfo) -> int | None:
    """What the leaf of a segment binds: the offset at the footage's last instant; None, and no field: `SHANGHAI_S`."""
    found = offset_s(t1_us - 1, zone)
    return None if found == SHANGHAI_S else found


def is_offset(value: object) -> TypeGuard[int]:
    """Whether a leaf's field can be one: whole seconds, and no more than any place on Earth has."""
    return type(value) is int and abs(value) <= OFFSET_LIMIT_S


def strictest_us(t1_us: int, days: int) -> int:
    """When footage may go whatever the zone is: its midnight behind so many whole days lies no later than this."""
    return t1_us + (days + 1) * DAY_US


def bound_discard_us(t1_us: int, days: int, recorded_s: int | None, discarded_s: int) -> int:
    """When footage may go by what the log binds: no sooner than by the offset at recording, nor by that at discarding.

    So a zone that somebody chose for the discard takes nothing away. `recorded_s` None was written where the offset
    was `SHANGHAI_S`, or by a program that wrote none: then any other offset at discarding is as good as unknown.
    """
    if recorded_s is None and discarded_s != SHANGHAI_S:
        return strictest_us(t1_us, days)
    offsets = (discarded_s, SHANGHAI_S if recorded_s is None else recorded_s)
    return max(_midnight_us(t1_us, days, one) for one in offsets)


def _midnight_us(t1_us: int, days: int, ahead_s: int) -> int:
    ahead_us = ahead_s * SECOND_US
    return ((t1_us - 1 + ahead_us) // DAY_US + days + 1) * DAY_US - ahead_us


def may_go_us(t1_us: int, days: int, zone: ZoneInfo, recorded_s: int | None, now_us: int) -> int:
    """When the box lets footage go: by its zone as it is, and by what its log will be judged by, whichever is later."""
    bound_us = bound_discard_us(t1_us, days, recorded_s, offset_s(now_us, zone))
    return min(LAST_US, max(earliest_discard_us(t1_us, days, zone), bound_us))


def trusted_now_us(t1_us: int, leaf_elapsed_us: int, wall_now_us: int, elapsed_now_us: int) -> int:
    """The latest instant that both clocks agree has been reached since the footage was written down.

    Its age is the smaller of what the wall clock says and of the monotonic time that the box has seen pass since:
    a clock set to 2035 makes nothing old. Of footage that by the wall is still to come, the wall says nothing (it is
    wrong now, or was then): box time alone counts, which never runs ahead, less `UNDATED_US` (ADR 31).
    """
    by_box_us = elapsed_now_us - leaf_elapsed_us
    if is_undated(t1_us, wall_now_us):
        return t1_us + by_box_us - UNDATED_US
    return t1_us + min(wall_now_us - t1_us, by_box_us)


def is_undated(t1_us: int, wall_now_us: int) -> bool:
    """Whether footage ends at an instant that by the wall clock has not come: then nobody knows its date."""
    return t1_us > wall_now_us
