"""The segmenter: packets in; begin, write, cut and end out. Pure: an event-in, command-out machine.

It decides what belongs to which run and segment; who carries the commands out need not decide anything.

- Nothing is stored before the first key frame; then every frame is, once, in order.
- The first second of a run is held back to settle when it started (`timeline`); one packet is always held back,
  so that each one's duration is known when it is written.
- A segment ends at the first key frame past `segment_s`; at twice that with any frame, for cameras that send no key
  frames. Decode times run on through all segments of a run, from 0.
- Other parameter sets at a key frame end the run and begin a new one at that very instant: nothing lies between.
- Sound rides with the pictures, and decides nothing that would cost one: it is stored in a run that began while it was
  heard. Where it has begun or fallen silent since, the next segment that is due begins a new run at that very instant:
  a file describes its tracks once, and a described track without sound keeps browsers from showing pictures (ADR 10).
- A jump of the camera's time stamps ends the run; so does a step of our own clock, seen in the packets' readings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from config.clock import STEP_LIMIT_US, Reading, step_us
from config.times import SECOND_US
from recorder.capture.audioline import AudioLine
from recorder.capture.nal import parameter_sets, renewed_sets, with_sets
from recorder.capture.source import AudioFrame, AudioTrack, Packet, Track
from recorder.capture.timeline import TICKS_PER_S, Timeline, ticks_to_us
from recorder.causes import Cause
from recorder.store.records import CodecName

SETTLE_US = SECOND_US
"""How long the start of a run is watched before it is fixed: pre-roll arrives in a burst, well within a second."""

SETTLE_LIMIT_PACKETS = 3000
SETTLE_LIMIT_BYTES = 32 * 1024 * 1024
"""What is held back meanwhile has a bound: reached early, the start is fixed early."""

AUDIO_WAIT_US = 3 * SECOND_US
"""How long sound that was announced is waited for, once a session: the pictures wait in memory meanwhile."""

AUDIO_ABSENT_US = 3 * SECOND_US // 2
"""So long without any, sound has fallen silent. Opus that saves what nobody says sends something every 0.4 s."""

JUMP_AHEAD_TICKS = 10 * TICKS_PER_S
JUMP_BACK_TICKS = TICKS_PER_S
"""Time stamps beyond these are no jitter: a loop, a camera's own clock step, or 2^33 having wrapped."""

REPLAY_SHIFT_US = SECOND_US // 2
"""A run may begin with a key picture from so long before the record's end, and is then told later by that: else all
up to the next key picture would be lost. More than this is footage that the record has already."""

AHEAD_LIMIT_US = 2 * SECOND_US
"""The record may end this little after what has just come, by rounding; more means that the clock was set back."""

EARLY_CUT_US = SECOND_US // 2
"""How long a segment must have been received before one that cannot be right is cut at a key picture."""

USUAL_LIMIT_TICKS = TICKS_PER_S
"""A longer step between two pictures is a pause: it is no measure for a picture whose duration nobody tells."""

FIRST_DURATION_TICKS = TICKS_PER_S // 25
"""Assumed for a run's only frame; every other one has a neighbour to measure by."""


@dataclass(frozen=True)
class StartRun:
    """Begin a run: `sample` is a key picture with its parameter sets, enough to know the stream by."""

    t0_us: int
    codec: CodecName
    sample: bytes
    audio: AudioTrack | None = None
    """Sound that is stored beside the pictures."""


@dataclass(frozen=True)
class OpenSegment:
    """Begin a segment of the current run."""

    t0_us: int


class WritePacket(NamedTuple):
    """Store one frame; times in ticks since the start of the run."""

    data: bytes
    dts: int
    pts: int
    duration: int
    is_key: bool
    lost_packets: int | None = None
    """Missing on the way before or in it; None: nobody knows."""
    clock_offset_us: int | None = None
    """The camera's clock against ours; None: nobody knows."""
    unit_starts: tuple[int, ...] | None = None
    """As in `Packet`."""


@dataclass(frozen=True)
class WriteAudio:
    """Store one frame of sound; times in samples since the start of the run."""

    data: bytes
    at: int
    samples: int


@dataclass(frozen=True)
class CutSegment:
    """Seal the open segment: the next one starts where it ends."""

    t1_us: int
    audio_lost: int | None = None
    """Sound that is missing in it: lost on the way, or dropped; None: nobody knows."""


@dataclass(frozen=True)
class EndRun:
    """The run is over (its segment has been cut); what follows is a gap of that cause, or, with None, nothing."""

    cause: Cause | None
    detail: str


_new = tuple.__new__
"""Makes one of a `NamedTuple` without its own constructor, which is a call more for each picture."""

Command = StartRun | OpenSegment | WritePacket | WriteAudio | CutSegment | EndRun


class AudioState(StrEnum):
    """How it stands with a camera's sound."""

    NONE = "none"
    """None is wanted, or the camera has none that can be recorded."""
    AWAITED = "awaited"
    RECORDED = "recorded"
    SILENT = "silent"
    """The camera announced sound, and sends none."""


@dataclass(frozen=True)
class Counts:
    """What the segmenter had to do to keep a stream in order."""

    dropped_before_key: int = 0
    """Pictures that nothing could be decoded from, or that were sent again from before the record's end."""
    nudged: int = 0
    invented: int = 0
    runs: int = 0
    audio_frames: int = 0
    audio_dropped: int = 0


class _Timed(NamedTuple):
    """A packet with its place on the run's time line."""

    packet: Packet
    dts: int
    pts: int


class Segmenter:
    """One stream of one session. Feed it packets with `feed`, and end it with `stop`."""

    def __init__(self, track: Track, segment_us: int, not_before_us: int) -> None:
        """`not_before_us`: where the record of this stream ends; a run cannot start earlier."""
        self._track = track
        self._segment_us = segment_us
        self._longest_ticks = -(-2 * segment_us * 9 // 100)
        """The first that is as long as two segments."""
        self._not_before_us = not_before_us
        self.counts = Counts()
        self._sets: tuple[bytes, ...] = track.sets
        self._continue_us: int | None = None
        self._heard_us: int | None = None
        self._seen_us = 0
        self._audio_waited = track.audio is None
        self._reset()

    def _reset(self) -> None:
        self._settling: list[_Timed] = []
        self._behind: list[Packet] = []
        self._settling_bytes = 0
        self._arrivals: list[tuple[int, int]] = []
        self._lasted = 0
        self._stamp: int | None = None
        self._timeline: Timeline | None = None
        self._pending: _Timed | None = None
        self._origin_dts: int | None = None
        self._last_dts = -1
        self._duration = FIRST_DURATION_TICKS
        self._segment_dts = 0
        self._reference: Reading | None = None
        self._audio: AudioLine | None = None
        self._audio_lost: int | None = None

    def not_before(self, t0_us: int) -> None:
        """While no run is on, the record went on to there: a run cannot start earlier."""
        self._not_before_us = t0_us

    @property
    def audio_state(self) -> AudioState:
        """As of the last packet."""
        if self._track.audio is None:
            return AudioState.NONE
        if self._is_heard():
            return AudioState.RECORDED if self._audio is not None else AudioState.AWAITED
        return AudioState.SILENT if self._audio_waited else AudioState.AWAITED

    @property
    def recording(self) -> bool:
        """Whether a run is on: frames are being stored or held back for it."""
        return self._origin_dts is not None

    def feed(self, packet: Packet) -> Iterable[Command]:
        """A packet arrived."""
        return self._go_on(packet) or self._look_at(packet)

    def _go_on(self, packet: Packet) -> Iterable[Command]:
        """What follows from a picture that simply continues a run, as nearly all do; nothing, if it does not.

        It decides as `_look_at` would, for a fifth of the time.
        """
        pending, timeline, reference, dts = self._pending, self._timeline, self._reference, packet.dts
        if (
            pending is None
            or timeline is None
            or reference is None
            or dts is None
            or packet.is_key
            or packet.audio
            or packet.audio_lost is not None
        ):
            return ()
        origin_dts = self._origin_dts or 0
        dts -= origin_dts
        (utc_us, mono_us), ahead = packet.arrived, dts - self._last_dts
        offset_us = reference.utc_us - reference.mono_us
        if (
            not 0 < ahead <= JUMP_AHEAD_TICKS
            or dts - self._segment_dts >= self._longest_ticks
            or abs(utc_us - mono_us - offset_us) > STEP_LIMIT_US
        ):
            return ()
        self._seen_us = mono_us
        self._last_dts = dts
        if ahead <= USUAL_LIMIT_TICKS:
            self._duration = ahead
        timeline.saw(dts, mono_us + offset_us)
        pts = dts if packet.pts == packet.dts else self._shown(packet, dts)
        self._pending = _new(_Timed, (packet, dts, pts))
        return (_written(pending, dts - pending.dts),)

    def _look_at(self, packet: Packet) -> Iterator[Command]:
        self._seen_us = packet.arrived.mono_us
        if packet.audio:
            self._heard_us = packet.arrived.mono_us
        if self._reference is not None and abs(step_us(self._reference, packet.arrived)) > STEP_LIMIT_US:
            seconds = step_us(self._reference, packet.arrived) / SECOND_US
            detail = f"the clock of the box was set by {seconds:+.3f} s"
            if not (yield from self._end(Cause.CLOCK_STEP, detail)):
                yield EndRun(Cause.CLOCK_STEP, detail)
            # The record may now end in the future; the caller settles that with a gap before the next run starts.
            self._not_before_us = 0
        elif self._behind or (self.recording and self._timeline is None and self._ends_before(packet)):
            yield from self._wait_behind(packet)
            return
        elif self.recording and self._jumped(packet):
            yield from self._end(Cause.TIMESTAMP_JUMP, "the camera's time stamps jumped", before=packet)
        elif self.recording and packet.is_key and self._other_sets(packet):
            yield from self._go_over(packet, "the camera changed its parameter sets")
        elif self.recording and packet.is_key and self._other_tracks(packet):
            yield from self._go_over(packet, "the camera's sound began, or fell silent")
        elif self._timeline is not None:
            yield from self._hear(packet.audio, packet.audio_lost)
        yield from self._accept(packet)

    def _lasts(self, ticks: int) -> None:
        """A picture was shown for so long: what is usual, unless it was a pause."""
        if ticks <= USUAL_LIMIT_TICKS:
            self._duration = ticks

    def _ends_before(self, packet: Packet) -> bool:
        """Whether the run cannot go on with this picture."""
        return self._jumped(packet) or (packet.is_key and self._other_sets(packet))

    def _wait_behind(self, packet: Packet) -> Iterator[Command]:
        """What a run that is not settled ends before waits for that: when it started, later pictures tell too."""
        self._behind.append(packet)
        self._held_back(packet)
        if self._settled(packet):
            yield from self._start()

    def _held_back(self, packet: Packet, dts: int | None = None) -> None:
        """Note when it came, and how much media time came before: its place in the run, or, behind that, as much more
        as stamps say; across a jump one picture simply follows the other."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if dts is None:
            ahead = 0 if stamp is None or self._stamp is None else stamp - self._stamp
            dts = self._lasted + (ahead if 0 < ahead <= JUMP_AHEAD_TICKS else self._duration)
        self._lasted = dts
        self._stamp = stamp if stamp is not None else self._stamp
        self._arrivals.append((packet.arrived.mono_us, dts))
        self._settling_bytes += len(packet.data)

    def _go_over(self, packet: Packet, why: str) -> Iterator[Command]:
        """Another run begins with this picture. Of the sound that came with it what is heard before is of this one."""
        line = self._next_line(packet)
        if line is not None and self._timeline is not None:
            yield from self._hear([frame for frame in packet.audio if line.is_before(frame)], None)
        yield from self._end(None, why, until=packet)

    def _next_line(self, packet: Packet) -> AudioLine | None:
        """The sound's time line of a run that begins with this picture."""
        origin = packet.dts if packet.dts is not None else packet.pts or 0
        return None if self._track.audio is None else AudioLine(self._track.audio, origin)

    def stop(self, cause: Cause | None, detail: str = "") -> Iterator[Command]:
        """Nothing more will come: write what is held back and end the run."""
        yield from self._end(cause, detail)

    # -- inside

    def _accept(self, packet: Packet) -> Iterator[Command]:
        if not self.recording:
            if not packet.is_key:
                self.counts = replace(self.counts, dropped_before_key=self.counts.dropped_before_key + 1)
                return
            self._begin(packet)
        timed = self._time(packet)
        if self._timeline is None:
            self._settling.append(timed)
            self._held_back(packet, timed.dts)
            if self._settled(packet):
                yield from self._start()
            return
        yield from self._advance(timed)

    def _begin(self, packet: Packet) -> None:
        self._origin_dts = packet.dts if packet.dts is not None else packet.pts or 0
        self._reference = packet.arrived
        brought = parameter_sets(packet.data, self._track.codec, packet.unit_starts)
        self._sets = renewed_sets(self._sets, brought, self._track.codec)
        self.counts = replace(self.counts, runs=self.counts.runs + 1)

    def _time(self, packet: Packet) -> _Timed:
        """Place a packet on the run's time line; decode times strictly rise, whatever the camera says."""
        assert self._origin_dts is not None
        raw = packet.dts
        if raw is None:
            dts = self._last_dts + self._duration if self._last_dts >= 0 else 0
            self.counts = replace(self.counts, invented=self.counts.invented + 1)
        else:
            dts = raw - self._origin_dts
        if dts <= self._last_dts:
            dts = self._last_dts + 1
            self.counts = replace(self.counts, nudged=self.counts.nudged + 1)
        elif self._last_dts >= 0:
            self._lasts(dts - self._last_dts)
        self._last_dts = dts
        return _Timed(packet, dts, self._shown(packet, dts))

    def _shown(self, packet: Packet, dts: int) -> int:
        """When a picture is shown: what lies before its decoding, or ten seconds behind, is no order of pictures."""
        pts = dts if packet.pts is None else packet.pts - (self._origin_dts or 0)
        return pts if dts <= pts <= dts + JUMP_AHEAD_TICKS else dts

    def _jumped(self, packet: Packet) -> bool:
        at = packet.pts if packet.dts is None else packet.dts
        if at is None or self._origin_dts is None:
            return False
        dts = at - self._origin_dts
        ahead = dts - self._last_dts
        return ahead > JUMP_AHEAD_TICKS or ahead < -JUMP_BACK_TICKS

    def _other_sets(self, packet: Packet) -> bool:
        """Fewer than before are no change: where packets are lost, one with a set may be among them."""
        return not set(parameter_sets(packet.data, self._track.codec, packet.unit_starts)) <= set(self._sets)

    def _other_tracks(self, packet: Packet) -> bool:
        """Whether a segment is due, and sound is heard that the run does not store, or stored that is not heard."""
        if self._track.audio is None or self._timeline is None or self._is_heard() == (self._audio is not None):
            return False
        dts = self._last_dts if packet.dts is None else packet.dts - (self._origin_dts or 0)
        return ticks_to_us(dts - self._segment_dts) >= self._segment_us

    def _is_heard(self) -> bool:
        return self._heard_us is not None and self._seen_us - self._heard_us <= AUDIO_ABSENT_US

    def _hear(self, frames: Iterable[AudioFrame], lost: int | None) -> Iterator[Command]:
        """Store the sound that came with a picture, where the run has any; so much of it is known to be lost."""
        for frame in frames:
            if self._audio is not None and self._audio.is_before(frame):
                continue
            at = None if self._audio is None else self._audio.place(frame, self._last_dts)
            if at is None:
                lost = (lost or 0) + 1
                self.counts = replace(self.counts, audio_dropped=self.counts.audio_dropped + 1)
            else:
                self.counts = replace(self.counts, audio_frames=self.counts.audio_frames + 1)
                yield WriteAudio(frame.data, at, frame.samples)
        if lost is not None:
            self._audio_lost = (self._audio_lost or 0) + lost

    def _settled(self, packet: Packet) -> bool:
        assert self._reference is not None
        settle_us = SETTLE_US if self._audio_waited or self._is_heard() else AUDIO_WAIT_US
        return (
            self._continue_us is not None
            or packet.arrived.mono_us - self._reference.mono_us >= settle_us
            or len(self._arrivals) >= SETTLE_LIMIT_PACKETS
            or self._settling_bytes >= SETTLE_LIMIT_BYTES
        )

    def _start(self) -> Iterator[Command]:
        """Fix when the run started, and go on with all that was held back."""
        assert self._reference is not None
        held, behind, self._settling, self._behind = self._settling, self._behind, [], []
        offset_us = self._reference.offset_us()
        starts = (arrived_us + offset_us - ticks_to_us(lasted) for arrived_us, lasted in self._arrivals)
        # A run that follows another without a gap has nothing to settle: it starts where that one ended.
        t0_us = min(starts) if self._continue_us is None else self._continue_us
        newest_us, continues = self._arrivals[-1][0] + offset_us, self._continue_us is not None
        self._continue_us, self._arrivals = None, []
        # The clock was set back since the record's end was looked up: all would be taken for known otherwise.
        if self._not_before_us > newest_us + AHEAD_LIMIT_US and not continues:
            yield EndRun(Cause.CLOCK_STEP, "the clock of the box stands earlier than its record")
            self._not_before_us = 0
        held, t0_us = self._without_known(held, t0_us)
        yield from self._begin_run(held, t0_us)
        for packet in behind:
            yield from self._look_at(packet)

    def _settle(self) -> Iterator[Command]:
        """Nothing more will come: what waited behind a run that is not settled has to be settled too."""
        while self.recording and self._timeline is None:
            yield from self._start()

    def _begin_run(self, held: Sequence[_Timed], t0_us: int) -> Iterator[Command]:
        self._timeline = Timeline(t0_us)
        self._segment_dts = 0
        self._audio_waited = True
        audio = self._track.audio if self._is_heard() else None
        self._audio = None if audio is None else AudioLine(audio, self._origin_dts or 0)
        first = held[0].packet
        whole = set(self._sets) <= set(parameter_sets(first.data, self._track.codec, first.unit_starts))
        sets = () if whole else self._sets
        yield StartRun(t0_us, self._track.codec, with_sets(sets, first.data), audio)
        yield OpenSegment(t0_us)
        for timed in held:
            yield from self._hear(timed.packet.audio, timed.packet.audio_lost)
        for timed in held:
            yield from self._advance(timed)

    def _without_known(self, held: list[_Timed], t0_us: int) -> tuple[list[_Timed], int]:
        """Without pictures from before the record's end, and where the run starts then.

        Cameras replay at connect what they had buffered: what the record has is left out, up to a key picture, with
        which a run must begin. Where none is near the end all is kept, and told from there on: twice is better than
        never, and the first cut puts right what is told too late.
        """
        assert self._reference is not None
        first_us = self._reference.mono_us + self._reference.offset_us()
        known_us = min(self._not_before_us, first_us) - REPLAY_SHIFT_US  # what was made since we connected is new
        if t0_us >= known_us:
            return held, max(t0_us, self._not_before_us)
        usable = (
            place for place, one in enumerate(held) if one.packet.is_key and t0_us + ticks_to_us(one.dts) >= known_us
        )
        first = next(usable, None)
        if first is None:
            return held, self._not_before_us
        self.counts = replace(self.counts, dropped_before_key=self.counts.dropped_before_key + first)
        moved = held[first].dts
        self._origin_dts = (self._origin_dts or 0) + moved
        self._last_dts -= moved
        kept = [_Timed(one.packet, one.dts - moved, one.pts - moved) for one in held[first:]]
        return kept, max(t0_us + ticks_to_us(moved), self._not_before_us)

    def _advance(self, timed: _Timed) -> Iterator[Command]:
        """The held-back packet is written, now that its duration is known; then, perhaps, the segment is cut."""
        timeline = self._timeline
        assert timeline is not None
        assert self._reference is not None
        if self._pending is not None:
            yield _written(self._pending, timed.dts - self._pending.dts)
        passed_us = ticks_to_us(timed.dts - self._segment_dts)
        received_us = self._observe(timed)
        is_wrong = timeline.is_early and received_us - timeline.begun_us >= EARLY_CUT_US
        due = timed.packet.is_key and (passed_us >= self._segment_us or is_wrong)
        if due or passed_us >= 2 * self._segment_us:
            t1_us = timeline.cut(timed.dts)
            self._segment_dts = timed.dts
            yield self._cut(t1_us)
            yield OpenSegment(t1_us)
            self._observe(timed)
        self._pending = timed

    def _observe(self, timed: _Timed) -> int:
        """When a picture came, by the clock of the run: seen by its time line."""
        assert self._timeline is not None
        assert self._reference is not None
        received_us = timed.packet.arrived.mono_us + self._reference.offset_us()
        self._timeline.observe(self._timeline.late_us(timed.dts, received_us))
        return received_us

    def _cut(self, t1_us: int) -> CutSegment:
        lost, self._audio_lost = self._audio_lost, None
        return CutSegment(t1_us, lost)

    def _end(
        self, cause: Cause | None, detail: str, until: Packet | None = None, before: Packet | None = None
    ) -> Generator[Command, None, bool]:
        """Write what is held back, cut, end; whether there was a run to end, in the end.

        `until` is the packet that starts the next run at that instant; `before`: one that came next, at some other.
        """
        if not self.recording:
            return False
        yield from self._settle()
        if self._timeline is None:
            return False
        duration = self._duration if before is None else self._shown_until(before)
        if until is not None:
            begins = self._time(until)
            duration = begins.dts - (self._pending.dts if self._pending else 0)
            self._observe(begins)
        if self._pending is not None:
            yield _written(self._pending, duration)
            t1_us = self._timeline.cut(self._pending.dts + duration)
            self._not_before_us = t1_us
            self._continue_us = t1_us if until is not None else None
            yield self._cut(t1_us)
        yield EndRun(cause, detail)
        self._reset()
        return True

    def _shown_until(self, packet: Packet) -> int:
        """How long the last picture lasts, in ticks, when that one came next: as long as usual, but not beyond that."""
        if self._pending is None or self._timeline is None or self._reference is None:
            return self._duration
        came_us = packet.arrived.mono_us + self._reference.offset_us()
        left_us = self._timeline.late_us(self._pending.dts, came_us)
        return max(1, min(self._duration, left_us * TICKS_PER_S // SECOND_US))


def _written(timed: _Timed, duration: int) -> WritePacket:
    packet, dts, pts = timed
    data, _, _, is_key, _, lost, offset_us, _, _, _, starts = packet
    return _new(WritePacket, (data, dts, pts, duration, is_key, lost, offset_us, starts))
