"""What a witness said of a box leaves with the box's evidence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.machine import Machine, until
from tests.whole.test_export import ago
from tests.whole.test_witness import cosigned, place_hold, shown, started

pytestmark = pytest.mark.whole

REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
"""A witness of the public network, which never heard of this box."""


def exported(machine: Machine) -> Path:
    """The package of what the demonstration camera has recorded, each minute of it cosigned."""

    def stored() -> list[dict[str, str]]:
        span = {"start": ago(60), "end": ago(-60)}
        found: list[dict[str, str]] = machine.get("/api/v1/cameras/demo/segments", **span)["segments"]
        return found if len(found) >= 2 else []

    segments = until("two segments are stored", stored, 60)
    seen = len(cosigned(machine))
    place_hold(machine)
    until("what was recorded is cosigned", lambda: len(cosigned(machine)) > seen, 60)
    span = {"start": segments[0]["start"], "end": segments[1]["end"]}
    asked = machine.post("/api/v1/exports", {"camera": "demo", **span, "case": "7", "reason": "Letter"})
    assert asked.status_code == 202, asked.text
    until("the export is done", lambda: machine.get("/api/v1/exports/1")["state"] == "done", 60)
    return machine.data_dir / "exports" / "1"


def test_a_package_of_a_cosigned_box_is_checked_by_its_witness(machine: Machine) -> None:
    """What the witness said is in it; command and scripts believe the witness that is named, and where another one is,
    they say that nobody vouches for it."""
    assert machine.command("init").code == 0
    key = machine.command("log", "key", "--json").json["key"]
    with started(machine, "--log", key, "--port", "0", "--name", "witness.example/north") as witness:
        url, vkey = shown(witness, key)
        machine.settings["CUSTOS_PROOF__WITNESSES"] = f'[{{"url": "{url}", "key": "{vkey}"}}]'
        machine.start()
        folder = exported(machine)
        fingerprint = machine.get("/api/v1/status")["box"]["fingerprint"]
        assert machine.stop() == 0
        assert witness.stop() == 0

    for named, is_anchored in ((vkey, True), ("", True), (REMORA, False)):
        ours = machine.command(
            "verify", str(folder), "--fingerprint", fingerprint, *(["--witness", named] if named else [])
        )
        said = [ours.out]
        for script in (["sh", "verify.sh"], [sys.executable, "-I", "verify.py"]):
            words = [*script, fingerprint, "", *([named] if named else [])]
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
            said.append(done.stdout)
        for one in said:
            assert "witness.example/north" in one
            assert ("NOT ANCHORED" in one) is not is_anchored, one
