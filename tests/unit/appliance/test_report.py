"""The status as people are shown it, when the box is ready, and when the demonstration camera is there."""

from __future__ import annotations

from dataclasses import replace

from appliance.health.facts import CameraFacts, Facts, HoldFacts, HoldsFacts, KeyFacts, Sm2Facts
from appliance.health.outcomes import Outcome
from appliance.health.report import Identity, readiness, status
from appliance.wiring.camera import DEMO_ID, DEMO_URL, demo_is_due, is_demo
from recorder.store.records import Camera, CameraSignature, CheckpointRecord, ManagedBy, Signing, VolumeState

IDENTITY = Identity("b0", "custos", "0.1.0", "Asia/Shanghai", "custos/b0")
FACTS = Facts(
    cameras=[CameraFacts("gate", "Gate", "backing_off", 90.0, 95.0, "source_ended", "It ended.", since_us=5_000_000)],
    volumes=[VolumeState("main", "/data", 5, 10, "ok")],
    outcomes=[Outcome("beat", 1)],
    checkpoint_age_s=3.0,
    floor_days=30,
    target_days=31,
    now_us=95_000_000,
    log_size=12,
    checkpoint=CheckpointRecord(12, "aa", 92_000_000),
    key=KeyFacts("ff", "ee", "token"),
)
DEMO = Camera(DEMO_ID, "x", DEMO_URL, None, True, ManagedBy.API, 1, None, "00")


def test_status_is_asked_for() -> None:
    """State, problems, cameras, disks, log and terms are all there, in the words of the language asked for."""
    seen = status(FACTS, IDENTITY, "en")
    assert (seen.state, seen.problems[0].camera, seen.problems[0].code) == ("degraded", "gate", "source_ended")
    assert seen.cameras[0].since == "1970-01-01T00:00:05.000000Z"
    assert (seen.log.size, seen.log.root, seen.log.checkpoint_at) == (12, "aa", "1970-01-01T00:01:32.000000Z")
    assert (seen.retention.floor_days, seen.retention.target_days, seen.retention.when_full) == (30, 31, "stop")
    assert (seen.box.id, seen.box.now, seen.storage[0].free_bytes) == ("b0", "1970-01-01T00:01:35.000000Z", 5)
    assert (seen.box.fingerprint, seen.box.first_fingerprint, seen.log.key_kind) == ("ff", "ee", "token")
    assert "未在录像" in status(FACTS, IDENTITY, "zh-CN").problems[0].text


def test_status_names_the_sm2_key() -> None:
    """Where the log binds one: it is compared with the papers as the other is."""
    assert status(FACTS, IDENTITY, "en").log.sm2_fingerprint is None
    bound = replace(FACTS, sm2=Sm2Facts(is_configured=True, fingerprint="ab"))
    assert status(bound, IDENTITY, "en").log.sm2_fingerprint == "ab"


def test_days_held_stand_beside_those_required_and_meant() -> None:
    """Each camera's own."""
    (gate,) = FACTS.cameras
    facts = replace(FACTS, cameras=[replace(gate, floor_days=90, target_days=120, days_held=12.5)])
    (told,) = status(facts, IDENTITY, "en").cameras

    assert (told.days_held, told.days_required, told.days_meant) == (12.5, 90, 120)


def test_camera_signs_its_pictures() -> None:
    """Whose form its signatures have, until when, and since when there are none; nothing of one that never did."""
    (gate,) = FACTS.cameras
    signing = Signing((CameraSignature.AXIS,), 5_000_000, 6_000_000, 1)
    (told,) = status(replace(FACTS, cameras=[replace(gate, signing=signing)]), IDENTITY, "en").cameras
    (never,) = status(FACTS, IDENTITY, "en").cameras

    assert (told.signed_by, told.signed_until) == (["axis"], "1970-01-01T00:00:05.000000Z")
    assert told.unsigned_since == "1970-01-01T00:00:06.000000Z"
    assert (never.signed_by, never.signed_until, never.unsigned_since) == ([], None, None)


def test_box_is_ready() -> None:
    """A camera that fails keeps nobody from asking the box."""
    assert readiness(FACTS, begun=True).ready


def test_box_is_not_ready() -> None:
    """Not begun, not signed, or not signing: each is said."""
    assert not readiness(FACTS, begun=False).ready
    assert not readiness(replace(FACTS, checkpoint_age_s=None), begun=True).ready
    failing = replace(FACTS, outcomes=[Outcome("beat", failed_us=1, text="The disk is full.")])
    assert readiness(failing, begun=True).reasons == ["beat: The disk is full."]


def test_demonstration_is_due() -> None:
    """In a box that never had a camera, and where somebody asks for it; never twice, and never after it was retired."""
    real = replace(DEMO, id="gate", url="rtsp://192.0.2.1/")
    assert demo_is_due([], asked=False)
    assert not demo_is_due([real], asked=False)
    assert demo_is_due([real], asked=True)
    assert not demo_is_due([DEMO], asked=True)
    assert not demo_is_due([replace(DEMO, retired_us=5)], asked=True)


def test_real_camera_is_called_demo() -> None:
    """Somebody's own camera of that name is recorded from its own URL."""
    assert is_demo(DEMO)
    assert not is_demo(replace(DEMO, url="rtsp://192.0.2.1/demo"))


def test_holds_are_in_the_status() -> None:
    """How many, what they keep, and the earliest date on which somebody is to look at one."""
    held = [HoldFacts(7, "c", 121_000_000, 3), HoldFacts(8, "c", 99_000_000, 1), HoldFacts(9, "c")]
    seen = status(replace(FACTS, cameras=[], holds=HoldsFacts(held, 4096, 3)), IDENTITY, "en").holds

    assert (seen.in_force, seen.bytes, seen.damaged_segments) == (3, 4096, 3)  # one lies under two
    assert seen.next_review == "1970-01-01T00:01:39.000000Z"


def test_what_may_be_left_behind_is_told_of_its_disk() -> None:
    """Of the one that went away; where nothing is, none is told."""
    volumes = [VolumeState("a", "/a", 0, 0, "missing"), VolumeState("b", "/b", 5, 10, "ok")]
    seen = status(replace(FACTS, volumes=volumes, left_behind={"a": 2}), IDENTITY, "en").storage

    assert [one.left_behind for one in seen] == [2, 0]
