"""No secret leaves the box: planted passwords are looked for in everything that it says, shows and keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.whole.machine import Machine, Result, demo_cameras, until

pytestmark = pytest.mark.whole

RIGHT = "Pfl4nzung+geheim/7"
WRONG = "auch:ge@heim%20"
OLD = "vorher-gueltig-9"
"""Each with characters that URLs, shells or JSON write otherwise, so that a half-hidden form shows too."""

FORMS = {
    form
    for secret in (RIGHT, WRONG, OLD)
    for form in (secret, httpx.QueryParams({"x": secret}).__str__()[2:], secret.replace("@", "%40").replace(":", "%3A"))
}


def leaks(text: str) -> set[str]:
    return {form for form in FORMS if form in text}


def command_lines() -> Iterator[str]:
    """What every user of the machine sees of every process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def dump(catalogue: Path) -> str:
    with sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True) as connection:
        return "\n".join(connection.iterdump())


def answers(machine: Machine) -> Iterator[tuple[str, str]]:
    """Everything that can be asked, refusals too."""
    paths = [
        "/api/v1/status",
        "/api/v1/cameras",
        "/api/v1/cameras/right",
        "/api/v1/cameras/wrong",
        "/metrics",
        "/readyz",
        "/openapi.json",
        "/api/v1/log/checkpoint",
    ]
    for path in paths:
        yield path, httpx.get(f"{machine.url}{path}", trust_env=False, timeout=10).text
    again = {"id": "right", "name": "x", "url": "rtsp://127.0.0.1/x", "username": "ann", "password": RIGHT}
    yield "camera twice", machine.post("/api/v1/cameras", again).text
    yield "camera with a wrong id", machine.post("/api/v1/cameras", again | {"id": "A B"}).text
    yield "secret in the URL", machine.post("/api/v1/cameras", again | {"id": "c", "url": f"rtsp://a:{RIGHT}@h/"}).text
    yield "password of a wrong type", machine.post("/api/v1/cameras", again | {"id": "d", "password": [RIGHT]}).text


def add(machine: Machine, camera_id: str, url: str, password: str) -> Result:
    arguments = ("camera", "add", url, "--id", camera_id, "--username", "ann", "--password-stdin")
    return machine.command(*arguments, stdin=f"{password}\n")


def refusals(machine: Machine) -> int:
    """How often the log says so."""
    return sum("source_auth_refused" in line and "wrong" in line for line in machine.log.splitlines())


def test_secrets_stay_inside(machine: Machine) -> None:
    """Passwords of cameras and the access token: in no log, error, answer, process title or dump of the catalogue."""
    with demo_cameras("locked", username="ann", password=RIGHT) as urls:
        machine.start("--debug")
        token = next(line.split()[-1] for line in machine.log.splitlines() if "shown this once" in line)
        said = [add(machine, "right", urls["locked"], RIGHT), add(machine, "wrong", urls["locked"], WRONG)]
        said += [machine.command("camera", "show", "right"), machine.command("status")]
        assert [result.code for result in said[:3]] == [0, 0, 0], said
        until("the right password records", lambda: machine.status_of("right")["state"] == "recording", 30)
        until("the wrong password is refused", lambda: machine.problem("source_auth_refused"), 30)
        changed = httpx.patch(
            f"{machine.url}/api/v1/cameras/wrong", json={"password": OLD}, trust_env=False, timeout=10
        )
        assert changed.is_success
        until("the changed password is refused", lambda: refusals(machine) >= 2, 60)
        for line in command_lines():
            assert not leaks(line), line
            assert token not in line
        for what, answer in answers(machine):
            assert not leaks(answer), what
            assert token not in answer, what
        machine.stop()
    for result in said:
        assert not leaks(result.out + result.err)
    assert not leaks(machine.log)
    assert machine.log.count(token) == 1, "the token is shown once, and nowhere else"
    assert not leaks(dump(machine.data_dir / "catalogue.sqlite"))
    assert token not in dump(machine.data_dir / "catalogue.sqlite")


def test_secrets_on_the_disk_are_ours_alone(machine: Machine) -> None:
    """Passwords lie in files that nobody else may read, and in no other file of the data directory."""
    with demo_cameras("locked", username="ann", password=RIGHT) as urls:
        machine.start()
        assert add(machine, "right", urls["locked"], RIGHT).code == 0
        until("it records", lambda: machine.status_of("right")["state"] == "recording", 30)
        machine.stop()
    holding = [path for path in machine.data_dir.rglob("*") if path.is_file() and RIGHT.encode() in path.read_bytes()]
    assert [path.parent.name for path in holding] == ["cameras"]
    assert [oct(path.stat().st_mode & 0o777) for path in holding] == ["0o600"]
