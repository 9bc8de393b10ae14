"""Whoever is handed footage through the interface is written down first; who is handed nothing is not."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.app import create_app
from api.deps import AGENT_LIMIT, PURPOSE_LIMIT, VIEW_THREADS
from api.errors import RETRY_S
from api.routes import media, views
from config import logs
from config.times import DAY_US, SECOND_US, format_us
from recorder.errors import CatalogueError, StorageFull, StoreError, TooManyViews
from recorder.store.erasures import REGISTER_DAYS
from recorder.store.log.leaves import Leaf
from recorder.store.records import Asker, Segment, ViewKind
from recorder.store.store import Store
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.ports import Still, ports_of

BROWSER = {"User-Agent": "Player/2", "Custos-Purpose": quote("门口失窃")}


class Box:
    """A box with some footage, and somebody who asks it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.store: Store = new_store(tmp_path, self.clock, "gate", "yard")
        self.clock.advance(1)
        record(self.store, self.clock, SECOND * 6)
        still = lambda camera_id, age_s: Still(b"\xff\xd8\xff\xd9", 1.0, self.clock.utc_us)  # noqa: E731
        self.app = create_app(ports_of(self.store, self.clock, still=still))

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("192.0.2.9", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, **more)

    def leaves(self) -> list[Leaf]:
        return [leaf for _, leaf in self.store.leaves(0, self.store.log_size) if leaf.type == "view"]

    def segment(self) -> Segment:
        return segments(self.store, self.clock)[0]

    def where(self) -> str:
        return f"/api/v1/segments/{self.segment().id}/media"

    async def views(self, **query: Any) -> list[dict[str, Any]]:
        self.clock.advance(1)  # the interval ends before now
        found = (await self.ask("GET", "/api/v1/views", params=query)).json()["views"]
        assert isinstance(found, list)
        return found


def has(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("ending", ["", ".mp4"])
async def test_each_way_to_footage_is_a_view_of_its_kind(box: Box, ending: str) -> None:
    """Bytes, a playlist that leads to them, a still: with stream and time in the entry, and who and why beside it."""
    await box.ask("GET", box.where() + ending, headers=BROWSER)
    await box.ask("GET", box.where() + ending, headers={**BROWSER, "Range": "bytes=0-9"})
    await box.ask("GET", box.where() + ending, headers=BROWSER, params={"pictures": "fragments"})
    await box.ask("GET", "/api/v1/cameras/gate/playlist.m3u8", headers=BROWSER)
    await box.ask("GET", "/api/v1/cameras/gate/still.jpg", headers=BROWSER)

    assert [leaf.fields["kind"] for leaf in box.leaves()] == ["media", "playlist", "still"]
    shown = await box.views()
    assert [one["kind"] for one in shown] == ["media", "playlist", "still"]
    assert {one["camera"] for one in shown} == {"gate"}
    one = shown[0]
    assert one["start"] <= format_us(box.segment().t0_us) < format_us(box.segment().t1_us) <= one["end"]
    assert one["at"] == format_us(box.clock.utc_us - SECOND_US)
    told = {name: one[name] for name in ("who", "address", "forwarded", "agent", "purpose", "erased")}
    assert told == {
        "who": "this machine", "address": "192.0.2.9", "forwarded": "", "agent": "Player/2", "purpose": "门口失窃",
        "erased": None,
    }  # fmt: skip


async def test_who_is_handed_nothing_is_not_written_down(box: Box) -> None:
    """HEAD, a condition that holds, a range behind the end, what is gone, lost, unknown, or empty; lists, coverage."""
    etag = (await box.ask("HEAD", box.where())).headers["etag"]
    answers = [
        await box.ask("HEAD", box.where(), params={"pictures": "init"}),
        await box.ask("GET", box.where(), headers={"If-None-Match": etag}),
        await box.ask("GET", box.where(), headers={"Range": "bytes=99999999-"}),
        await box.ask("GET", "/api/v1/segments/gate.main.999/media"),
        await box.ask("GET", "/api/v1/cameras/yard/playlist.m3u8"),
        await box.ask("GET", "/api/v1/cameras/nobody/still.jpg"),
        await box.ask("GET", "/api/v1/cameras/gate/segments"),
        await box.ask("GET", "/api/v1/cameras/gate/coverage"),
    ]
    box.store.media_path(box.segment()).unlink()
    answers.append(await box.ask("GET", box.where()))

    assert [one.status_code for one in answers] == [200, 304, 416, 404, 200, 404, 200, 200, 500]
    assert box.leaves() == []


async def test_the_entry_stands_before_the_first_byte(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answer begins, it is in the log already."""
    seen: list[int] = []
    whole = media._pieces

    def looked(*given: Any) -> Any:
        seen.append(len(box.leaves()))
        return whole(*given)

    monkeypatch.setattr(media, "_pieces", looked)
    answer = await box.ask("GET", box.where())

    assert (answer.status_code, seen) == (200, [1])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageFull, 503, "storage_full"),
        (CatalogueError, 503, "catalogue_error"),
        (TooManyViews, 429, "too_many_views"),
    ],
)
@pytest.mark.parametrize("path", ["media", "media?pictures=init", "playlist", "still"])
async def test_what_cannot_be_written_down_is_not_handed_out(
    box: Box, monkeypatch: pytest.MonkeyPatch, path: str, error: type[StoreError], status: int, code: str
) -> None:
    """A full disk, a catalogue that is locked, a flood: the answer says so, and holds no byte of footage."""
    places = {
        "media": box.where(),
        "media?pictures=init": f"{box.where()}?pictures=init",
        "playlist": "/api/v1/cameras/gate/playlist.m3u8",
        "still": "/api/v1/cameras/gate/still.jpg",
    }

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(box.store.views, "note", fails)
    answer = await box.ask("GET", places[path])

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") == (str(RETRY_S) if status == 429 else None)


async def test_a_disk_that_hangs_leaves_threads_for_those_who_ask_how_the_box_does(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty viewers wait for their entry; the box is still asked, and answers."""
    hanging, goes_on = threading.Semaphore(0), threading.Event()

    def hang(*_: object) -> None:
        hanging.release()
        assert goes_on.wait(30)

    monkeypatch.setattr(box.store.views, "note", hang)
    async with asyncio.TaskGroup() as group:
        where = box.where()
        viewers = [group.create_task(box.ask("GET", where)) for _ in range(60)]
        for _ in range(VIEW_THREADS):
            await asyncio.to_thread(hanging.acquire)
        async with asyncio.timeout(10):
            assert (await box.ask("GET", "/api/v1/status")).status_code == 200
        assert not any(one.done() for one in viewers)
        goes_on.set()
    assert {one.result().status_code for one in viewers} == {200}


async def test_what_an_asker_says_is_bounded_and_cannot_reach_a_terminal(box: Box) -> None:
    """Long names are cut, control characters replaced; a purpose that is too long or no text is refused, and nothing is
    handed out then."""
    long = {"User-Agent": "x" * 5000, "X-Forwarded-For": "198.51.100.1\x1b[2J", "Custos-Purpose": "a%1b%5B2Jb"}
    assert (await box.ask("GET", box.where(), headers=long)).status_code == 200
    (one,) = await box.views()
    assert (len(one["agent"]), one["address"]) == (AGENT_LIMIT, "192.0.2.9")
    assert one["forwarded"] == "198.51.100.1\N{REPLACEMENT CHARACTER}[2J"
    assert one["purpose"] == "a\N{REPLACEMENT CHARACTER}[2Jb"

    for purpose in ("x" * (PURPOSE_LIMIT + 1), "%ff"):
        answer = await box.ask("GET", box.where(), headers={"Custos-Purpose": purpose})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert len(box.leaves()) == 1


async def test_who_has_the_token_is_told_from_who_is_on_the_machine(box: Box) -> None:
    """There are no accounts yet, so this is all there is to tell."""
    token = box.store.renew_token()
    await box.ask("GET", box.where(), headers={"Authorization": f"Bearer {token}"})

    assert [one["who"] for one in await box.views()] == ["token"]
    assert token not in str(await box.views())


async def test_views_are_paged_filtered_and_kept_by_nobody(box: Box) -> None:
    """By camera, by time, by the instant that they show; no cache may keep what may be erased."""
    record(box.store, box.clock, SECOND * 2, "yard")
    for number in range(3):
        await box.ask("GET", box.where(), headers={"User-Agent": f"Player/{number}"})
        box.clock.advance(1)
    await box.ask("GET", "/api/v1/cameras/yard/playlist.m3u8")

    box.clock.advance(1)
    first = await box.ask("GET", "/api/v1/views", params={"limit": 2})
    second = await box.ask("GET", "/api/v1/views", params={"limit": 2, "after": first.json()["next"]})
    assert [[one["id"] for one in page.json()["views"]] for page in (first, second)] == [[1, 2], [3, 4]]
    assert (first.json()["next"], second.json()["next"]) == (2, None)
    assert first.headers["cache-control"] == "no-store"
    assert [one["id"] for one in await box.views(camera="yard")] == [4]
    assert await box.views(showing="2020-01-01T00:00:00Z") == []
    assert len(await box.views(showing=format_us(box.segment().t0_us), camera="gate")) == 3
    for query, status in ({"after": 77}, 404), ({"camera": "nobody"}, 404), ({"showing": "soon"}, 422):
        assert (await box.ask("GET", "/api/v1/views", params=query)).status_code == status


async def test_an_erased_view_is_shown_as_erased_and_no_log_line_has_it(box: Box) -> None:
    """Refused until its time is over, done once, and then gone from answers, files, and what the program writes."""
    lines = io.StringIO()
    logs.configure(level="DEBUG", stream=lines)
    body = {"rule": "pipl-47-2", "reason": "kept for three years"}
    await box.ask("GET", box.where(), headers=BROWSER)
    kept = await box.ask("POST", "/api/v1/records/view:1/erase", json=body)
    box.clock.advance((REGISTER_DAYS + 1) * DAY_US / SECOND_US)
    wrong = await box.ask("POST", "/api/v1/records/view:1/erase", json={**body, "rule": "because"})
    unknown = await box.ask("POST", "/api/v1/records/view:2/erase", json=body)
    done = await box.ask("POST", "/api/v1/records/view:1/erase", json=body)
    twice = await box.ask("POST", "/api/v1/records/view:1/erase", json=body)
    again = {"start": "2026-02-28T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
    (shown,) = await box.views(**again)
    logs.configure(level="WARNING")

    codes = [(one.status_code, one.json().get("code")) for one in (kept, wrong, unknown, twice)]
    assert codes == [(409, "record_kept"), (422, "invalid_request"), (404, "record_unknown"), (409, "record_erased")]
    assert (done.status_code, done.json()["kind"], done.json()["gone"]) == (200, "view", True)
    assert done.json()["erased"] == shown["erased"] == format_us(box.clock.utc_us - SECOND_US)
    assert [shown[name] for name in ("who", "address", "agent", "purpose")] == [None] * 4
    for text in ("门口失窃", "Player/2", "192.0.2.9"):
        assert text not in lines.getvalue()
        assert not [path for path in box.store.layout.root.rglob("*") if path.is_file() and has(path, text)]


def test_a_view_is_answered_as_it_is(box: Box) -> None:
    """The route's own words for it."""
    box.store.views.note("gate.main", ViewKind.MEDIA, 0, 1, Asker("token", "192.0.2.1"))
    (one,) = box.store.views.page(0, 2**60, 1)

    assert views.shown(one).model_dump()["who"] == "token"
