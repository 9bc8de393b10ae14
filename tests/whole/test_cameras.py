"""Cameras come, change and go: by the configuration file, the command line and the HTTP interface."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx
import pytest

from config.errors import ExitCode
from config.times import parse_us
from tests.fakes import rtsp_camera
from tests.whole.machine import Machine, demo_cameras, until

pytestmark = pytest.mark.whole

CAMERA = """
[[cameras]]
id = "{id}"
name = "{name}"
url = "{url}"
username = "ann"
password_file = "gate.password"
enabled = {enabled}
"""


def items_of(machine: Machine, camera: str) -> list[dict[str, str]]:
    start, end = machine.get(f"/api/v1/cameras/{camera}")["registered"], machine.get("/api/v1/status")["box"]["now"]
    items: list[dict[str, str]] = machine.get(f"/api/v1/cameras/{camera}/coverage", start=start, end=end)["items"]
    return items


def causes_of(machine: Machine, camera: str) -> set[str]:
    return {item["cause"] for item in items_of(machine, camera) if item["kind"] == "gap"}


def is_in(machine: Machine, camera: str, state: str) -> bool:
    return bool(machine.status_of(camera)["state"] == state)


def leaves_of(machine: Machine, kind: str) -> list[dict[str, object]]:
    shown = machine.command("log", "show", "--count", "1000", "--json").json
    return [leaf["fields"] for leaf in shown["leaves"] if leaf["type"] == kind]


def test_file_names_the_cameras(machine: Machine) -> None:
    """A camera of the file is recorded, changed and retired as the file says, each change is a leaf, and a spent id
    is refused before anything is started."""
    config = machine.folder / "custos.toml"
    (machine.folder / "gate.password").write_text("right\n", encoding="utf-8")
    with demo_cameras("gate", username="ann", password="right") as urls:

        def write(name: str = "Gate", enabled: str = "true", camera_id: str = "gate") -> None:
            config.write_text(
                CAMERA.format(id=camera_id, name=name, url=urls["gate"], enabled=enabled), encoding="utf-8"
            )

        write()
        machine.start("--config", str(config))
        assert [camera["id"] for camera in machine.get("/api/v1/cameras")["cameras"]] == ["gate"]
        until("it is recorded", lambda: machine.status_of("gate")["state"] == "recording", 30)
        refused = httpx.patch(f"{machine.url}/api/v1/cameras/gate", json={"name": "x"}, trust_env=False)
        assert (refused.status_code, refused.json()["code"]) == (409, "camera_managed_by_file")
        assert machine.stop() == 0

        write(name="North gate", enabled="false")
        machine.start("--config", str(config))
        assert machine.status_of("gate")["state"] == "disabled"
        until("the record says that it is off", lambda: "operator" in causes_of(machine, "gate"), 20)
        assert machine.stop() == 0

        config.write_text("", encoding="utf-8")
        machine.start("--config", str(config))
        assert machine.status_of("gate")["state"] == "retired"
        assert machine.stop() == 0
    operations = [(leaf["op"], leaf.get("changed")) for leaf in leaves_of(machine, "camera")]
    assert operations == [("registered", None), ("rule", None), ("changed", ["enabled", "name"]), ("retired", None)]
    assert len(leaves_of(machine, "boot")) == 3
    assert len(leaves_of(machine, "cfg")) == 1
    write()
    spent = machine.command("run", "--config", str(config))
    assert spent.code == ExitCode.CONFIG
    assert "never used twice" in spent.err


def test_camera_is_switched_off_and_on(machine: Machine) -> None:
    """What lies between is a gap of the operator's, without a hole on either side."""
    machine.start()
    until("it is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    until("something is stored", lambda: "recorded" in {item["kind"] for item in items_of(machine, "demo")}, 30)
    for enabled, state in ((False, "disabled"), (True, "recording")):
        answer = httpx.patch(f"{machine.url}/api/v1/cameras/demo", json={"enabled": enabled}, trust_env=False)
        assert answer.is_success
        until(f"it is {state}", partial(is_in, machine, "demo", state), 30)

    def back() -> bool:
        kinds = [(item["kind"], item.get("cause")) for item in items_of(machine, "demo")]
        return ("gap", "operator") in kinds and kinds[-2:-1] == [("recorded", None)] and kinds[-1][0] == "unknown"

    until("it is recorded again", back, 30)
    kinds = [item["kind"] for item in items_of(machine, "demo")]
    assert "unknown" not in kinds[:-1]


def test_people_use_the_command_line(machine: Machine, tmp_path: Path) -> None:
    """Add, hold, release and retire a camera of a running box; the same commands answer when it does not run."""
    with demo_cameras("yard") as urls:
        codes = machine.command("init", "--json").json["release_codes"]
        machine.start()
        added = machine.command("camera", "add", urls["yard"], "--id", "yard", "--name", "Yard", "--json")
        assert (added.code, added.json["name"], added.json["managed_by"]) == (0, "Yard", "api")
        until("it is recorded", lambda: machine.status_of("yard")["state"] == "recording", 30)
        until("a segment is stored", lambda: machine.command("segments", "yard", "--json").json["segments"], 30)
        twice = machine.command("camera", "add", urls["yard"], "--id", "yard")
        assert (twice.code, "never used twice" in twice.err) == (ExitCode.REFUSED, True)
        held = machine.command("hold", "place", "yard", "--start", "1h", "--case", "7", "--reason", "theft", "--json")
        assert held.code == 0
        assert all(one["held"] for one in machine.command("segments", "yard", "--json").json["segments"][:1])
        number = str(held.json["id"])
        names = machine.data_dir / "media" / "main" / "hold" / number

        def looked_after() -> bool:
            """Read, and under a second name for as long as it is held; what is recorded within the padding too."""
            media = machine.command("hold", "show", number, "--json").json["held"]
            return bool(media["checked"]) and media["is_linked"] and len(list(names.rglob("*.mp4"))) > 1

        until("its media is linked and read", looked_after, 30)
        by = [word for one in codes for word in ("--by", one["holder"])]
        typed = "".join(f"{one['code']}\n" for one in codes)
        one_alone = machine.command("hold", "release", number, "--reason", "r", *by, "--codes-stdin", stdin="x\nx\n")
        assert one_alone.code == ExitCode.REFUSED
        ending = ("--reason", "closed", *by, "--codes-stdin", "--json")
        released = machine.command("hold", "release", number, *ending, stdin=typed)
        assert parse_us(released.json["released"]) > parse_us(held.json["placed"])
        until("its second names are gone", lambda: not names.exists(), 30)
        assert machine.command("camera", "retire", "yard").code == 0
        until("it is retired", lambda: machine.status_of("yard")["state"] == "retired", 10)

        def told_in_chinese() -> bool:
            chinese = machine.command("coverage", "yard", "--json", environ={"LANG": "zh_CN.UTF-8"})
            gaps = [item for item in chinese.json["items"] if item["kind"] == "gap"]
            return any("采集设备已停用" in str(item["sentence"]) for item in gaps)

        until("the record says that it is retired", told_in_chinese, 10)
        assert machine.stop() == 0
    assert "Traceback" not in machine.log
    for arguments in (("camera", "list"), ("camera", "show", "yard"), ("segments", "yard"), ("hold", "list")):
        offline = machine.command(*arguments)
        assert (offline.code, offline.err) == (0, ""), arguments
        assert "yard" in offline.out
    assert machine.command("segments", "nowhere").code == ExitCode.REFUSED


def test_camera_takes_its_password_only_readable(machine: Machine) -> None:
    """It is not shown to it, and the status says in both languages what to do; allowed, it is recorded, and the status
    says that too. The password stands in no log."""
    behaviour = rtsp_camera.BasicOnly("ann", "planted-secret", pictures=650)  # more than are held back to settle
    with rtsp_camera.camera(behaviour) as url:
        machine.start()
        asked = ("camera", "add", url, "--id", "gate", "--username", "ann", "--password-stdin")
        assert machine.command(*asked, stdin="planted-secret\n").code == 0
        until("it is refused", lambda: machine.problem("source_basic_only"), 30)
        assert not any("authorization" in one.headers for one in behaviour.asked)
        assert "allow_basic" in str(machine.problem("source_basic_only"))
        chinese = machine.command("status", environ={"LANG": "zh_CN.UTF-8"}).out
        assert "allow_basic 予以允许" in "".join(chinese.split("\n"))
        assert machine.problem("camera_password_in_clear") is None

        answer = httpx.patch(f"{machine.url}/api/v1/cameras/gate", json={"allow_basic": True}, trust_env=False)
        assert (answer.status_code, answer.json()["allow_basic"]) == (200, True)
        until("it is recorded", lambda: machine.status_of("gate")["state"] == "recording", 30)
        until("that is told", lambda: machine.problem("camera_password_in_clear"), 30)
        until("a segment is stored", lambda: machine.command("segments", "gate", "--json").json["segments"], 30)
        assert machine.command("camera", "show", "gate", "--json").json["allow_basic"] is True
        assert machine.stop() == 0
    told = [(leaf["op"], leaf.get("changed")) for leaf in leaves_of(machine, "camera") if leaf["camera"] == "gate"]
    assert told == [("registered", None), ("rule", None), ("changed", ["allow_basic"])]
    for secret in ("planted-secret", behaviour.right.removeprefix("Basic ")):
        assert secret not in machine.log
    assert "Traceback" not in machine.log


def test_box_is_open_to_the_network(machine: Machine) -> None:
    """A box that listens beyond this machine answers nobody without its token, and the command line is told so."""
    machine.settings["CUSTOS_HTTP__HOST"] = "0.0.0.0"
    token = machine.command("init", "--json").json["token"]
    machine.settings["CUSTOS_TOKEN"] = token
    machine.token = token
    machine.start()
    assert httpx.get(f"{machine.url}/healthz", trust_env=False).is_success
    assert httpx.get(f"{machine.url}/api/v1/status", trust_env=False).status_code == 401
    assert machine.command("camera", "list").code == 0
    without = machine.command("camera", "list", environ={"CUSTOS_TOKEN": ""})
    assert (without.code, "CUSTOS_TOKEN" in without.err) == (ExitCode.REFUSED, True)
