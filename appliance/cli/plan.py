"""``custos plan``: how much disk cameras need, and what fits on a disk. Needs no box."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from appliance.cli.amounts import bitrate_bps, checked_group, group, size_bytes
from appliance.cli.options import JsonOption, answer, console
from appliance.cli.words import language_of, size
from config.errors import CustosError, ExitCode
from config.keeping import Protection
from retention.capacity import LIFE_DAYS, MARGIN_DAYS, MARGIN_SHARE, Fit, Group, Need, fit, need

LEAST_DAYS: Final = Protection.ORDINARY.least_days

SEGMENT_S: Final = 60.0
"""As `[recording] segment_s` is by itself; it changes the result by less than a hundredth."""

_PARTS: Final[Sequence[tuple[str, str, str]]] = (
    ("video", "what the cameras send", "采集设备码流"),
    ("container", "what files say of it", "文件封装开销"),
    ("log", f"log, of {LIFE_DAYS // 365} years", f"校验日志（{LIFE_DAYS // 365} 年）"),
    ("catalogue", f"catalogue, of {LIFE_DAYS // 365} years", f"索引库（{LIFE_DAYS // 365} 年）"),
    ("margin", f"margin for rates above what was set, {MARGIN_SHARE:.0%}", f"码率波动余量 {MARGIN_SHARE:.0%}"),
    ("reserve", "what recording leaves free", "录像预留空间"),
)


class PlanUnclear(CustosError):
    """Say what is to be planned: --cameras 64 --bitrate 4M --days 30, or --group 20x4M@90 once or more; and a disk either by --disk or by --path. 请用 --cameras、--bitrate、--days 或 --group 说明采集设备，磁盘用 --disk 或 --path 之一"""  # noqa: E501 - one sentence, twice

    code = "plan_unclear"
    exit_code = ExitCode.USAGE


def plan(
    cameras: Annotated[int | None, typer.Option("--cameras", help="How many. 采集设备台数")] = None,
    bitrate: Annotated[
        str | None, typer.Option("--bitrate", metavar="RATE", help="Of each, in bit/s: 4M, 800k. 每台码率（比特/秒）")
    ] = None,
    days: Annotated[int, typer.Option("--days", help="For how many days it must be kept. 留存天数")] = LEAST_DAYS,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NxRATE@DAYS", help="Cameras that are alike, such as 20x4M@90. 一组采集设备"),
    ] = None,
    disk: Annotated[
        str | None, typer.Option("--disk", metavar="SIZE", help="Does it fit there? In bytes: 8T. 磁盘容量（字节）")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--path", help="Does it fit into what is free there? 该目录所在磁盘")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How much disk cameras need, and what fits on a disk. Exit code 1 where it does not fit. 存储容量规划"""
    site = _site(cameras, bitrate, days, groups or [])
    if disk is not None and path is not None:
        raise PlanUnclear
    disk_bytes = None if disk is None else size_bytes(disk)
    if path is not None:
        disk_bytes = _free_bytes(path)
    from recorder.store.pressure import reserve_bytes

    needed = need(site, SEGMENT_S, 0)
    reserve = reserve_bytes(disk_bytes if disk_bytes is not None else needed.total)
    needed = need(site, SEGMENT_S, reserve)
    found = None if disk_bytes is None else fit(site, SEGMENT_S, disk_bytes, reserve)
    if not answer(_body(site, needed, found), as_json):
        _show(site, needed, found, chinese=language_of(os.environ) == "zh-CN")
    if found is not None and not found.fits:
        raise typer.Exit(ExitCode.FINDINGS)


def _site(cameras: int | None, bitrate: str | None, days: int, groups: Sequence[str]) -> list[Group]:
    if (cameras is None) != (bitrate is None) or (cameras is None and not groups):
        raise PlanUnclear
    alike = [] if cameras is None or bitrate is None else [checked_group(cameras, bitrate_bps(bitrate), days)]
    return alike + [group(one, days) for one in groups]


def _free_bytes(path: Path) -> int:
    from recorder.store.places import space_of

    return space_of(path).free_bytes


def _body(site: Sequence[Group], needed: Need, found: Fit | None) -> dict[str, Any]:
    each = [{**asdict(one), "bitrate_bps": round(one.bitrate_bps), "days_stored": one.days_stored} for one in site]
    body: dict[str, Any] = {"groups": each, "needed_bytes": needed.total, "parts": asdict(needed)}
    if found is not None:
        body["disk"] = {
            "bytes": found.disk_bytes,
            "fits": found.fits,
            "days": list(found.days),
            "cameras": list(found.cameras),
        }
    return body


def _show(site: Sequence[Group], needed: Need, found: Fit | None, *, chinese: bool) -> None:
    out = console()
    for one in site:
        told = _GROUP[chinese].format(cameras=one.cameras, rate=one.bitrate_bps / 1e6, days=one.days)
        out.print(told, markup=False)
    table = Table(box=None, show_header=False)
    for key, english, translated in _PARTS:
        table.add_row(size(getattr(needed, key)), translated if chinese else english)
    table.add_row(size(needed.total), "合计所需" if chinese else "needed in all")
    out.print(table)
    out.print(_COUNTED[chinese].format(days=MARGIN_DAYS), markup=False)
    if found is not None:
        for line in _of_disk(site, found, chinese=chinese):
            out.print(line, markup=False)


def _of_disk(site: Sequence[Group], found: Fit, *, chinese: bool) -> list[str]:
    lines = [_FITS[found.fits][chinese].format(size=size(found.disk_bytes))]
    for one, days, cameras in zip(site, found.days, found.cameras, strict=True):
        words = _EACH[chinese].format(count=one.cameras, rate=one.bitrate_bps / 1e6, days=days)
        lines.append(words + _INSTEAD[len(site) > 1][chinese].format(cameras=cameras, days=one.days))
    if not found.fits and min(found.days) < LEAST_DAYS:
        lines.append(_UNLAWFUL[chinese].format(days=LEAST_DAYS))
    return lines


_GROUP: Final = (
    "{cameras} cameras of {rate:g} Mbit/s for {days} days",
    "{cameras} 台采集设备，每台 {rate:g} Mbit/s，留存 {days} 天",
)
_COUNTED: Final = (
    "The day of recording is not counted, and footage is kept for {days} day more than it must be, so that of 30 days "
    "32 lie there.",
    "记录当日不计入天数，且多留存 {days} 天，因此留存 30 天时磁盘上最多有 32 天的录像。",
)
_FITS: Final = {
    True: ("It fits on {size}.", "{size} 容量足够。"),
    False: (
        "It does not fit on {size}: take a larger disk, fewer cameras or lower bit rates.",
        "{size} 容量不足：请增大磁盘、减少采集设备或降低码率。",
    ),
}
_EACH: Final = (
    "  There {count} cameras of {rate:g} Mbit/s could be kept for {days} days",
    "  其中 {count} 台 {rate:g} Mbit/s 可留存 {days} 天",
)
_INSTEAD: Final = {
    True: (
        ", or {cameras} of them for {days} days beside the others.",
        "；若留存 {days} 天，在其他各组不变时可接入 {cameras} 台。",
    ),
    False: (", or {cameras} of them for {days} days.", "；若留存 {days} 天，可接入 {cameras} 台。"),
}
"""Whether there are other groups."""

_UNLAWFUL: Final = (
    "Fewer than {days} days are against the law (order 168 of Wuxi, article 28): recording would stop when the disk is "
    "full.",
    "不足 {days} 天不符合规定（《无锡市公共安全视频图像信息系统管理办法》第二十八条）：磁盘写满后录像将停止。",
)
