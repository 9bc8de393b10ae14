"""Commercial cryptography in a real box, switched on by its setting."""

from __future__ import annotations

import pytest

from recorder.store.log import sm2
from recorder.store.log.sm3 import sm3
from tests.whole.machine import Machine, until

pytestmark = pytest.mark.whole


def test_a_box_with_sm(machine: Machine) -> None:
    """Its capture process hashes with SM3, its log is signed with SM2 and the status shows the key; switched off, both
    end, and what was written down stays as it must be."""
    machine.settings["CUSTOS_PROOF__SM"] = "true"
    machine.start()
    until("it is recorded", lambda: stored(machine), 60)
    named = machine.get("/api/v1/status")["log"]["sm2_fingerprint"]
    assert machine.problem("sm2_unsigned") is None
    assert machine.stop() == 0

    public = "".join((machine.data_dir / "keys" / "log.sm2.pub.pem").read_text().split("\n")[1:-2])
    assert named == sm2.fingerprint(public)
    assert (machine.data_dir / "log" / "checkpoint").read_text().count("— ") == 2
    told = [one["fields"] for one in leaves(machine) if one["type"] == "seg"]
    assert {
        sm3(path.read_bytes()).hexdigest() for path in machine.data_dir.glob("media/main/demo.main/*/*/*/*/*.mp4")
    } == {one["sm3"] for one in told}
    assert machine.command("verify").code == 0

    machine.settings["CUSTOS_PROOF__SM"] = "false"
    machine.start()
    until("it is recorded", lambda: stored(machine) > len(told), 60)
    assert machine.stop() == 0
    assert (machine.data_dir / "log" / "checkpoint").read_text().count("— ") == 1
    assert "sm3" not in [one["fields"] for one in leaves(machine) if one["type"] == "seg"][-1]
    assert machine.command("verify").code == 0


def test_a_box_whose_openssl_is_missing(machine: Machine) -> None:
    """It records and signs as ever, and the status says in words what is amiss."""
    machine.settings |= {"CUSTOS_PROOF__SM": "true", "PATH": str(machine.folder)}
    machine.start()
    problem = until("it is told", lambda: machine.problem("sm2_unsigned"), 30)

    assert "install OpenSSL" in problem["text"]
    assert machine.stop() == 0
    assert machine.command("verify").code == 0


def stored(machine: Machine) -> int:
    start, end = machine.get("/api/v1/cameras/demo")["registered"], machine.get("/api/v1/status")["box"]["now"]
    return len(machine.get("/api/v1/cameras/demo/segments", start=start, end=end)["segments"])


def leaves(machine: Machine) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = machine.command("log", "show", "--json", "-n", "10000").json["leaves"]
    return found
