"""``custos scrub``: how far reading stored footage again is, and having some of it checked now."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from rich.table import Table

from appliance.cli.bar import bar
from appliance.cli.client import Box
from appliance.cli.footage import EndOption, StartOption, interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import count, local, size, span
from config.errors import ExitCode

CHECKING: Final = "Checking stored footage 校验录像"


def scrub(
    camera_id: Annotated[
        str | None,
        typer.Option("--camera", metavar="CAMERA", help="Check this camera now; without it: how far the scrub is."),
    ] = None,
    start: StartOption = "1d",
    end: EndOption = "now",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """How far stored footage was read again, and what is damaged; or check some now. 巡检校验

    Exit code 1 if something is damaged.
    """
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        damaged = _progress(at, box) if camera_id is None else _check(at, box, camera_id, start, end)
    if damaged:
        raise typer.Exit(ExitCode.FINDINGS)


def _progress(at: Desk, box: Box) -> int:
    body = box.get("/api/v1/scrub")
    if not at.answer(body):
        for one in body["volumes"]:
            at.console.print(_sentence(at, one), markup=False)
        if not body["volumes"]:
            at.console.print("Nothing was read again yet. 尚未巡检")
        if body["damaged"]:
            at.console.print(_table(at, body["damaged"]))
        found = f"{count(body['damaged_count'], 'damaged segment')} 损坏录像段: {body['damaged_count']}"
        at.console.print(found if body["damaged_count"] else "Nothing is damaged. 未发现损坏")
    return int(body["damaged_count"])


def _sentence(at: Desk, one: dict[str, Any]) -> str:
    stored = one["stored_bytes"]
    share = f" ({min(1.0, one['bytes'] / stored):.0%})" if stored else ""
    oldest_s = one["oldest_age_s"]
    age = "some of it never 部分从未校验" if oldest_s is None else f"all of it within 最久未校验 {span(oldest_s)}"
    return (
        f"volume 存储卷 {one['volume']}: {size(one['bytes'])} of {size(stored)} read 已读{share} since 起自 "
        f"{local(one['begun'], at.zone)}; looked at {age}; passes done 已完成轮次: {one['passes']}"
    )


def _words(damage: str) -> str:
    from appliance.health.problems import DAMAGES  # here: --help needs none of it

    return " ".join(DAMAGES[damage])


def _table(at: Desk, damaged: list[dict[str, Any]]) -> Table:
    table = Table("segment 录像段", "start 起", "end 止", "what is wrong 问题", "log entry 日志条目", box=None)
    for one in damaged:
        when = (local(one["start"], at.zone), local(one["end"], at.zone))
        table.add_row(one["segment"], *when, _words(one["damage"]), str(one["entry"]))
    return table


def _check(at: Desk, box: Box, camera_id: str, start: str, end: str) -> int:
    wanted: dict[str, Any] = {"camera": camera_id, **interval(at, start, end)}
    checked, done, damaged = 0, 0, list[dict[str, Any]]()
    with bar(at, CHECKING) as progress:
        while True:
            body = box.post("/api/v1/scrub", wanted)
            checked, done = checked + body["checked"], done + body["bytes"]
            damaged += body["damaged"]
            progress(done, done + body["left_bytes"])
            if body["next"] is None:
                break
            wanted["after"] = body["next"]
    if not at.answer({"checked": checked, "bytes": done, "damaged": damaged}):
        for one in damaged:
            at.console.print(f"{one['segment']}: {_words(one['damage'])}", markup=False)
        found = f"damaged 损坏: {len(damaged)}" if damaged else "nothing is damaged 未发现损坏"
        at.console.print(f"{count(checked, 'segment')}, {size(done)} checked 已校验: {found}.", markup=False)
    return len(damaged)
