"""The command line as a script sees it: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from appliance.cli.box import holds_line, volume_line
from appliance.cli.client import DOWNLOAD_TRIES, AnswerIsNo, exit_code_of
from appliance.cli.holds import _when_full
from appliance.cli.options import Desk
from appliance.wiring.running import write_running
from config.clock import SystemClock
from config.errors import ExitCode
from config.settings import Settings
from config.times import format_us
from config.verifier_keys import ED25519, parse_verifier_key
from recorder.errors import HolderUnknown, ReleaseRefused
from recorder.store.erasures import REGISTER_DAYS
from recorder.store.log.errors import TokenMissing
from recorder.store.records import Asker, ViewKind, stream_of
from recorder.store.store import Store
from retention.evidence.jobs import Exporter
from retention.evidence.witnesses import Witness
from tests.fakes.box import filled, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.onvif_device import PASSWORD, USERNAME, OnvifDevice, served
from tests.fakes.ports import ports_of
from tests.fakes.rtsp_camera import BasicOnly, Behaviour, camera
from tests.fakes.serving import serving
from tests.fakes.terminal import Run
from tests.fakes.witness import logs, witness


def test_help_is_asked_for(run: Run) -> None:
    """Every command and every exit code is in the help."""
    text = run("--help").out
    for command in (
        "init",
        "run",
        "status",
        "camera",
        "segments",
        "coverage",
        "hold",
        "verify",
        "fsck",
        "log",
        "witness",
    ):
        assert command in text
    for code in ExitCode:
        assert f"{code.value}  " in text


def test_box_is_made(run: Run, tmp_path: Path) -> None:
    """The new box's facts are printed once, and a second box is not made over it."""
    made = run("init", "--json")
    assert made.code == 0
    assert set(json.loads(made.out)) == {
        "box",
        "origin",
        "fingerprint",
        "first_fingerprint",
        "token",
        "data_dir",
        "release_codes",
    }
    assert Path(json.loads(made.out)["data_dir"]) == tmp_path / "data"
    again = run("init")
    assert again.code == ExitCode.DATA_DIR
    assert again.err.startswith("custos: ")


def test_stored_footage_is_checked(run: Run, tmp_path: Path) -> None:
    """At once, with what is damaged and an exit code; afterwards the scrub's own list has it."""
    clock = FakeClock(format_us(SystemClock().read().utc_us - 60_000_000))
    store = filled(tmp_path, clock, "gate", seconds=4)
    one = segments(store, clock)[0]
    path = store.media_path(one)
    store.close()
    assert run("scrub", "--camera", "gate").code == 0
    path.write_bytes(path.read_bytes()[::-1])
    found = run("scrub", "--camera", "gate", "--start", "1h")
    listed = run("scrub")

    assert (found.code, listed.code) == (ExitCode.FINDINGS, ExitCode.FINDINGS)
    for answer in (found, listed):
        assert one.id in answer.out
        assert "内容与录制时不符" in answer.out
    assert json.loads(run("scrub", "--json").out)["damaged_count"] == 1
    assert run("scrub", "--camera", "nobody").code == ExitCode.REFUSED


def test_the_catalogue_is_made_anew(run: Run, tmp_path: Path) -> None:
    """From media and log: what is lost is told and found, or nothing is; the old one is kept, and named."""
    store = filled(tmp_path, FakeClock(), "gate", seconds=2)
    store.close()
    whole = run("fsck", "--rebuild", "--json")
    body = json.loads(whole.out)
    assert (whole.code, body["findings"], body["rebuilt"]["lost"]) == (0, [], [])
    assert Path(body["rebuilt"]["kept"], "catalogue.sqlite").exists()
    (tmp_path / "data" / "catalogue.sqlite").unlink()
    assert run("fsck").code == ExitCode.CATALOGUE
    bare = run("fsck", "--rebuild")

    assert bare.code == ExitCode.FINDINGS
    assert "索引库已由日志重建" in bare.out
    assert "Lost 丢失: Side records" in bare.out
    assert "camera gate" in bare.out
    assert "invariant 11" in bare.out


def test_the_key_of_the_log_is_replaced(run: Run) -> None:
    """The new fingerprint is told beside the first one, which stays on the papers; nothing is wrong afterwards."""
    first = json.loads(run("init", "--json").out)["fingerprint"]
    done = json.loads(run("log", "rotate-key", "--json").out)

    assert (done["number"], done["kind"]) == (1, "file")
    assert done["first_fingerprint"] == done["old_fingerprint"] == first != done["fingerprint"]
    again = run("log", "rotate-key")
    assert again.code == 0
    assert first in again.out
    assert done["fingerprint"] in again.out
    assert run("verify").code == 0


def test_a_backup_is_made_and_put_back(run: Run, tmp_path: Path) -> None:
    """Both say what is in it, that it is secret and what is missing; a rollback is refused until somebody says why."""
    run("init")
    target = tmp_path / "usb" / "today"
    made = run("backup", str(target))
    assert made.code == 0
    assert "SECRET" in made.out
    assert "Footage and packages are not in it" in made.out
    assert run("backup", str(target)).code == ExitCode.REFUSED
    facts = json.loads((target / "backup.json").read_bytes())
    run("log", "rotate-key")
    refused = run("restore", str(target), str(tmp_path / "data"))
    assert refused.code == ExitCode.REFUSED
    assert f"The backup has {facts['entries']} entries." in refused.err
    assert run("restore", str(target), str(tmp_path / "data"), "--accept-rollback", " ").code == ExitCode.USAGE
    done = run("restore", str(target), str(tmp_path / "data"), "--accept-rollback", "a trial", "--json")
    body = json.loads(done.out)
    assert (done.code, body["entries"], body["has_key"]) == (0, facts["entries"], True)
    assert body["taken_back"] > 0
    assert json.loads((tmp_path / "data" / "restored.json").read_bytes())["why"] == "a trial"
    run("hold", "list")  # whatever opens it next tells the log first
    entry = json.loads(run("log", "show", "--start", str(facts["entries"]), "--json").out)["leaves"][0]
    assert (entry["type"], entry["fields"]["what"]) == ("audit", "restored")
    bare = run("backup", str(tmp_path / "bare"), "--without-keys", "--json")
    assert json.loads(bare.out)["with_keys"] is False
    told = run("restore", str(tmp_path / "bare"), str(tmp_path / "elsewhere"))
    assert told.code == 0
    assert "NO KEY" in told.out


def test_a_witness_is_asked_before_a_backup_is_put_back(run: Run, tmp_path: Path) -> None:
    """One that has seen more makes it a rollback; one that does not answer is told of, and stops nobody."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    config = tmp_path / "witnessed.toml"
    with witness(tmp_path / "witness", logs(store), clock) as outside:
        config.write_text(f'[proof]\nwitnesses = [{{ url = "{outside.url}", key = "{outside.key.text}" }}]\n')
        store.close()
        assert run("backup", str(tmp_path / "backup")).code == 0
        store = Store.open(tmp_path / "data", clock)
        store.checkpoint()
        here = Witness(store, clock, outside.url, outside.key, 10)
        here.want("due")
        here.run()
        store.close()
        refused = run("restore", str(tmp_path / "backup"), str(tmp_path / "new"), "--config", str(config))
    assert refused.code == ExitCode.REFUSED
    assert f"Witness {outside.key.name} knows" in refused.err
    done = run("restore", str(tmp_path / "backup"), str(tmp_path / "new"), "--config", str(config))
    assert done.code == 0
    assert "could not be asked" in done.out


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
    """A bar with what is done of all bytes and how long it still takes; a file gets one plain line, whatever colours
    are wanted in it, and with `--json` nothing."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 8)
    store.checkpoint()
    store.close()
    command = [sys.executable, "-m", "appliance", "verify", "--data-dir", str(tmp_path / "data")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}

    coloured = {**environment, "FORCE_COLOR": "1"}
    into_file, for_programs = (
        subprocess.run([*command, *more], capture_output=True, env=coloured, timeout=120, check=True, encoding="utf-8")
        for more in ((), ("--json",))
    )
    mine, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody is at its other end any more
            while piece := os.read(mine, 4096):
                seen += piece
    os.close(mine)

    assert re.fullmatch(r"Reading every stored byte 读取全部录像: [0-9.]+ kB\n", into_file.stderr)
    assert for_programs.stderr == ""
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


def test_views_are_listed_and_one_is_erased(run: Run, tmp_path: Path) -> None:
    """In both languages, and for programs; what was erased is shown as erased. What must be kept is refused."""
    clock = FakeClock("2021-03-01T00:00:00Z")
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND)
    for purpose in ("old [bold]", "older"):
        first = segments(store, clock)[0]
        asker = Asker("token", "192.0.2.7", purpose=purpose)
        store.views.note("gate.main", ViewKind.MEDIA, first.t0_us, first.t1_us, asker)
    clock.advance((REGISTER_DAYS + 1) * 86_400)
    asker = Asker("token", "192.0.2.7", purpose="new")
    store.views.note("gate.main", ViewKind.MEDIA, first.t0_us, first.t1_us, asker)
    store.checkpoint()
    store.close()
    when = ("--start", "2021-02-28T00:00:00Z", "--end", "2021-03-02T00:00:00Z")
    why = ("--rule", "pipl-47-2", "--reason", "kept for three years")

    before = run("views", *when)
    done = run("erase-record", "view:2", *why)
    kept = run("erase-record", "view:3", *why)
    after = run("views", *when, "--camera", "gate", "--showing", "2021-03-01T00:00:01Z")
    page = json.loads(run("views", *when, "--limit", "1", "--json").out)

    assert "old [bold]" in before.out
    assert "older" in before.out
    assert "media 录像" in before.out
    assert (done.code, "已删除" in done.out, "log says so" in done.out) == (0, True, True)
    assert (kept.code, "both clocks" in kept.err) == (ExitCode.REFUSED, True)
    assert "erased 已删除" in after.out
    assert "older" not in after.out
    assert "old [bold]" in after.out
    assert ([one["id"] for one in page["views"]], page["next"]) == ([1], 1)
    assert "无人调阅" in run("views").out
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


def test_camera_is_kept_in_its_own_way(run: Run) -> None:
    """A rule that is told twice is one leaf; it can be asked for, and taken back; what cannot be is refused by name."""
    run("init")
    assert run("camera", "add", "rtsp://192.0.2.1/x", "--id", "gate", "--protection", "counter_terrorism").code == 0
    asked = run("camera", "keep", "gate").out
    assert "90 days at least, gone after 91" in asked
    assert "至少保存 90 天，91 天后删除" in asked

    wish = ("--protection", "ordinary", "--floor-days", "60", "--target-days", "120", "--purpose", "A building site")
    for _ in range(2):
        kept = json.loads(run("camera", "keep", "gate", *wish, "--json").out)
    assert (kept["floor_days"], kept["target_days"], kept["purpose"]) == (60, 120, "A building site")
    missing = run("camera", "keep", "gate", "--purpose", "")
    below = run("camera", "keep", "gate", "--target-days", "45")
    back = json.loads(run("camera", "keep", "gate", "--floor-days", "0", "--target-days", "0", "--json").out)

    assert (missing.code, "order 799" in missing.err) == (ExitCode.REFUSED, True)
    assert (below.code, "60 days" in below.err) == (ExitCode.REFUSED, True)
    assert (back["floor_days"], back["target_days"]) == (30, 31)
    shown = json.loads(run("log", "show", "--start", "0", "--json").out)["leaves"]
    told = [one["fields"] for one in shown if one["type"] == "camera" and one["fields"]["op"] == "rule"]
    assert [one["floor_days"] for one in told] == [90, 60, 30]


def test_camera_is_pinned_to_a_volume(run: Run, tmp_path: Path) -> None:
    """When it is added, or later; to one that the settings name, or to none. Another one is refused with those there
    are, and the camera is not added."""
    config = tmp_path / "two.toml"
    disks = "".join(f'[[volumes]]\nname = "{name}"\npath = "{tmp_path / name}"\n' for name in "ab")
    config.write_text(disks)
    told = ("--config", str(config))
    run("init", *told)
    added = run("camera", "add", "rtsp://127.0.0.1/1", "--id", "gate", "--volume", "b", "--json", *told)
    assert (added.code, json.loads(added.out)["volume"]) == (0, "b")
    moved = run("camera", "pin", "gate", "--volume", "a", *told)
    assert moved.code == 0
    assert all(one in moved.out for one in ("to volume a", "存入存储卷 a"))
    freed = run("camera", "pin", "gate", "--volume", "", *told)
    assert all(one in freed.out for one in ("where most is free", "空闲最多的存储卷"))
    assert json.loads(run("camera", "show", "gate", "--json", *told).out)["volume"] is None
    for words in (("pin", "gate"), ("add", "rtsp://127.0.0.1/2", "--id", "yard")):
        refused = run("camera", *words, "--volume", "c", *told)
        assert refused.code == ExitCode.REFUSED
        assert "there is a, b" in refused.err
    assert [one["id"] for one in json.loads(run("camera", "list", "--json", *told).out)["cameras"]] == ["gate"]


def test_deletion_receipts_are_listed(run: Run, tmp_path: Path) -> None:
    """The newest first, a page at a time; of a camera of which nothing went yet that is said, in both languages."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    record(store, clock, SECOND * 6)
    clock.advance(40 * 86_400)
    for one in segments(store, clock):
        store.discard([one.id], "target 31 days, floor 30 days")
    store.close()

    page = run("receipts", "gate", "--limit", "2")
    after = page.out.rpartition("--after ")[2].strip()
    rest = json.loads(run("receipts", "gate", "--after", after, "--json").out)

    assert page.code == 0
    assert page.out.count("30 d") == 2
    assert "40.0 d" in page.out
    assert (len(rest["receipts"]), rest["next"]) == (1, None)
    assert "未删除" in run("receipts", "yard").out
    assert run("receipts", "nobody").code == ExitCode.REFUSED


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


LOG_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), ExitCode.USAGE),
        (("--log", "junk"), ExitCode.CONFIG),
        (("--logs", "missing"), ExitCode.USAGE),
        (("--log", LOG_KEY, "--name", "a b"), ExitCode.USAGE),
        (("--log", LOG_KEY, "--host", "no such host"), ExitCode.CONFIG),
    ],
)
def test_witness_is_told_nothing_or_nonsense(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: ExitCode
) -> None:
    """An exit code and a sentence in the words of its own options; no key is made."""
    ended = run("witness", "--port", "0", *arguments)

    assert ended.code == code, ended.err
    assert "[http]" not in ended.err
    assert not (tmp_path / "witness" / "witness.ed25519").exists()


def test_key_of_the_log_is_shown(run: Run) -> None:
    """As a witness takes it: of this log, and the one that its checkpoints are signed with."""
    made = json.loads(run("init", "--json").out)
    shown = json.loads(run("log", "key", "--json").out)

    key = parse_verifier_key(shown["key"], ED25519)
    assert (key.name, shown["fingerprint"]) == (made["origin"], made["fingerprint"])
    assert shown["key"] in run("log", "key").out


def test_completeness_of_what_is_not_signed_yet(run: Run, tmp_path: Path) -> None:
    """The newest of it is below no checkpoint: the box signs it, and nobody is told to come back."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(2)
    record(store, clock, SECOND * 6)
    begun, ended = (format_us(one) for one in (segments(store, clock)[0].t0_us, segments(store, clock)[-1].t1_us))
    store.close()

    found = run("completeness", "gate", "--start", begun, "--end", ended, "--json")

    assert (found.code, found.err) == (0, "")
    assert json.loads(found.out)["complete"] is True


class BreaksOff:
    """An application whose first answers to downloads end too early, as over a bad line."""

    def __init__(self, app: ASGIApp, breaks: int) -> None:
        self._app = app
        self.left = breaks
        self.ranges: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "package." not in scope.get("path", ""):
            await self._app(scope, receive, send)
            return
        self.ranges.append(dict(scope["headers"]).get(b"range", b"").decode())
        breaks, self.left, pieces = self.left > 0, self.left - 1, 0

        async def shortened(message: Message) -> None:
            nonlocal pieces
            pieces += message["type"] == "http.response.body"
            if not breaks or pieces < 3:
                await send(message)
            elif pieces == 3:
                await send({**message, "body": message["body"][: len(message["body"]) // 2], "more_body": True})

        await self._app(scope, receive, shortened)


@contextlib.contextmanager
def package(tmp_path: Path, breaks: int = 0) -> Iterator[BreaksOff]:
    """A box that answers, with an export that is done."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(2)
    record(store, clock, SECOND * 6)
    found = segments(store, clock)
    store.exports.ask("gate.main", found[0].t0_us, found[-1].t1_us, "7", "letter")
    Exporter(store, clock, "0").run()
    app = BreaksOff(create_app(ports_of(store, clock)), breaks)
    with serving(app) as url:
        write_running(tmp_path / "data", url, os.getpid())
        yield app
    store.close()


def good(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


def test_package_is_saved(run: Run, tmp_path: Path) -> None:
    """As one file in either form, whole; a file that stands there already is left as it is."""
    with package(tmp_path):
        saved = run("export", "save", "1", "--zip", "p.zip", "--tar", "p.tar")
        again = run("export", "save", "1", "--zip", "p.zip")
        nowhere = run("export", "save", "1", "--zip", "no/p.zip")
        unsaid = run("export", "save", "1")
        unknown = run("export", "save", "2", "--zip", "q.zip")
        span = ("--camera", "gate", "--from", "2h", "--to", "1h", "--case", "8", "--reason", "x")
        early = run("export", *span, "--zip", "p.zip")

    assert saved.code == 0, saved.err
    said = r"Saving p\.{0} 正在保存: [0-9.]+ kB\nSaved 已保存: p\.{0}\n"
    assert re.fullmatch(said.format("zip") + said.format("tar"), saved.err)
    assert good(tmp_path / "p.zip")
    with tarfile.open(tmp_path / "p.tar") as archive:
        assert "7-export-1/SHA256SUMS" in archive.getnames()
    assert (again.code, "already" in again.err) == (ExitCode.REFUSED, True)
    assert (early.code, early.err) == (again.code, again.err)
    assert (nowhere.code, unsaid.code, unknown.code) == (ExitCode.STORAGE, ExitCode.USAGE, ExitCode.REFUSED)
    assert "There is no export" in unknown.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "p.tar", "p.zip"]


def test_an_export_into_a_file_says_one_plain_line(
    run: Run, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much is written, once, however long that takes; and where the package lies."""
    monkeypatch.setattr("appliance.cli.exports.LOOK_S", 0.01)
    store = filled(tmp_path, clock, "gate", seconds=6)
    found = segments(store, clock)
    making = Thread(target=Exporter(store, clock, "0").run)
    with serving(create_app(ports_of(store, clock, exported=making.start))) as url:
        write_running(tmp_path / "data", url, os.getpid())
        span = ("--start", format_us(found[0].t0_us), "--end", format_us(found[-1].t1_us))
        made = run("export", "--camera", "gate", *span, "--case", "7", "--reason", "letter")
    making.join(20)
    store.close()

    assert made.code == 0, made.err
    assert re.fullmatch(r"Writing the package 正在导出: [0-9.]+ kB\n", made.err)
    assert re.fullmatch(r"Export 1 is done, [0-9.]+ kB: \S+\n", made.out)


def test_saving_breaks_off(run: Run, tmp_path: Path) -> None:
    """It goes on where it was: at once, and when it is asked for again; what is saved is whole."""
    with package(tmp_path, breaks=DOWNLOAD_TRIES + 1) as app:
        broken = run("export", "save", "1", "--zip", "p.zip")
        (part,) = tmp_path.glob("p.zip.*.part")
        size = part.stat().st_size
        saved = run("export", "save", "1", "--zip", "p.zip")

    assert (broken.code, saved.code) == (ExitCode.STORAGE, 0)
    assert app.ranges[0] == ""
    assert all(one.startswith("bytes=") for one in app.ranges[1:DOWNLOAD_TRIES])
    assert f"bytes={size}-" in app.ranges[DOWNLOAD_TRIES:]
    assert good(tmp_path / "p.zip")
    assert not list(tmp_path.glob("*.part"))


def test_package_is_removed_and_listed(run: Run, tmp_path: Path) -> None:
    """It can be removed once, by a box that does not even run."""
    with package(tmp_path):
        pass
    removed = run("export", "remove", "1")
    again = run("export", "remove", "1")

    assert (removed.code, "is removed" in removed.out) == (0, True)
    assert (again.code, "there is no package" in again.err) == (ExitCode.REFUSED, True)
    assert "removed" in run("export", "list").out


def test_a_hold_is_placed_while_the_token_is_away(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a box that does not run: it stands, and is told so; who heard that it failed would place a second one."""
    new_store(tmp_path, FakeClock(), "gate").close()

    def away(*_: object) -> None:
        raise TokenMissing

    monkeypatch.setattr("recorder.store.ledger.Ledger.sign", away)
    span = ("gate", "--start", "2h", "--end", "1h", "--case", "7", "--reason", "letter")
    placed = run("hold", "place", *span)

    assert placed.code == 0, placed.err
    assert len(json.loads(run("hold", "list", "--json").out)["holds"]) == 1


def test_status_tells_of_holds_and_of_what_may_be_left_behind() -> None:
    """A line for the holds, with what is not known or not so left out; and of a disk what may lie unfinished there."""
    zone = ZoneInfo("Asia/Shanghai")
    well: dict[str, object] = {"in_force": 2, "bytes": None, "damaged_segments": 0, "next_review": None}
    ill = {"in_force": 2, "bytes": 4096, "damaged_segments": 1, "next_review": "2027-03-01T00:00:00.000000Z"}
    disk = {"name": "a", "state": "missing", "free_bytes": 0, "total_bytes": 0}

    assert holds_line(well, zone) == "holds 证据保全: in force 有效 2"
    assert holds_line(ill, zone) == (
        "holds 证据保全: in force 有效 2, 4.1 kB, damaged 损坏 1 segment, next review 下次复核 2027-03-01 08:00:00+0800"
    )
    assert volume_line(disk) == "volume a: missing, 0 B of 0 B free"
    assert volume_line({**disk, "left_behind": 2}).endswith(", perhaps left behind 可能遗留 2 segments")


@pytest.mark.parametrize(
    ("without", "when_full", "english", "chinese"),
    [
        (
            None,
            "stop",
            "(without it: not within ten years); then recording stops.",
            "届时停止录像（若无此保全：十年内不会）",
        ),
        (None, "overwrite", "is overwritten before its time.", "在到期前被覆盖"),
        ("2027-03-01T00:00:00.000000Z", "stop", "with this hold or without; then recording stops.", "无论有无此保全"),
    ],
)
def test_whoever_places_a_hold_reads_what_a_full_disk_does(
    without: str | None, when_full: str, english: str, chinese: str
) -> None:
    """When, because of what, and what then: under `overwrite` recording does not stop."""
    outlook = {"floor_fails": "2027-03-01T00:00:00.000000Z", "floor_fails_without": without, "when_full": when_full}
    at = Desk(Settings(), as_json=False, language="en", environ={})

    assert english in _when_full(at, outlook)[0]
    assert chinese in _when_full(replace(at, language="zh-CN"), outlook)[0]
    assert _when_full(at, {**outlook, "floor_fails": None}) == []


def test_two_persons_release_a_hold_on_the_command_line(run: Run, tmp_path: Path) -> None:
    """Codes are read from standard input, one a line, in the order of the names; what is placed, shown and reviewed
    before tells in the language of the terminal what it rests on."""
    made = json.loads(run("init", "--json", "--holder", "Li", "--holder", "Wang").out)["release_codes"]
    assert [one["holder"] for one in made] == ["Li", "Wang"]
    store = Store.open(tmp_path / "data", SystemClock())
    store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main")
    store.close()
    span = ("gate", "--start", "2h", "--end", "1h", "--case", "7", "--reason", "letter", "--padding-before", "0")
    placed = run("hold", "place", *span, "--basis", "order_168_29", "--review", "2099-01-01")
    shown = run("hold", "show", "1")
    reviewed = run("hold", "review", "1", "--none", "--reason", "not needed")
    codes = "".join(f"{one['code']}\n" for one in made).encode()
    wrong = run("hold", "release", "1", "--reason", "r", "--by", "Wang", "--by", "Li", "--codes-stdin", typed=codes)
    right = run("hold", "release", "1", "--reason", "r", "--by", "Li", "--by", "Wang", "--codes-stdin", typed=codes)

    assert "Hold 1 is in force" in placed.out
    assert "article 29" in shown.out
    assert "stays in force" in reviewed.out
    assert (wrong.code, wrong.err) == (ExitCode.REFUSED, f"custos: {ReleaseRefused.sentence()}\n")
    assert "released" in right.out
    assert json.loads(run("hold", "list", "--in-force", "--json").out)["holds"] == []
    assert not any(one["code"] in seen.out + seen.err for one in made for seen in (placed, shown, wrong, right))


def test_release_codes_are_made_for_a_box_from_before_there_were_any(run: Run, tmp_path: Path) -> None:
    """Once; then one is renewed with the word of the other holder, and told again in the language of the terminal."""
    run("init", "--json")
    (tmp_path / "data/keys/release-codes.json").unlink()
    made = json.loads(run("hold", "codes", "--json").out)["release_codes"]
    again = run("hold", "codes")
    word = made[0]["code"].encode()
    renewed = run("hold", "codes", "--renew", "holder-2", "--name", "Li", "--codes-stdin", typed=word)
    refused = run("hold", "codes", "--renew", "Li", "--codes-stdin", typed=b"wrong\n")
    nobody = run("hold", "codes", "--renew", "Wang", "--codes-stdin", typed=word)

    assert "already" in again.err
    assert again.code == ExitCode.REFUSED
    assert re.search(r"Li  [0-9A-Z]{4}-", renewed.out)
    assert refused.code == ExitCode.REFUSED
    assert HolderUnknown.sentence() in nobody.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("place", "gate", "--start", "1h", "--case", "7", "--reason", "r", "--basis", "none"),
        ("review", "1", "--reason", "r"),
        ("review", "1", "--reason", "r", "--none", "--date", "2099-01-01"),
        ("release", "1", "--reason", "r", "--by", "Li"),
        ("release", "1", "--reason", "r", "--codes-stdin"),
        ("codes", "--name", "Li"),
        ("codes", "--renew", "Li", "--holder", "Li", "--holder", "Wang"),
    ],
)
def test_a_hold_command_that_says_too_little_or_too_much(run: Run, arguments: tuple[str, ...]) -> None:
    """Wrong use, before anything is asked or done."""
    assert run("hold", *arguments).code == ExitCode.USAGE
