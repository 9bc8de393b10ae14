"""``custos export``: footage handed out as evidence, with its proof."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from appliance.cli.bar import bar
from appliance.cli.client import Box, refuse_standing
from appliance.cli.footage import END_HELP, START_HELP, interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import local, size
from config.errors import ExitCode

app = typer.Typer(help="Evidence packages. 证据导出", invoke_without_command=True)

LOOK_S: Final = 0.5
"""How often the box is asked how far it is."""

ENDED: Final = ("done", "failed", "cancelled", "removed")

# `--from` and `--to` are what they were called before.
ExportStart = Annotated[str, typer.Option("--start", "--from", help=START_HELP)]
ExportEnd = Annotated[str, typer.Option("--end", "--to", help=END_HELP)]
ExportId = Annotated[int, typer.Argument(metavar="ID", help="The export's number.")]
ZipOption = Annotated[Path | None, typer.Option("--zip", dir_okay=False, help="Save the package as this ZIP file too.")]
TarOption = Annotated[Path | None, typer.Option("--tar", dir_okay=False, help="Save the package as this tar file too.")]


@app.callback()
def export(
    context: typer.Context,
    camera: Annotated[str, typer.Option("--camera", help="The camera's id.")] = "",
    start: ExportStart = "",
    end: ExportEnd = "",
    case: Annotated[str, typer.Option("--case", help="The case or order it belongs to.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Who asked for it, and why.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    zip_file: ZipOption = None,
    tar_file: TarOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have an evidence package made: originals, log entries, proofs, and how to check them without us. 导出证据包"""
    if context.invoked_subcommand is not None:
        return
    named = {"--camera": camera, "--start": start, "--end": end, "--case": case, "--reason": reason}
    missing = [name for name, value in named.items() if not value]
    if missing:
        raise typer.BadParameter(f"{', '.join(missing)} is needed.")
    if not wait and (zip_file or tar_file):
        raise typer.BadParameter("--zip and --tar need an export that is done: leave --no-wait out.")
    for target in (zip_file, tar_file):
        if target is not None:
            refuse_standing(target)  # before an hour of footage is copied in vain
    at = desk(config, data_dir, as_json)
    with Box(at, must_run=True) as box:
        body = {"camera": camera, **interval(at, start, end), "case": case, "reason": reason}
        made = box.post("/api/v1/exports", body)
        if wait:
            made = _waited(at, box, made)
        if not at.answer(made):
            _tell(at, made)
        if made["state"] == "done":
            _save(at, box, made["id"], zip_file, tar_file)
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
            case, folder = escape(one["case"]), escape(one["folder"] or "")
            table.add_row(str(one["id"]), one["camera"], *span, case, one["state"], folder)
        at.console.print(table if body["exports"] else "Nothing was exported.")


@app.command("save")
def save(
    export_id: ExportId,
    zip_file: ZipOption = None,
    tar_file: TarOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the package of an export as one file; the log says that it was handed out. 保存为单个文件"""
    if zip_file is None and tar_file is None:
        raise typer.BadParameter("--zip or --tar is needed.")
    at = desk(config, data_dir, as_json)
    with Box(at, must_run=True) as box:
        _save(at, box, export_id, zip_file, tar_file)
        at.answer(box.get(f"/api/v1/exports/{export_id}"))


@app.command("remove")
def remove(
    export_id: ExportId,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the package of an export that is done; it may be the last copy of its footage. 删除证据包"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.delete(f"/api/v1/exports/{export_id}/package")
    at.tell(body, f"The package of export [bold]{export_id}[/bold] is removed; the log says so.", markup=True)


@app.command("cancel")
def cancel(
    export_id: ExportId,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an export that is not done. 取消导出"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.delete(f"/api/v1/exports/{export_id}")
    at.tell(body, f"Export [bold]{export_id}[/bold] is cancelled.", markup=True)


def _save(at: Desk, box: Box, export_id: int, zip_file: Path | None, tar_file: Path | None) -> None:
    for form, target in (("zip", zip_file), ("tar", tar_file)):
        if target is not None:
            with bar(at, f"Saving {target.name} 正在保存") as progress:
                box.save(f"/api/v1/exports/{export_id}/package.{form}", target, progress)
            Console(stderr=True, soft_wrap=True).print(f"Saved 已保存: {target}", markup=False, highlight=False)


def _waited(at: Desk, box: Box, made: dict[str, Any]) -> dict[str, Any]:
    with bar(at, "Writing the package 正在导出") as progress:
        while made["state"] not in ENDED:
            time.sleep(LOOK_S)
            made = box.get(f"/api/v1/exports/{made['id']}")
            progress(made["done_bytes"], made["total_bytes"])
    return made


def _tell(at: Desk, made: dict[str, Any]) -> None:
    if made["state"] == "done":
        at.console.print(f"Export {made['id']} is done, {size(made['total_bytes'])}: {made['folder']}", markup=False)
    else:
        at.console.print(f"Export {made['id']} is {made['state']}.", markup=False)
    if made["problem_text"]:
        at.console.print(made["problem_text"], markup=False)
