"""``custos segments``, ``coverage`` and ``receipts``: what was recorded, what was not, and what was discarded."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import instant_us, local, size, span
from config.times import format_us, parse_us

DAY_S = 86_400

CameraArgument = Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.")]
START_HELP = "2026-11-24T08:00:00Z, 2026-11-24T16:00 (local), 30m or 2d (ago)."
END_HELP = "The same forms, or now; the end itself is left out."
StartOption = Annotated[str, typer.Option("--start", help=START_HELP)]
EndOption = Annotated[str, typer.Option("--end", help=END_HELP)]


def interval(at: Desk, start: str, end: str) -> dict[str, str]:
    """What somebody wrote as an interval, as the box is asked for it.

    Raises:
        InstantUnclear: one end cannot be read.
    """
    now_us = at.clock.read().utc_us
    return {
        "start": format_us(instant_us(start, now_us, at.zone)),
        "end": format_us(instant_us(end, now_us, at.zone)),
    }


def segments(
    camera_id: CameraArgument,
    start: StartOption = "1d",
    end: EndOption = "now",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Segments on one page.")] = 100,
    after: Annotated[str | None, typer.Option("--after", help="Where the page before left off.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """The stored files of a camera. 录像段列表"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        path = f"/api/v1/cameras/{camera_id}/segments"
        body = box.get(path, **interval(at, start, end), limit=limit, after=after)
    if not at.answer(body):
        _show_segments(at, body)


def coverage(
    camera_id: CameraArgument,
    start: StartOption = "1d",
    end: EndOption = "now",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was recorded and what was not, and why. 录像覆盖情况"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.get(f"/api/v1/cameras/{camera_id}/coverage", **interval(at, start, end))
    if not at.answer(body):
        _show_coverage(at, body)


def receipts(
    camera_id: CameraArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Receipts on one page.")] = 100,
    after: Annotated[int | None, typer.Option("--after", help="Where the page before left off.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was discarded of a camera, the newest first: when, by which rule, how old. 删除凭证"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.get(f"/api/v1/cameras/{camera_id}/receipts", limit=limit, after=after)
    if not at.answer(body):
        _show_receipts(at, body)


def _show_receipts(at: Desk, body: dict[str, Any]) -> None:
    table = Table("entry 条目", "when 时间", "from 起", "to 止", "items 项", "size", "floor 最短", "age 时长", box=None)
    for one in body["receipts"]:
        when = [local(one[name], at.zone) for name in ("at", "start", "end")]
        entry = f"{one['entry']}, {one['done_entry'] if one['done_entry'] is not None else 'not done 未完成'}"
        by_wall_s, by_box_s = one["age_wall_s"], one["age_elapsed_s"]
        days = (by_box_s if by_wall_s < 0 else min(by_wall_s, by_box_s)) / DAY_S
        told = (f"{one['first']}-{one['last']}", size(one["bytes"]), f"{one['floor_days']} d", f"{days:.1f} d")
        table.add_row(entry, *when, *told)
    at.console.print(table if body["receipts"] else "Nothing was discarded of it. 未删除任何录像")
    if body["next"] is not None:
        at.console.print(f"More 更多: --after {body['next']}")


def _show_segments(at: Desk, body: dict[str, Any]) -> None:
    table = Table("id", "start", "length", "size", "frames", "picture", "signed", "state", box=None)
    for one in body["segments"]:
        length = span((parse_us(one["end"]) - parse_us(one["start"])) / 1e6)
        picture = f"{one['codec']} {one['width']}x{one['height']}"
        state = one["state"] + (", held" if one["held"] else "")
        start = local(one["start"], at.zone)
        signed = "-" if one.get("camsig") is None else ", ".join(one["camsig"]) or "no"
        table.add_row(one["id"], start, length, size(one["bytes"]), str(one["frames"]), picture, signed, state)
    at.console.print(table if body["segments"] else "Nothing was recorded in that time.")
    if body.get("next"):
        at.console.print(f"More: --after {body['next']}")


def _show_coverage(at: Desk, body: dict[str, Any]) -> None:
    table = Table("from", "to", "length", "what", "why", box=None)
    for one in body["items"]:
        length = span((parse_us(one["end"]) - parse_us(one["start"])) / 1e6)
        why = one.get("sentence") or one.get("cause") or ""
        table.add_row(local(one["start"], at.zone), local(one["end"], at.zone), length, one["kind"], why)
    at.console.print(table)
    at.console.print(f"Recorded {span(body['recorded_s'])}, missing {span(body['gap_s'])}.")
