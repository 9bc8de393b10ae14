"""``custos camera``: what is recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr
from rich.table import Table

from appliance.cli.amounts import bitrate_bps
from appliance.cli.client import Box
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import local
from config.errors import CustosError, ExitCode
from config.logs import carries_credentials, register_secret
from config.terms import AudioName, TransportName

if TYPE_CHECKING:
    from recorder.capture.onvif import OnvifFacts
    from recorder.capture.sources import ProbeResult

SKEW_LIMIT_S = 5.0
"""The strictest ONVIF devices refuse what was signed further than this off their own clock."""

app = typer.Typer(help="Cameras: add, list, show, retire, probe. 采集设备管理", no_args_is_help=True)

CameraArgument = Annotated[str, typer.Argument(metavar="ID", help="The camera's id.")]
UrlArgument = Annotated[
    str, typer.Argument(metavar="URL", help="Such as rtsp://192.0.2.10/stream1, without user name or password.")
]
UsernameOption = Annotated[
    str | None, typer.Option("--username", "-u", help="The password is then asked for; it is never an argument.")
]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]


TransportOption = Annotated[
    TransportName,
    typer.Option("--transport", help="How media comes; libav: let it read the URL. 传输方式"),
]
OnvifOption = Annotated[
    str | None,
    typer.Option(
        "--onvif", metavar="URL", help="Ask its clock and model too, at http://HOST/onvif/device_service. 查询 ONVIF"
    ),
]


AudioOption = Annotated[
    AudioName,
    typer.Option("--audio", help="Whether its sound is recorded too: ask whether the law allows it. 是否录音"),
]


AllowBasicOption = Annotated[
    bool,
    typer.Option(
        "--allow-basic", help="Its password may be sent readable, where it offers nothing better. 允许明文传送密码"
    ),
]


ProtectionOption = Annotated[
    str | None,
    typer.Option("--protection", help="ordinary, or counter_terrorism: ninety days at least. 防护类别"),
]
FloorOption = Annotated[
    int | None, typer.Option("--floor-days", help="Below this nothing of it is discarded; 0: as the box. 最短留存天数")
]
TargetOption = Annotated[
    int | None, typer.Option("--target-days", help="After this its footage goes; 0: as the box. 保存天数")
]
PurposeOption = Annotated[
    str | None,
    typer.Option("--purpose", help='What it is kept for, for longer than the law wants; "": none. 延长保存的目的'),
]


BitrateOption = Annotated[
    str | None,
    typer.Option(
        "--bitrate", metavar="RATE", help="What it is set to send, such as 4M, to see whether there is room. 码率"
    ),
]


VolumeOption = Annotated[
    str | None,
    typer.Option("--volume", help="Where its footage goes as long as that takes it; '': where most is free. 存储卷"),
]


class SecretInUrl(CustosError):
    """The URL contains a user name or password, which every process list would show: use --username, and the password is asked for."""  # noqa: E501 - one sentence

    code = "secret_in_url"
    exit_code = ExitCode.USAGE


@app.command("add")
def add(
    url: UrlArgument,
    camera_id: Annotated[str, typer.Option("--id", help="Short and lasting: small letters, digits, '-' and '_'.")],
    name: Annotated[str | None, typer.Option("--name", help="What people call it; the id if left out.")] = None,
    username: UsernameOption = None,
    password_stdin: PasswordStdinOption = False,
    transport: TransportOption = "tcp",
    audio: AudioOption = "off",
    allow_basic: AllowBasicOption = False,
    protection: ProtectionOption = None,
    floor_days: FloorOption = None,
    target_days: TargetOption = None,
    purpose: PurposeOption = None,
    bitrate: BitrateOption = None,
    volume: VolumeOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a camera; a running box records it at once. Says so where there is no room for it. 添加采集设备"""
    at = desk(config, data_dir, as_json)
    refuse_secret(url)
    body: dict[str, Any] = {"id": camera_id, "name": name or camera_id, "url": url}
    body |= {"transport": transport, "audio": audio, "allow_basic": allow_basic, "volume": volume or None}
    body |= _keeping(protection, floor_days, target_days, purpose)
    if bitrate is not None:
        body["bitrate_bps"] = bitrate_bps(bitrate)
    if username is not None:
        body |= {"username": username, "password": read_password(password_stdin).get_secret_value()}
    with Box(at) as box:
        camera = box.post("/api/v1/cameras", body)
    at.tell(
        camera, f"Camera [bold]{camera['id']}[/bold] is registered; see `custos status` for how it does.", markup=True
    )
    _warn(at, camera)


@app.command("list")
def list_cameras(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """All cameras, retired ones too. 列出采集设备"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.get("/api/v1/cameras")
    if not at.answer(body):
        _show(at, body["cameras"])


@app.command("show")
def show(
    camera_id: CameraArgument,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """One camera. 查看采集设备"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        camera = box.get(f"/api/v1/cameras/{camera_id}")
    if not at.answer(camera):
        for key, value in camera.items():
            if key == "admission":  # there is none where nothing was changed
                continue
            at.console.print(f"{key:>14}  {value if value is not None else '-'}", markup=False)


@app.command("keep")
def keep(
    camera_id: CameraArgument,
    protection: ProtectionOption = None,
    floor_days: FloorOption = None,
    target_days: TargetOption = None,
    purpose: PurposeOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """For how long a camera's footage is kept; what is recorded already keeps its floor. 设置保存期限"""
    at = desk(config, data_dir, as_json)
    told = _keeping(protection, floor_days, target_days, purpose)
    with Box(at) as box:
        path = f"/api/v1/cameras/{camera_id}"
        camera = box.patch(path, told) if told else box.get(path)
    least, most = camera["floor_days"], camera["target_days"]
    english = f"Camera [bold]{camera_id}[/bold] is kept for {least} days at least, gone after {most}."
    at.tell(camera, f"{english} 至少保存 {least} 天，{most} 天后删除", markup=True)
    _warn(at, camera)


def _warn(at: Desk, camera: dict[str, Any]) -> None:
    """Where there is no room for it, in words; programs read it in the answer."""
    warning = (camera.get("admission") or {}).get("warning")
    if warning and not at.as_json:
        at.console.print(warning, markup=False)


def _keeping(
    protection: str | None, floor_days: int | None, target_days: int | None, purpose: str | None
) -> dict[str, Any]:
    """What was said of it: no days stand for those of the box, and an empty purpose for none."""
    said = {"floor_days": floor_days, "target_days": target_days, "purpose": purpose}
    told: dict[str, Any] = {key: value or None for key, value in said.items() if value is not None}
    return told if protection is None else {**told, "protection": protection}


@app.command("pin")
def pin(
    camera_id: CameraArgument,
    volume: Annotated[str, typer.Option("--volume", help="The volume's name; '': where most is free. 存储卷名称")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which volume a camera's footage goes to; its next segment does. 指定采集设备的存储卷"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        camera = box.patch(f"/api/v1/cameras/{camera_id}", {"volume": volume or None})
    to = camera["volume"]
    where, chinese = (f"to volume {to}", f"存储卷 {to}") if to else ("where most is free", "空闲最多的存储卷")
    told = f"The footage of {camera['id']} goes {where}, from its next segment on. 自下一录像段起存入{chinese}"
    at.tell(camera, told)


@app.command("retire")
def retire(
    camera_id: CameraArgument,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop recording a camera for good; its footage stays as long as it must. 停用采集设备"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        box.delete(f"/api/v1/cameras/{camera_id}")
        camera = box.get(f"/api/v1/cameras/{camera_id}")
    at.tell(camera, f"Camera [bold]{camera_id}[/bold] is retired; its footage stays.", markup=True)


@app.command("probe")
def probe(
    url: UrlArgument,
    username: UsernameOption = None,
    password_stdin: PasswordStdinOption = False,
    transport: TransportOption = "tcp",
    allow_basic: AllowBasicOption = False,
    onvif: OnvifOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at what a camera sends, without recording it. 探测码流"""
    from recorder.capture import onvif as onvif_device
    from recorder.capture.sources import probe as look
    from recorder.capture.sources import source_of

    at = desk(config, data_dir, as_json)
    for one in (url, onvif or ""):
        refuse_secret(one)
    password = read_password(password_stdin) if username is not None else None
    facts = onvif_device.look(onvif, username, password, at.clock) if onvif else None
    source = source_of(url, username, password, transport, at.clock, allow_basic=allow_basic)
    found = look(source, at.clock)
    body = _of_stream(found)
    if facts is not None:
        body["onvif"] = _of_onvif(facts)
    if not at.answer(body):
        _show_stream(at, found)
        if facts is not None:
            _show_onvif(at, facts)


def refuse_secret(url: str) -> None:
    """No user name or password in an argument: `ps` shows arguments to everybody on the machine.

    Raises:
        SecretInUrl: there is one.
    """
    if carries_credentials(url):
        raise SecretInUrl


def read_password(from_stdin: bool) -> SecretStr:
    """The password, from standard input or a prompt without echo; kept out of all logs from here on."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(typer.prompt("Password 密码", hide_input=True, default="", show_default=False, err=True))
    register_secret(password)
    return SecretStr(password)


def _of_stream(found: ProbeResult) -> dict[str, Any]:
    return {
        "codec": found.codec.value,
        "width": found.width,
        "height": found.height,
        "frames_per_s": found.frames_per_s,
        "left_out": list(found.left_out),
        "key_interval_s": found.key_interval_s,
        "clock_offset_s": found.clock_offset_s,
        "bitrate_bps": found.bitrate_bps,
    }


def _show_stream(at: Desk, found: ProbeResult) -> None:
    rate = f", {found.frames_per_s:g} frames a second" if found.frames_per_s else ""
    at.console.print(f"{found.codec.value}, {found.width} x {found.height}{rate}")
    if found.bitrate_bps is not None:
        at.console.print(f"About {found.bitrate_bps / 1e6:.2f} Mbit/s, over some seconds 码率约为（数秒内测得）")
    if found.key_interval_s is not None:
        at.console.print(f"A key picture every {found.key_interval_s:g} s 关键帧间隔 {found.key_interval_s:g} 秒")
    if found.clock_offset_s is not None:
        at.console.print(f"Its clock is {found.clock_offset_s:+g} s from this machine's 时钟偏差")
    if found.left_out:
        at.console.print(f"Not recorded: {', '.join(found.left_out)}.")


def _of_onvif(facts: OnvifFacts) -> dict[str, Any]:
    return {
        "clock_offset_s": round(facts.clock_offset_us / 1e6, 1),
        "local_as_utc": facts.local_as_utc,
        "manufacturer": facts.manufacturer,
        "model": facts.model,
        "firmware": facts.firmware,
    }


def _show_onvif(at: Desk, facts: OnvifFacts) -> None:
    names = [one for one in (facts.manufacturer, facts.model, facts.firmware) if one]
    if names:
        at.console.print(f"ONVIF: {', '.join(names)}", markup=False)
    offset_s = facts.clock_offset_us / 1e6
    at.console.print(f"Its ONVIF clock is {offset_s:+.1f} s from this machine's, to about a second ONVIF 时钟偏差")
    if abs(offset_s) > SKEW_LIMIT_S:
        at.console.print(
            f"That is more than {SKEW_LIMIT_S:g} s, and ONVIF logins may fail for it: give the camera and this machine "
            "the same time server (NTP). "
            f"偏差超过 {SKEW_LIMIT_S:g} 秒，ONVIF 登录可能失败：请为设备和本机设置同一时间服务器。"
        )
    if facts.local_as_utc:
        at.console.print(
            "It gives local time as UTC: check its time zone, and its firmware. "
            "设备把本地时间当作 UTC 报告：请检查其时区设置与固件。"
        )


def _show(at: Desk, cameras: list[dict[str, Any]]) -> None:
    table = Table("id", "name", "url", "managed by", "since", "state", box=None)
    for camera in cameras:
        state = "retired" if camera.get("retired") else "enabled" if camera["enabled"] else "disabled"
        registered = local(camera.get("registered"), at.zone)
        table.add_row(camera["id"], camera["name"], camera["url"], camera["managed_by"], registered, state)
    at.console.print(table if cameras else "No camera yet: add one with `custos camera add rtsp://… --id gate`.")
