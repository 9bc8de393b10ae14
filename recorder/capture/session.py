"""One camera, for as long as it is wanted: connect, read, store, back off, again. A machine that is stepped.

`step` is called on a tick by whoever runs many cameras (`worker`), and never waits: what may block is handed out as
jobs. Connecting is one kind of job, storing another; a session has at most one under way. While one stores, reading
goes on into a bounded queue, so a slow disk never makes the camera's connection stall, and a silent camera never keeps
the record waiting. Whatever fails, the session goes on; what was not recorded meanwhile becomes a gap with the cause
of the failure::

    WAITING -> CONNECTING -> RECEIVING -> SEALING -> LETTING_GO -> WAITING … STOPPED
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Any

import structlog

from config.clock import Clock, Reading
from config.errors import CustosError
from config.times import SECOND_US
from recorder.capture.drift import Drift
from recorder.capture.intake import Overflow, PacketQueue, Tap
from recorder.capture.recording import Recording, StreamBook
from recorder.capture.segmenter import AudioState
from recorder.capture.source import STREAM_PERIOD_US, Packet, Source, SourceFactory, Track, WantedCamera
from recorder.causes import Cause
from recorder.errors import (
    SourceEnded,
    SourceError,
    SourceInvalid,
    SourceRefusedUs,
    SourceSilent,
    SourceStalled,
    SourceWithoutKey,
    StorageError,
)
from recorder.store.records import Head

MEDIA_DEADLINE_US = 10 * SECOND_US
"""So long without a frame is `stalled` (or, before the first one, `no_media`), whatever the socket says."""

KEY_DEADLINE_US = 60 * SECOND_US
"""So long without a picture that decoding can begin with, and the session is begun anew: that mostly brings one."""

BACK_OFF_FIRST_S = 1.0
BACK_OFF_MOST_S = 30.0
"""Back-off doubles between these: longer waits would make gaps of their own, shorter ones harry a sick camera."""

BACK_OFF_JITTER = 0.2
"""Cameras that fell together do not come back together."""

GAP_PIECE_US = 600 * SECOND_US
"""A long outage is written down in pieces, so that the record never says nothing for longer than this."""

STORE_PERIOD_US = 500_000
"""How long pictures gather before a job stores them: a power cut costs at most this more. All cameras are stored
together: a thread that wakes up for a few has forgotten what it did (its caches are cold)."""

_DATAGRAMS = ("udp", "multicast")

BITRATE_WINDOW_US = 10 * SECOND_US

CLOCK_TOLERANCE_US = 2 * SECOND_US
"""The record may end this little in the future by rounding; more means that the clock was set back."""

log = structlog.get_logger("capture")

Run = Callable[[Callable[[], None]], "Future[None]"]
"""Does a job that may block, elsewhere."""


class SessionState(StrEnum):
    """What a camera's session is doing, as people are told."""

    CONNECTING = "connecting"
    RECORDING = "recording"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"


class _Phase(Enum):
    WAITING = auto()
    CONNECTING = auto()
    RECEIVING = auto()
    SEALING = auto()
    LETTING_GO = auto()
    STOPPED = auto()


@dataclass(frozen=True)
class SessionStatus:
    """One camera, as of now; counters run since the session was made."""

    camera_id: str
    state: SessionState
    since_us: int
    last_media_us: int | None = None
    bitrate_bps: int = 0
    frames: int = 0
    bytes: int = 0
    reconnects: int = 0
    problem_code: str | None = None
    problem_text: str | None = None
    cause: Cause | None = None
    """Of the gap that is going on; None while recording."""
    tracks_left_out: tuple[str, ...] = ()
    nudged: int = 0
    invented: int = 0
    dropped_before_key: int = 0
    dropped_overload: int = 0
    lost_packets: int | None = None
    """On the way to us; None: the source cannot tell."""
    clock_offset_us: int | None = None
    """How far the camera's clock is ahead of ours; None: it did not tell."""
    clock_drift_ppb: int | None = None
    """How fast that grows, in parts of a thousand million; None: not watched for long enough."""
    stamps_stand_still: bool = False
    """Its time stamps tell nothing: the record goes by the time of arrival."""
    key_interval_s: float | None = None
    """Between the last two key pictures."""
    audio: AudioState = AudioState.NONE
    """How it stands with its sound."""
    password_in_clear: bool = False
    """Whether the password last went over the network readable."""


class Session:
    """Records one camera until told to stop. `step`, `stop` and what reads the tap belong to one thread."""

    def __init__(
        self,
        camera: WantedCamera,
        book: StreamBook,
        factory: SourceFactory,
        clock: Clock,
        *,
        segment_us: int,
        connect: Run,
        store: Run,
        cause: Cause = Cause.NO_MEDIA,
        detail: str = "",
        jitter: Callable[[], float] = random.random,
        described: Callable[[str, bytes], None] = lambda camera_id, description: None,
    ) -> None:
        """What it works with.

        Args:
            camera: which.
            book: where its record stands.
            factory: makes a connection with it.
            clock: time.
            segment_us: how long a segment is.
            connect: does jobs that may block on the camera.
            store: does jobs that may block on the disk.
            cause: of the gap up to the first frame, with `detail`.
            detail: more of it.
            jitter: a number from 0 to 1, for each back-off.
            described: told what the camera says of itself (SDP) whenever it connects.
        """
        self._described = described
        self.camera = camera
        self.is_hasty = camera.transport in _DATAGRAMS
        """Whether it must be stepped every `READ_TICK_S`; others are content with every `STREAM_PERIOD_US`."""
        self.tap = Tap()
        self.track: Track | None = None
        """What the camera said it sends, in the session that is on or was last."""
        self._book = book
        self._factory = factory
        self._clock = clock
        self._segment_us = segment_us
        self._run_connect, self._run_store = connect, store
        self._jitter = jitter
        self._cause, self._detail = cause, detail
        self._phase = _Phase.WAITING
        self._job: Future[None] | None = None
        self._due_us = clock.read().mono_us
        self._stop: tuple[Cause, str] | None = None
        self._has_left = False
        """Whether an outage that a stop met was written down, or its writing failed."""
        self._lock = threading.Lock()
        self._status = SessionStatus(camera.id, SessionState.CONNECTING, clock.read().utc_us)
        self._stored_facts: dict[str, Any] = {}
        """What the status has besides, as of what was stored last: a status is made when somebody asks for it."""
        self._recent: deque[tuple[int, int]] = deque()
        self._back_off_s = BACK_OFF_FIRST_S
        self._is_deserted = False
        self._begin_attempt()

    def _begin_attempt(self) -> None:
        self._source: Source | None = None
        self._recording: Recording | None = None
        self._queue = PacketQueue()
        self._over: CustosError | None = None
        self._drift = Drift()
        self._last_us = self._last_key_us = 0
        self._looked = self._stored = 0
        self._pictures = 0
        self._has_opened = False

    # -- from outside

    @property
    def is_stopped(self) -> bool:
        """Whether it has ended for good."""
        return self._phase is _Phase.STOPPED

    def stop(self, cause: Cause, detail: str = "") -> None:
        """Ask it to seal what is open and end; `is_stopped` tells when it has."""
        self._stop = self._stop or (cause, detail)
        source = self._source
        if source is not None and self._phase is _Phase.CONNECTING:
            source.close()

    def status(self) -> SessionStatus:
        """As of now; from any thread."""
        with self._lock:
            return replace(self._status, **self._stored_facts, bitrate_bps=self._bitrate())

    def step(self, now: Reading) -> None:
        """Do what can be done without waiting."""
        try:
            self._advance(now)
        except Exception as err:  # top of a supervised task: reported, and the camera is tried again
            log.exception("session failed", camera=self.camera.id)
            self._over = self._over or _fault(err)

    # -- one step

    def _advance(self, now: Reading) -> None:
        if self._phase is _Phase.RECEIVING:
            self._look(now)  # goes on while a job stores
        if self._phase is _Phase.CONNECTING and self._stop is not None and self._desert():
            return
        if self._job is not None:
            if not self._job.done():
                return
            job, self._job = self._job, None
            self._job_done(self._error_of(job), now)
        elif self._phase is _Phase.WAITING:
            if self._stop is not None:
                self._seal(self._leave)
            elif now.mono_us >= self._due_us:
                self._connect()
        elif self._phase is _Phase.RECEIVING:
            self._store_if_due(now)
        elif self._phase is not _Phase.STOPPED:
            self._job_done(self._over, now)  # a fault of our own came between a job and what follows it

    def _desert(self) -> bool:
        """Told to stop while it connects, which may take many seconds more: leave that to the thread that does it."""
        with self._lock:
            if self._source is None or self._job is None or self._has_opened:
                return False
            self._is_deserted, self._source = True, None
        self._seal(self._leave)
        return True

    def _job_done(self, error: CustosError | None, now: Reading) -> None:
        """What follows a job, by the phase it belonged to."""
        if self._phase is _Phase.CONNECTING:
            self._connected(error, now)
        elif self._phase is _Phase.RECEIVING:
            if error is not None:
                self._over = error  # storing failed: what is still queued would fail the same way
                self._seal(self._close)
            else:
                self._store_if_due(now)
        elif self._phase is _Phase.SEALING:
            if error is not None:
                self._went_wrong(error)
            self._let_go()
        elif self._phase is _Phase.LETTING_GO:
            self._rest(now)

    def _error_of(self, job: Future[None]) -> CustosError | None:
        err = job.exception()
        if err is None or isinstance(err, CustosError):
            return err
        log.error("session failed", camera=self.camera.id, exc_info=err)
        return _fault(err)

    def _connect(self) -> None:
        self._begin_attempt()
        self._set(state=SessionState.CONNECTING)
        self._phase = _Phase.CONNECTING
        self._job = self._run_connect(self._open)

    def _connected(self, error: CustosError | None, now: Reading) -> None:
        if error is not None or self._recording is None or self.track is None:
            self._over = error
            if isinstance(error, SourceRefusedUs):
                self._set(password_in_clear=error.password_in_clear)
            self._seal(self._close)
            return
        self._recording.begin(self.track)
        self._last_us = self._last_key_us = now.mono_us
        self._set(tracks_left_out=self.track.left_out, password_in_clear=self.track.password_in_clear)
        self._described(self.camera.id, self.track.description)
        self._phase = _Phase.RECEIVING
        self._receive(now)  # some pictures came before the answer to PLAY

    def _look(self, now: Reading) -> None:
        """Receive when it is time: all that can wait are looked at in the same step."""
        turn = now.mono_us // STREAM_PERIOD_US
        if turn != self._looked or self.is_hasty or self._stop is not None:
            self._looked = turn
            self._receive(now)

    def _receive(self, now: Reading) -> None:
        """Take what has come; note when nothing more will."""
        if self._over is not None or self._source is None:
            return
        try:
            packets = self._source.take()
        except CustosError as err:
            self._over = err
            return
        if packets:
            self._came(packets, now)
        if self._stop is not None:
            self._over = SourceEnded()
        elif now.mono_us - self._last_us > MEDIA_DEADLINE_US:
            self._over = SourceStalled() if self._pictures else SourceSilent()
        elif now.mono_us - self._last_key_us > KEY_DEADLINE_US and not self._is_run_on():
            self._over = SourceWithoutKey()

    def _is_run_on(self) -> bool:
        """Whether pictures are stored: what ends a run ends it until the next key picture, which may never come."""
        return self._recording is not None and self._recording.is_on

    def _came(self, packets: Sequence[Packet], now: Reading) -> None:
        self._last_us = now.mono_us
        self._pictures += len(packets)
        for packet in packets:
            if packet.is_key:
                self._saw_key(now)
        self.tap.take(packets)
        self._queue.put(packets)

    def _saw_key(self, now: Reading) -> None:
        if self.tap.key() is not None:
            self._set(key_interval_s=round((now.mono_us - self._last_key_us) / SECOND_US, 2))
        self._last_key_us = now.mono_us

    def _store_if_due(self, now: Reading) -> None:
        turn = now.mono_us // STORE_PERIOD_US
        if len(self._queue) and (self._over is not None or turn != self._stored):
            self._stored = turn
            self._job = self._run_store(self._store)
        elif self._over is not None:
            self._seal(self._close)

    def _seal(self, how: Callable[[], None]) -> None:
        self.tap.clear()
        self._phase = _Phase.SEALING
        self._job = self._run_store(how)

    def _let_go(self) -> None:
        self._phase = _Phase.LETTING_GO
        source = self._source
        self._job = self._run_store(source.release if source is not None else _nothing)

    def _rest(self, now: Reading) -> None:
        """Back off, or end."""
        self._source = None
        if self._stop is not None:
            if not self._has_left and (self._cause, self._detail) != self._stop:
                self._seal(self._leave)  # the stop came behind the attempt that failed
                return
            self._phase = _Phase.STOPPED
            self._set(state=SessionState.STOPPED)
            return
        wait_s = self._over.wait_s if isinstance(self._over, SourceError) else 0.0
        seconds = max(self._back_off_s, wait_s) * (1 + BACK_OFF_JITTER * self._jitter())
        self._back_off_s = min(self._back_off_s * 2, BACK_OFF_MOST_S)
        self._due_us = now.mono_us + round(seconds * SECOND_US)
        self._phase = _Phase.WAITING
        with self._lock:
            self._status = replace(self._status, reconnects=self._status.reconnects + 1)
        self._set(state=SessionState.BACKING_OFF)

    # -- jobs: these may block

    def _open(self) -> None:
        """Finish what a failed attempt left, then connect."""
        recording = Recording(self._book, self.camera.stream_id, self._segment_us, self._cause, self._detail)
        self._mind_the_clock(recording)
        self._mind_long_outage(recording)
        self._recording = recording
        source = self._factory(self.camera)
        with self._lock:
            self._source = source
        if self._stop is not None:
            raise SourceEnded
        try:
            self.track = source.open()
        finally:
            with self._lock:
                self._has_opened, is_deserted = True, self._is_deserted
            if is_deserted:
                source.release()

    def _store(self) -> None:
        """Store what has been queued."""
        recording = self._recording
        assert recording is not None
        last: Packet | None = None
        lost = count = size = 0
        while entries := self._queue.get():
            for entry in entries:
                if isinstance(entry, Overflow):
                    self._end(recording, Cause.OVERLOAD, "")
                    continue
                recording.feed(entry)
                last, count, size = entry, count + 1, size + len(entry.data)
                lost += entry.lost_packets or 0
        if last is not None:
            self._note_stored(recording, last, count, size, lost)

    def _close(self) -> None:
        """Seal what is open, under the cause for which nothing follows."""
        recording, over = self._recording, self._over
        if over is not None and self._stop is None:
            self._went_wrong(over)
        if recording is None:
            if isinstance(over, StorageError):
                self._gap_is(over.cause, str(over))
            if self._stop is not None:
                self._leave()
            return
        try:
            if over is not None and not isinstance(over, SourceError):  # writing down failed, and would again
                self._gap_is(over.cause if isinstance(over, StorageError) else Cause.STORAGE_ERROR, str(over))
                if self._stop is not None:
                    self._leave()
            elif self._stop is not None:
                self._end(recording, *self._stop)
            elif isinstance(over, SourceError):
                self._end(recording, over.cause, str(over))
        finally:
            recording.abandon()

    def _leave(self) -> None:
        """Stopped in the middle of an outage: write down what it was, before it passes for the box being down."""
        if (self._cause, self._detail) != self._stop and not self._has_left:
            self._has_left = True
            self._write_gap(self._cause, self._detail)

    # -- the record

    def _end(self, recording: Recording, cause: Cause, detail: str) -> None:
        """Seal what is open; what could not be recorded from there on has this cause, even where sealing fails."""
        before = (recording.cause, recording.detail)
        self._gap_is(cause, detail)
        recording.stop(cause, detail)
        if (recording.cause, recording.detail) == before and before != (cause, detail):
            # No run was on: the gap that is going on changes its cause now, so its first part is written down.
            recording.go_on(self._write_gap(*before), cause, detail)

    def _mind_the_clock(self, recording: Recording) -> None:
        """A record that ends in the future means that the clock was set back while nobody looked."""
        now_us = self._clock.read().utc_us
        if recording.head.t1_us > now_us + CLOCK_TOLERANCE_US:
            detail = "the clock of the box stands earlier than its record"
            recording.head = self._book.commit_gap(self.camera.stream_id, now_us, Cause.CLOCK_STEP, detail)

    def _mind_long_outage(self, recording: Recording) -> None:
        """A long outage is written down meanwhile."""
        now_us = self._clock.read().utc_us
        if now_us - recording.head.t1_us > GAP_PIECE_US:
            recording.head = self._book.commit_gap(self.camera.stream_id, now_us, self._cause, self._detail)

    def _gap_is(self, cause: Cause, detail: str) -> None:
        self._cause, self._detail = cause, detail
        self._set(cause=cause)

    def _write_gap(self, cause: Cause, detail: str) -> Head:
        """Write down the gap so far; one that the clock turned back is left to the next attempt."""
        head = self._book.resume(self.camera.stream_id)
        now_us = self._clock.read().utc_us
        if now_us > head.t1_us:
            return self._book.commit_gap(self.camera.stream_id, now_us, cause, detail)
        return head

    # -- the status

    def _went_wrong(self, err: CustosError) -> None:
        log.warning("camera is not recorded", camera=self.camera.id, code=err.code, reason=str(err))
        self._set(problem_code=err.code, problem_text=str(err))

    def _note_stored(self, recording: Recording, last: Packet, count: int, size: int, lost: int) -> None:
        segmenter = recording.segmenter
        assert segmenter is not None
        counts = segmenter.counts
        self._drift.take(last.arrived.mono_us, last.clock_offset_us)
        recording.clock_drift_ppb = self._drift.ppb
        with self._lock:
            self._note_state(last.arrived.utc_us, recording)
            stored = self._stored_facts
            if last.lost_packets is not None:
                stored["lost_packets"] = (stored.get("lost_packets") or 0) + lost
            stored.update(
                last_media_us=last.arrived.utc_us,
                frames=stored.get("frames", 0) + count,
                bytes=stored.get("bytes", 0) + size,
                nudged=counts.nudged,
                invented=counts.invented,
                dropped_before_key=counts.dropped_before_key,
                dropped_overload=self._queue.dropped,
                clock_offset_us=last.clock_offset_us,
                clock_drift_ppb=self._drift.ppb,
                stamps_stand_still=last.stamps_stand_still,
                audio=segmenter.audio_state,
            )
            self._recent.append((last.arrived.mono_us, size))
            self._forget_old(last.arrived.mono_us)

    def _note_state(self, now_us: int, recording: Recording) -> None:
        """Whether it records, as of what was stored last; mostly that has not changed."""
        status, is_recording = self._status, recording.is_on
        was_recording = status.state is SessionState.RECORDING
        if is_recording:
            self._back_off_s = BACK_OFF_FIRST_S
        if is_recording and not (was_recording and status.problem_code is None and status.cause is None):
            since_us = status.since_us if was_recording else now_us
            well = {"problem_code": None, "problem_text": None, "cause": None}
            self._status = replace(status, state=SessionState.RECORDING, since_us=since_us, **well)  # type: ignore[arg-type]
        elif was_recording and not is_recording:  # a run has ended, and waits for a key picture
            self._status = replace(status, state=SessionState.CONNECTING, since_us=now_us, cause=recording.cause)

    def _forget_old(self, now_us: int) -> None:
        while self._recent and self._recent[0][0] < now_us - BITRATE_WINDOW_US:
            self._recent.popleft()

    def _bitrate(self) -> int:
        self._forget_old(self._clock.read().mono_us)
        return sum(size for _, size in self._recent) * 8 * SECOND_US // BITRATE_WINDOW_US

    def _set(self, **changes: object) -> None:
        with self._lock:
            state = changes.get("state", self._status.state)
            if state is not self._status.state:
                changes["since_us"] = self._clock.read().utc_us
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]  # named fields of the status


def _fault(err: BaseException) -> SourceInvalid:
    return SourceInvalid(f"Recording met an error of the program itself ({type(err).__name__}).")


def _nothing() -> None:
    """There was no connection to let go of."""
