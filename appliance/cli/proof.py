"""``custos fsck``, ``verify`` and ``log``: whether the record is as it must be. All of it reads only.

These open the data directory themselves, beside a running box: a proof that had to ask the box for its word would
prove little.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from config.errors import ExitCode
from config.times import format_us

if TYPE_CHECKING:
    from recorder.store.fsck import Finding
    from recorder.store.log.leaves import Leaf
    from recorder.store.store import Store

log_app = typer.Typer(help="The log: what was written down, and cannot be changed. 校验日志", no_args_is_help=True)


@contextlib.contextmanager
def reading(at: Desk) -> Iterator[Store]:
    """The store, opened beside whoever else has it."""
    from recorder.store.store import Store

    settings = at.settings
    store = Store.open(
        at.data_dir,
        at.clock,
        time_zone=settings.box.time_zone,
        floor_days=settings.retention.floor_days,
        exclusive=False,
    )
    try:
        yield store
    finally:
        store.close()


def fsck(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check files, index and log against each other; quick. Exit code 1 if anything is found. 快速检查"""
    from recorder.store.fsck import check

    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        findings = check(store)
    _report(at, findings)


def verify(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything fsck checks, and every stored byte against its hash. Exit code 1 if anything is found. 全面校验"""
    from recorder.store.verify import verify as verify_all

    at = desk(config, data_dir, as_json)
    with reading(at) as store, Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        bar = progress.add_task("Reading every stored byte 读取全部录像", total=None)
        findings = verify_all(store, lambda done, total: progress.update(bar, completed=done, total=total))
    _report(at, findings)


@log_app.command("show")
def log_show(
    start: Annotated[int | None, typer.Option("--start", min=0, help="First leaf; the newest if left out.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many leaves.")] = 20,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leaves of the log, as they were written down. 查看校验日志"""
    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        size = store.log_size
        first = max(0, size - count) if start is None else start
        bodies = [_leaf(index, leaf) for index, leaf in store.leaves(first, min(size, first + count))]
        checkpoint = store.checkpoint_text()
    if at.answer({"size": size, "leaves": bodies, "checkpoint": checkpoint}):
        return
    for one in bodies:
        facts = json.dumps(one["fields"], ensure_ascii=False)
        at.console.print(f"{one['index']:>8}  {one['at']}  {one['type']:<8}  {facts}", markup=False)
    at.console.print(f"\n{size} leaves. The newest checkpoint:\n\n{checkpoint}", markup=False)


def _leaf(index: int, leaf: Leaf) -> dict[str, Any]:
    return {
        "index": index,
        "type": leaf.type,
        "at": format_us(leaf.at_us),
        "elapsed_us": leaf.elapsed_us,
        "fields": dict(leaf.fields),
    }


def _report(at: Desk, findings: list[Finding]) -> None:
    bodies = [{"invariant": one.invariant, "where": one.where, "what": one.what} for one in findings]
    if not at.answer({"findings": bodies}):
        for one in findings:
            at.console.print(f"invariant {one.invariant}, {one.where}: {one.what}", markup=False)
        at.console.print(
            f"{len(findings)} findings." if findings else "Nothing found: all is as it must be. 未发现异常"
        )
    if findings:
        raise typer.Exit(ExitCode.FINDINGS)
