"""Every route, over a real store with real footage."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from api.app import create_app
from api.errors import MEDIA_TYPE
from api.routes import breaches, cameras, exports, footage, forecast, health, holds, log, media, scrub, views
from api.routes.ranges import Span, byte_range, matches_none
from api.schemas import AdmissionOut
from config.errors import CustosError
from config.times import format_us
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.errors import StillUnavailable
from recorder.store.boxes import init_of
from recorder.store.log.errors import KeyInForce, TokenMissing
from recorder.store.log.note import open_checkpoint
from recorder.store.log.tiles import decode_bundle
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.places import Space
from recorder.store.records import CodecName, ExportState
from recorder.store.sidecar import read as read_record
from recorder.store.store import Store
from retention.evidence import room
from retention.evidence.jobs import Exporter
from tests.fakes.box import SEGMENT_US, credentials, hold, new_store, record, release, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.ports import Still, ports_of
from tests.fakes.serving import serving

NOBODY = [{"holder": "holder-1", "code": "planted"}, {"holder": "holder-2", "code": "planted"}]

PAGES = (breaches, cameras, exports, footage, forecast, health, holds, log, media, scrub, views)


class Box:
    """A box with some footage, and somebody who asks it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.store: Store = new_store(tmp_path, self.clock, "gate")
        self.clock.advance(1)
        record(self.store, self.clock, SECOND * 6)
        self.clock.advance(30)
        self.store.commit_gap("gate.main", self.clock.read().utc_us, Cause.UNREACHABLE, "cable")
        self.store.checkpoint()
        self.changes = 0
        self.exports = 0
        ports = ports_of(self.store, self.clock, changed=self.changed, exported=self.exported)
        self.app: FastAPI = create_app(ports)

    def changed(self) -> None:
        self.changes += 1

    def exported(self) -> None:
        self.exports += 1

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, **more)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.store.close()


def is_problem(answer: httpx.Response, status: int, code: str) -> None:
    """RFC 9457, with our stable code, and nothing of a trace."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body["detail"]
    assert body["type"] == f"urn:custos:problem:{code}"
    assert "Traceback" not in answer.text


async def test_health_is_told(box: Box) -> None:
    """Alive, ready, measured, and described."""
    assert (await box.ask("GET", "/healthz")).json() == {"status": "ok"}
    assert (await box.ask("GET", "/readyz")).json()["ready"] is True
    assert (await box.ask("GET", "/metrics")).headers["content-type"].startswith("text/plain")
    assert (await box.ask("GET", "/api/v1/status")).json()["box"]["id"] == box.store.box_id


async def test_a_camera_comes_changes_and_goes(box: Box) -> None:
    """Each change reaches the fleet at once; no answer ever holds the password."""
    body = {"id": "yard", "name": "Yard", "url": "rtsp://192.0.2.1/x", "username": "u", "password": "planted"}

    made = await box.ask("POST", "/api/v1/cameras", json=body)
    changed = await box.ask("PATCH", "/api/v1/cameras/yard", json={"enabled": False, "password": "planted-too"})
    gone = await box.ask("DELETE", "/api/v1/cameras/yard")
    listed = await box.ask("GET", "/api/v1/cameras")

    assert (made.status_code, changed.status_code, gone.status_code) == (201, 200, 200)
    assert changed.json()["enabled"] is False
    assert made.json()["audio"] == "off"
    assert gone.json()["retired"] == format_us(box.clock.utc_us)
    assert [one["id"] for one in listed.json()["cameras"]] == ["gate", "yard"]
    assert box.changes == 3
    assert all("planted" not in one.text for one in (made, changed, gone, listed))


async def test_what_is_coming_is_told_in_the_language_of_who_asks(box: Box) -> None:
    """Volumes, cameras, and in words what to do; before anybody has looked it says so."""
    body = (await box.ask("GET", "/api/v1/forecast")).json()

    assert body["at"] is None
    assert (body["volumes"], body["cameras"], body["problems"]) == ([], [], [])
    assert body["horizon_days"] > 365


async def test_a_camera_without_room_is_registered_and_warned_of(tmp_path: Path) -> None:
    """Never in silence: the answer to whoever adds or changes it says when the floor would fail. The declared rate is
    asked for that alone, and is no setting of the camera."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    asked: list[tuple[str, int | None, str]] = []

    def admit(camera: str, bitrate_bps: int | None, language: str) -> AdmissionOut:
        asked.append((camera, bitrate_bps, language))
        return AdmissionOut(
            basis="declared", bitrate_bps=bitrate_bps or 0, bytes_a_day=1, stored_bytes=32, full_on=None,
            floor_fails_on="2026-03-05", floor_fails_without_on=None, warning="No room.",
        )  # fmt: skip

    transport = httpx.ASGITransport(create_app(ports_of(store, clock, admit=admit)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yard = {"id": "yard", "name": "Yard", "url": "rtsp://192.0.2.1/x", "bitrate_bps": 8_000_000}
        made = await client.post("/api/v1/cameras", json=yard)
        changed = await client.patch(
            "/api/v1/cameras/yard", json={"floor_days": 60}, headers={"Accept-Language": "zh-CN"}
        )
        odd = await client.post("/api/v1/cameras", json={**yard, "id": "lobby", "bitrate_bps": 4})
        read = await client.get("/api/v1/cameras/yard")

    assert made.status_code == 201
    assert made.json()["admission"]["warning"] == "No room."
    assert changed.json()["admission"]["floor_fails_on"] == "2026-03-05"
    assert read.json()["admission"] is None
    assert odd.status_code == 422
    assert asked == [("yard", 8_000_000, "en"), ("yard", None, "zh-CN")]
    store.close()


async def test_sound_is_recorded_where_somebody_asks_for_it(box: Box) -> None:
    """It is off; switching it on is a change like any other, and a leaf says so. No other word is taken."""
    on = await box.ask("PATCH", "/api/v1/cameras/gate", json={"audio": "on"})
    yard = {"id": "yard", "name": "Yard", "url": "rtsp://192.0.2.1/x", "audio": "on"}
    made = await box.ask("POST", "/api/v1/cameras", json=yard)
    wrong = await box.ask("PATCH", "/api/v1/cameras/gate", json={"audio": "loud"})

    assert (on.json()["audio"], made.json()["audio"], wrong.status_code) == ("on", "on", 422)
    assert box.store.cameras.get("gate").audio == "on"
    told = [leaf.fields for _, leaf in box.store.leaves(0, box.store.log_size) if leaf.type == "camera"]
    assert ("changed", "gate", ["audio"]) in [(one["op"], one["camera"], one.get("changed")) for one in told]


async def test_a_camera_is_kept_in_its_own_way(box: Box) -> None:
    """Each change of its rule is a leaf, once; null goes back to what the box is told of all."""

    def told() -> list[tuple[int, int]]:
        leaves = [leaf.fields for _, leaf in box.store.leaves(0, box.store.log_size) if leaf.type == "camera"]
        return [(one["floor_days"], one["target_days"]) for one in leaves if one["op"] == "rule"]

    before = await box.ask("GET", "/api/v1/cameras/gate")
    wish = {"floor_days": 60, "target_days": 90, "purpose": "A building site"}
    kept = [await box.ask("PATCH", "/api/v1/cameras/gate", json=wish) for _ in range(2)][-1].json()
    law = await box.ask("PATCH", "/api/v1/cameras/gate", json={"floor_days": None, "target_days": None})
    vault = {"id": "vault", "name": "Vault", "url": "rtsp://192.0.2.1/x", "protection": "counter_terrorism"}
    made = await box.ask("POST", "/api/v1/cameras", json=vault)
    listed = (await box.ask("GET", "/api/v1/cameras")).json()["cameras"]

    assert (before.json()["floor_days"], before.json()["target_days"], before.json()["purpose"]) == (30, 31, None)
    assert {name: kept[name] for name in wish} == wish
    assert (law.json()["floor_days"], law.json()["target_days"]) == (30, 31)
    assert (made.json()["protection"], made.json()["floor_days"]) == ("counter_terrorism", 90)
    assert [(one["id"], one["floor_days"]) for one in listed] == [("gate", 30), ("vault", 90)]
    assert told() == [(30, 31), (60, 90), (30, 31), (90, 91)]


async def test_deletion_receipts_are_paged(box: Box) -> None:
    """The newest first, each with both entries and both ages; the `next` of a page leads to the one behind it."""
    box.clock.advance(40 * 86_400)
    found = segments(box.store, box.clock)
    for one in found:
        box.store.discard([one.id], "target 31 days, floor 30 days")
    path = "/api/v1/cameras/gate/receipts"

    first = (await box.ask("GET", path, params={"limit": 2})).json()
    second = (await box.ask("GET", path, params={"limit": 2, "after": first["next"]})).json()
    none = (await box.ask("GET", path, params={"after": second["receipts"][-1]["entry"]})).json()

    assert [one["first"] for one in (*first["receipts"], *second["receipts"])] == [one.n for one in found[::-1]]
    assert (second["next"], none) == (None, {"receipts": [], "next": None})
    newest = first["receipts"][0]
    assert (newest["start"], newest["end"]) == (format_us(found[-1].t0_us), format_us(found[-1].t1_us))
    assert newest["done_entry"] == newest["entry"] + 2  # a beat stands between them: it was signed before it went
    assert newest["age_wall_s"] == pytest.approx((box.clock.utc_us - found[-1].t1_us) / 1e6)
    assert (newest["floor_days"], newest["rule"]) == (30, "target 31 days, floor 30 days")
    is_problem(await box.ask("GET", "/api/v1/cameras/nobody/receipts"), 404, "camera_unknown")
    is_problem(await box.ask("GET", path, params={"limit": 0}), 422, "invalid_request")
    is_problem(await box.ask("GET", path, params={"after": "x"}), 422, "invalid_request")


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"floor_days": 29}, 422, "invalid_request"),
        ({"protection": "secret"}, 422, "invalid_request"),
        ({"purpose": ""}, 422, "invalid_request"),
        ({"protection": "counter_terrorism", "floor_days": 60}, 409, "rule_invalid"),
        ({"floor_days": 60, "target_days": 45}, 409, "rule_invalid"),
        ({"target_days": 60}, 409, "purpose_missing"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused(box: Box, wish: dict[str, Any], status: int, code: str) -> None:
    """By its name, and nothing is written of it."""
    size = box.store.log_size

    is_problem(await box.ask("PATCH", "/api/v1/cameras/gate", json=wish), status, code)

    assert box.store.log_size == size


async def test_a_readable_password_is_allowed_where_somebody_says_so(box: Box) -> None:
    """It is forbidden; allowing it is a change like any other, and a leaf says so. Only yes or no is taken."""
    before = await box.ask("GET", "/api/v1/cameras/gate")
    on = await box.ask("PATCH", "/api/v1/cameras/gate", json={"allow_basic": True})
    kept = await box.ask("PATCH", "/api/v1/cameras/gate", json={"allow_basic": None, "name": "Gate 2"})
    yard = {"id": "yard", "name": "Yard", "url": "rtsp://192.0.2.1/x", "allow_basic": True}
    made = await box.ask("POST", "/api/v1/cameras", json=yard)
    wrong = await box.ask("PATCH", "/api/v1/cameras/gate", json={"allow_basic": "perhaps"})

    assert [one.json()["allow_basic"] for one in (before, on, kept, made)] == [False, True, True, True]
    assert wrong.status_code == 422
    assert box.store.cameras.get("gate").allow_basic
    told = [leaf.fields for _, leaf in box.store.leaves(0, box.store.log_size) if leaf.type == "camera"]
    changed = next(one for one in told if one["op"] == "changed")
    assert changed["changed"] == ["allow_basic"]
    with box.store.database.read() as connection:
        assert read_record(connection, changed["record"])["allow_basic"] is True


async def test_a_camera_is_pinned_to_a_volume_that_there_is(box: Box) -> None:
    """Null takes it back; a volume that the settings do not name is refused with those that they do."""
    on = await box.ask("PATCH", "/api/v1/cameras/gate", json={"volume": "main"})
    wrong = await box.ask("PATCH", "/api/v1/cameras/gate", json={"volume": "disk2"})
    yard = {"id": "yard", "name": "Yard", "url": "rtsp://192.0.2.1/x", "volume": "disk2"}
    not_made = await box.ask("POST", "/api/v1/cameras", json=yard)
    off = await box.ask("PATCH", "/api/v1/cameras/gate", json={"volume": None})

    assert (on.json()["volume"], off.json()["volume"]) == ("main", None)
    for one in (wrong, not_made):
        assert (one.status_code, one.json()["code"]) == (409, "volume_unknown")
        assert "there is main" in one.json()["detail"]


async def test_what_a_full_disk_took_is_listed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first: of which camera, below which floor, and by how much too early."""
    assert (await box.ask("GET", "/api/v1/breaches")).json() == {
        "breaches": [],
        "segments": 0,
        "bytes": 0,
        "next": None,
    }
    monkeypatch.setattr("recorder.store.segments.overwritable", lambda states: states)
    box.store.overwriting.put_in_force(is_on=True)
    one = segments(box.store, box.clock)[0]
    assert box.store.discard([one.id], "a full disk", box.store.overwriting.on("main")).discarded == (one.id,)
    told = (await box.ask("GET", "/api/v1/breaches?limit=5")).json()

    assert (told["segments"], told["bytes"]) == (1, one.bytes)
    (found,) = told["breaches"]
    assert found["entry"] == box.store.overwriting.breaches()[0].leaf_index
    assert (found["stream"], found["first"], found["last"], found["volume"]) == (one.stream_id, one.n, one.n, "main")
    assert found["too_early_s"] > 29 * 86400
    other = segments(box.store, box.clock)[2]
    box.store.discard([other.id], "a full disk", box.store.overwriting.on("main"))
    newest = (await box.ask("GET", "/api/v1/breaches?limit=1")).json()
    rest = (await box.ask("GET", f"/api/v1/breaches?limit=1&after={newest['next']}")).json()
    assert [page["breaches"][0]["first"] for page in (newest, rest)] == [other.n, one.n]
    assert rest["next"] is None
    assert (await box.ask("GET", "/api/v1/breaches?limit=0")).status_code == 422


async def test_footage_on_a_disk_that_is_away_is_not_lost(box: Box) -> None:
    """It is answered by the name of what is wrong, which goes by itself."""
    root, one = box.store.layout.volume(), segments(box.store, box.clock)[0]
    root.rename(root.with_name("elsewhere"))
    away = await box.ask("GET", f"/api/v1/segments/{one.id}/media")
    root.with_name("elsewhere").rename(root)
    back = await box.ask("GET", f"/api/v1/segments/{one.id}/media")

    assert (away.status_code, away.json()["code"]) == (503, "volume_missing")
    assert back.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/cameras/nobody", None, 404, "camera_unknown"),
        ("GET", "/api/v1/cameras/nobody/segments", None, 404, "camera_unknown"),
        ("GET", "/api/v1/cameras/nobody/coverage", None, 404, "camera_unknown"),
        ("GET", "/api/v1/cameras/nobody/playlist.m3u8", None, 404, "camera_unknown"),
        ("GET", "/api/v1/segments/gate.main.999", None, 404, "segment_unknown"),
        ("GET", "/api/v1/segments/gate.main.0/media", None, 404, "segment_unknown"),
        ("GET", "/api/v1/segments/nonsense", None, 404, "segment_unknown"),
        ("GET", "/api/v1/log/tile/9/000", None, 404, "tile_unknown"),
        ("GET", "/api/v1/log/tile/../../keys/log.ed25519", None, 404, "no_such_route"),
        ("GET", "/api/v1/log/tile/%2e%2e/%2e%2e/keys/log.ed25519", None, 404, "tile_unknown"),
        ("GET", "/api/v1/nothing", None, 404, "no_such_route"),
        ("PUT", "/api/v1/cameras", None, 405, "method_not_allowed"),
        ("GET", "/api/v1/cameras/gate/segments?limit=1001", None, 422, "invalid_request"),
        ("GET", "/api/v1/cameras/gate/segments?limit=0", None, 422, "invalid_request"),
        ("GET", "/api/v1/cameras/gate/segments?after=x", None, 422, "invalid_request"),
        ("GET", "/api/v1/cameras/gate/segments?start=yesterday", None, 422, "invalid_request"),
        ("GET", "/api/v1/cameras/gate/coverage?start=2026-03-02T00:00:00", None, 422, "invalid_request"),
        ("GET", "/api/v1/cameras/gate/coverage?start=9026-03-02T00:00:00Z", None, 422, "invalid_request"),
        ("POST", "/api/v1/cameras", {"id": "gate", "name": "G", "url": "rtsp://h/x"}, 409, "camera_exists"),
        ("POST", "/api/v1/cameras", {"id": "Bad Id", "name": "G", "url": "rtsp://h/x"}, 409, "refused"),
        ("POST", "/api/v1/cameras", {"id": "a", "name": "G", "url": "rtsp://u:planted@h/x"}, 409, "refused"),
        ("POST", "/api/v1/cameras", {"id": "a", "naem": "G"}, 422, "invalid_request"),
        ("PATCH", "/api/v1/cameras/nobody", {"name": "x"}, 404, "camera_unknown"),
        ("DELETE", "/api/v1/cameras/nobody", None, 404, "camera_unknown"),
        ("GET", "/api/v1/holds/99", None, 404, "hold_unknown"),
        ("POST", "/api/v1/holds/99/release", {"reason": "x", "by": NOBODY}, 404, "hold_unknown"),
        ("POST", "/api/v1/holds/99/review", {"reason": "x", "review": None}, 404, "hold_unknown"),
        ("POST", "/api/v1/holds/99/release", {"reason": "x"}, 422, "invalid_request"),
        ("POST", "/api/v1/holds/99/release", {"reason": "x", "by": NOBODY[:1]}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(
    box: Box, method: str, path: str, body: dict[str, Any] | None, status: int, code: str
) -> None:
    """With the right status, a stable code and a sentence; never a trace, never the secret that was sent."""
    answer = await box.ask(method, path, json=body) if body else await box.ask(method, path)

    is_problem(answer, status, code)
    assert "planted" not in answer.text


async def test_an_error_of_our_own_tells_a_number_and_no_more(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace stands in the log under that number."""

    def broken() -> list[object]:
        raise KeyError("planted")

    monkeypatch.setattr(box.store.cameras, "all", broken)

    answer = await box.ask("GET", "/api/v1/cameras")

    is_problem(answer, 500, "bug")
    assert "planted" not in answer.text


async def test_segments_are_paged_to_the_end(box: Box) -> None:
    """`next` leads through all of them, in order, each once; the last page says null."""
    seen, after = [], None
    for _ in range(10):
        query = {"limit": "1", **({"after": after} if after else {})}
        page = (await box.ask("GET", "/api/v1/cameras/gate/segments", params=query)).json()
        seen += [one["id"] for one in page["segments"]]
        after = page["next"]
        if after is None:
            break

    assert seen == [one.id for one in segments(box.store, box.clock)]
    one = (await box.ask("GET", f"/api/v1/segments/{seen[0]}")).json()
    assert set(one) == {
        "id", "camera", "run", "n", "start", "end", "bytes", "frames", "codec", "width", "height", "audio",
        "clock_offset_s", "clock_drift_ppm", "camsig", "sha256", "state", "held",
    }  # fmt: skip
    assert one["camsig"] == []


async def test_a_segment_tells_its_cameras_clock(box: Box) -> None:
    """In seconds and millionths, as the status does; null where it is not known."""
    recording = Recording(box.store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    recording.clock_drift_ppb = -12_345
    for packet in packets(SECOND * 2, box.clock):
        recording.feed(packet._replace(clock_offset_us=1_500_000))
    recording.stop(Cause.UNREACHABLE)
    found = [(await box.ask("GET", f"/api/v1/segments/{one.id}")).json() for one in segments(box.store, box.clock)]

    told = [(one["clock_offset_s"], one["clock_drift_ppm"]) for one in found]
    assert told == [(None, None)] * (len(found) - 1) + [(1.5, -12.345)]


async def test_coverage_tiles_the_asked_interval(box: Box) -> None:
    """Exactly, with causes in the asked language (Frigate 3910)."""
    query = {"start": "2026-02-28T23:59:00Z", "end": "2026-03-01T00:02:00Z"}

    english = (await box.ask("GET", "/api/v1/cameras/gate/coverage", params=query)).json()
    chinese = (
        await box.ask("GET", "/api/v1/cameras/gate/coverage", params=query, headers={"Accept-Language": "zh-CN"})
    ).json()

    edges = [(one["start"], one["end"]) for one in english["items"]]
    assert edges[0][0] == "2026-02-28T23:59:00.000000Z"
    assert edges[-1][1] == "2026-03-01T00:02:00.000000Z"
    assert all(one[1] == after[0] for one, after in itertools.pairwise(edges))
    assert [one["kind"] for one in english["items"]] == ["unknown", "gap", "recorded", "gap", "unknown"]
    assert english["recorded_s"] == pytest.approx(6.0, abs=0.2)
    assert "could not be reached" in english["items"][3]["sentence"]
    assert "无法连接" in chinese["items"][3]["sentence"]


async def test_lists_touch_no_file(box: Box) -> None:
    """What was recorded is told from the catalogue alone, however many files there are and whatever they are on
    (MediaMTX 3637, 5094; OpenNVR 221)."""
    span = {"start": "2026-02-28T23:59:00Z", "end": "2026-03-01T00:02:00Z"}
    paths = [f"/api/v1/cameras/gate/{one}" for one in ("segments", "coverage", "receipts", "playlist.m3u8")]
    before = [(await box.ask("GET", path, params=span)).text for path in paths]
    shutil.rmtree(box.store.layout.volume())

    after = [(await box.ask("GET", path, params=span)).text for path in paths]

    assert after == before
    assert "gate.main.1" in after[0]
    assert "EXTINF" in after[3]


async def test_a_damaged_file_hides_none_of_its_neighbours(box: Box) -> None:
    """It is listed as it was recorded, and is an error by itself; the others are served (MediaMTX 4538)."""
    before = (await box.ask("GET", "/api/v1/cameras/gate/segments")).json()
    bad, good, *_ = segments(box.store, box.clock)
    path = box.store.media_path(bad)
    path.write_bytes(path.read_bytes()[:-9])

    listed = await box.ask("GET", "/api/v1/cameras/gate/segments")
    answers = [await box.ask("GET", f"/api/v1/segments/{one.id}/media") for one in (bad, good)]

    assert listed.json() == before
    is_problem(answers[0], 500, "media_lost")
    assert (answers[1].status_code, answers[1].content) == (200, box.store.media_path(good).read_bytes())


async def test_the_stored_bytes_are_served_as_they_are(box: Box) -> None:
    """Whole, by range, by condition, by HEAD; the ETag is the hash of the log (lightNVR 596)."""
    one = segments(box.store, box.clock)[0]
    path, stored = f"/api/v1/segments/{one.id}/media", box.store.media_path(one).read_bytes()

    whole = await box.ask("GET", path)
    part = await box.ask("GET", path, headers={"Range": "bytes=10-19"})
    tail = await box.ask("GET", path, headers={"Range": "bytes=-5"})
    head = await box.ask("HEAD", path)
    known = await box.ask("GET", path, headers={"If-None-Match": f'"{one.sha256}"'})
    other = await box.ask("GET", path, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    behind = await box.ask("GET", path, headers={"Range": f"bytes={len(stored)}-"})

    assert whole.content == stored
    assert whole.headers["etag"] == f'"{hashlib.sha256(stored).hexdigest()}"'
    assert (part.status_code, part.content) == (206, stored[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(stored)}"
    assert tail.content == stored[-5:]
    assert (head.content, int(head.headers["content-length"])) == (b"", len(stored))
    assert (known.status_code, known.content) == (304, b"")
    assert (other.status_code, other.content) == (200, stored)
    is_problem(behind, 416, "range_not_satisfiable")
    assert behind.headers["content-range"] == f"bytes */{len(stored)}"


async def test_discarded_media_is_gone_and_lost_media_is_told(box: Box) -> None:
    """410 for what went lawfully; an error for what is simply not there."""
    first, second = segments(box.store, box.clock)[:2]
    box.clock.advance(40 * 86400)
    box.store.discard([first.id], "target")
    box.store.media_path(second).unlink()

    is_problem(await box.ask("GET", f"/api/v1/segments/{first.id}/media"), 410, "media_gone")
    lost = await box.ask("GET", f"/api/v1/segments/{second.id}/media")
    assert lost.status_code >= 500
    assert (await box.ask("GET", f"/api/v1/segments/{first.id}")).json()["state"] == "gone"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes=0-", Span(0, 100)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=90-1000", Span(90, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges_are_read_as_the_standard_says(text: str, span: Span | None) -> None:
    """RFC 9110, 14.1.2; what cannot be read may be ignored."""
    assert byte_range(text, 100) == span


def test_conditions_are_lists() -> None:
    """RFC 9110, 13.1.2: any of them, weak or not."""
    assert matches_none('"a", W/"b"', '"b"')
    assert matches_none("*", '"b"')
    assert not matches_none('"a"', '"b"')
    assert not matches_none(None, '"b"')


async def test_the_playlist_names_what_the_box_serves(box: Box) -> None:
    """Each of its URIs answers, with the range it asks for."""
    text = (await box.ask("GET", "/api/v1/cameras/gate/playlist.m3u8")).text
    uris = [line for line in text.splitlines() if line.startswith("/")]

    assert len(uris) == 3
    for uri in uris:
        assert (await box.ask("GET", uri, headers={"Range": "bytes=0-7"})).content[4:] == b"ftyp"
        assert uri.endswith(".mp4"), "ffmpeg refuses a playlist of entries whose names do not say what they are"
        named, bare = await box.ask("HEAD", uri), await box.ask("HEAD", uri.removesuffix(".mp4"))
        assert (named.status_code, named.headers) == (200, bare.headers)


async def test_a_hold_is_placed_shown_and_released(box: Box) -> None:
    """In force when answered: segments say `held`; released, they no longer do."""
    one = segments(box.store, box.clock)[0]
    body = {
        "cameras": ["gate"], "start": format_us(one.t0_us), "end": format_us(one.t0_us + 1), "reason": "theft",
        "case": "2026-114", "padding_before_s": 0, "padding_after_s": 0,
    }  # fmt: skip
    why = {"reason": "done", "by": [{"holder": x.holder, "code": x.code} for x in credentials(box.store)]}

    placed = (await box.ask("POST", "/api/v1/holds", json=body)).json()
    held = (await box.ask("GET", f"/api/v1/segments/{one.id}")).json()["held"]
    released = (await box.ask("POST", f"/api/v1/holds/{placed['id']}/release", json=why)).json()
    again = await box.ask("POST", f"/api/v1/holds/{placed['id']}/release", json=why)

    assert placed["covered"] == {"segments": 1, "bytes": one.bytes, "already_gone": 0}
    assert held is True
    assert (released["release_reason"], released["released_by"]) == ("done", ["holder-1", "holder-2"])
    is_problem(again, 409, "hold_released")
    assert (await box.ask("GET", f"/api/v1/segments/{one.id}")).json()["held"] is False
    assert len((await box.ask("GET", "/api/v1/holds")).json()["holds"]) == 1
    assert (await box.ask("GET", "/api/v1/holds?in_force=true")).json()["holds"] == []
    assert (await box.ask("GET", f"/api/v1/holds/{placed['id']}")).json()["released"] is not None


async def test_holds_are_paged_by_their_number(box: Box) -> None:
    """Each once, those in force apart, and a page of nothing behind the last."""
    first, second, third = (hold(box.store, ["gate"], 0, 1).id for _ in range(3))
    release(box.store, second)

    async def page(query: str) -> tuple[list[int], int | None]:
        told = (await box.ask("GET", f"/api/v1/holds?{query}")).json()
        return [one["id"] for one in told["holds"]], told["next"]

    assert await page("limit=2") == ([first, second], second)
    assert await page(f"limit=2&after={second}") == ([third], None)
    assert await page("limit=1&in_force=true") == ([first], first)
    assert await page(f"limit=1&in_force=true&after={first}") == ([third], None)
    assert await page(f"after={third}") == ([], None)


@pytest.mark.parametrize("path", ["/api/v1/holds", "/api/v1/exports", "/api/v1/scrub", "/api/v1/cameras"])
async def test_half_a_character_is_no_text(box: Box, path: str) -> None:
    """A lone surrogate, which JSON can write and neither catalogue nor log: an answer, and no fault of the box."""
    half, span = "gate\\ud800", '"start": "2026-11-24T08:00:00Z", "end": "2026-11-24T09:00:00Z"'
    why = f'"case": "7", "reason": "r", {span}'
    bodies = {
        "/api/v1/holds": f'{{"cameras": ["{half}"], {why}}}',
        "/api/v1/exports": f'{{"camera": "{half}", {why}}}',
        "/api/v1/scrub": f'{{"camera": "{half}", {span}}}',
        "/api/v1/cameras": f'{{"id": "{half}", "name": "Gate", "url": "rtsp://192.0.2.1/a"}}',
    }
    head = {"Content-Type": "application/json"}

    is_problem(await box.ask("POST", path, content=bodies[path], headers=head), 422, "invalid_request")


async def test_a_hold_tells_what_it_rests_on_and_what_comes_of_it(box: Box) -> None:
    """In the language that is asked for; what is protected is what was asked for with its padding."""
    now_us = box.clock.utc_us
    body = {
        "cameras": ["gate"], "start": format_us(now_us - 10**7), "end": format_us(now_us + 10**9), "reason": "theft",
        "case": "2026-114", "basis": "order_168_23", "reference": "12", "placed_by": "Li", "padding_before_s": 60,
        "review": format_us(now_us + 10**13),
    }  # fmt: skip

    unlettered = await box.ask("POST", "/api/v1/holds", json={**body, "reference": ""})
    past = await box.ask("POST", "/api/v1/holds", json={**body, "review": format_us(now_us)})
    placed = (await box.ask("POST", "/api/v1/holds", json=body, headers={"Accept-Language": "zh-CN"})).json()
    changed = await box.ask(
        "POST",
        f"/api/v1/holds/{placed['id']}/review",
        json={"review": None, "reason": "the trial goes on", "by": "Wang"},
    )
    found = (await box.ask("GET", f"/api/v1/holds/{placed['id']}")).json()

    is_problem(unlettered, 409, "hold_invalid")
    is_problem(past, 409, "hold_invalid")
    assert (placed["start"], placed["end"]) == (body["start"], body["end"])
    assert placed["protected_start"] == format_us(now_us - 10**7 - 60 * 10**6)
    assert placed["protected_end"] == format_us(now_us + 10**9 + 300 * 10**6)
    assert "第二十三条" in placed["basis_text"]
    assert set(placed["outlook"]) >= {"receipts", "soon_segments", "floor_fails", "all_held_bytes"}
    assert placed["outlook"]["when_full"] == "stop"
    assert changed.json()["review"] is None
    assert (found["placed_by"], found["reviews"][0]["by"], found["held"]["checked"]) == ("Li", "Wang", None)


async def test_wrong_release_codes_are_refused_and_soon_not_looked_at(box: Box) -> None:
    """Whichever is wrong, the answer is the same, and no code stands in it; then it says when to come back."""
    one, other = ({"holder": x.holder, "code": x.code} for x in credentials(box.store))
    placed = hold(box.store, ["gate"], 0, 10**15)
    wrong = {"holder": other["holder"], "code": one["code"]}

    async def released(*by: dict[str, str]) -> httpx.Response:
        return await box.ask("POST", f"/api/v1/holds/{placed.id}/release", json={"reason": "r", "by": list(by)})

    is_problem(await released(one, one), 403, "release_same_person")
    answers = [await released(one, wrong), await released({**one, "code": "planted"}, other)]
    answers += [await released({"holder": "nobody", "code": "planted"}, other) for _ in range(3)]
    late = await released(one, other)
    box.clock.advance(15 * 60 + 1)
    right = await released(other, one)

    assert len({one.text for one in answers}) == 1
    is_problem(answers[0], 403, "release_refused")
    is_problem(late, 429, "release_too_often")
    assert int(late.headers["retry-after"]) > 800
    assert "planted" not in answers[1].text
    assert right.status_code == 200


async def test_a_stranger_reads_the_log_and_finds_the_signed_root(box: Box) -> None:
    """Checkpoint, entries and hash tiles over HTTP lead to one root, signed by the box's key."""
    text = (await box.ask("GET", "/api/v1/log/checkpoint")).text
    checkpoint = open_checkpoint(text, box.store.origin, box.store.public_key)
    width = f".p/{checkpoint.size}"

    bundle = (await box.ask("GET", f"/api/v1/log/tile/entries/000{width}")).content
    hashes = (await box.ask("GET", f"/api/v1/log/tile/0/000{width}")).content

    leaves = [leaf_hash(body) for body in decode_bundle(bundle)]
    assert b"".join(leaves) == hashes
    assert root_of(leaves) == checkpoint.root
    assert json.loads(decode_bundle(bundle)[-1])["type"] == "beat"


async def test_the_key_is_replaced_and_the_next_checkpoint_is_signed_with_the_new_one(box: Box) -> None:
    """The answer has both fingerprints, and that of the papers; the log keeps its name."""
    before = (box.store.origin, box.store.fingerprint)
    answer = await box.ask("POST", "/api/v1/log/rotate-key")
    done = answer.json()

    assert answer.status_code == 200
    assert (done["number"], done["kind"], done["old_fingerprint"]) == (1, "file", before[1])
    assert done["first_fingerprint"] == box.store.first_fingerprint == before[1]
    assert done["fingerprint"] == box.store.fingerprint
    text = (await box.ask("GET", "/api/v1/log/checkpoint")).text
    assert open_checkpoint(text, before[0], box.store.public_key).size > done["leaf_index"]


@pytest.mark.parametrize(("error", "status"), [(TokenMissing, 503), (KeyInForce, 409)])
async def test_a_key_that_cannot_be_replaced_now(
    box: Box, monkeypatch: pytest.MonkeyPatch, error: type[CustosError], status: int
) -> None:
    """The answer has the error's code and sentence."""

    def refused() -> None:
        raise error

    monkeypatch.setattr(box.store, "rotate_key", refused)
    answer = await box.ask("POST", "/api/v1/log/rotate-key")

    assert (answer.status_code, answer.json()["code"]) == (status, error.code)
    assert answer.json()["detail"] == error.sentence()


async def test_a_box_on_the_network_asks_for_its_token(box: Box) -> None:
    """Every path but /healthz, those that are none and the description too."""
    box.app = create_app(ports_of(box.store, box.clock, token_needed=True))
    token = box.store.renew_token()

    for path in ("/readyz", "/metrics", "/openapi.json", "/api/v1/cameras", "/nothing"):
        answer = await box.ask("GET", path)
        is_problem(answer, 401, "token_needed")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await box.ask("GET", "/healthz")).status_code == 200
    assert (await box.ask("GET", "/api/v1/cameras", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    is_problem(await box.ask("GET", "/readyz", headers={"Authorization": "Bearer x"}), 401, "token_wrong")


async def test_an_export_is_asked_for_told_and_cancelled(box: Box) -> None:
    """It stands in the log at once; who makes it is called; an end never changes."""
    begun, ended = box.store.cameras.get("gate").registered_us, box.clock.utc_us
    body = {"camera": "gate", "start": format_us(begun), "end": format_us(ended), "case": "7", "reason": "Letter"}
    made = await box.ask("POST", "/api/v1/exports", json=body)
    told = await box.ask("GET", "/api/v1/exports/1")
    cancelled = await box.ask("DELETE", "/api/v1/exports/1")

    assert (made.status_code, made.json()["state"], made.json()["folder"]) == (202, "queued", None)
    assert told.json() == made.json()
    assert box.exports == 1
    assert cancelled.json()["state"] == "cancelled"
    is_problem(await box.ask("DELETE", "/api/v1/exports/1"), 409, "export_over")
    is_problem(await box.ask("GET", "/api/v1/exports/2"), 404, "export_unknown")
    assert len((await box.ask("GET", "/api/v1/exports")).json()["exports"]) == 1
    leaf = next(one for _, one in box.store.leaves(0, box.store.log_size) if one.type == "export")
    assert (leaf.fields["stream"], "Letter" in str(leaf.fields)) == ("gate.main", False)


async def test_an_export_of_what_is_not_there(box: Box) -> None:
    """Another camera, before the record began, after it ended, the wrong way round."""
    begun, ended = box.store.cameras.get("gate").registered_us, box.clock.utc_us
    body = {"camera": "gate", "start": format_us(begun), "end": format_us(ended), "case": "7", "reason": "Letter"}
    for change, status, code in (
        ({"camera": "yard"}, 404, "camera_unknown"),
        ({"start": format_us(begun - 1)}, 409, "nothing_to_export"),
        ({"end": format_us(ended + 3_600_000_000)}, 409, "nothing_to_export"),
        ({"start": format_us(ended), "end": format_us(begun)}, 422, "invalid_request"),
    ):
        is_problem(await box.ask("POST", "/api/v1/exports", json=body | change), status, code)
    assert box.exports == 0


async def exported_package(box: Box, case: str = "2026-114") -> str:
    """Ask for a package, and make it; its path."""
    begun, ended = box.store.cameras.get("gate").registered_us, box.clock.utc_us
    body = {"camera": "gate", "start": format_us(begun), "end": format_us(ended), "case": case, "reason": "Letter"}
    made = (await box.ask("POST", "/api/v1/exports", json=body)).json()
    Exporter(box.store, box.clock, "0").run()
    return f"/api/v1/exports/{made['id']}/package"


def handed_out(box: Box) -> int:
    return sum(leaf.type == "publish" for _, leaf in box.store.leaves(0, box.store.log_size))


@pytest.mark.parametrize(("form", "kind"), [("zip", "application/zip"), ("tar", "application/x-tar")])
async def test_a_package_is_one_file(box: Box, form: str, kind: str) -> None:
    """With its length before its bytes, its name, and a name for its very bytes; and the log says that it went out."""
    path = f"{await exported_package(box)}.{form}"
    told = await box.ask("HEAD", path)
    assert (told.status_code, told.content, handed_out(box)) == (200, b"", 0)
    whole = await box.ask("GET", path)

    assert (whole.status_code, whole.headers["content-type"]) == (200, kind)
    assert whole.headers["content-disposition"] == f'attachment; filename="2026-114-export-1.{form}"'
    assert int(told.headers["content-length"]) == int(whole.headers["content-length"]) == len(whole.content)
    assert told.headers["etag"] == whole.headers["etag"]
    assert handed_out(box) == 1
    same = await box.ask("GET", path, headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content, handed_out(box)) == (304, b"", 1)


async def test_a_download_goes_on_where_it_broke_off(box: Box) -> None:
    """By ranges of the same bytes, in one entry of the log; of other bytes it is begun anew."""
    path = f"{await exported_package(box)}.zip"
    whole = await box.ask("GET", path)
    etag, size = whole.headers["etag"], len(whole.content)

    rest = await box.ask("GET", path, headers={"Range": "bytes=1000-", "If-Range": etag})
    last = await box.ask("GET", path, headers={"Range": "bytes=-22"})
    other = await box.ask("GET", path, headers={"Range": "bytes=1000-", "If-Range": '"another"'})

    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    assert rest.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    assert last.content == whole.content[-22:]
    assert (other.status_code, other.content) == (200, whole.content)
    assert handed_out(box) == 2
    is_problem(await box.ask("GET", path, headers={"Range": f"bytes={size}-"}), 416, "range_not_satisfiable")


async def test_a_case_in_chinese_names_the_file(box: Box) -> None:
    """In its script where it is understood (RFC 8187), and in letters of ASCII where not."""
    path = f"{await exported_package(box, '案件 7')}.zip"
    told = (await box.ask("HEAD", path)).headers["content-disposition"]

    assert told == (
        'attachment; filename="__-7-export-1.zip"; '
        "filename*=UTF-8''%E6%A1%88%E4%BB%B6-7-export-1.zip"
    )  # fmt: skip


async def test_a_package_that_cannot_be_handed_out(box: Box) -> None:
    """There is none of that number, of that form, it is not done, not whole, or removed: each has its name."""
    is_problem(await box.ask("GET", "/api/v1/exports/1/package.zip"), 404, "export_unknown")
    begun, ended = box.store.cameras.get("gate").registered_us, box.clock.utc_us
    box.store.exports.ask("gate.main", begun, ended, "7", "Letter")
    is_problem(await box.ask("GET", "/api/v1/exports/1/package.zip"), 409, "export_not_done")
    is_problem(await box.ask("DELETE", "/api/v1/exports/1/package"), 409, "export_not_done")
    is_problem(await box.ask("GET", "/api/v1/exports/1/package.rar"), 422, "invalid_request")
    box.store.exports.end(1, ExportState.CANCELLED)
    is_problem(await box.ask("GET", "/api/v1/exports/1/package.tar"), 409, "export_not_done")
    path = await exported_package(box)
    next((box.store.layout.exports / "2").rglob("play-*.mp4")).unlink()
    is_problem(await box.ask("GET", f"{path}.zip"), 500, "package_damaged")
    assert (await box.ask("HEAD", f"{path}.zip")).status_code == 500
    assert handed_out(box) == 0
    removed = await box.ask("DELETE", path)
    assert (removed.status_code, removed.json()["state"], removed.json()["folder"]) == (200, "removed", None)
    is_problem(await box.ask("GET", f"{path}.zip"), 410, "package_removed")
    is_problem(await box.ask("DELETE", path), 409, "export_not_done")


async def test_a_package_that_is_damaged_never_looks_whole(box: Box) -> None:
    """A file that is not what was written breaks the connection before the announced length, over a real one."""
    path = f"{await exported_package(box)}.zip"
    damaged = next((box.store.layout.exports / "1").rglob("play-*.mp4"))
    content = bytearray(damaged.read_bytes())
    content[7] ^= 1
    damaged.write_bytes(content)

    def download(url: str) -> None:
        with httpx.stream("GET", f"{url}{path}", trust_env=False) as answer:
            assert answer.status_code == 200
            answer.read()

    with serving(box.app) as url, pytest.raises(httpx.RemoteProtocolError):
        await run_in_threadpool(download, url)


async def test_an_export_that_the_disk_cannot_hold(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """507, with what to do; nobody is called."""
    monkeypatch.setattr(room, "space_of", lambda root: Space(10**6, 10**13))
    begun, ended = box.store.cameras.get("gate").registered_us, box.clock.utc_us
    body = {"camera": "gate", "start": format_us(begun), "end": format_us(ended), "case": "7", "reason": "Letter"}

    is_problem(await box.ask("POST", "/api/v1/exports", json=body), 507, "no_room_for_export")
    assert box.exports == 0


async def test_the_log_is_signed_when_somebody_asks(box: Box) -> None:
    """What was written down since is below the new checkpoint; where nothing was, the old one is answered."""
    box.store.note("audit", {"what": "test"})
    signed = (await box.ask("POST", "/api/v1/log/checkpoint")).text
    size = box.store.log_size

    assert open_checkpoint(signed, box.store.origin, box.store.public_key).size == size
    assert (await box.ask("POST", "/api/v1/log/checkpoint")).text == signed
    assert (await box.ask("GET", "/api/v1/log/checkpoint")).text == signed
    assert box.store.log_size == size


async def test_stored_footage_is_checked_now(box: Box) -> None:
    """What is damaged is told with the answer, and in the scrub's own list; a camera that is none is named."""
    one = segments(box.store, box.clock)[1]
    box.store.media_path(one).write_bytes(b"other")
    body = {"camera": "gate", "start": format_us(0), "end": format_us(box.clock.utc_us)}
    answer = (await box.ask("POST", "/api/v1/scrub", json=body)).json()
    told = (await box.ask("GET", "/api/v1/scrub")).json()

    assert answer["damaged"] == [{"segment": one.id, "damage": "wrong_size"}]
    assert (answer["checked"], answer["next"], answer["left_bytes"]) == (3, None, 0)
    assert [found["segment"] for found in told["damaged"]] == [one.id]
    assert told["damaged_count"] == 1
    assert told["volumes"][0]["total_bytes"] == answer["bytes"] == told["volumes"][0]["stored_bytes"]
    is_problem(await box.ask("POST", "/api/v1/scrub", json={**body, "camera": "none"}), 404, "camera_unknown")
    is_problem(await box.ask("POST", "/api/v1/scrub", json={**body, "start": "?"}), 422, "invalid_request")
    backwards = {**body, "start": body["end"], "end": body["start"]}
    is_problem(await box.ask("POST", "/api/v1/scrub", json=backwards), 422, "invalid_request")


def test_every_page_has_its_routes() -> None:
    """A page that is not part of the application would be dead code."""
    assert all(page.router.routes for page in PAGES)


async def test_a_still_has_its_age(tmp_path: Path) -> None:
    """The picture as it is handed out, how old it is and when it came; no camera, no picture, too old: 404 (Frigate
    1932, 6315)."""
    box = Box(tmp_path)

    def newest(camera_id: str, max_age_s: float) -> Still:
        if max_age_s < 2.4:
            raise StillUnavailable("The newest key picture is 2.4 s old.")
        return Still(b"\xff\xd8x\xff\xd9", 2.4, box.clock.utc_us)

    box.app = create_app(ports_of(box.store, box.clock, still=newest))
    good = await box.ask("GET", "/api/v1/cameras/gate/still.jpg")
    old = await box.ask("GET", "/api/v1/cameras/gate/still.jpg", params={"max_age_s": 1})
    nobody = await box.ask("GET", "/api/v1/cameras/nobody/still.jpg")

    assert (good.status_code, good.content, good.headers["content-type"]) == (200, b"\xff\xd8x\xff\xd9", "image/jpeg")
    assert good.headers["age"] == "2"
    assert good.headers["last-modified"].endswith("GMT")
    assert (old.status_code, old.json()["code"]) == (404, "still_unavailable")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "camera_unknown")


async def test_what_a_camera_says_of_itself(box: Box) -> None:
    """Its SDP as it came, the last one; what looks like a password in it is hidden."""
    empty = await box.ask("GET", "/api/v1/cameras/gate/sdp")
    box.store.keep_description("gate", b"v=0\r\na=control:rtsp://ann:planted-secret@192.0.2.1/x\r\n")
    told = await box.ask("GET", "/api/v1/cameras/gate/sdp")

    assert (empty.status_code, empty.text) == (200, "")
    assert told.text.startswith("v=0\r\n")
    assert "planted-secret" not in told.text
    assert (await box.ask("GET", "/api/v1/cameras/nobody/sdp")).status_code == 404


def after_a_discard(path: Path) -> Callable[..., object]:
    """The file's name is gone by the time it is looked into; who has it open has it still."""
    whole = media._pieces_of

    def late(*given: Any) -> object:
        path.unlink()
        return whole(*given)

    return late


async def test_pictures_alone_are_handed_out_as_what_they_are(box: Box) -> None:
    """Beginning and fragments of a file; without sound in it nothing is left out. No ETag: that is not the record."""
    one = segments(box.store, box.clock)[0]
    stored = box.store.media_path(one).read_bytes()
    where = f"/api/v1/segments/{one.id}/media"
    begin = await box.ask("GET", where, params={"pictures": "init"})
    rest = await box.ask("GET", where, params={"pictures": "fragments"})
    head = await box.ask("HEAD", where, params={"pictures": "fragments"})
    wrong = await box.ask("GET", where, params={"pictures": "all"})

    assert begin.content == init_of(stored)
    assert rest.content == stored[one.init_bytes :]
    assert (head.content, head.headers["content-length"]) == (b"", str(len(rest.content)))
    assert "etag" not in rest.headers
    assert wrong.status_code == 422
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "_pieces_of", after_a_discard(box.store.media_path(one)))
        still = await box.ask("GET", where, params={"pictures": "fragments"})
    assert still.content == rest.content
    gone = await box.ask("GET", where, params={"pictures": "init"})
    assert (gone.status_code, gone.json()["code"]) == (500, "media_lost")
