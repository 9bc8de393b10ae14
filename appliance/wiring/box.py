"""The one file that names every concrete part of a box, and puts them together.

`run` is the whole life of a recording box; `offline` is the same application without one, for a single question of the
command line. The order at start: take the address and the directory, finish what an earlier run left, say in the log
that the box began, sign it; only then cameras, then all other duties, and last of all what answers is made. A disk that
takes no writes keeps none of this from answering: the box then runs in state `failing`, records nothing, and begins its
record as soon as the disk lets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

import structlog
import uvloop

from appliance.health.facts import AnchorFacts, HoldFacts, HoldsFacts, KeyFacts, Sm2Facts, WitnessFacts
from appliance.health.gather import Gatherer, Terms
from appliance.health.outcomes import Outcomes
from appliance.health.survey import Survey
from appliance.notify import Notifier, Watchdog
from appliance.supervisor import ClockWatch, Companion, Duty, Parts, Pulse, Wake, listen, supervise
from appliance.wiring import heap
from appliance.wiring.camera import DEMO_ID, DEMO_NAME, DEMO_URL, DemoCamera, demo_is_due, is_demo
from appliance.wiring.capture import Terms as CaptureTerms
from appliance.wiring.capture import spawner
from appliance.wiring.children import Standby
from appliance.wiring.decoder import Stills
from appliance.wiring.program import IN_FORCE, boot_fields, cfg_fields, version
from appliance.wiring.registry import Add, Change, FileCamera, Retire, faults, steps
from appliance.wiring.running import remove_running, url_of, write_running
from appliance.wiring.stopping import LastResort, limit_s
from config.clock import Clock, Reading, step_us
from config.errors import ConfigInvalid, CustosError
from config.logs import register_secret
from config.settings import CameraSettings, ProofSettings, Settings
from config.times import DAY_US, SECOND_US, format_us
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.capture.book import Shelves
from recorder.capture.fleet import Fleet
from recorder.capture.source import WantedCamera
from recorder.causes import Cause
from recorder.errors import DataDirMissing, ReleaseCodesDamaged, ReleaseCodesMissing, StorageError
from recorder.store import files
from recorder.store.log import sm2
from recorder.store.log.errors import KeyUnavailable
from recorder.store.log.keys import fingerprint
from recorder.store.making import InitReport
from recorder.store.pressure import PRESSED
from recorder.store.records import Camera, Condition, ManagedBy
from recorder.store.store import Store
from retention.custody import Custody
from retention.evidence.anchoring import Anchorer, Authorities
from retention.evidence.cosigning import WitnessContradicts
from retention.evidence.jobs import Exporter
from retention.evidence.witnesses import Witness
from retention.forecast import alarm_of
from retention.pace import Load, Pace
from retention.reconcile import Reconciliation, Retries
from retention.scrub import Scrubber
from retention.sweep import sweep

if TYPE_CHECKING:
    from api.deps import Ports

BEAT_S: Final = 60.0
"""Storage.md: a checkpoint every minute, so that at most a minute of footage is not yet signed."""

CLOCK_LOOK_S: Final = 1.0
"""A step is noticed within a second."""

RECONCILE_S: Final = 5.0
"""Changes through the API are followed at once; this is for what nobody calls about: a changed password file."""

WATCH_S: Final = 1.0
"""A capture process that ends says so itself; this is for one that hangs."""

SURVEY_S: Final = 60.0
"""Days held and forecasts change slowly."""

SWEEP_S: Final = 3600.0
"""Footage falls due at midnight; an hour later is soon enough."""

ANCHOR_LOOK_S: Final = 60.0
"""How often it is looked whether a stamp or cosignature is due, and who failed is asked again."""

EXPORTS_S: Final = 60.0
"""Who asks for one calls; this is for what an earlier run left unfinished."""

SCRUB_S: Final = 1.0
"""Between two turns of the scrub while there is something to read."""

SCRUB_IDLE_S: Final = 60.0
"""And while nothing is due."""

VOLUMES_LOOK_S: Final = 2.0
"""How often it is looked how it stands with the disks, and capture processes are told where to write."""

SWEEP_REST_S: Final = 30.0
"""Between two sweeps that a full disk calls for: when nothing may go, the next finds nothing that may."""

SWEEP_PRESSED_S: Final = 300.0
"""While a volume is low or full: what is past its target should go soon, but a disk under pressure needs its rest."""

GAP_PIECE_US: Final = 600 * SECOND_US
"""A camera that is switched off says so in the record at least this often, so that the record is never silent."""

log = structlog.get_logger("custos.box")


@dataclass(frozen=True)
class UpFacts:
    """What a box tells on the terminal once it answers."""

    url: str
    data_dir: Path
    fingerprint: str
    first_fingerprint: str
    cameras: tuple[str, ...]


def run(
    settings: Settings,
    clock: Clock,
    *,
    demo: bool,
    made: Callable[[InitReport], None],
    up: Callable[[UpFacts], None],
    notifier: Notifier | None = None,
    standby: Standby | None = None,
) -> None:
    """Run a box until SIGTERM or SIGINT.

    Args:
        settings: the configuration in force.
        clock: the box's time.
        demo: register the demonstration camera even beside others.
        made: told once, when there was no box in the data directory and one was made.
        up: told when the box answers.
        notifier: the way to the service manager, taken before any process was started; None: there is none.
        standby: a capture process that was started already.

    Raises:
        AddressNotFree: before the data directory is touched.
        DataDirError, CatalogueError, LogError: the data directory cannot be used.
        ConfigInvalid: the cameras of the file cannot be brought together with those of the registry.
    """
    # Half of it tells what is asked for; the rest is the order of a life, whose ends belong together.
    heap.share_arenas()
    notifier = notifier or Notifier()
    if notifier.watchdog_s:
        faulthandler.enable()  # a manager that ends us because we hang gets to know where
    last_resort = LastResort(notifier)
    with listen(settings.http.host, settings.http.port) as listener, _opened(settings, clock, made) as store:
        box = RecordingBox(settings, clock, store, demo, notifier, last_resort, standby)
        url = url_of(settings.http.host, listener.getsockname()[1])

        def listening() -> None:
            with _reported("the box's address could not be written down"):
                write_running(Path(settings.box.data_dir), url, os.getpid())
            names = tuple(camera.id for camera in store.cameras.all() if camera.retired_us is None)
            prints = (store.fingerprint, store.first_fingerprint)
            up(UpFacts(url, Path(settings.box.data_dir).absolute(), *prints, names))
            notifier.ready(f"answers on {url}; {len(names)} cameras")

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(box.live(listener, listening))
        finally:
            box.end()
    last_resort.call_off()


class Offline:
    """The application of a box that does not run: it answers from the store, and records nothing."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._store = _open(settings, clock)
        self._size = self._store.log_size
        self.app = RecordingBox(settings, clock, self._store, demo=False).app

    def close(self) -> None:
        """Sign what was changed, if anything was, and give the directory back."""
        try:
            if self._store.log_size != self._size:
                with contextlib.suppress(KeyUnavailable):  # what was appended stands, and is signed at the next start
                    self._store.checkpoint()
        finally:
            self._store.close()


def offline(settings: Settings, clock: Clock) -> Offline:
    """Open the store for one question.

    Raises:
        DataDirInUse: a box runs on it, and should be asked instead. DataDirError, CatalogueError: it cannot be used.
    """
    return Offline(settings, clock)


class RecordingBox:
    """The parts of one box, and the duties that keep them going."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Store,
        demo: bool,
        notifier: Notifier | None = None,
        last_resort: LastResort | None = None,
        standby: Standby | None = None,
    ) -> None:
        # As long as the box has parts.
        self._notifier = notifier or Notifier()
        self._last_resort = last_resort
        self._pulse = Pulse(clock)
        self._settings = settings
        self._clock = clock
        self._store = store
        self._demo_asked = demo
        self._zone = ZoneInfo(settings.box.time_zone)
        self._outcomes = Outcomes()
        self._survey = Survey(store)
        self._retries = Retries()
        self._swept: Reconciliation | None = None
        self._alarm_told: int | None = None
        self._begun = False
        self._ended = False
        self._off_told_us: dict[str, int] = {}
        self._left: set[str] = set()
        """Cameras that were stopped; if they are retired, their record does not say so yet."""
        self._key = secrets.token_bytes(32)
        self._wake_cameras = Wake()
        self._wake_sweep = Wake()
        self._wake_exports = Wake()
        self._wake_anchors = Wake()
        self._wake_witnesses = Wake()
        self._wake_watch = Wake()
        self._wake_holds = Wake()
        self._swept_us: int | None = None
        proof = settings.proof
        self._anchorer = Anchorer(store, clock, Authorities(proof.tsa_urls, proof.tsa_ca_file, proof.anchor_minutes))
        self._custody = Custody(store, clock)
        self._exporter = Exporter(store, clock, version(), self._anchorer)
        self._witnesses = _made_witnesses(proof, store, clock)
        pace = Pace(settings.scrub.rate_bytes_s, settings.scrub.every_days)
        self._scrubber = Scrubber(store, clock, pace, self._load)
        self._demo = DemoCamera(self._zone, clock, self._wake_cameras.call)
        self._fleet = self._made_fleet(standby)
        self._fleet_lock = Lock()
        self._stopping = False
        self._stills = Stills(self._fleet, clock)
        self._gatherer = self._made_gatherer()

    @cached_property
    def app(self) -> Any:
        """The ASGI application. Made late, and what it is made of is imported then: that takes as long as all else of a
        start, and cameras are recorded before anybody is answered."""
        from api.app import create_app

        return create_app(self._ports())

    def _made_app(self) -> Any:
        """The same; and what is there now stays: Python need not look through it whenever it looks for rings of
        garbage, which took 50 ms of whatever was under way, such as a page of segments."""
        app = self.app
        gc.collect()
        gc.freeze()
        return app

    def _made_gatherer(self) -> Gatherer:
        kept = self._settings.retention
        return Gatherer(
            self._store,
            self._fleet.snapshot,
            self._survey,
            self._outcomes,
            self._clock,
            Terms(kept.floor_days, kept.target_days, kept.when_full),
            self._fleet.workers,
            self._anchor_facts,
            self._sm2_facts,
            self._key_facts,
            lambda: self._swept,
            self._hold_facts,
        )

    def _ports(self) -> Ports:
        from api.auth import is_loopback
        from api.deps import Ports
        from appliance.health.admitting import Admissions
        from appliance.health.metrics import exposition
        from appliance.health.report import Identity, forecast, readiness, status

        settings, store = self._settings, self._store
        identity = Identity(store.box_id, settings.box.name, version(), settings.box.time_zone, store.origin)
        facts = self._gatherer.facts
        return Ports(
            store=store,
            clock=self._clock,
            status=lambda language: status(facts(), identity, language),
            forecast=lambda language: forecast(facts(), language),
            admit=Admissions(store, self._survey, self._clock).of,
            metrics=exposition(facts),
            still=self._stills.newest,
            ready=lambda: readiness(facts(), self._begun),
            exports_changed=self._export_asked,
            holds_changed=self._hold_changed,
            cameras_changed=self._wake_cameras.call,
            token_needed=not is_loopback(settings.http.host),
            program=version(),
        )

    async def live(self, listener: socket.socket, listening: Callable[[], None]) -> None:
        """Everything between opening the directory and giving it back."""
        with _reported("the record could not be begun yet"):
            await asyncio.to_thread(self.begin)
        parts = Parts(
            duties=self._duties(),
            companions=[Companion("demo", self._demo.run)] if self._has_demo() else [],
            app=self._made_app,
            listener=listener,
            listening=listening,
            stop_recording=self._stop_recording,
            outcomes=self._outcomes,
            clock=self._clock,
            stopping=self._stop_begins,
            pulse=self._pulse,
        )
        await supervise(parts, asyncio.Event())

    def begin(self) -> None:
        """Begin the record, once: finish what was left, say that the box started and how, bring the cameras together.

        Raises:
            StorageError: the disk takes no writes; to be tried again. ConfigInvalid: never to be tried again.
        """
        if self._begun:
            return
        found = self._store.recover()
        if found.recovered or found.damaged or found.discards_finished:
            log.info("recovered", segments=found.recovered, damaged=found.damaged, discards=found.discards_finished)
        self._store.note("boot", boot_fields(self._clock))
        self._tell_configuration()
        self._store.overwriting.put_in_force(is_on=self._settings.retention.when_full == "overwrite")
        self._bring_cameras_together()
        with _reported("the log could not be signed; it is tried again every minute"):
            self._store.checkpoint()
        self._begun = True

    def end(self) -> None:
        """Stop recording, sign what was recorded, and take the address back; harmless when done already."""
        self._stop_recording()
        self._stills.close()
        if self._begun and not self._ended:
            self._ended = True
            with _reported("the log could not be signed at the end; it is at the next start"):
                self._store.checkpoint()
        with _reported("the box's address could not be removed"):
            remove_running(Path(self._settings.box.data_dir))

    # -- duties

    def _duties(self) -> Sequence[Duty]:
        sync_s = self._settings.recording.loss_bound_s / 2
        watch = ClockWatch(self._clock, self._note_step)
        return (
            Duty("cameras", self._reconcile, lambda: RECONCILE_S, self._wake_cameras, is_vital=True),
            Duty("capture", self._fleet.watch, lambda: WATCH_S, self._wake_watch, is_vital=True),
            Duty("beat", self._beat, lambda: BEAT_S),
            Duty("sync", self._sync, lambda: sync_s),
            Duty("volumes", self._tend_volumes, lambda: VOLUMES_LOOK_S),
            Duty("clock", watch.look, lambda: CLOCK_LOOK_S),
            Duty("survey", self._look_around, lambda: SURVEY_S),
            Duty("anchors", self._anchor, lambda: ANCHOR_LOOK_S, self._wake_anchors),
            Duty("witnesses", self._ask_witnesses, lambda: ANCHOR_LOOK_S, self._wake_witnesses),
            Duty("exports", self._export, lambda: EXPORTS_S, self._wake_exports),
            Duty("holds", self._keep_held, self._custody.pause_s, self._wake_holds),
            Duty("sweep", self._sweep, self._sweep_period_s, self._wake_sweep),
            Duty("scrub", self._scrub, lambda: SCRUB_IDLE_S if self._scrubber.is_through else SCRUB_S),
            Duty("heap", self._give_back, lambda: heap.PERIOD_S),
            *self._answering(),
        )

    def _answering(self) -> Sequence[Duty]:
        """To a service manager that wants to know whether the box lives."""
        if not self._notifier.watchdog_s:
            return ()
        watchdog = Watchdog(self._notifier, (self._pulse.must_beat, self._store.must_answer))
        return (Duty("watchdog", watchdog.answer, watchdog.period_s),)

    def _stop_begins(self) -> None:
        if self._last_resort is not None:
            cameras = sum(1 for camera in self._fleet.snapshot())
            self._last_resort.begin(limit_s(cameras))
        self._notifier.stopping("seals what is open")

    def _reconcile(self) -> None:
        """The fleet records what the registry says; cameras that are switched off have a gap that says so."""
        self.begin()
        everyone = self._store.cameras.all()
        live = [camera for camera in everyone if camera.retired_us is None]
        for camera in live:
            self._tell_until_switched_on(camera)
        wanted = [one for camera in live if camera.enabled and (one := self._wanted(camera))]
        with self._fleet_lock:
            self._left |= set() if self._stopping else set(self._fleet.apply(wanted).stop)
        self._tell_retired([camera for camera in everyone if camera.retired_us is not None])
        for camera in live:
            self._tell_switched_off(camera)

    def _stop_recording(self) -> None:
        """For good: no duty that is still under way may start a camera again."""
        self._exporter.stop()
        self._scrubber.stop()
        self._custody.stop()
        with self._fleet_lock:
            self._stopping = True
            if not self._fleet.stop():
                log.warning("some cameras took too long to stop; what they left is finished at the next start")

    def _tell_retired(self, retired: Sequence[Camera]) -> None:
        """Behind the last session of each, once that has sealed what was open."""
        self._left &= {camera.id for camera in retired}
        for camera in retired:
            if camera.id in self._left and self._fleet.is_sealed(camera.id):
                self._left.remove(camera.id)
                self._store.tell_retired(camera.stream_id)

    def _tell_until_switched_on(self, camera: Camera) -> None:
        """Before its first session: what lies before it was not the camera's fault."""
        if camera.enabled and self._off_told_us.pop(camera.id, None) is not None:
            self._store.commit_gap_until_now(camera.stream_id, Cause.OPERATOR)

    def _tell_switched_off(self, camera: Camera) -> None:
        """Behind its last session, once that has sealed what was open, and then from time to time."""
        if camera.enabled or not self._fleet.is_sealed(camera.id):
            return
        now_us = self._clock.read().utc_us
        told_us = self._off_told_us.get(camera.id)
        if told_us is None or abs(now_us - told_us) >= GAP_PIECE_US:
            self._store.commit_gap_until_now(camera.stream_id, Cause.OPERATOR)
            self._off_told_us[camera.id] = now_us

    def _beat(self) -> None:
        """A signed checkpoint; and the sweeper is told when the disk is under pressure."""
        if not self._begun:
            return
        self._store.checkpoint()
        if self._is_pressed():
            self._wake_sweep.call()

    def _anchor(self) -> None:
        if self._begun:
            self._anchorer.run()

    def _ask_witnesses(self) -> None:
        if self._begun:
            for witness in self._witnesses:
                witness.run()

    def _anchor_facts(self) -> AnchorFacts:
        stamped, (code, text) = bool(self._settings.proof.tsa_urls), _told(self._anchorer.problem)
        state = self._store.anchors.state()
        return AnchorFacts(
            is_configured=stamped or bool(self._witnesses),
            stamped_us=state.stamped_us,
            # What waits for an authority that is not asked any more is no problem: another vouches, or nobody does.
            wanted_us=state.wanted_us if stamped else None,
            waiting=state.waiting if stamped else 0,
            problem_code=code,
            problem_text=text,
            witnesses=[_witness_facts(one) for one in self._witnesses],
        )

    def _sm2_facts(self) -> Sm2Facts:
        public, (code, text) = self._store.sm2_public, _told(self._store.sm2.problem)
        return Sm2Facts(
            is_configured=self._settings.proof.sm,
            fingerprint=None if public is None else sm2.fingerprint(public),
            problem_code=code,
            problem_text=text,
        )

    def _key_facts(self) -> KeyFacts:
        known = self._store.keys.all()
        prints = (fingerprint(known[-1].key), fingerprint(known[0].key))
        return KeyFacts(*prints, known[-1].kind, self._store.keys.is_as_told())

    def _ask_for_stamp(self, reason: str) -> None:
        """A hold or an export: what was said then is stamped and cosigned at once, not only when it is due."""
        if self._settings.proof.tsa_urls:
            self._store.anchors.want(reason)
            self._wake_anchors.call()
        for witness in self._witnesses:
            witness.want(reason)
        self._wake_witnesses.call()

    def _hold_changed(self) -> None:
        self._ask_for_stamp("hold")
        self._wake_holds.call()

    def _keep_held(self) -> None:
        """Held media has its second names, and is read when it is due."""
        if self._begun:
            self._custody.run()

    def _hold_facts(self) -> HoldsFacts:
        """By the last turn of that duty, so that a scrape walks no rows."""
        codes: Literal["ok", "missing", "damaged"] = "ok"
        rest_us = 0
        try:
            rest_us = self._store.holds.codes.resting_us()
        except ReleaseCodesMissing:
            codes = "missing"
        except ReleaseCodesDamaged:
            codes = "damaged"
        states = self._custody.states()
        held = [
            HoldFacts(one.id, one.case, one.review_us, states[one.id].damaged if one.id in states else 0)
            for one in self._store.holds.active()
        ]
        return HoldsFacts(held, self._custody.held_bytes(), self._custody.damaged(), codes, -(-rest_us // DAY_US))

    def _export_asked(self) -> None:
        self._ask_for_stamp("export")
        self._wake_exports.call()

    def _export(self) -> None:
        if self._begun:
            self._exporter.run()

    def _sync(self) -> None:
        self._store.sync()

    def _tend_volumes(self) -> None:
        """Say where to write; have what may go discarded where that is nowhere; look after disks that are back."""
        self._store.disks.look_around()
        states = self._store.volumes()
        self._fleet.tell_volumes(self._shelves())
        if any(one.state in PRESSED and one.is_written for one in states) and self._has_rested():
            self._wake_sweep.call()
        if self._begun:
            self._store.tend()

    def _has_rested(self) -> bool:
        swept_us = self._swept_us
        return swept_us is None or self._clock.read().mono_us - swept_us >= SWEEP_REST_S * SECOND_US

    def _shelves(self) -> Shelves:
        return Shelves(tuple(self._store.disks.places()), self._store.cameras.pins())

    def _note_step(self, before: Reading, after: Reading) -> None:
        """The clock was set: the log says from when to when."""
        step = step_us(before, after)
        log.warning("the clock was set", step_s=step / 1e6)
        self._store.note(
            "clock",
            {
                "what": "step",
                "step_us": step,
                "from": format_us(after.utc_us - step),
                "to": format_us(after.utc_us),
            },
        )

    def _give_back(self) -> None:
        heap.give_back()

    def _look_around(self) -> None:
        self._survey.look(self._store.cameras.all(), self._clock.read().utc_us)
        outlook = self._survey.outlook()
        days = None if outlook is None else outlook.measured.days_to_floor
        if alarm_of(days) != self._alarm_told:
            self._alarm_told = alarm_of(days)
            if days is not None:
                log.warning("the floor would fail: see the status for what to do", in_days=round(days, 1))

    def _sweep(self) -> None:
        """Only once the record has begun: what an earlier run left must be finished before anything is judged."""
        if not self._begun:
            return
        self._swept_us = self._clock.read().mono_us
        report = self._swept = sweep(self._store, self._clock, self._retries)
        if report.broken:
            told = {"segments": report.broken, "bytes": report.broken_bytes}
            log.error("footage that had to be kept was overwritten", **told)
        if report.should:
            log.info("swept", what=report.sentence, bytes=report.bytes)

    def _scrub(self) -> None:
        """Only once the record has begun, as all that judges footage."""
        if self._begun:
            self._scrubber.run()

    def _load(self) -> Load:
        sync = self._outcomes.of("sync")
        return Load(sync.took_s, sync.failed_us is not None)

    def _sweep_period_s(self) -> float:
        return SWEEP_PRESSED_S if self._is_pressed() else SWEEP_S

    def _is_pressed(self) -> bool:
        scarce = (Condition.LOW, *PRESSED)
        return any(volume.state in scarce and volume.is_written for volume in self._store.volumes())

    # -- cameras

    def _bring_cameras_together(self) -> None:
        """The registry follows the file; and a box that never had a camera gets the demonstration camera."""
        wanted = [_file_camera(camera) for camera in self._settings.cameras]
        cameras = self._store.cameras
        for step in steps(wanted, cameras.all()):
            match step:
                case Add(camera=new):
                    cameras.add(new.id, managed_by=ManagedBy.FILE, **new.settings())
                case Change(camera_id=camera_id, settings=settings):
                    cameras.change(camera_id, ManagedBy.FILE, settings)
                case Retire(camera_id=camera_id):
                    cameras.retire(camera_id, ManagedBy.FILE)
        cameras.bring_rules_in_force()  # what the file says of each is in force by now: the rest follows the box
        if demo_is_due(cameras.all(), self._demo_asked):
            cameras.add(DEMO_ID, DEMO_NAME, DEMO_URL)

    def _has_demo(self) -> bool:
        """Whether the demonstration camera must be there for the box to record; before the record has begun, it may."""
        cameras = self._store.cameras.all()
        there = any(is_demo(camera) and camera.retired_us is None for camera in cameras)
        return there or demo_is_due(cameras, self._demo_asked)

    def _wanted(self, camera: Camera) -> WantedCamera | None:
        """What the fleet is told of a camera; None: it cannot be recorded now."""
        url = self._demo.url() if is_demo(camera) else camera.url
        if url is None:
            return None
        key = self._password_key(camera)
        return WantedCamera(
            camera.id,
            camera.stream_id,
            url,
            camera.username,
            key,
            transport=camera.transport,
            ca_file=camera.ca_file,
            audio=camera.audio,
            allow_basic=camera.allow_basic,
        )

    def _password_key(self, camera: Camera) -> str:
        """Differs when the password does. Keyed anew at each start, so that it tells nothing of it."""
        try:
            password = self._store.cameras.password_of(camera)
        except StorageError:
            return "unreadable"
        if password is None:
            return "none"
        return hashlib.blake2b(password.get_secret_value().encode(), key=self._key).hexdigest()

    def _made_fleet(self, standby: Standby | None) -> Fleet:
        settings, store = self._settings, self._store
        segment_us = round(settings.recording.segment_s * SECOND_US)
        data_dir = Path(settings.box.data_dir).absolute()
        sm = settings.proof.sm
        held = store.lock_descriptor
        terms = CaptureTerms(data_dir, store.box_id, segment_us, held, self._shelves, with_sm3=sm)
        return Fleet(
            store,
            spawner(terms, standby),
            self._clock,
            secrets=self._secret,
            processes=settings.recording.processes,
            troubled=self._wake_watch.call,
        )

    def _secret(self, camera: WantedCamera) -> Mapping[str, Any]:
        """A camera's password, or why it cannot be read; kept out of all logs from here on."""
        try:
            password = self._store.cameras.password(camera.id)
        except StorageError as err:
            return {"code": err.code, "text": str(err)}
        if password is None:
            return {"password": None}
        register_secret(password.get_secret_value())
        return {"password": password.get_secret_value()}

    # -- what the log says of the configuration

    def _tell_configuration(self) -> None:
        path = Path(self._settings.box.data_dir) / IN_FORCE
        now = json.loads(json.dumps(self._settings.canonical(), default=str))
        fields = cfg_fields(_read_json(path), now)
        if fields is not None:
            self._store.note("cfg", fields)
            files.write_atomically(path, json.dumps(now, indent=2, ensure_ascii=False).encode() + b"\n")


@contextlib.contextmanager
def _opened(settings: Settings, clock: Clock, made: Callable[[InitReport], None]) -> Iterator[Store]:
    """The store, exclusively; a missing data directory is made first."""
    try:
        store = _open(settings, clock)
    except DataDirMissing:
        key_url = settings.proof.key
        made(Store.create(Path(settings.box.data_dir), settings.box.name, clock, version(), key_url=key_url))
        store = _open(settings, clock)
    try:
        _refuse_faults(settings, store)
        yield store
    finally:
        store.close()


def _open(settings: Settings, clock: Clock) -> Store:
    return Store.open(
        Path(settings.box.data_dir),
        clock,
        time_zone=settings.box.time_zone,
        keeping=settings.retention.defaults,
        sm=settings.proof.sm,
        key_url=settings.proof.key,
        volumes=settings.wishes,
    )


def _refuse_faults(settings: Settings, store: Store) -> None:
    """Before anything is begun: a box that records other cameras than its file says would be worse than none.

    Raises:
        ConfigInvalid: with every fault.
    """
    found = faults([_file_camera(camera) for camera in settings.cameras], store.cameras.all())
    if found:
        raise ConfigInvalid(found)


def _made_witnesses(proof: ProofSettings, store: Store, clock: Clock) -> list[Witness]:
    return [
        Witness(store, clock, one.url, parse_verifier_key(one.key, COSIGNATURE), proof.witness_minutes)
        for one in proof.witnesses
    ]


def _told(problem: CustosError | None) -> tuple[str | None, str]:
    """Code and sentence of what went wrong last; neither, where nothing did."""
    return (None, "") if problem is None else (problem.code, str(problem))


def _witness_facts(witness: Witness) -> WitnessFacts:
    state, problem = witness.state(), witness.problem
    code, text = _told(problem)
    return WitnessFacts(
        name=witness.key.name,
        cosigned_us=state.stamped_us,
        cosigned_size=state.size,
        wanted_us=state.wanted_us,
        problem_code=code,
        problem_text=text,
        seen_size=problem.size if isinstance(problem, WitnessContradicts) else None,
    )


def _file_camera(camera: CameraSettings) -> FileCamera:
    return FileCamera(
        id=camera.id,
        name=camera.name,
        url=camera.url,
        username=camera.username,
        password_file=None if camera.password_file is None else str(camera.password_file),
        enabled=camera.enabled,
        transport=camera.transport,
        ca_file=None if camera.ca_file is None else str(camera.ca_file),
        audio=camera.audio,
        allow_basic=camera.allow_basic,
        wish=camera.wish,
        volume=camera.volume,
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    """What was told last; nothing, when that cannot be read: then it is told again."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _reported(what: str) -> Iterator[None]:
    """A fault of disk or token that must not keep the box from answering: it is logged, and seen in the status."""
    try:
        yield
    except (StorageError, KeyUnavailable) as err:
        log.warning(what, code=err.code, why=str(err))
