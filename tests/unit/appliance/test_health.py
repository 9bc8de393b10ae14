"""What the box knows of itself, gathered from a real store and sessions as they tell of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.health.facts import CameraFacts, Facts
from appliance.health.gather import Gatherer, Terms
from appliance.health.outcomes import Outcomes
from appliance.health.survey import Survey
from config.times import DAY_US, SECOND_US
from recorder.capture.recording import Recording
from recorder.capture.session import SessionState, SessionStatus
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.store.records import CameraSignature, CodecName, ManagedBy, Signing
from recorder.store.store import Store
from tests.fakes.box import SEGMENT_US, new_store, record
from tests.fakes.camera import packets
from tests.fakes.clock import FakeClock
from tests.fakes.signing import signature_unit, signed


class Scene:
    """A box with a camera, and everything that tells of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.store: Store = new_store(tmp_path, self.clock, "gate")
        self.outcomes = Outcomes()
        self.survey = Survey(self.store)
        self.sessions: dict[str, SessionStatus] = {}
        terms = Terms(30, 31, "stop")
        self.gatherer = Gatherer(self.store, lambda: self.sessions, self.survey, self.outcomes, self.clock, terms)

    def look(self) -> None:
        self.survey.look(self.store.cameras.all(), self.clock.utc_us)

    def gate(self) -> CameraFacts:
        facts: Facts = self.gatherer.facts()
        return facts.cameras[0]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_camera_was_just_added(scene: Scene) -> None:
    """Before its session has begun a camera is connecting, and its time counts from its registration."""
    scene.clock.advance(7)
    gate = scene.gate()
    assert (gate.state, gate.media_age_s, gate.wanted_age_s, gate.days_held) == ("connecting", None, 7, None)


def test_session_tells_of_itself(scene: Scene) -> None:
    """Age is counted from the last picture; counts and the problem are the session's own."""
    now_us = scene.clock.utc_us
    scene.sessions["gate"] = SessionStatus(
        "gate",
        SessionState.BACKING_OFF,
        now_us - 9 * SECOND_US,
        last_media_us=now_us - 3 * SECOND_US,
        frames=70,
        reconnects=2,
        problem_code="source_ended",
        problem_text="It ended.",
    )
    gate = scene.gate()
    assert (gate.state, gate.media_age_s, gate.frames, gate.reconnects) == ("backing_off", 3, 70, 2)
    assert (gate.problem_code, gate.since_us) == ("source_ended", now_us - 9 * SECOND_US)


def test_clock_is_set_back(scene: Scene) -> None:
    """A picture from the future is no younger than now."""
    scene.sessions["gate"] = SessionStatus("gate", SessionState.RECORDING, 0, last_media_us=scene.clock.utc_us + 5)
    assert scene.gate().media_age_s == 0


def test_camera_is_switched_off_and_retired(scene: Scene) -> None:
    """What the registry says goes before what a session may still say."""
    scene.store.cameras.change("gate", ManagedBy.API, {"enabled": False})
    assert scene.gate().state == "disabled"
    scene.store.cameras.retire("gate", ManagedBy.API)
    assert scene.gate().state == "retired"


def test_camera_is_kept_by_its_own_rule(scene: Scene) -> None:
    """Days required and meant are those of its rule; longer than the law wants without a purpose is told of it, until
    it has one, or is retired."""
    scene.store.cameras.add(
        "vault", "Vault", "rtsp://127.0.0.1/v", managed_by=ManagedBy.FILE, floor_days=60, target_days=90
    )
    gate, vault = scene.gatherer.facts().cameras
    assert (gate.floor_days, gate.target_days, gate.needs_purpose) == (30, 31, False)
    assert (vault.floor_days, vault.target_days, vault.needs_purpose) == (60, 90, True)

    scene.store.cameras.change("vault", ManagedBy.FILE, {"purpose": "A building site"})
    assert not scene.gatherer.facts().cameras[1].needs_purpose
    scene.store.cameras.change("vault", ManagedBy.FILE, {"purpose": None})
    assert scene.gatherer.facts().cameras[1].needs_purpose
    scene.store.cameras.retire("vault", ManagedBy.FILE)
    assert not scene.gatherer.facts().cameras[1].needs_purpose


def test_footage_is_surveyed(scene: Scene) -> None:
    """Days held reach from the oldest footage to now; the rate and the gaps are those of the record."""
    record(scene.store, scene.clock, "IPPPPPPPPP" * 90)
    scene.look()
    kept = scene.survey.of("gate")
    recorded = scene.store.bytes_between("gate.main", 0, 2**62)
    assert kept.since_us is not None
    assert kept.bytes_a_day is not None
    assert kept.bytes_a_day == pytest.approx(recorded * DAY_US / (scene.clock.utc_us - kept.since_us))
    gate = scene.gate()
    assert gate.days_held == pytest.approx((scene.clock.utc_us - kept.since_us) / DAY_US)
    assert gate.bytes_a_day == kept.bytes_a_day
    free_bytes = sum(volume.free_bytes for volume in scene.store.volumes())
    assert gate.days_forecast == pytest.approx(free_bytes / kept.bytes_a_day, rel=0.01)
    scene.store.commit_gap("gate.main", scene.clock.utc_us + 30 * SECOND_US, Cause.UNREACHABLE)
    scene.look()
    assert scene.gate().gap_seconds["unreachable"] == pytest.approx(30, abs=0.2)


def test_camera_never_signed_and_signs(scene: Scene) -> None:
    """What the last look saw of its signatures is told, whether there is footage enough for a forecast or not."""
    record(scene.store, scene.clock, "IPPPPPPPPP" * 3)
    scene.look()
    assert scene.gate().signing is None
    recording = Recording(scene.store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    mine = signature_unit(CodecName.H264, CameraSignature.AXIS)
    for packet in packets("IPPPPPPPPP" * 3, scene.clock):
        recording.feed(packet._replace(data=signed(packet.data, CodecName.H264, mine)))
    recording.stop(Cause.UNREACHABLE)
    scene.look()
    assert scene.gate().signing == Signing((CameraSignature.AXIS,), scene.store.head("gate.main").t1_us)


def test_footage_is_seconds_old(scene: Scene) -> None:
    """No forecast is made from a few seconds: it would swing wildly."""
    record(scene.store, scene.clock, "IPPPPPPPPP" * 3)
    scene.look()
    assert scene.survey.of("gate").bytes_a_day is None
    assert scene.gate().days_forecast is None


def test_log_is_signed(scene: Scene) -> None:
    """The age of the checkpoint is counted from when it was signed."""
    scene.store.checkpoint()
    scene.clock.advance(12)
    facts = scene.gatherer.facts()
    assert facts.checkpoint_age_s == 12
    assert facts.checkpoint is not None
    assert facts.log_size == facts.checkpoint.size


def test_terms_are_told(scene: Scene) -> None:
    """Who configured overwriting is remembered as having asked for it."""
    asked = Gatherer(
        scene.store,
        dict,
        scene.survey,
        scene.outcomes,
        scene.clock,
        replace(Terms(30, 40, "stop"), when_full="overwrite"),
    )
    facts = asked.facts()
    assert (facts.overwrite_asked, facts.floor_days, facts.target_days) == (True, 30, 40)
