"""Requests at the edges of what can be written: each is refused as the asker's mistake, never as the box's."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import BODY_LIMIT_BYTES, create_app
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.ports import ports_of

JSON = {"content-type": "application/json"}


@pytest.fixture
def transport(tmp_path: Path, clock: FakeClock) -> Iterator[httpx.ASGITransport]:
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 6)
    app = create_app(ports_of(store, clock))
    app.state.store = store
    yield httpx.ASGITransport(app, raise_app_exceptions=False)
    store.close()


async def ask(transport: httpx.ASGITransport, method: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return await client.request(method, path, **more)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/holds/" + "9" * 30,
        "/api/v1/holds/0",
        "/api/v1/cameras/gate/coverage?start=0001-01-01T00:00:00%2B14:00&end=0001-01-02T00:00:00Z",
        "/api/v1/cameras/gate/coverage?end=1969-12-31T23:59:59Z",
        "/api/v1/cameras/gate/coverage?end=1970-01-01T00:00:00Z",
        "/api/v1/cameras/gate/coverage?start=9999-12-31T00:00:00Z&end=9999-12-31T23:59:59-12:00",
        "/api/v1/cameras/gate/coverage?start=2026-03-01T00:00:00Z&end=2026-03-01T00:00:00Z",
        "/api/v1/cameras/gate/coverage?start=2024-01-01T00:00:00Z&end=2026-03-01T00:00:00Z",
        "/api/v1/cameras/gate/playlist.m3u8?start=2026-02-01T00:00:00Z&end=2026-03-01T00:00:00Z",
        "/api/v1/cameras/gate/segments?after=" + "9" * 16,
    ],
)
async def test_numbers_and_times_beyond_what_can_be_written(transport: httpx.ASGITransport, path: str) -> None:
    """They would overflow in the database or in the answer."""
    answer = await ask(transport, "GET", path)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "v4l2:///dev/video0",
        "concat:a|b",
        "/etc/passwd",
        "rtsp:ann:planted@192.0.2.1/x",
        "rtsp://ann:planted/x@192.0.2.1/x",
        "rtsp://[planted",
        "rtsp://192.0.2.1:0/planted",
    ],
)
async def test_a_camera_that_is_no_address_of_the_network(transport: httpx.ASGITransport, url: str) -> None:
    """Neither does the box read its own files for somebody, nor repeat the password that may stand in a bad URL."""
    made = await ask(transport, "POST", "/api/v1/cameras", json={"id": "yard", "name": "Yard", "url": url})
    changed = await ask(transport, "PATCH", "/api/v1/cameras/gate", json={"url": url})

    for answer in (made, changed):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["location"] == "body.url"
        assert "rtsp://192.0.2.10/stream1" in answer.json()["detail"]
        assert "planted" not in answer.text
    assert (await ask(transport, "GET", "/api/v1/cameras/yard")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{broken", 422, "invalid_request"),
        (b"[" * 100_000, 400, "invalid_request"),
        (b'["x"]', 422, "invalid_request"),
        (b'{"id":"a","name":"\\ud800","url":"rtsp://192.0.2.1/"}', 422, "invalid_request"),
        (b'{"name":"' + b"x" * BODY_LIMIT_BYTES + b'"}', 413, "body_too_large"),
    ],
)
async def test_a_body_that_nobody_can_mean(transport: httpx.ASGITransport, body: bytes, status: int, code: str) -> None:
    """Broken, nested without end, of another form, not Unicode, or too large to be read into memory."""
    answer = await ask(transport, "POST", "/api/v1/cameras", content=body, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_body_without_a_length_that_does_not_end(transport: httpx.ASGITransport) -> None:
    """It is counted as it comes, and refused before it fills the memory."""
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += BODY_LIMIT_BYTES // 4
            yield b" " * (BODY_LIMIT_BYTES // 4)

    answer = await ask(transport, "POST", "/api/v1/cameras", content=pieces(), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert sent <= 2 * BODY_LIMIT_BYTES


async def test_head_knows_no_ranges(transport: httpx.ASGITransport, clock: FakeClock) -> None:
    """A range is part of a GET alone (RFC 9110, 14.2), even one behind the end."""
    one = segments(transport.app.state.store, clock)[0]  # type: ignore[attr-defined]  # a Starlette application

    for text in ("bytes=0-3", f"bytes={one.bytes}-"):
        answer = await ask(transport, "HEAD", f"/api/v1/segments/{one.id}/media", headers={"Range": text})
        assert (answer.status_code, int(answer.headers["content-length"])) == (200, one.bytes)


async def test_media_that_is_not_whole_is_told_and_not_sent(transport: httpx.ASGITransport, clock: FakeClock) -> None:
    """A file that was cut off is answered as an error, not as a shorter recording under the old hash."""
    store = transport.app.state.store  # type: ignore[attr-defined]  # a Starlette application
    one = segments(store, clock)[0]
    path = store.media_path(one)
    path.write_bytes(path.read_bytes()[:-1])

    answer = await ask(transport, "GET", f"/api/v1/segments/{one.id}/media")

    assert (answer.status_code, answer.json()["code"]) == (500, "media_lost")
