"""A box and its witness, as two owners start them."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.store.log.cosignature import cosigned_at_s
from tests.whole.machine import ROOT, Machine, until

pytestmark = pytest.mark.whole

KEY = re.compile(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}=?")


class Running:
    """A witness's process, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def is_up(self) -> bool:
        return "fingerprint" in self.log or self.process.poll() is not None

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def started(machine: Machine, *arguments: str) -> Iterator[Running]:
    log = machine.folder / f"witness-{len(list(machine.folder.glob('witness-*')))}.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "appliance", "witness", "--folder", str(machine.folder / "witness")]
        process = subprocess.Popen([*command, *arguments], cwd=ROOT, env=machine.environ, stdout=stream, stderr=stream)
    made = Running(process, log)
    try:
        until("the witness answers, or has ended", made.is_up, 60)
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def shown(witness: Running, key: str) -> tuple[str, str]:
    """Where a witness that started for the box of this key listens, and its own key: as it says, and as it answers."""
    vkey = KEY.search(witness.log.split("verifier key")[1])
    url = re.search(r"http://127\.0\.0\.1:\d+", witness.log)
    assert vkey
    assert url
    assert vkey[0] in httpx.get(url[0], trust_env=False).text
    assert key.partition("+")[0] in witness.log
    return url[0], vkey[0]


def cosigned(machine: Machine) -> list[Path]:
    """The box's checkpoints that have a cosignature."""
    return list((machine.data_dir / "log" / "anchors").glob("*.note"))


def place_hold(machine: Machine) -> None:
    """A hold on the demonstration camera."""
    until("the demonstration is there", lambda: machine.get("/api/v1/cameras/demo"), 30)
    body = {"cameras": ["demo"], "start": "2026-03-01T00:00:00Z", "end": "2026-03-01T01:00:00Z"}
    placed = machine.post("/api/v1/holds", {**body, "case": "1", "reason": "a test"})
    assert placed.status_code == 201, placed.text


def starts_from_an_older_copy(machine: Machine, copy: Path) -> None:
    """The box says that a witness has seen more than this, and goes on no other way."""
    shutil.rmtree(machine.data_dir)
    copy.rename(machine.data_dir)
    machine.start()

    def noticed() -> Mapping[str, Any] | None:
        """Shorter than what the witness saw, or grown to the same length by now and another log."""
        return machine.problem("witness_ahead") or machine.problem("witness_forked")

    told = until("the older copy is noticed", noticed, 60)
    assert "REWRITTEN OR CUT OFF" in told["text"]
    assert machine.get("/api/v1/status")["state"] == "failing"
    assert machine.stop() == 0


def test_a_box_is_cosigned_by_a_witness(machine: Machine) -> None:
    """From the two keys that each shows the other, to a note that verifies; over restarts of both."""
    assert machine.command("init").code == 0
    key = machine.command("log", "key", "--json").json["key"]
    with started(machine, "--log", key, "--port", "0", "--name", "witness.example/north") as witness:
        url, vkey = shown(witness, key)
        mode = (machine.folder / "witness" / "witness.ed25519").stat().st_mode
        assert mode & 0o777 == 0o600
        machine.settings["CUSTOS_PROOF__WITNESSES"] = f'[{{"url": "{url}", "key": "{vkey}"}}]'
        machine.start()
        first = until("the log is cosigned", lambda: cosigned(machine), 60)
        assert cosigned_at_s(first[0].read_text(), parse_verifier_key(vkey, COSIGNATURE)) > 0
        status = machine.get("/api/v1/status")
        assert status["log"]["witnesses"][0]["name"] == "witness.example/north"
        assert "not_anchored" not in [one["code"] for one in status["problems"]]
        place_hold(machine)
        until("the hold is cosigned at once", lambda: len(cosigned(machine)) > len(first), 30)
        assert machine.stop() == 0
        assert machine.command("fsck").code == 0
        copy = machine.folder / "copy"
        shutil.copytree(machine.data_dir, copy)
        machine.start()
        until("the log is cosigned at the start", lambda: len(cosigned(machine)) > len(first) + 1, 60)
        assert machine.stop() == 0
        starts_from_an_older_copy(machine, copy)
        with started(machine, "--log", key, "--port", "0") as second:
            assert second.process.wait(20) == 4
            assert "Another witness" in second.log
        assert witness.stop() == 0
    with started(machine, "--log", key, "--port", "0") as again:
        assert vkey in again.log
        assert again.stop() == 0
        assert "Traceback" not in again.log
