"""One camera, for as long as it is wanted: open, pump, back off, report, again.

Two threads: one reads from the camera into a bounded queue, one stores what is in it. So a slow disk never makes the
camera's connection stall, and a silent camera never keeps the record waiting. Whatever fails, the loop goes on; what
was not recorded meanwhile becomes a gap with the cause of the failure.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from config.clock import Clock
from config.errors import CustosError
from config.times import SECOND_US
from recorder.capture.recording import Recording, StreamBook
from recorder.capture.source import Packet, Source, SourceFactory, Track, WantedCamera
from recorder.causes import Cause
from recorder.errors import (
    SourceEnded,
    SourceError,
    SourceInvalid,
    SourceSilent,
    SourceStalled,
    StorageError,
    StoreError,
)

MEDIA_DEADLINE_US = 10 * SECOND_US
"""So long without a frame is `stalled` (or, before the first one, `no_media`), whatever the socket says."""

BACK_OFF_FIRST_S = 1.0
BACK_OFF_MOST_S = 30.0
"""Back-off doubles between these: longer waits would make gaps of their own, shorter ones harry a sick camera."""

BACK_OFF_JITTER = 0.2
"""Cameras that fell together do not come back together."""

GAP_PIECE_US = 600 * SECOND_US
"""A long outage is written down in pieces, so that the record never says nothing for longer than this."""

QUEUE_LIMIT_PACKETS = 1500
QUEUE_LIMIT_BYTES = 64 * 1024 * 1024
"""About a minute of an ordinary camera: a disk that is slower for longer is an overload, and is called so."""

POLL_S = 0.25
"""How often a thread that waits for packets looks whether it should stop, or the deadline has passed."""

BITRATE_WINDOW_US = 10 * SECOND_US

CLOCK_TOLERANCE_US = 2 * SECOND_US
"""The record may end this little in the future by rounding; more means that the clock was set back."""

log = structlog.get_logger("capture")


class SessionState(StrEnum):
    """What a camera's session is doing."""

    CONNECTING = "connecting"
    RECORDING = "recording"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"


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
    stamps_stand_still: bool = False
    """Its time stamps tell nothing: the record goes by the time of arrival."""


class Overflow:
    """Stands in the queue where packets were dropped: what comes behind it does not follow what came before."""


class PacketQueue:
    """Between the reading and the storing thread: bounded by count and bytes, ends with an error or none."""

    def __init__(self) -> None:
        self._packets: deque[Packet | Track | Overflow] = deque()
        self._bytes = 0
        self._condition = threading.Condition()
        self._error: CustosError | None = None
        self._dropping = False
        self.dropped = 0

    def put(self, packet: Packet | Track) -> None:
        """Add a packet, or before all packets what the camera says it sends.

        Where there is no room a packet is dropped, and so is all until the next key frame that finds half of the
        room free: half a group of pictures cannot be decoded.
        """
        with self._condition:
            if isinstance(packet, Packet) and not self._takes(packet):
                if not self._dropping:
                    self._packets.append(Overflow())
                self._dropping = True
                self.dropped += 1
                return
            self._dropping = False
            self._packets.append(packet)
            self._bytes += len(packet.data) if isinstance(packet, Packet) else 0
            self._condition.notify()

    def _takes(self, packet: Packet) -> bool:
        share = 2 if self._dropping else 1
        room = (
            len(self._packets) < QUEUE_LIMIT_PACKETS // share
            and self._bytes + len(packet.data) <= QUEUE_LIMIT_BYTES // share
        )
        return room and (packet.is_key or not self._dropping)

    def fail(self, error: CustosError) -> None:
        """Nothing more will come: this is why."""
        with self._condition:
            self._error = self._error or error
            self._condition.notify()

    def get(self, timeout_s: float) -> Packet | Track | Overflow | None:
        """The next packet, or None after the timeout.

        Raises:
            CustosError: what `fail` was told, once all packets before it were taken.
        """
        with self._condition:
            if not self._packets and self._error is None:
                self._condition.wait(timeout_s)
            if self._packets:
                packet = self._packets.popleft()
                self._bytes -= len(packet.data) if isinstance(packet, Packet) else 0
                return packet
            if self._error is not None:
                raise self._error
            return None


class Session:
    """Records one camera until told to stop."""

    def __init__(
        self,
        camera: WantedCamera,
        book: StreamBook,
        factory: SourceFactory,
        clock: Clock,
        *,
        segment_us: int,
        connects: threading.Semaphore,
        cause: Cause = Cause.NO_MEDIA,
        detail: str = "",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`connects` bounds how many cameras connect at once; `cause` is that of the gap up to the first frame."""
        self.camera = camera
        self._book = book
        self._factory = factory
        self._clock = clock
        self._segment_us = segment_us
        self._connects = connects
        self._jitter = jitter
        self._cause, self._detail = cause, detail
        self._stop = threading.Event()
        self._source: Source | None = None
        self._lock = threading.Lock()
        self._status = SessionStatus(camera.id, SessionState.CONNECTING, clock.read().utc_us)
        self._recent: deque[tuple[int, int]] = deque()
        self._back_off_s = BACK_OFF_FIRST_S
        self._wait_s = 0.0
        self._cause_at_stop = (Cause.BOX_DOWN, "")
        self._thread = threading.Thread(target=self.run, name=f"record-{camera.id}", daemon=True)

    # -- from outside, any thread

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self, cause: Cause, detail: str = "") -> None:
        """Ask it to seal what is open and end; `join` waits for that."""
        self._cause_at_stop = (cause, detail)
        self._stop.set()
        source = self._source
        if source is not None:
            source.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; false when it takes longer."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> SessionStatus:
        """As of now."""
        with self._lock:
            return replace(self._status, bitrate_bps=self._bitrate())

    # -- the storing thread

    def run(self) -> None:
        """Until stopped: one attempt after the other."""
        while not self._stop.is_set():
            try:
                self.attempt()
            except CustosError as err:
                self._wait_s = err.wait_s if isinstance(err, SourceError) else 0.0
                self._went_wrong(err.code, str(err))
            except Exception as err:  # top of a supervised thread: reported, and the camera is tried again
                log.exception("session failed", camera=self.camera.id)
                self._went_wrong("bug", f"Recording met an error of the program itself ({type(err).__name__}).")
            if not self._stop.is_set():
                self._wait()
        self._leave()
        self._set(state=SessionState.STOPPED)

    def attempt(self) -> None:
        """One session with the camera, to its end.

        Raises:
            CustosError: why it ended, unless it was told to.
        """
        self._set(state=SessionState.CONNECTING)
        recording = Recording(self._book, self.camera.stream_id, self._segment_us, self._cause, self._detail)
        self._mind_the_clock(recording)
        source, queue = self._factory(self.camera), PacketQueue()
        self._source = source
        reader = threading.Thread(
            target=_read, args=(source, queue, self._connects), name=f"read-{self.camera.id}", daemon=True
        )
        reader.start()
        try:
            self._pump(recording, queue)
        except SourceError as err:
            self._end(recording, err.cause, str(err))
            raise
        except StoreError as err:
            self._gap_is(err.cause if isinstance(err, StorageError) else Cause.STORAGE_ERROR, str(err))
            raise
        finally:
            source.close()
            recording.abandon()
            self._source = None

    def _pump(self, recording: Recording, queue: PacketQueue) -> None:
        last_us = self._clock.read().mono_us
        begun = False
        while not self._stop.is_set():
            packet = queue.get(POLL_S)
            now = self._clock.read()
            if packet is None:
                # Connecting has its own time-outs; the deadline is about media.
                if begun and now.mono_us - last_us > MEDIA_DEADLINE_US:
                    raise SourceStalled if recording.frames else SourceSilent
                continue
            if isinstance(packet, Overflow):
                self._end(recording, Cause.OVERLOAD, "")
                continue
            if isinstance(packet, Track):
                recording.begin(packet)
                begun, last_us = True, now.mono_us
                self._set(tracks_left_out=packet.left_out)
                continue
            last_us = now.mono_us
            recording.feed(packet)
            self._saw(recording, packet, queue)
        self._end(recording, *self._cause_at_stop)

    def _end(self, recording: Recording, cause: Cause, detail: str) -> None:
        """Seal what is open; what could not be recorded from there on has this cause."""
        before = (recording.cause, recording.detail)
        recording.stop(cause, detail)
        if (recording.cause, recording.detail) == before and before != (cause, detail):
            # No run was on: the gap that is going on changes its cause now, so its first part is written down.
            self._write_gap(recording.cause, recording.detail)
        self._gap_is(cause, detail)

    def _mind_the_clock(self, recording: Recording) -> None:
        """A record that ends in the future means that the clock was set back while nobody looked."""
        now_us = self._clock.read().utc_us
        if recording.head.t1_us > now_us + CLOCK_TOLERANCE_US:
            detail = "the clock of the box stands earlier than its record"
            recording.head = self._book.commit_gap(self.camera.stream_id, now_us, Cause.CLOCK_STEP, detail)

    def _gap_is(self, cause: Cause, detail: str) -> None:
        self._cause, self._detail = cause, detail
        self._set(cause=cause)

    def _write_gap(self, cause: Cause, detail: str) -> None:
        """Write down the gap so far; one that the clock turned back is left to the next attempt."""
        head = self._book.resume(self.camera.stream_id)
        now_us = self._clock.read().utc_us
        if now_us > head.t1_us:
            self._book.commit_gap(self.camera.stream_id, now_us, cause, detail)

    def _wait(self) -> None:
        """Back off; a long outage is written down meanwhile."""
        self._set(state=SessionState.BACKING_OFF)
        seconds = max(self._back_off_s, self._wait_s) * (1 + BACK_OFF_JITTER * self._jitter())
        self._back_off_s = min(self._back_off_s * 2, BACK_OFF_MOST_S)
        self._clock.wait(self._stop, seconds)
        with self._lock:
            self._status = replace(self._status, reconnects=self._status.reconnects + 1)
        try:
            head = self._book.resume(self.camera.stream_id)
            if self._clock.read().utc_us - head.t1_us > GAP_PIECE_US:
                self._write_gap(self._cause, self._detail)
        except CustosError as err:
            self._went_wrong(err.code, str(err))

    def _leave(self) -> None:
        """Stopped in the middle of an outage: write down what it was, before it passes for the box being down."""
        if (self._cause, self._detail) == self._cause_at_stop:
            return
        try:
            self._write_gap(self._cause, self._detail)
        except CustosError as err:
            self._went_wrong(err.code, str(err))

    def _went_wrong(self, code: str, text: str) -> None:
        log.warning("camera is not recorded", camera=self.camera.id, code=code, reason=text)
        self._set(problem_code=code, problem_text=text)

    def _saw(self, recording: Recording, packet: Packet, queue: PacketQueue) -> None:
        counts = recording.segmenter.counts if recording.segmenter else None
        with self._lock:
            first = self._status.state is not SessionState.RECORDING
            if counts is not None and recording.segmenter is not None and recording.segmenter.recording:
                self._back_off_s = BACK_OFF_FIRST_S
                self._status = replace(
                    self._status,
                    state=SessionState.RECORDING,
                    since_us=packet.arrived.utc_us if first else self._status.since_us,
                    problem_code=None,
                    problem_text=None,
                    cause=None,
                    nudged=counts.nudged,
                    invented=counts.invented,
                    dropped_before_key=counts.dropped_before_key,
                )
            self._status = replace(
                self._status,
                last_media_us=packet.arrived.utc_us,
                frames=self._status.frames + 1,
                bytes=self._status.bytes + len(packet.data),
                dropped_overload=queue.dropped,
                clock_offset_us=packet.clock_offset_us,
                stamps_stand_still=packet.stamps_stand_still,
            )
            if packet.lost_packets is not None:
                lost = (self._status.lost_packets or 0) + packet.lost_packets
                self._status = replace(self._status, lost_packets=lost)
            self._recent.append((packet.arrived.mono_us, len(packet.data)))
            self._forget_old(packet.arrived.mono_us)

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


def _read(source: Source, queue: PacketQueue, connects: threading.Semaphore) -> None:
    """The reading thread: everything that may block on the camera happens here."""
    try:
        with connects:
            queue.put(source.open())
        for packet in source.packets():
            queue.put(packet)
        queue.fail(SourceEnded())
    except CustosError as err:
        queue.fail(err)
    except Exception as err:  # top of a supervised thread: reported to the storing one, which tries again
        log.exception("reading failed")
        queue.fail(SourceInvalid(f"Reading met an error of the program itself ({type(err).__name__})."))
    finally:
        source.release()
