"""The facts as the HTTP interface shows them to people. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from api.schemas import (
    AdmissionOut,
    BoxStatus,
    CameraForecastOut,
    CameraStatus,
    DamagedOut,
    ForecastOut,
    HoldsStatus,
    LogStatus,
    ProblemOut,
    Readiness,
    RetentionStatus,
    ScrubStatus,
    Status,
    SweepOut,
    SweepReasonOut,
    VolumeForecastOut,
    VolumeScrubStatus,
    VolumeStatus,
    WitnessStatus,
)
from appliance.health.coming import problems_ahead, warning_of
from appliance.health.facts import CameraFacts, Facts
from appliance.health.problem import Problem
from appliance.health.problems import CHECKPOINT_LATE_S, problems_of, state_of
from config.times import format_us
from recorder.store.records import VolumeState
from retention.forecast import (
    ASSUMED_BITRATE_BPS,
    DAY_S,
    HORIZON_DAYS,
    Admission,
    CameraForecast,
    VolumeForecast,
    date_of,
)
from retention.reconcile import Because, Reconciliation

Basis = Literal["measured", "declared", "assumed"]
"""What is known of a camera's bit rate."""


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
        problems=[_problem(one) for one in problems],
        cameras=[_camera(one, facts) for one in facts.cameras],
        storage=[_volume(one, facts) for one in facts.volumes],
        log=_log(facts, identity.origin),
        retention=_retention(facts),
        scrub=_scrub(facts),
        holds=_holds(facts),
    )


def forecast(facts: Facts, language: str) -> ForecastOut:
    """What is coming, in ``en`` or ``zh-CN``: with the cameras that nothing is known of yet, at an assumed rate."""
    coming = None if facts.outlook is None else facts.outlook.all
    return ForecastOut(
        at=None if coming is None else format_us(coming.now_us),
        horizon_days=HORIZON_DAYS,
        assumed_bitrate_bps=ASSUMED_BITRATE_BPS,
        volumes=[] if coming is None else [_volume_ahead(one, facts) for one in coming.volumes],
        cameras=[] if coming is None else [_camera_ahead(one, facts) for one in coming.cameras],
        problems=[_problem(one) for one in problems_ahead(facts, language.startswith("zh"))],
    )


def admitted(found: Admission, name: str, basis: Basis, now_us: int, zone: ZoneInfo, language: str) -> AdmissionOut:
    """Whether there is room for a camera, as whoever adds it is told."""
    return AdmissionOut(
        basis=basis,
        bitrate_bps=round(found.bytes_a_day * 8 / DAY_S),
        bytes_a_day=round(found.bytes_a_day),
        stored_bytes=round(found.stored_bytes),
        full_on=_on(now_us, zone, found.days_to_full),
        floor_fails_on=_on(now_us, zone, found.days_to_floor),
        floor_fails_without_on=_on(now_us, zone, found.without_days_to_floor),
        warning=warning_of(found, name, now_us, zone, language.startswith("zh")),
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
        sweep=None if facts.sweep is None else _sweep(facts.sweep),
    )


def _scrub(facts: Facts) -> ScrubStatus:
    return ScrubStatus(
        volumes=[
            VolumeScrubStatus(
                volume=one.volume,
                begun=format_us(one.begun_us),
                bytes=one.bytes,
                passes=one.passes,
                total_bytes=one.total_bytes,
                oldest_age_s=one.oldest_age_s,
            )
            for one in facts.scrub.volumes
        ],
        damaged_count=facts.scrub.damaged_count,
        damaged=[DamagedOut.of(one) for one in facts.scrub.damaged],
    )


def _sweep(found: Reconciliation) -> SweepOut:
    return SweepOut(
        at=format_us(found.at_us),
        should=found.should,
        should_bytes=found.should_bytes,
        discarded=found.did,
        bytes=found.bytes,
        because=[_because(one) for one in found.because],
        kept=[_because(one) for one in found.spared],
        complete=found.is_complete,
        overwritten=found.broken,
        overwritten_bytes=found.broken_bytes,
    )


def _because(one: Because) -> SweepReasonOut:
    return SweepReasonOut(code=one.code, count=one.count, bytes=one.bytes, failed=one.failed)


def _problem(one: Problem) -> ProblemOut:
    return ProblemOut(code=one.code, text=one.text, camera=one.camera)


def _volume(one: VolumeState, facts: Facts) -> VolumeStatus:
    volumes = () if facts.outlook is None else facts.outlook.measured.volumes
    ahead = next((found for found in volumes if found.name == one.name), None)
    return VolumeStatus(
        name=one.name,
        state=one.state,
        free_bytes=one.free_bytes,
        total_bytes=one.total_bytes,
        reserve_bytes=one.reserve_bytes,
        is_written=one.is_written,
        full_on=_date(facts, None if ahead is None else ahead.days_to_full),
        floor_fails_on=_date(facts, None if ahead is None else ahead.days_to_floor),
        left_behind=facts.left_behind.get(one.name, 0),
    )


def _volume_ahead(one: VolumeForecast, facts: Facts) -> VolumeForecastOut:
    return VolumeForecastOut(
        name=one.name,
        bytes_a_day=one.bytes_a_day,
        days_to_full=one.days_to_full,
        full_on=_date(facts, one.days_to_full),
        days_to_floor=one.days_to_floor,
        floor_fails_on=_date(facts, one.days_to_floor),
        first_camera=one.first,
    )


def _camera_ahead(one: CameraForecast, facts: Facts) -> CameraForecastOut:
    return CameraForecastOut(
        id=one.camera,
        bytes_a_day=one.bytes_a_day,
        assumed=one.is_assumed,
        bytes_a_day_before=one.before_bytes_a_day,
        held_bytes=one.held_bytes,
        days_required=one.days_required,
        days_fit=one.days_fit,
        full_on=_date(facts, one.days_to_full),
        floor_fails_on=_date(facts, one.days_to_floor),
    )


def _date(facts: Facts, days: float | None) -> str | None:
    return _on(facts.now_us, facts.zone, days)


def _on(now_us: int, zone: ZoneInfo, days: float | None) -> str | None:
    return None if days is None else date_of(now_us, days, zone).isoformat()


def _holds(facts: Facts) -> HoldsStatus:
    held = facts.holds.in_force
    reviews = [one.review_us for one in held if one.review_us is not None]
    return HoldsStatus(
        in_force=len(held),
        bytes=facts.holds.bytes,
        damaged_segments=facts.holds.damaged,
        next_review=_instant(min(reviews, default=None)),
    )


def _camera(one: CameraFacts, facts: Facts) -> CameraStatus:
    return CameraStatus(
        id=one.id,
        name=one.name,
        state=one.state,
        since=_instant(one.since_us),
        last_media_at=_instant(one.last_media_us),
        bitrate_bps=None if one.bitrate_bps is None else round(one.bitrate_bps),
        days_held=one.days_held,
        held_bytes=one.held_bytes,
        days_fit=one.days_forecast,
        floor_fails_on=_date(facts, one.days_to_floor),
        bytes_a_day_before=one.before_bytes_a_day,
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
