"""What will go wrong, days ahead, in words: when the floor would fail, when a disk is full, whose doing it is. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from appliance.health.facts import CameraFacts, Facts
from appliance.health.problem import Problem, Weight
from retention.forecast import (
    ASSUMED_BITRATE_BPS,
    DAY_S,
    Admission,
    Outlook,
    VolumeForecast,
    alarm_of,
    date_of,
)

NAMES_SHOWN: Final = 5
"""Cameras that a sentence names; of more it says how many."""

GB: Final = 1e9

HELD_TOLD_BYTES: Final = 50_000_000
"""Less would be told as 0.0 GB: a hold may lie ahead of what is recorded."""


def problems_ahead(facts: Facts, chinese: bool) -> Iterator[Problem]:
    """What is coming, days ahead: by volume when the floor would fail, or when the disk is full, and whose doing it is.

    A camera that nothing is known of yet counts with a rate that is assumed, and changes no state by it.
    """
    outlook = facts.outlook
    if outlook is None:
        return
    names = {one.id: one.name for one in facts.cameras}
    for volume in outlook.measured.volumes:
        yield from _of_volume(volume, outlook, facts, chinese)
    if outlook.measured.days_to_floor is None and outlook.all.days_to_floor is not None:
        unknown = [names.get(one.camera, one.camera) for one in outlook.all.cameras if one.is_assumed]
        text = _UNMEASURED[chinese].format(
            names=_listed(unknown, chinese),
            rate=ASSUMED_BITRATE_BPS / 1e6,
            when=_when(facts.now_us, facts.zone, outlook.all.days_to_floor, chinese),
            todo=_todo(facts, chinese),
        )
        yield Problem("floor_at_risk_assumed", text, Weight.NOTICE)
    for camera in facts.cameras:
        if camera.is_wanted and camera.before_bytes_a_day is not None and camera.bytes_a_day is not None:
            yield _of_rise(camera, camera.before_bytes_a_day, camera.bytes_a_day, facts, chinese)


def warning_of(found: Admission, name: str, now_us: int, zone: ZoneInfo, chinese: bool) -> str | None:
    """What whoever adds or changes a camera is told, where there is no room for it; None: there is."""
    if found.days_to_floor is None:
        return None
    without, words = found.without_days_to_floor, _ADMITTED
    if without is not None and without - found.days_to_floor < 1:
        words = _ADMITTED_NO_WORSE
    return words[chinese].format(
        name=name,
        rate=round(_mbit(found.bytes_a_day), 2),
        how=_HOW[found.is_assumed][chinese],
        when=_when(now_us, zone, found.days_to_floor, chinese),
        size=found.stored_bytes / GB,
    )


def _of_volume(volume: VolumeForecast, outlook: Outlook, facts: Facts, chinese: bool) -> Iterator[Problem]:
    names = {one.id: one.name for one in facts.cameras}
    if volume.days_to_floor is not None:
        first = outlook.measured.of(volume.first or "")
        new = [names.get(one, one) for one in outlook.newcomers]
        fit = 0.0 if first is None or first.days_fit is None else first.days_fit
        required = 0 if first is None else first.days_required
        text = _FLOOR_FAILS[chinese].format(
            when=_when(facts.now_us, facts.zone, volume.days_to_floor, chinese),
            volume=volume.name,
            rate=volume.bytes_a_day / GB,
            fits=(_FITS if fit < required else _HELD)[chinese].format(fit=fit, required=required),
            first=names.get(volume.first or "", volume.first or "-"),
            then=_THEN[facts.overwrite_asked][chinese],
            todo=_todo(facts, chinese),
        )
        text += _NEWCOMERS[chinese].format(names=_listed(new, chinese)) if new else ""
        alarm = alarm_of(volume.days_to_floor)
        yield Problem(_FLOOR_CODES[alarm], text, Weight.NOTICE if alarm is None else Weight.DEGRADED)
    elif alarm_of(volume.days_to_full) is not None and volume.days_to_full is not None:
        when = _when(facts.now_us, facts.zone, volume.days_to_full, chinese)
        then = _THEN_TARGET[facts.overwrite_asked][chinese]
        text = _WILL_BE_FULL[chinese].format(when=when, volume=volume.name, then=then, todo=_todo(facts, chinese))
        yield Problem("volume_will_be_full", text, Weight.DEGRADED)


def _of_rise(camera: CameraFacts, before: float, now: float, facts: Facts, chinese: bool) -> Problem:
    text = _ROSE[chinese].format(name=camera.name, before=_mbit(before), now=_mbit(now))
    if camera.days_to_floor is None:
        return Problem("camera_rate_rose", text + _ROSE_FITS[chinese], Weight.NOTICE, camera.id)
    when = _when(facts.now_us, facts.zone, camera.days_to_floor, chinese)
    return Problem("camera_rate_rose", text + _ROSE_FAILS[chinese].format(when=when), Weight.DEGRADED, camera.id)


def _when(now_us: int, zone: ZoneInfo, days: float, chinese: bool) -> str:
    """A date of the box, and how far off it is."""
    on, whole = date_of(now_us, days, zone), math.floor(days)
    if chinese:
        return f"{on.isoformat()}（{'一天内' if whole < 1 else f'{whole} 天后'}）"
    return f"{on.isoformat()} ({'within a day' if whole < 1 else 'in a day' if whole == 1 else f'in {whole} days'})"


def _todo(facts: Facts, chinese: bool) -> str:
    """What helps, in the order in which people should think of it."""
    held_bytes = sum(one.held_bytes for one in facts.cameras)
    held = _REMEDY_HELD[chinese] if held_bytes or facts.holds.in_force else ""
    size = _REMEDY_SIZE[chinese].format(size=held_bytes / GB) if held_bytes >= HELD_TOLD_BYTES else ""
    return _REMEDY[chinese] + held + size + ("。" if chinese else ".")


def _listed(names: Sequence[str], chinese: bool) -> str:
    """The first few of them, and how many more."""
    shown = ("、" if chinese else ", ").join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    if more <= 0:
        return shown
    return f"{shown} 等 {len(names)} 台" if chinese else f"{shown} and {more} more"


def _mbit(bytes_a_day: float) -> float:
    return bytes_a_day * 8 / DAY_S / 1e6


_FLOOR_CODES: Final[Mapping[int | None, str]] = {
    None: "floor_at_risk",
    30: "floor_at_risk",
    7: "floor_fails_within_a_week",
    1: "floor_fails_within_a_day",
}
"""So that a monitor can wake people later at night than by day: the code changes as the day comes nearer."""

_FLOOR_FAILS: Final = (
    "On {when} the floor would fail on volume {volume}: at the present rates ({rate:.1f} GB a day) {fits}, of camera "
    "{first} first. {then} {todo}",
    "{when}存储卷 {volume} 将无法满足法定最短留存期：按当前码率（每天 {rate:.1f} GB）"
    "{fits}，"
    "首先受影响的是采集设备“{first}”。{then}{todo}",
)
_FITS: Final = (
    "{fit:.0f} days of footage fit, and {required} must be kept",
    "只能保存 {fit:.0f} 天录像，而规定须保存 {required} 天",
)
_HELD: Final = (
    "holds keep what would have gone by then, and {required} days must be kept besides",
    "证据保全使到期录像不能删除，而规定另须保存 {required} 天",
)
"""Where there is room enough for the days alone."""

_THEN: Final[Mapping[bool, tuple[str, str]]] = {
    False: (
        "Nothing younger is discarded; recording would stop.",
        "未到期录像不会被删除，届时录像将停止。",
    ),
    True: (
        "From then on the oldest footage would be overwritten before the law lets it go (when_full is “overwrite”), "
        "and each breach be told.",
        "届时最早的录像将在未满法定最短留存期时被覆盖（when_full 设为“overwrite”），每次覆盖均记入日志并告警。",
    ),
}
"""What becomes of it under `stop`, and under `overwrite`."""

_WILL_BE_FULL: Final = (
    "On {when} volume {volume} is full of footage that has not reached its target: {then} Lower target_days; or: "
    "{todo}",
    "{when}存储卷 {volume} 将被未到留存期（target_days）的录像写满，{then}请缩短 target_days；或：{todo}",
)
_THEN_TARGET: Final[Mapping[bool, tuple[str, str]]] = {
    False: (
        "recording would stop, although the law would let some of it go.",
        "录像将停止，尽管其中部分已满法定最短留存期。",
    ),
    True: (
        "the oldest of it would be overwritten before its target, as when_full is “overwrite”.",
        "其中最早的录像将在到期前被覆盖（when_full 设为“overwrite”）。",
    ),
}
_REMEDY: Final = ("Add a disk, or lower bit rates", "请增加磁盘或降低码率")
_REMEDY_HELD: Final = (", or see whether holds can be released", "，或检查可否解除证据保全")
_REMEDY_SIZE: Final = (" ({size:.1f} GB are under holds)", "（保全中的录像共 {size:.1f} GB）")
_ADMITTED: Final = (
    "With camera {name} at {rate:g} Mbit/s{how} the floor would fail on {when}. It is registered all the same: add a "
    "disk ({size:.0f} GB are needed for it), or lower its bit rate, before then.",
    "接入采集设备“{name}”（{rate:g} Mbit/s{how}）后，{when}将无法满足法定最短留存期。该设备已登记："
    "请在此之前增加磁盘（该设备需要 {size:.0f} GB）或降低其码率。",
)
_ADMITTED_NO_WORSE: Final = (
    "The floor will fail on {when}, with camera {name} at {rate:g} Mbit/s{how} and without it: add a disk "
    "({size:.0f} GB are needed for it alone), or lower bit rates, before then.",
    "无论是否接入采集设备“{name}”（{rate:g} Mbit/s{how}），{when}都将无法满足法定最短留存期："
    "请在此之前增加磁盘（仅该设备就需要 {size:.0f} GB）或降低码率。",
)
_HOW: Final[Mapping[bool, tuple[str, str]]] = {
    True: (" (assumed: say `--bitrate` to reckon with another)", "，估算值，可用 --bitrate 指定"),
    False: ("", ""),
}
_NEWCOMERS: Final = (
    " Without the cameras of the last week it would not, or not so soon: {names}.",
    "若无最近一周新增的采集设备（{names}），则不会发生或不会这么早。",
)
_UNMEASURED: Final = (
    "With cameras of which nothing was recorded yet ({names}; {rate:g} Mbit/s each are assumed) the floor would fail "
    "on {when}. {todo}",
    "计入尚无录像的采集设备（{names}；按每台 {rate:g} Mbit/s 估算）后，{when}将无法满足法定最短留存期。{todo}",
)
_ROSE: Final = (
    "The bit rate of camera {name} has risen from {before:.2f} to {now:.2f} Mbit/s, by the last day against the week "
    "before.",
    "采集设备“{name}”的码率已由 {before:.2f} 升至 {now:.2f} Mbit/s（最近一天与此前一周相比）。",
)
_ROSE_FITS: Final = (
    " What must be kept still has room; if nobody meant it, look at the camera's settings.",
    "所须保存的录像仍有空间；若非有意更改，请检查该设备的设置。",
)
_ROSE_FAILS: Final = (
    " At this rate the floor would fail on {when}: set the camera back, or add a disk.",
    "按此码率，{when}将无法满足法定最短留存期：请恢复该设备的设置，或增加磁盘。",
)
