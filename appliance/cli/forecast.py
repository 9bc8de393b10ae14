"""``custos forecast``: when disks are full, and when the floor would fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import typer
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import size
from config.errors import ExitCode

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "volume": ("volume", "存储卷"),
    "camera": ("camera", "采集设备"),
    "a_day": ("a day", "每天"),
    "held": ("under holds", "证据保全"),
    "fit": ("days fit", "可保存天数"),
    "required": ("required", "须保存天数"),
    "full": ("full on", "写满日期"),
    "fails": ("floor fails on", "不足法定最短留存期日期"),
    "first": ("first", "首先受影响"),
    "assumed": ("assumed", "估算"),
    "was": ("was", "此前"),
    "nothing": (
        "Nothing is to be seen within {days} days at the present rates.",
        "按当前码率，{days} 天内磁盘足够。",
    ),
    "not_yet": ("Nothing was measured yet: ask again in a minute.", "尚未测得数据：请一分钟后再查询。"),
}


def forecast(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """When disks are full and the floor would fail, at the present rates. Exit code 1 where it would. 存储预测"""
    at = desk(config, data_dir, as_json)
    with Box(at, must_run=True) as box:
        body = box.get("/api/v1/forecast")
    if not at.answer(body):
        _show(at, body)
    if any(one["floor_fails_on"] for one in body["volumes"]):
        raise typer.Exit(ExitCode.FINDINGS)


def _show(at: Desk, body: dict[str, Any]) -> None:
    words = {key: pair[at.language == "zh-CN"] for key, pair in _WORDS.items()}
    if body["at"] is None:
        at.console.print(words["not_yet"])
        return
    table = Table(*(words[key] for key in ("volume", "a_day", "full", "fails", "first")), box=None)
    for one in body["volumes"]:
        days = (one["full_on"] or "-", one["floor_fails_on"] or "-", one["first_camera"] or "-")
        table.add_row(one["name"], size(one["bytes_a_day"]), *days)
    at.console.print(table)
    table = Table(*(words[key] for key in ("camera", "a_day", "held", "fit", "required", "fails")), box=None)
    for one in body["cameras"]:
        fit = "-" if one["days_fit"] is None else f"{one['days_fit']:.0f}"
        rate = size(one["bytes_a_day"]) + (f" ({words['assumed']})" if one["assumed"] else "")
        if one["bytes_a_day_before"]:
            rate += f" ({words['was']} {size(one['bytes_a_day_before'])})"
        held = size(one["held_bytes"]) if one["held_bytes"] else "-"
        table.add_row(one["id"], rate, held, fit, str(one["days_required"]), one["floor_fails_on"] or "-")
    at.console.print(table)
    for problem in body["problems"]:
        at.console.print(f"  - {problem['text']}", markup=False)
    if not body["problems"]:
        at.console.print(words["nothing"].format(days=body["horizon_days"]))
