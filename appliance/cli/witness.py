"""``custos witness``: somebody at another place who cosigns the logs of boxes, as long as each only grows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from appliance.wiring.program import version
from config import logs
from config.clock import SystemClock

if TYPE_CHECKING:
    from appliance.wiring.witness import WitnessFacts


def witness(
    folder: Annotated[
        Path, typer.Option("--folder", "-f", help="Where it keeps its key and what it cosigned. 见证目录")
    ] = Path("witness"),
    log: Annotated[
        list[str] | None,
        typer.Option(
            "--log",
            metavar="KEY",
            help="A log that it may cosign, by its verifier key (`custos log key`); may be repeated. 日志的验证公钥",
        ),
    ] = None,
    logs_file: Annotated[
        Path | None,
        typer.Option("--logs", metavar="FILE", help="A file of such keys, one a line. 验证公钥列表文件", exists=True),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen. 监听地址")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one. 监听端口")] = 8090,
    name: Annotated[
        str | None, typer.Option("--name", help="Its name, given once; made up if left out. 见证服务名称")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log in JSON lines even on a terminal.")] = False,
) -> None:
    """Run a witness for the logs of boxes: it cosigns what only grows, and refuses what was rewritten or cut off.

    Run it at another place than the boxes, by somebody whom their owner does not command: its word is worth as much as
    it is out of the owner's reach. 运行见证服务
    """
    from appliance.wiring.witness import logs_of, run_witness

    clock = SystemClock()
    known = logs_of(log or [], logs_file)
    logs.configure(as_json=True if log_json else None, level="INFO", clock=clock)
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    run_witness(folder, name, (host, port), known, clock, lambda facts: _show_up(out, facts))


def _show_up(out: Console, facts: WitnessFacts) -> None:
    out.print(
        f"Custos {version()} is a witness 见证服务正在运行  {facts.url}\n"
        f"  folder 见证目录  {facts.folder}\n"
        f"  verifier key, for the boxes' [proof] witnesses 验证公钥  {facts.key.text}\n"
        f"  fingerprint 公钥指纹  {facts.fingerprint}\n"
        f"  logs that it may cosign 可联署的日志  {', '.join(facts.logs)}",
        markup=False,
    )
