"""Gathers the facts of a running box from those who have them. Asks nothing that walks tables: see `survey`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.health.facts import (
    AnchorFacts,
    CameraFacts,
    CameraState,
    Facts,
    HoldsFacts,
    KeyFacts,
    ScrubFacts,
    Sm2Facts,
    VolumeScrub,
)
from appliance.health.outcomes import Outcomes
from appliance.health.survey import Survey
from config.clock import Clock
from config.keeping import Terms as KeepingTerms
from recorder.capture.fleet import WorkerFacts
from recorder.capture.session import SessionStatus
from recorder.store.records import Camera
from recorder.store.store import Store
from retention.forecast import Outlook, days_held
from retention.reconcile import Reconciliation

Snapshot = Callable[[], Mapping[str, SessionStatus]]
"""Every running camera, as of now."""


@dataclass(frozen=True)
class Terms:
    """What the box was told about keeping."""

    floor_days: int
    target_days: int
    when_full: str


class Gatherer:
    """Knows whom to ask."""

    def __init__(
        self,
        store: Store,
        snapshot: Snapshot,
        survey: Survey,
        outcomes: Outcomes,
        clock: Clock,
        terms: Terms,
        workers: Callable[[], Sequence[WorkerFacts]] = tuple,
        anchors: Callable[[], AnchorFacts] = AnchorFacts,
        sm2: Callable[[], Sm2Facts] = Sm2Facts,
        key: Callable[[], KeyFacts] = KeyFacts,
        swept: Callable[[], Reconciliation | None] = lambda: None,
        holds: Callable[[], HoldsFacts] = HoldsFacts,
    ) -> None:
        self._store = store
        self._workers = workers
        self._anchors = anchors
        self._sm2 = sm2
        self._key = key
        self._swept = swept
        self._holds = holds
        self._snapshot = snapshot
        self._survey = survey
        self._outcomes = outcomes
        self._clock = clock
        self._terms = terms
        self._started_us = clock.read().utc_us

    def facts(self) -> Facts:
        """Everything, as of now.

        Raises:
            CatalogueError: the store does not answer.
        """
        now_us = self._clock.read().utc_us
        checkpoint = self._store.latest_checkpoint()
        sessions, keeping = self._snapshot(), self._store.cameras.all_keeping()
        volumes = self._store.volumes()
        outlook = self._survey.outlook()
        measured = None if outlook is None else outlook.measured
        return Facts(
            cameras=[
                _kept(self._camera(camera, sessions.get(camera.id), now_us, outlook), keeping.get(camera.id))
                for camera in self._store.cameras.all()
            ],
            volumes=volumes,
            outcomes=self._outcomes.all(),
            checkpoint_age_s=None if checkpoint is None else max(0, now_us - checkpoint.at_us) / 1e6,
            floor_days=self._terms.floor_days,
            workers=self._workers(),
            overwrite_asked=self._terms.when_full == "overwrite",
            breaches=self._store.overwriting.count(),
            target_days=self._terms.target_days,
            now_us=now_us,
            started_us=self._started_us,
            log_size=self._store.log_size,
            checkpoint=checkpoint,
            anchors=self._anchors(),
            sm2=self._sm2(),
            key=self._key(),
            scrub=scrub_facts(self._store),
            bytes_a_day=measured.bytes_a_day if measured is not None and measured.bytes_a_day else None,
            days_to_full=None if measured is None else measured.days_to_full,
            outlook=outlook,
            sweep=self._swept(),
            zone=self._store.zone,
            left_behind=self._store.left_behind(),
            holds=self._holds(),
        )

    def _camera(
        self, camera: Camera, session: SessionStatus | None, now_us: int, outlook: Outlook | None
    ) -> CameraFacts:
        kept, coming = self._survey.of(camera.id), None if outlook is None else outlook.measured.of(camera.id)
        begun_us = max(self._started_us, camera.registered_us)
        facts = CameraFacts(
            id=camera.id,
            name=camera.name,
            state=_state(camera, session),
            wanted_age_s=max(0, now_us - begun_us) / 1e6,
            since_us=camera.retired_us or (session.since_us if session else None),
            days_held=days_held(kept.since_us, now_us),
            held_bytes=kept.held_bytes,
            bytes_a_day=kept.bytes_a_day,
            days_forecast=None if coming is None else coming.days_fit,
            days_to_floor=None if coming is None else coming.days_to_floor,
            before_bytes_a_day=kept.before_bytes_a_day,
            gap_seconds=kept.gap_seconds,
            signing=kept.signing,
            audio_wanted=camera.audio == "on",
        )
        return facts if session is None else _with_session(facts, session, now_us)


DAMAGED_SHOWN = 3
"""Named in the problem; `custos scrub` lists them all."""


def scrub_facts(store: Store) -> ScrubFacts:
    """How far the scrub is, and what it found; by indexes alone."""
    elapsed_us = store.elapsed_us()
    volumes = []
    for one in store.scrubs.progress():
        oldest_us = store.scrubs.oldest_elapsed_us(one.volume)
        age_s = None if oldest_us is None else max(0, elapsed_us - oldest_us) / 1e6
        volumes.append(VolumeScrub(one.volume, one.begun_us, one.bytes, one.passes, one.total_bytes, age_s))
    return ScrubFacts(volumes, store.scrubs.damaged_count(), store.scrubs.damaged(DAMAGED_SHOWN))


def _kept(facts: CameraFacts, terms: KeepingTerms | None) -> CameraFacts:
    """With how long its footage is kept; before the first rule is written, as the law wants."""
    if terms is None:
        return facts
    needs = terms.needs_purpose and facts.state != "retired"
    return replace(facts, floor_days=terms.floor_days, target_days=terms.target_days, needs_purpose=needs)


def _state(camera: Camera, session: SessionStatus | None) -> CameraState:
    if camera.retired_us is not None:
        return "retired"
    if not camera.enabled:
        return "disabled"
    return "connecting" if session is None else session.state.value


def _with_session(facts: CameraFacts, session: SessionStatus, now_us: int) -> CameraFacts:
    last_us = session.last_media_us
    return replace(
        facts,
        media_age_s=None if last_us is None else max(0, now_us - last_us) / 1e6,
        problem_code=session.problem_code,
        problem_text=session.problem_text,
        last_media_us=last_us,
        bitrate_bps=float(session.bitrate_bps),
        frames=session.frames,
        bytes=session.bytes,
        reconnects=session.reconnects,
        left_out=session.tracks_left_out,
        audio=session.audio.value,
        lost_packets=session.lost_packets,
        stamps_stand_still=session.stamps_stand_still,
        password_in_clear=session.password_in_clear,
        clock_drift_ppm=None if session.clock_drift_ppb is None else round(session.clock_drift_ppb / 1000, 1),
        key_interval_s=session.key_interval_s,
        clock_offset_s=None if session.clock_offset_us is None else session.clock_offset_us / 1e6,
    )
