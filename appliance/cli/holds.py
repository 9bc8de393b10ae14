"""``custos hold``: footage that must not go."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.footage import EndOption, StartOption, interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import local

app = typer.Typer(help="Holds: footage that must not go, whatever its age. 证据保全", no_args_is_help=True)


@app.command("place")
def place(
    cameras: Annotated[list[str], typer.Argument(metavar="CAMERA…", help="One or more camera ids.")],
    start: StartOption,
    case: Annotated[str, typer.Option("--case", help="The case or order it belongs to.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    end: EndOption = "now",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep this footage until the hold is released. 设置保全"""
    at = desk(config, data_dir, as_json)
    body = {"cameras": cameras, **interval(at, start, end), "case": case, "reason": reason}
    with Box(at) as box:
        hold = box.post("/api/v1/holds", body)
    at.tell(hold, f"Hold [bold]{hold['id']}[/bold] is in force.", markup=True)


@app.command("list")
def list_holds(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """All holds, released ones too. 列出保全"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.get("/api/v1/holds")
    if not at.answer(body):
        _show(at, body["holds"])


@app.command("release")
def release(
    hold_id: Annotated[int, typer.Argument(metavar="ID", help="The hold's number.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold; its footage falls back under the ordinary rules. 解除保全"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        hold = box.post(f"/api/v1/holds/{hold_id}/release", {"reason": reason})
    at.tell(hold, f"Hold [bold]{hold_id}[/bold] is released.", markup=True)


def _show(at: Desk, holds: list[dict[str, Any]]) -> None:
    table = Table("id", "cameras", "from", "to", "case", "reason", "released", box=None)
    for one in holds:
        ends = local(one["start"], at.zone), local(one["end"], at.zone)
        released = local(one.get("released"), at.zone)
        table.add_row(str(one["id"]), ", ".join(one["cameras"]), *ends, one["case"], one["reason"], released)
    at.console.print(table if holds else "No hold was ever placed.")
