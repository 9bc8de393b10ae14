"""How commands ask the box: always by its HTTP interface, so that there is one way in and one set of rules.

Where a box runs on the data directory, it is asked over the network. Where none does, the same application answers
inside this process, on a store opened for that one question; nothing is recorded meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from appliance.cli.options import Desk
from appliance.wiring.running import box_id_of, running_url, url_of
from config.errors import CustosError, ExitCode
from recorder.errors import DataDirInUse

if TYPE_CHECKING:
    from appliance.wiring.box import Offline

TOKEN_VARIABLE: Final = "CUSTOS_TOKEN"  # noqa: S105 - the name of the variable, not a token
"""Where a box that listens beyond this machine finds the caller's access token: argv would show it to everybody."""

ANSWER_S: Final = 30.0
"""A box that takes longer has stalled; no question of the command line needs more than a few seconds."""

DOWNLOAD_TRIES: Final = 5
"""A connection breaks once; what breaks five times breaks for a reason that the box's log tells."""

ETAG_SHOWN: Final = 16
"""Characters of an ETag in a file's name: enough that no two packages meet."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

CONNECT_S: Final = 3.0
"""The box is on this machine, or near."""


class BoxNotRunning(CustosError):
    """No box is running on this data directory: start one with `custos run`."""

    code = "box_not_running"
    exit_code = ExitCode.NOT_RUNNING


class BoxSilent(CustosError):
    """A box holds this data directory, but does not answer: wait a moment, then look at its log."""

    code = "box_silent"
    exit_code = ExitCode.NOT_RUNNING


class DownloadBroken(CustosError):
    """The box broke off the download again and again: its log says why; the package may be damaged on its disk."""

    code = "download_broken"
    exit_code = ExitCode.STORAGE


class FileStands(CustosError):
    """There is a file of that name already; it was left as it is."""

    code = "file_stands"


class FileNotWritten(CustosError):
    """The file cannot be written there."""

    code = "file_not_written"
    exit_code = ExitCode.STORAGE


class AnswerIsNo(CustosError):
    """The box answered that this may not be done."""

    code = "answer_is_no"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        self.exit_code = exit_code_of(str(problem.get("code", ""))) or ExitCode.REFUSED  # type: ignore[misc] # per answer
        super().__init__(_sentence(status, problem))


class Box:
    """A conversation with the box of a data directory, running or not.

    Args:
        desk: whose configuration says where the box is.
        must_run: refuse to answer from the store of a box that does not run.
    """

    def __init__(self, desk: Desk, *, must_run: bool = False) -> None:
        self._desk = desk
        self._must_run = must_run
        self._offline: Offline | None = None
        self._runner = asyncio.Runner()
        self._client = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
        if self._offline is not None:
            self._offline.close()

    def get(self, path: str, **query: Any) -> Any:
        """Ask; None values are left out of the query."""
        return self._ask("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for something to be made."""
        return self._ask("POST", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for something to be changed."""
        return self._ask("PATCH", path, json=dict(body))

    def sign(self) -> None:
        """Have signed what was written so far."""
        self._answered("POST", "/api/v1/log/checkpoint")

    def delete(self, path: str) -> Any:
        """Ask for something to be ended."""
        return self._ask("DELETE", path)

    def save(self, path: str, target: Path, progress: Progress) -> None:
        """Write an answer into a new file, under its name only when it is whole.

        What breaks off lies beside it, named for the very bytes it is a part of, and is gone on with: at once, or by
        whoever asks again.

        Raises:
            FileStands, DownloadBroken, FileNotWritten: as they say. AnswerIsNo: the box's reason.
        """
        refuse_standing(target)
        try:
            self._runner.run(self._received(path, target, progress)).rename(target)
        except OSError as err:
            raise FileNotWritten(f"{FileNotWritten.sentence()} ({target}: {err.strerror})") from err

    async def _received(self, path: str, target: Path, progress: Progress) -> Path:
        etag, part, total = "", target, 0
        for _ in range(DOWNLOAD_TRIES):
            have = part.stat().st_size if etag else 0
            if etag and have == total:
                return part
            headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
            with contextlib.suppress(httpx.TransportError):  # it broke off; how much is there says where to go on
                async with self._client.stream("GET", path, headers=headers) as answer:
                    if not answer.is_success:
                        await answer.aread()
                        raise AnswerIsNo(answer.status_code, _problem(answer))
                    if answer.headers["etag"] != etag:
                        etag, total = answer.headers["etag"], int(answer.headers["content-length"])
                        part = _part_of(target, etag)
                        if part.stat().st_size:
                            continue
                    await _written(answer, part, total, progress)
                    return part
        raise DownloadBroken

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._answered(method, path, **arguments)
        return answer.json() if answer.content else None

    def _answered(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._runner.run(self._client.request(method, path, **arguments))
        except httpx.HTTPError as err:
            raise BoxSilent from err
        if answer.is_success:
            return answer
        raise AnswerIsNo(answer.status_code, _problem(answer))

    def _connect(self) -> httpx.AsyncClient:
        """Over the network if a box answers there, else in this process."""
        http = self._desk.settings.http
        # The configured address is for a box whose disk was too full to write its address down.
        for url in (running_url(self._desk.data_dir), url_of(http.host, http.port) if http.port else None):
            if url is not None and self._is_ours(url):
                return self._http(url, httpx.AsyncHTTPTransport())
        if self._must_run:
            raise BoxNotRunning(f"{BoxNotRunning.sentence()} ({self._desk.data_dir})")
        from appliance.wiring.box import offline  # the whole box: seconds to import, and most commands need none of it

        try:
            self._offline = offline(self._desk.settings, self._desk.clock)
        except DataDirInUse as err:
            raise BoxSilent from err
        return self._http("http://127.0.0.1", httpx.ASGITransport(self._offline.app))

    def _http(self, url: str, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        headers = self._headers()
        return httpx.AsyncClient(base_url=url, transport=transport, headers=headers, timeout=timeout, trust_env=False)

    def _headers(self) -> dict[str, str]:
        token = self._desk.environ.get(TOKEN_VARIABLE)
        return {"Accept-Language": self._desk.language} | ({"Authorization": f"Bearer {token}"} if token else {})

    def _is_ours(self, url: str) -> bool:
        """Whether the box of this data directory answers there: a file that names the address outlives a power cut,
        and another box may have it since. One that first wants its token is taken for ours, and says so itself."""
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        try:
            answer = httpx.get(f"{url}/api/v1/status", headers=self._headers(), timeout=timeout, trust_env=False)
        except httpx.HTTPError:
            return False
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return True
        try:
            return bool(answer.json()["box"]["id"] == box_id_of(self._desk.data_dir))
        except (ValueError, KeyError, TypeError):
            return False


def refuse_standing(target: Path) -> None:
    """Nothing of the caller's is overwritten.

    Raises:
        FileStands: there is a file of that name. StorageError: the folder cannot be looked at.
    """
    from recorder.store.files import translated  # here: most commands do without the store

    with translated(target):
        stands = target.exists()
    if stands:
        raise FileStands(f"{FileStands.sentence()} ({target})")


def _part_of(target: Path, etag: str) -> Path:
    """Where a file lies until it is whole, made if it is not there."""
    name = etag.strip('"')[:ETAG_SHOWN]
    part = target.with_name(f"{target.name}.{name}.part")
    part.touch()
    return part


async def _written(answer: httpx.Response, part: Path, total: int, progress: Progress) -> None:
    with part.open("ab") as out:
        async for piece in answer.aiter_raw():  # as it comes: what is gathered first is lost when it breaks off
            out.write(piece)
            progress(out.tell(), total)
        out.flush()
        os.fsync(out.fileno())


def exit_code_of(code: str) -> ExitCode | None:
    """The exit code of the error class that has this code; None when no class here has it."""
    return _search(CustosError, lambda kind: kind.code == code)


def _search(base: type[CustosError], wanted: Callable[[type[CustosError]], bool]) -> ExitCode | None:
    if wanted(base):
        return base.exit_code
    found = (_search(child, wanted) for child in base.__subclasses__())
    return next((code for code in found if code is not None), None)


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    """The problem (RFC 9457) in an answer; something else than a box may have answered."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _sentence(status: int, problem: Mapping[str, Any]) -> str:
    if status == httpx.codes.UNAUTHORIZED:
        return f"The box wants its access token: put it into the environment variable {TOKEN_VARIABLE}."
    detail = str(problem.get("detail") or problem.get("title") or f"The box answered with HTTP status {status}.")
    faults = [
        f"  {_place(fault)}: {fault.get('expected') or fault.get('message') or fault.get('msg')}"
        for fault in problem.get("errors", [])
    ]
    return "\n".join([detail, *faults])


def _place(fault: Mapping[str, Any]) -> str:
    where = fault.get("where") or fault.get("location") or fault.get("loc") or "?"
    return ".".join(map(str, where)) if isinstance(where, list | tuple) else str(where)
