"""A box and its cameras as processes of their own, started the way their user starts them, and always ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from appliance.wiring.running import running_url

ROOT = Path(__file__).resolve().parents[2]

READY_S = 60.0
"""A box that is not ready by then has failed; alone on a machine it takes two seconds, beside other tests longer."""

STOP_S = 30.0


def until(what: str, done: Callable[[], Any], limit_s: float, each_s: float = 0.1) -> Any:
    """Ask again and again until the answer is true; the answer."""
    ends_s = time.monotonic() + limit_s
    while True:
        if answer := done():
            return answer
        if time.monotonic() > ends_s:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(each_s)


@contextmanager
def demo_cameras(*names: str, username: str | None = None, password: str = "") -> Iterator[dict[str, str]]:
    """A demonstration server with a film of each name; the URL of each."""
    command = [sys.executable, "-m", "appliance.demo", *(["--username", username] if username else []), *names]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{password}\n")
            process.stdin.close()
            yield {name: process.stdout.readline().strip() for name in names}
        finally:
            process.kill()


@dataclass
class Machine:
    """Where a box lives: its data directory, its settings, and everything it ever said."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What stands before every command, for example to take rights away from it."""
    inside_mounts: bool = False
    """The data directory is seen by the box alone, and reached through its process."""
    token: str = ""
    """Sent with every question, where there is one."""
    _process: subprocess.Popen[bytes] | None = None
    _starts: int = 0

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def seen_dir(self) -> Path:
        """The data directory as this process can reach it."""
        return Path(f"/proc/{self.pid}/root{self.data_dir}") if self.inside_mounts else self.data_dir

    @property
    def environ(self) -> dict[str, str]:
        ours = {
            "CUSTOS_BOX__DATA_DIR": str(self.data_dir),
            "CUSTOS_HTTP__PORT": "0",
            "CUSTOS_RECORDING__SEGMENT_S": "2",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error::ResourceWarning",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTOS_", "LC_", "LANG"))}
        return kept | ours | self.settings

    def command(self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None) -> Result:
        """One command of the command line, from its start to its end."""
        done = subprocess.run(
            [*self.prefix, sys.executable, "-m", "appliance", *arguments],
            cwd=ROOT,
            env=self.environ | dict(environ or {}),
            input=stdin.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str) -> float:
        """Start the box and wait until it is ready; how many seconds that took."""
        began_s = time.monotonic()
        self._starts += 1
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "appliance", "run", *arguments],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until("the box is ready", self._is_ready, READY_S, 0.05)
        return time.monotonic() - began_s

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the box ended with {self._process.returncode}:\n{self.log}"
        said = running_url(self.seen_dir)
        if said is None or json.loads((self.seen_dir / "running.json").read_bytes())["pid"] != self._process.pid:
            return False
        try:
            return httpx.get(f"{said}/readyz", headers=self._headers, timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    @property
    def log_path(self) -> Path:
        return self.folder / f"log-{self._starts}.txt"

    @property
    def log(self) -> str:
        """What the box said since its last start."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        said = running_url(self.seen_dir)
        assert said is not None
        return said

    def kill(self) -> None:
        """As a power cut ends a process: at once, in the middle of anything."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_S)
        self._process = None

    def stop(self) -> int:
        """As an operator ends it; its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as err:
            raise AssertionError(f"the box did not stop within {STOP_S:g} s:\n{self.log}") from err
        self._process = None
        return code

    def end(self) -> None:
        """Whatever became of it, nothing goes on."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path: str, **query: str) -> Any:
        """Ask the box."""
        answer = httpx.get(f"{self.url}{path}", params=query, headers=self._headers, timeout=30, trust_env=False)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=dict(body), headers=self._headers, timeout=30, trust_env=False)

    def add_camera(self, camera_id: str, url: str, **more: str) -> None:
        answer = self.post("/api/v1/cameras", {"id": camera_id, "name": camera_id.title(), "url": url, **more})
        assert answer.is_success, answer.text

    def status_of(self, camera_id: str) -> Mapping[str, Any]:
        cameras: Sequence[Mapping[str, Any]] = self.get("/api/v1/status")["cameras"]
        return next(camera for camera in cameras if camera["id"] == camera_id)

    def problem(self, code: str) -> Mapping[str, Any] | None:
        """The problem of this code in the status, if it is there now."""
        problems: Sequence[Mapping[str, Any]] = self.get("/api/v1/status")["problems"]
        return next((problem for problem in problems if problem["code"] == code), None)


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)
