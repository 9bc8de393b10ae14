"""The command line as a script sees it: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from appliance import cli
from appliance.cli.client import AnswerIsNo, exit_code_of
from config import logs
from config.clock import SystemClock
from config.errors import ExitCode
from recorder.store.records import stream_of
from tests.fakes.box import new_store, record, segments
from tests.fakes.clock import FakeClock
from tests.fakes.onvif_device import PASSWORD, USERNAME, OnvifDevice, served
from tests.fakes.rtsp_camera import BasicOnly, Behaviour, camera


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def start(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["custos", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as err:
            code = int(err.code or 0)
        seen = capsys.readouterr()
        return Ended(code, seen.out, seen.err)

    yield start
    # Logging was sent to this test's own standard error, which ends with the test.
    logs.configure(level="WARNING", stream=sys.__stderr__)


def test_help_is_asked_for(run: Run) -> None:
    """Every command and every exit code is in the help."""
    text = run("--help").out
    for command in ("init", "run", "status", "camera", "segments", "coverage", "hold", "verify", "fsck", "log"):
        assert command in text
    for code in ExitCode:
        assert f"{code.value}  " in text


def test_box_is_made(run: Run, tmp_path: Path) -> None:
    """The new box's facts are printed once, and a second box is not made over it."""
    made = run("init", "--json")
    assert made.code == 0
    assert set(json.loads(made.out)) == {"box", "origin", "fingerprint", "token", "data_dir"}
    assert Path(json.loads(made.out)["data_dir"]) == tmp_path / "data"
    again = run("init")
    assert again.code == ExitCode.DATA_DIR
    assert again.err.startswith("custos: ")


def test_version_is_asked_for(run: Run) -> None:
    """The version stands with those of what it is built on."""
    assert {"custos", "python", "av", "fastapi"} <= set(json.loads(run("version", "--json").out))


def test_nothing_is_wrong(run: Run) -> None:
    """An untouched box has no finding, and its log can be read from the beginning."""
    run("init")
    assert json.loads(run("fsck", "--json").out) == {"findings": []}
    assert run("verify").code == 0
    shown = json.loads(run("log", "show", "--start", "0", "--json").out)
    assert [leaf["type"] for leaf in shown["leaves"]] == ["genesis", "beat"]
    assert shown["size"] == 2


def test_verify_shows_how_far_it_is_on_a_terminal_alone(tmp_path: Path) -> None:
    """A bar with what is done of all bytes and how long it still takes; a file gets nothing, not an empty line."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, ("I" + "P" * 9) * 8)
    store.checkpoint()
    store.close()
    command = [sys.executable, "-m", "appliance", "verify", "--data-dir", str(tmp_path / "data")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}

    quiet = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=True)
    mine, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody is at its other end any more
            while piece := os.read(mine, 4096):
                seen += piece
    os.close(mine)

    assert quiet.stderr == b""
    assert process.returncode == 0
    assert "Reading every stored byte 读取全部录像" in seen.decode()
    assert b"100%" in seen


def test_byte_of_footage_is_changed(run: Run, tmp_path: Path) -> None:
    """What fsck cannot see, verify names; the exit code says that there is a finding."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, "IPPPPPPPPP" * 3)
    store.checkpoint()
    path = store.media_path(segments(store, clock)[0])
    store.close()
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    found = run("verify", "--json")
    assert found.code == ExitCode.FINDINGS
    (finding,) = json.loads(found.out)["findings"]
    assert (finding["invariant"], finding["where"].rpartition(".")[0]) == (10, stream_of("gate"))
    assert run("fsck").code == 0


def test_no_box_is_there(run: Run) -> None:
    """A proof without a box ends with the sentence for that."""
    ended = run("fsck")
    assert ended.code == ExitCode.DATA_DIR
    assert "custos init" in ended.err


def test_token_is_renewed(run: Run) -> None:
    """A new token is shown once, and is another than the first."""
    first = json.loads(run("init", "--json").out)["token"]
    assert json.loads(run("token", "renew", "--json").out)["token"] != first


def test_configuration_is_shown(run: Run) -> None:
    """What is in force is shown, as a program may read it."""
    assert json.loads(run("config", "check", "--json").out)["retention"]["floor_days"] == 30


def test_configuration_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are told in the language of the terminal, and end in their own exit code."""
    monkeypatch.setenv("CUSTOS_RETENTION__FLOOR_DAYS", "7")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    ended = run("config", "check")
    assert ended.code == ExitCode.CONFIG
    assert "应为" in ended.err


@pytest.mark.parametrize("command", ["add", "probe"])
def test_password_is_given_in_the_url(run: Run, command: str) -> None:
    """A password among the arguments is refused without being repeated."""
    more = ("--id", "gate") if command == "add" else ()
    ended = run("camera", command, "rtsp://ann:hidden-word@192.0.2.1/", *more)
    assert ended.code == ExitCode.USAGE
    assert "--username" in ended.err
    assert "hidden-word" not in ended.err


def test_onvif_clock_is_an_hour_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe says so in both languages, with what to do, and gives the number to programs."""
    behaviour = Behaviour(pictures=75)
    behaviour.stays = False
    with camera(behaviour) as url, served(OnvifDevice(SystemClock(), 3600)) as onvif:
        asked = ("camera", "probe", url, "--onvif", onvif, "--username", USERNAME, "--password-stdin")
        monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD))
        said = " ".join(run(*asked).out.split())
        monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD))
        found = json.loads(run(*asked, "--json").out)["onvif"]
    assert "Example, E-1, 1.2.3" in said
    assert "the same time server" in said
    assert "同一时间服务器" in said
    assert abs(found.pop("clock_offset_s") - 3600) <= 1
    assert found == {"local_as_utc": False, "manufacturer": "Example", "model": "E-1", "firmware": "1.2.3"}


def test_camera_takes_its_password_only_readable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe says what to do, and does it where it is told to."""
    behaviour = BasicOnly("ann", "planted-secret", pictures=75)
    behaviour.stays = False
    with camera(behaviour) as url:
        asked = ("camera", "probe", url, "--username", "ann", "--password-stdin", "--json")
        monkeypatch.setattr(sys, "stdin", io.StringIO("planted-secret"))
        refused = run(*asked)
        monkeypatch.setattr(sys, "stdin", io.StringIO("planted-secret"))
        allowed = run(*asked, "--allow-basic")

    assert (refused.code, "allow_basic" in refused.err) == (ExitCode.CAMERA, True)
    assert (allowed.code, json.loads(allowed.out)["codec"]) == (0, "h264")
    assert "planted-secret" not in refused.err + allowed.out + allowed.err


def test_password_is_given_in_the_onvif_url(run: Run) -> None:
    """A password there is refused like one in the camera's URL."""
    ended = run("camera", "probe", "rtsp://192.0.2.1/", "--onvif", "http://ann:hidden-word@192.0.2.1/")
    assert ended.code == ExitCode.USAGE
    assert "hidden-word" not in ended.err


def test_option_is_unknown(run: Run) -> None:
    """There is no option for a password: it would stand in the process list."""
    assert run("camera", "add", "rtsp://192.0.2.1/", "--id", "gate", "--password", "x").code == ExitCode.USAGE


def test_something_unforeseen_happens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in Custos is one sentence and its own exit code, without a stack trace."""

    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("appliance.cli.box.metadata.version", fail)
    ended = run("version")
    assert ended.code == ExitCode.BUG
    assert "bug in Custos: ZeroDivisionError" in ended.err
    assert "Traceback" not in ended.err


def test_box_answers_no() -> None:
    """A refusal ends with the exit code of the error class that has its code, and a foreign answer with a plain one."""
    assert exit_code_of("storage_full") is ExitCode.STORAGE
    assert exit_code_of("no_such_code") is None
    refused = AnswerIsNo(409, {"code": "camera_exists", "detail": "It is there."})
    assert (refused.exit_code, str(refused)) == (ExitCode.REFUSED, "It is there.")
    assert "HTTP status 502" in str(AnswerIsNo(502, {}))
    assert "CUSTOS_TOKEN" in str(AnswerIsNo(401, {}))
