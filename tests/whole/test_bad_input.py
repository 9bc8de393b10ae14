"""What a box meets in the field: each fault is one clear sentence, in the status, the log and the exit code."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.errors import ExitCode
from tests.whole.machine import Machine, Result, demo_cameras, until
from tests.whole.odd_cameras import nobody, odd_cameras, web_server

pytestmark = pytest.mark.whole

DROP_OVERRIDE = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
"""For root, modes mean nothing; without these rights they do, as for the user that a box should run as."""


def may_mount() -> bool:
    """Whether this user may have a mount table of its own."""
    tool = shutil.which("unshare")
    return (
        tool is not None
        and subprocess.run([tool, *_OWN_MOUNTS[1:], "true"], capture_output=True, check=False).returncode == 0
    )


_OWN_MOUNTS = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
needs_mounts = pytest.mark.skipif(not may_mount(), reason="this machine lets us have no mount table of our own")


def in_own_mounts(script: str) -> tuple[str, ...]:
    """A prefix that runs a command behind a shell script, seeing mounts that nobody else sees."""
    return (*_OWN_MOUNTS, "sh", "-ec", f'{script}; exec "$@"', "sh")


def one_sentence(result: Result, code: ExitCode, *words: str) -> None:
    """A command that failed as it should: its exit code, one sentence with these words, no stack trace."""
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    sentences = [line for line in result.err.splitlines() if line.startswith("custos: ")]
    assert len(sentences) == 1, result.err
    for word in words:
        assert word in result.err


UNRECORDABLE = {
    "nobody": ("source_unreachable", "unreachable"),
    "locked": ("source_auth_refused", "auth_refused"),
    "web": ("source_invalid", "stream_invalid"),
    "audio": ("source_no_video", "stream_invalid"),
    "old": ("source_codec_unknown", "stream_invalid"),
    "missing": ("source_not_found", "unreachable"),
}
"""The problem that the status names, and the cause of the gaps in the record, of each camera."""


def test_cameras_cannot_be_recorded(machine: Machine) -> None:
    """Six cameras that cannot be recorded are each named with their own reason; the seventh goes on being recorded."""
    with (
        demo_cameras("locked", username="ann", password="right") as locked,
        demo_cameras("good") as good,
        odd_cameras() as odd,
        web_server() as web,
    ):
        machine.start()
        machine.add_camera("locked", locked["locked"], username="ann", password="wrong-one")
        for name, url in {**good, "nobody": nobody(), "web": web, **odd}.items():
            machine.add_camera(name, url)
        found = until("every camera has its problem", lambda: problems_of_all(machine), 40)
        assert found == {name: code for name, (code, _) in UNRECORDABLE.items()}
        until("the good camera is recorded", lambda: machine.status_of("good")["state"] == "recording", 20)
        assert "good" not in problems_now(machine)
        assert machine.get("/api/v1/status")["state"] == "degraded"
        machine.stop()
        for name, (code, _) in UNRECORDABLE.items():
            assert code in machine.log
            assert f'"{name}"' in machine.log
        assert "Traceback" not in machine.log
        assert "wrong-one" not in machine.log
        machine.start()
        for name, (_, cause) in UNRECORDABLE.items():
            items = machine.get(f"/api/v1/cameras/{name}/coverage", **whole_time(machine, name))["items"]
            assert cause in {item.get("cause") for item in items}, (name, items)


def problems_of_all(machine: Machine) -> dict[str, str] | None:
    """The code at each camera that cannot be recorded; None until there is one at all of them."""
    found = {one.get("camera"): one["code"] for one in machine.get("/api/v1/status")["problems"]}
    return {name: found[name] for name in UNRECORDABLE} if set(UNRECORDABLE) <= set(found) else None


def problems_now(machine: Machine) -> set[str]:
    return {one.get("camera") for one in machine.get("/api/v1/status")["problems"]}


def whole_time(machine: Machine, camera: str) -> dict[str, str]:
    """From the camera's registration to this start of the box."""
    registered = machine.get(f"/api/v1/cameras/{camera}")["registered"]
    return {"start": registered, "end": machine.get("/api/v1/status")["box"]["started"]}


def test_camera_is_probed(machine: Machine) -> None:
    """The command that looks at a camera says what it sends, or ends with the exit code of cameras and a sentence."""
    with demo_cameras("good") as good:
        seen = machine.command("camera", "probe", good["good"], "--json")
    assert (seen.code, seen.json["codec"], seen.json["width"]) == (0, "h264", 640)
    one_sentence(machine.command("camera", "probe", nobody()), ExitCode.CAMERA, "nothing listens")


def test_data_directory_is_not_ours_to_write(machine: Machine) -> None:
    """A directory of another user's is refused by name."""
    machine.command("init")
    for folder in (machine.data_dir, machine.data_dir / "media"):
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.geteuid() == 0:
        machine.prefix = DROP_OVERRIDE
    result = machine.command("run")
    machine.data_dir.chmod(stat.S_IRWXU)
    one_sentence(result, ExitCode.DATA_DIR, str(machine.data_dir), "cannot be written to")


@needs_mounts
def test_data_directory_is_read_only(machine: Machine) -> None:
    """A directory on a read-only file system is refused by that name, which is another than not being allowed."""
    machine.command("init")
    there = machine.data_dir
    machine.prefix = in_own_mounts(f"mount --bind {there} {there}; mount -o remount,bind,ro {there}")
    one_sentence(machine.command("run"), ExitCode.DATA_DIR, "read-only")


def test_second_box_is_started(machine: Machine) -> None:
    """A second box on the same directory is refused, and the first does not notice."""
    machine.start()
    one_sentence(machine.command("run"), ExitCode.DATA_DIR, "Another box")
    assert machine.get("/healthz") is not None


def test_address_is_another_boxes_by_now(machine: Machine) -> None:
    """A box that was killed left its address behind; whoever listens there since is not taken for it."""
    machine.start()
    other = Machine(machine.folder / "other")
    other.folder.mkdir()
    other.command("init")
    (other.data_dir / "running.json").write_bytes((machine.data_dir / "running.json").read_bytes())
    one_sentence(other.command("status"), ExitCode.NOT_RUNNING, "custos run")
    assert other.command("camera", "list", "--json").json["cameras"] == []


def test_port_is_taken(machine: Machine) -> None:
    """A port that somebody else has is refused before the data directory is touched."""
    machine.start()
    port = machine.url.rsplit(":", 1)[1]
    other = Machine(machine.folder / "other", {"CUSTOS_HTTP__PORT": port})
    other.folder.mkdir()
    one_sentence(other.command("run"), ExitCode.CONFIG, port, "another program")
    assert not other.data_dir.exists()


def test_catalogue_is_damaged(machine: Machine) -> None:
    """A damaged catalogue is refused by name and left as it is, for whoever wants to save something."""
    machine.start()
    machine.stop()
    catalogue = machine.data_dir / "catalogue.sqlite"
    with catalogue.open("r+b") as stream:
        stream.write(b"not a database at all" * 100)
    damaged = catalogue.read_bytes()
    one_sentence(machine.command("run"), ExitCode.CATALOGUE, "catalogue")
    assert catalogue.read_bytes() == damaged


def test_catalogue_is_gone(machine: Machine) -> None:
    """A box without its catalogue is not taken for a new one."""
    machine.start()
    machine.stop()
    for path in machine.data_dir.glob("catalogue.sqlite*"):
        path.unlink()
    one_sentence(machine.command("run"), ExitCode.CATALOGUE, "catalogue")


def test_configuration_is_broken(machine: Machine) -> None:
    """Every fault of the file is told at once, with its line; nothing is started."""
    config = machine.folder / "custos.toml"
    config.write_text("[http]\nport = 'many'\n\n[retention]\nfloor_days = 7\nflor = 1\n", encoding="utf-8")
    result = machine.command("run", "--config", str(config))
    assert result.code == ExitCode.CONFIG
    assert "Traceback" not in result.err
    for word in ("line 5", "floor_days", "line 6", "flor"):
        assert word in result.err
    assert not machine.data_dir.exists()


def test_configuration_is_no_toml(machine: Machine) -> None:
    """A file that is not TOML is told with its line."""
    config = machine.folder / "custos.toml"
    config.write_text("[http\nport = 1\n", encoding="utf-8")
    result = machine.command("config", "check", "--config", str(config))
    assert result.code == ExitCode.CONFIG
    assert "line 1" in result.err


def test_nothing_is_there(machine: Machine) -> None:
    """Asking where no box is, ends with the sentence and the code for that."""
    one_sentence(machine.command("camera", "list"), ExitCode.DATA_DIR, "custos init")
    machine.command("init")
    one_sentence(machine.command("status"), ExitCode.NOT_RUNNING, "custos run")
    listed = machine.command("camera", "list", "--json")
    assert (listed.code, listed.json["cameras"]) == (0, [])


def test_secret_stands_in_the_url(machine: Machine) -> None:
    """A password on the command line is refused with what to do instead, and not repeated."""
    machine.command("init")
    result = machine.command("camera", "add", "rtsp://ann:hidden-word@192.0.2.1/", "--id", "gate")
    one_sentence(result, ExitCode.USAGE, "--username")
    assert "hidden-word" not in result.err


def causes_of(machine: Machine, camera: str) -> set[str]:
    """The causes of all gaps in the record so far."""
    start, end = machine.get(f"/api/v1/cameras/{camera}")["registered"], machine.get("/api/v1/status")["box"]["now"]
    items = machine.get(f"/api/v1/cameras/{camera}/coverage", start=start, end=end)["items"]
    return {item["cause"] for item in items if item["kind"] == "gap"}


@contextmanager
def filled(folder: Path, leave_bytes: int, name: str = "ballast") -> Iterator[Callable[[], None]]:
    """The file system of a folder is full but for some bytes; calling what is given makes room again."""
    ballast = folder / name
    usage = os.statvfs(folder)
    with ballast.open("wb") as stream:
        stream.write(b"\0" * (usage.f_bavail * usage.f_frsize - leave_bytes))
    yield lambda: ballast.unlink(missing_ok=True)


@needs_mounts
def test_disk_is_full(machine: Machine) -> None:
    """A full disk stops recording, not the box; when there is room again, recording resumes, and the gap says why
    (Frigate 2790; wvp 1582)."""
    machine.data_dir.mkdir()
    machine.prefix = in_own_mounts(f"mount -t tmpfs -o size=96m none {machine.data_dir}")
    machine.inside_mounts = True
    machine.start()
    until("the demonstration is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    with filled(machine.seen_dir, 300_000) as make_room:
        until("the disk is reported full", lambda: machine.problem("volume_full"), 30)
        until("recording has stopped", lambda: machine.status_of("demo")["state"] != "recording", 60)
        assert machine.get("/api/v1/status")["state"] == "failing"
        with filled(machine.seen_dir, 0, "last") as make_less_room:
            assert machine.get("/api/v1/status")["state"] == "failing"  # not a byte is free
            assert machine.get("/api/v1/cameras/demo/coverage")["items"]
            make_less_room()
        make_room()
    until("recording resumes", lambda: machine.status_of("demo")["state"] == "recording", 90)
    until("all is well again", lambda: machine.get("/api/v1/status")["state"] == "ok", 90)
    until("the record says why", lambda: "storage_full" in causes_of(machine, "demo"), 20)
    assert "Traceback" not in machine.log
    machine.prefix = ("nsenter", "-t", str(machine.pid), "-m", *([] if os.geteuid() == 0 else ["-U"]))
    findings = machine.command("fsck", "--json")
    assert (findings.code, findings.json) == (0, {"findings": []})
