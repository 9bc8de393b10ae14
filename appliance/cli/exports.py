"""``custos export``: footage handed out as evidence, with its proof."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.footage import interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import local, size
from config.errors import ExitCode

app = typer.Typer(help="Evidence packages. 证据导出", invoke_without_command=True)

LOOK_S: Final = 0.5
"""How often the box is asked how far it is."""

ENDED: Final = ("done", "failed", "cancelled")


@app.callback()
def export(
    context: typer.Context,
    camera: Annotated[str, typer.Option("--camera", help="The camera's id.")] = "",
    start: Annotated[str, typer.Option("--from", help="2026-11-24T08:00:00Z, local time, 30m or 2d (ago).")] = "",
    end: Annotated[str, typer.Option("--to", help="The same forms; the end itself is left out.")] = "",
    case: Annotated[str, typer.Option("--case", help="The case or order it belongs to.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Who asked for it, and why.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have an evidence package made: originals, log entries, proofs, and how to check them without us. 导出证据包"""
    if context.invoked_subcommand is not None:
        return
    named = {"--camera": camera, "--from": start, "--to": end, "--case": case, "--reason": reason}
    missing = [name for name, value in named.items() if not value]
    if missing:
        raise typer.BadParameter(f"{', '.join(missing)} is needed.")
    at = desk(config, data_dir, as_json)
    with Box(at, must_run=True) as box:
        body = {"camera": camera, **interval(at, start, end), "case": case, "reason": reason}
        made = box.post("/api/v1/exports", body)
        if wait:
            made = _waited(at, box, made)
    if not at.answer(made):
        _tell(at, made)
    if wait and made["state"] != "done":
        raise typer.Exit(ExitCode.FINDINGS)


@app.command("list")
def list_exports(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """All exports. 列出导出"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.get("/api/v1/exports")
    if not at.answer(body):
        table = Table("id", "camera", "from", "to", "case", "state", "folder", box=None)
        for one in body["exports"]:
            span = (local(one["start"], at.zone), local(one["end"], at.zone))
            table.add_row(str(one["id"]), one["camera"], *span, one["case"], one["state"], one["folder"] or "")
        at.console.print(table if body["exports"] else "Nothing was exported.")


@app.command("cancel")
def cancel(
    export_id: Annotated[int, typer.Argument(metavar="ID", help="The export's number.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an export that is not done. 取消导出"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.delete(f"/api/v1/exports/{export_id}")
    if not at.answer(body):
        at.console.print(f"Export [bold]{export_id}[/bold] is cancelled.")


def _waited(at: Desk, box: Box, made: dict[str, Any]) -> dict[str, Any]:
    with Progress(console=Console(stderr=True), transient=True, disable=at.as_json) as progress:
        bar = progress.add_task("Writing the package 正在导出", total=None)
        while made["state"] not in ENDED:
            time.sleep(LOOK_S)
            made = box.get(f"/api/v1/exports/{made['id']}")
            progress.update(bar, completed=made["done_bytes"], total=made["total_bytes"] or None)
    return made


def _tell(at: Desk, made: dict[str, Any]) -> None:
    if made["state"] == "done":
        at.console.print(f"Export {made['id']} is done, {size(made['total_bytes'])}: {made['folder']}", markup=False)
    else:
        at.console.print(f"Export {made['id']} is {made['state']}.", markup=False)
    if made["problem_text"]:
        at.console.print(made["problem_text"], markup=False)
