"""Footage leaves a box that records on: through a kill, as one file, beside its own recording."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.times import format_us
from tests.whole.machine import Machine, until

pytestmark = pytest.mark.whole


def ago(seconds: float) -> str:
    return format_us(SystemClock().read().utc_us - round(seconds * 1e6))


def test_box_is_killed_while_it_exports(machine: Machine, tmp_path: Path) -> None:
    """The next start ends what was asked for; it is saved as one file, which verifies; its going out is in the log."""
    machine.start()

    def stored() -> list[dict[str, str]]:
        found: list[dict[str, str]] = machine.get("/api/v1/cameras/demo/segments", start=ago(60), end=ago(-60))[
            "segments"
        ]
        return found if len(found) >= 2 else []

    segments = until("two segments are stored", stored, 60)
    span = {"start": segments[0]["start"], "end": segments[-1]["end"]}
    asked = machine.post("/api/v1/exports", {"camera": "demo", **span, "case": "案件 7", "reason": "Letter"})
    assert asked.status_code == 202, asked.text
    machine.kill()
    machine.start()
    until("the export is done", lambda: machine.get("/api/v1/exports/1")["state"] == "done", 60)

    saved = machine.command("export", "save", "1", "--zip", str(tmp_path / "p.zip"))

    assert saved.code == 0, saved.err
    fingerprint = machine.get("/api/v1/status")["box"]["fingerprint"]
    verified = machine.command("verify", str(tmp_path / "p.zip"), "--fingerprint", fingerprint, "--json")
    assert (verified.code, verified.json["problems"]) == (0, [])
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"案件-7-export-1"}
    types = [leaf["type"] for leaf in machine.command("log", "show", "-n", "100", "--json").json["leaves"]]
    assert types.count("publish") == 1
    complete = machine.command("completeness", "demo", "--start", span["start"], "--end", span["end"], "--json")
    assert (complete.code, complete.json["complete"]) == (0, True)
    assert machine.command("export", "remove", "1").code == 0
    assert not list((machine.data_dir / "exports").iterdir())
    assert machine.stop() == 0
    assert machine.command("verify").code == 0
    assert "Traceback" not in machine.log
