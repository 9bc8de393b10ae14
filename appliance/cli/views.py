"""``custos views`` and ``custos erase-record``: who was handed footage, and the erasing of who and why."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.footage import EndOption, StartOption, interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import instant_us, local
from config.times import format_us
from recorder.store.records import ErasureRule

KINDS: Final = {"media": "media 录像", "playlist": "playlist 播放列表", "still": "still 截图"}
ERASED: Final = "erased 已删除"


def views(
    camera: Annotated[str | None, typer.Option("--camera", help="Of this camera alone.")] = None,
    start: StartOption = "1d",
    end: EndOption = "now",
    showing: Annotated[
        str | None, typer.Option("--showing", help="Those alone that name footage of this instant; the same forms.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Views on one page.")] = 100,
    after: Annotated[int | None, typer.Option("--after", help="Where the page before left off.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who was handed footage between --start and --end, of which time, and why. 录像调阅登记"""
    at = desk(config, data_dir, as_json)
    query: dict[str, Any] = {**interval(at, start, end), "camera": camera, "limit": limit, "after": after}
    if showing is not None:
        query["showing"] = format_us(instant_us(showing, at.clock.read().utc_us, at.zone))
    with Box(at) as box:
        body = box.get("/api/v1/views", **query)
    if not at.answer(body):
        _show(at, body)


def erase_record(
    which: Annotated[
        str,
        typer.Argument(
            metavar="RECORD", help="view:7, hold:7, release:7, export:7, or the index of an entry of the log."
        ),
    ],
    rule: Annotated[
        ErasureRule,
        typer.Option(
            "--rule", help="Item of PIPL 47: 1 purpose over, 2 time over, 3 consent, 4 unlawful, 5 other law."
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="What that rests on here, and who decided it.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase who and why of an entry, for good; the entry itself stays, and the log verifies. 删除个人信息记录"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        done = box.post(f"/api/v1/records/{which}/erase", {"rule": rule.value, "reason": reason})
    if at.answer(done):
        return
    at.console.print(f"The record of entry {done['entry']} ({done['kind']}) is erased. 已删除", markup=False)
    at.console.print(f"Entry {done['audit_entry']} of the log says so. 日志已记载", markup=False)
    if not done["gone"]:
        at.console.print("A reader still needs older pages: they go within minutes of its end. 旧页稍后清除")


def _show(at: Desk, body: dict[str, Any]) -> None:
    table = Table("id", "when", "camera", "what", "footage from", "to", "who", "from where", "why", box=None)
    for one in body["views"]:
        span = (local(one["start"], at.zone), local(one["end"], at.zone))
        told = (ERASED, local(one["erased"], at.zone), "") if one["erased"] else _told(one)
        kind = KINDS.get(one["kind"], one["kind"])
        table.add_row(str(one["id"]), local(one["at"], at.zone), one["camera"], kind, *span, *told)
    at.console.print(table if body["views"] else "Nobody was handed footage in that time. 该时段无人调阅")
    if body["next"] is not None:
        at.console.print(f"More 更多: --after {body['next']}")


def _told(one: dict[str, Any]) -> tuple[str, str, str]:
    forwarded = f" (for {one['forwarded']})" if one["forwarded"] else ""
    place = f"{one['address']}{forwarded} {one['agent']}".strip()
    # What somebody else wrote is no markup of ours.
    return one["who"] or "", escape(place), escape(one["purpose"] or "")
