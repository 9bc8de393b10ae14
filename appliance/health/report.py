"""The facts as the HTTP interface shows them to people. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from api.schemas import (
    BoxStatus,
    CameraStatus,
    LogStatus,
    ProblemOut,
    Readiness,
    RetentionStatus,
    Status,
    VolumeStatus,
    WitnessStatus,
)
from appliance.health.facts import CameraFacts, Facts
from appliance.health.problems import CHECKPOINT_LATE_S, problems_of, state_of
from config.times import format_us


@dataclass(frozen=True)
class Identity:
    """What a box is, for as long as it runs."""

    box_id: str
    name: str
    program: str
    time_zone: str
    origin: str


def status(facts: Facts, identity: Identity, language: str) -> Status:
    """The whole box at a glance, in ``en`` or ``zh-CN``."""
    problems = problems_of(facts, language)
    return Status(
        box=_box(facts, identity),
        state=state_of(problems),
        problems=[ProblemOut(code=one.code, text=one.text, camera=one.camera) for one in problems],
        cameras=[_camera(one) for one in facts.cameras],
        storage=[
            VolumeStatus(
                name=one.name,
                state=one.state,
                free_bytes=one.free_bytes,
                total_bytes=one.total_bytes,
                reserve_bytes=one.reserve_bytes,
                is_written=one.is_written,
            )
            for one in facts.volumes
        ],
        log=_log(facts, identity.origin),
        retention=_retention(facts),
    )


def readiness(facts: Facts, begun: bool) -> Readiness:
    """Whether store and log work: the record has begun, the log is signed in time, no beat has failed since."""
    reasons = []
    if not begun:
        reasons.append("The record has not begun yet: an earlier run is being finished, or the disk takes no writes.")
    if facts.checkpoint_age_s is None or facts.checkpoint_age_s > CHECKPOINT_LATE_S:
        reasons.append("The log has not been signed for minutes.")
    reasons += [f"{one.name}: {one.text}" for one in facts.outcomes if one.name == "beat" and one.failed_us is not None]
    return Readiness(ready=not reasons, reasons=reasons)


def _box(facts: Facts, identity: Identity) -> BoxStatus:
    return BoxStatus(
        id=identity.box_id,
        name=identity.name,
        program=identity.program,
        started=format_us(facts.started_us),
        now=format_us(facts.now_us),
        time_zone=identity.time_zone,
        fingerprint=facts.key.fingerprint,
        first_fingerprint=facts.key.first_fingerprint,
    )


def _log(facts: Facts, origin: str) -> LogStatus:
    checkpoint = facts.checkpoint
    return LogStatus(
        origin=origin,
        key_kind=facts.key.kind,
        size=facts.log_size,
        root=checkpoint.root if checkpoint else None,
        checkpoint_at=_instant(checkpoint.at_us if checkpoint else None),
        anchored_at=_instant(facts.anchors.stamped_us),
        anchors_waiting=facts.anchors.waiting,
        sm2_fingerprint=facts.sm2.fingerprint,
        witnesses=[
            WitnessStatus(name=one.name, cosigned_at=_instant(one.cosigned_us), cosigned_size=one.cosigned_size)
            for one in facts.anchors.witnesses
        ],
    )


def _retention(facts: Facts) -> RetentionStatus:
    return RetentionStatus(
        floor_days=facts.floor_days,
        target_days=facts.target_days,
        when_full="overwrite" if facts.overwrite_asked else "stop",
        bytes_a_day=facts.bytes_a_day,
        days_to_full=facts.days_to_full,
    )


def _camera(one: CameraFacts) -> CameraStatus:
    return CameraStatus(
        id=one.id,
        name=one.name,
        state=one.state,
        since=_instant(one.since_us),
        last_media_at=_instant(one.last_media_us),
        bitrate_bps=None if one.bitrate_bps is None else round(one.bitrate_bps),
        days_held=one.days_held,
        bytes_a_day=one.bytes_a_day,
        days_required=one.floor_days,
        days_meant=one.target_days,
        left_out=list(one.left_out),
        audio=one.audio,
        lost_packets=one.lost_packets,
        clock_offset_s=one.clock_offset_s,
        clock_drift_ppm=one.clock_drift_ppm,
        key_interval_s=one.key_interval_s,
        signed_by=[kind.value for kind in one.signing.kinds] if one.signing else [],
        signed_until=_instant(one.signing.signed_us if one.signing else None),
        unsigned_since=_instant(one.signing.unsigned_since_us if one.signing else None),
    )


def _instant(instant_us: int | None) -> str | None:
    return None if instant_us is None else format_us(instant_us)
