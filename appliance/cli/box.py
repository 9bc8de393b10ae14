"""``custos init``, ``run``, ``status``, ``config``, ``token`` and ``version``: the box as a whole."""

from __future__ import annotations

import logging
import os
import platform
from contextlib import closing
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.holds import codes_told
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, answer, desk
from appliance.cli.proof import reading
from appliance.cli.words import KEY_LIES, count, local, size, span
from appliance.wiring.program import version as program_version
from config import logs
from config.errors import ExitCode

if TYPE_CHECKING:
    from appliance.wiring.box import UpFacts
    from recorder.store.making import InitReport

config_app = typer.Typer(help="The configuration. 配置", no_args_is_help=True)
token_app = typer.Typer(help="The access token. 访问令牌", no_args_is_help=True)

PARTS: Final = ("av", "fastapi", "sqlalchemy", "cryptography", "uvicorn")
"""Whose versions matter when something is reported."""


def init(
    holders: Annotated[
        list[str] | None,
        typer.Option("--holder", help="Given twice: the two persons who together release holds. 解除码持有人"),
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new box: its identity, its key, its log. Access token and release codes are shown this once. 初始化"""
    from recorder.store.codes import DEFAULT_NAMES
    from recorder.store.store import Store

    at = desk(config, data_dir, as_json)
    key_url = at.settings.proof.key
    names = holders or DEFAULT_NAMES
    report = Store.create(
        at.data_dir, at.settings.box.name, at.clock, program_version(), key_url=key_url, holders=names
    )
    body = {
        "box": report.box_id,
        "origin": report.origin,
        "fingerprint": report.fingerprint,
        "first_fingerprint": report.fingerprint,
        "token": report.token,
        "release_codes": [{"holder": one.holder, "code": one.code} for one in report.release_codes],
        "data_dir": str(at.data_dir.absolute()),
    }
    if not at.answer(body):
        show_new_box(at.console, at, report)


def run(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    demo: Annotated[bool, typer.Option("--demo", help="Record the demonstration camera too. 同时录制演示设备")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log more, with the trace of faults in Custos.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log in JSON lines even on a terminal.")] = False,
) -> None:
    """Run the box: record, keep, answer. A missing data directory is made first. 运行"""
    from appliance.notify import Notifier
    from appliance.wiring.children import CAPTURE, Standby

    at = desk(config, data_dir, False)
    logs.configure(as_json=True if log_json else None, level="DEBUG" if debug else "INFO", clock=at.clock)
    if not debug:
        # What alembic says at every opening of the catalogue is about itself.
        logging.getLogger("alembic").setLevel(logging.WARNING)
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    notifier = Notifier.taken_from(os.environ)
    with closing(Standby(CAPTURE)) as standby:
        from appliance.wiring.box import run as run_box  # by the other processor, while the first process starts

        run_box(
            at.settings,
            at.clock,
            demo=demo,
            made=lambda report: show_new_box(out, at, report),
            up=lambda facts: _show_up(out, facts),
            notifier=notifier,
            standby=standby,
        )


def status(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """How the running box does. Exit code 1 unless all is well. 运行状态"""
    at = desk(config, data_dir, as_json)
    with Box(at, must_run=True) as box:
        body = box.get("/api/v1/status")
    if not at.answer(body):
        _show_status(at, body)
    if body["state"] != "ok":
        raise typer.Exit(ExitCode.FINDINGS)


@config_app.command("check")
def config_check(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with the configuration, or show it as it is in force. 检查配置"""
    at = desk(config, data_dir, as_json)
    body: dict[str, Any] = at.settings.canonical()
    if not at.answer(body):
        for section, values in body.items():
            for number, entry in enumerate(values if isinstance(values, list) else [values]):
                title = f"[[{section}]] {number + 1}" if isinstance(values, list) else f"[{section}]"
                at.console.print(
                    "\n".join([title, *(f"  {key} = {value}" for key, value in entry.items())]), markup=False
                )
        at.console.print("The configuration is right. 配置正确")


@token_app.command("renew")
def token_renew(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new access token, shown this once; the old one ends at once. 更换访问令牌"""
    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        token = store.renew_token()
    at.tell({"token": token}, f"The new access token, shown this once 新访问令牌，仅显示一次:\n\n    {token}\n")


def version(as_json: JsonOption = False) -> None:
    """The version of Custos and of what it stands on. 版本"""
    body = {"custos": program_version(), "python": platform.python_version()}
    body |= {name: metadata.version(name) for name in PARTS}
    if not answer(body, as_json):
        Console(highlight=False).print(", ".join(f"{name} {number}" for name, number in body.items()), soft_wrap=True)


def show_new_box(out: Console, at: Desk, report: InitReport) -> None:
    """What a new box tells its owner, once."""
    out.print(
        f"A new box was made in {at.data_dir.absolute()}.  新的数据目录已建立\n"
        f"  fingerprint of its log's first key, for the papers 日志首个公钥指纹，写入验收文件  {report.fingerprint}\n"
        f"  access token, shown this once 访问令牌，仅显示一次  {report.token}",
        markup=False,
    )
    issued = [(one.holder, one.code) for one in report.release_codes]
    out.print("\n".join(f"  {line}" for line in codes_told(at, issued)), markup=False)


def _show_up(out: Console, facts: UpFacts) -> None:
    names = ", ".join(facts.cameras) or "none yet: add one with `custos camera add rtsp://… --id gate`"
    prints = facts.fingerprint
    if facts.first_fingerprint != prints:
        prints += f"\n  first fingerprint, as on the papers 首个公钥指纹  {facts.first_fingerprint}"
    out.print(
        f"Custos {program_version()} is running 正在运行  {facts.url}\n"
        f"  data directory 数据目录  {facts.data_dir}\n"
        f"  fingerprint 公钥指纹  {prints}\n"
        f"  cameras 采集设备  {names}",
        markup=False,
    )


def _show_sweep(at: Desk, swept: dict[str, Any] | None) -> None:
    """Its account, in a line."""
    if swept is None:
        return
    why, stays = (
        ", ".join(f"{one['count']} {one['code']} ({size(one['bytes'])})" for one in swept[part])
        for part in ("because", "kept")
    )
    told = f"should have discarded 应删 {swept['should']}, discarded 已删 {swept['discarded']} ({size(swept['bytes'])})"
    told += f", because 原因 {why}" if why else ""
    told += f"; past their time and kept 到期而保留 {stays}" if stays else ""
    at.console.print(f"sweep 清理 {local(swept['at'], at.zone)}: {told}", markup=False)


def _show_status(at: Desk, body: dict[str, Any]) -> None:
    out = at.console
    colour = {"ok": "green", "degraded": "yellow", "failing": "red"}[body["state"]]
    found = count(len(body["problems"]), "problem")
    out.print(f"[{colour}]{body['state']}[/{colour}]  {body['box']['name']}, {found}")
    for problem in body["problems"]:
        out.print(f"  - {problem['text']}", markup=False)
    table = Table("camera", "name", "state", "last picture", "rate", "signed", "days held", "of", "fit", box=None)
    for one in body["cameras"]:
        rate = f"{one['bitrate_bps'] / 1e6:.2f} Mbit/s" if one.get("bitrate_bps") is not None else "-"
        held = "-" if one.get("days_held") is None else f"{one['days_held']:.1f}"
        last = local(one.get("last_media_at"), at.zone)
        signed = ", ".join(one.get("signed_by", ())) or "no"
        if one.get("unsigned_since"):
            signed = f"until {local(one['signed_until'], at.zone)}"
        days = str(one.get("days_required", "-"))
        fit = "-" if one.get("days_fit") is None else f"{one['days_fit']:.0f}"
        table.add_row(one["id"], one["name"], one["state"], last, rate, signed, held, days, fit)
    out.print(table)
    _show_keeping(at, body)
    log = body["log"]
    out.print(f"log: {log['size']} leaves, signed {local(log.get('checkpoint_at'), at.zone)}", markup=False)
    out.print(f"key: {KEY_LIES[log['key_kind']]}; fingerprint 公钥指纹 {body['box']['fingerprint']}", markup=False)
    if body["box"]["first_fingerprint"] != body["box"]["fingerprint"]:
        out.print(f"     first, as on the papers 首个公钥指纹 {body['box']['first_fingerprint']}", markup=False)
    if log.get("sm2_fingerprint"):
        out.print(f"SM2 key 国密公钥指纹: {log['sm2_fingerprint']}", markup=False)
    for one in log.get("witnesses", []):
        had = f"{one['cosigned_size']} leaves, cosigned {local(one.get('cosigned_at'), at.zone)}"
        out.print(f"witness {one['name']}: {had}", markup=False)


def volume_line(volume: dict[str, Any]) -> str:
    """How it stands with a disk."""
    parts = [f"{volume['state']}, {size(volume['free_bytes'])} of {size(volume['total_bytes'])} free"]
    if volume.get("full_on"):
        parts.append(f"full on 写满 {volume['full_on']}")
    if volume.get("floor_fails_on"):
        parts.append(f"floor fails on 不足法定最短留存期 {volume['floor_fails_on']}")
    if volume.get("left_behind"):
        parts.append(f"perhaps left behind 可能遗留 {count(volume['left_behind'], 'segment')}")
    return f"volume {volume['name']}: {', '.join(parts)}"


def holds_line(holds: dict[str, Any], zone: ZoneInfo) -> str:
    """How it stands with the holds in force."""
    parts = [f"in force 有效 {holds['in_force']}"]
    if holds["bytes"] is not None:
        parts.append(size(holds["bytes"]))
    if holds["damaged_segments"]:
        parts.append(f"damaged 损坏 {count(holds['damaged_segments'], 'segment')}")
    if holds["next_review"] is not None:
        parts.append(f"next review 下次复核 {local(holds['next_review'], zone)}")
    return f"holds 证据保全: {', '.join(parts)}"


def _show_keeping(at: Desk, body: dict[str, Any]) -> None:
    """Volumes, scrub, sweep and holds, a line each."""
    for volume in body["storage"]:
        at.console.print(volume_line(volume), markup=False)
    for one in body.get("scrub", {}).get("volumes", []):
        age = "-" if one["oldest_age_s"] is None else span(one["oldest_age_s"])
        read = f"{size(one['bytes'])} read again 已重读 since 起自 {local(one['begun'], at.zone)}"
        at.console.print(f"scrub 巡检 {one['volume']}: {read}, oldest check 最久未校验 {age}", markup=False)
    _show_sweep(at, body["retention"].get("sweep"))
    if body.get("holds", {}).get("in_force"):
        at.console.print(holds_line(body["holds"], at.zone), markup=False)
