"""Carries out what the segmenter decides for one stream: gaps, files, frames, commits. No threads, no clock.

After an error nothing is lost but the frames of the fragment that was being written: the part file stays where it is,
and `StreamBook.resume` finishes it before the next run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from recorder.capture.segmenter import (
    Command,
    CutSegment,
    EndRun,
    OpenSegment,
    Segmenter,
    StartRun,
    WriteAudio,
    WritePacket,
)
from recorder.capture.source import Packet, Track
from recorder.capture.writer import RunWriter, SegmentWriter
from recorder.causes import Cause
from recorder.errors import SourceInvalid, StoreError
from recorder.store.parts import PartFile
from recorder.store.records import AudioFacts, Head, SegmentFacts, SegmentHeader, camera_of


class StreamBook(Protocol):
    """What recording needs of the store."""

    @property
    def box_id(self) -> str:
        """Whose segments these are."""
        ...

    def resume(self, stream_id: str) -> Head:
        """Finish what a failed run left; where the chain stands then."""
        ...

    def begin(self, header: SegmentHeader) -> PartFile:
        """Create the file of the next segment."""
        ...

    def commit_segment(self, part: PartFile, facts: SegmentFacts) -> Head:
        """Seal and write down a segment."""
        ...

    def commit_gap(self, stream_id: str, t1_us: int, cause: Cause, detail: str = "") -> Head:
        """Write down why nothing was recorded."""
        ...


class Recording:
    """One stream in one session with its camera."""

    def __init__(self, book: StreamBook, stream_id: str, segment_us: int, cause: Cause, detail: str) -> None:
        """`cause`: of the gap between the record's end and the first frame of this session."""
        self._book = book
        self._stream_id = stream_id
        self._segment_us = segment_us
        self.cause, self.detail = cause, detail
        self.head = book.resume(stream_id)
        self._segmenter: Segmenter | None = None
        self._run: RunWriter | None = None
        self._run_n = 0
        self._segment: SegmentWriter | None = None
        self._is_abandoned = False
        self.clock_drift_ppb: int | None = None
        """How fast the camera's clock runs away from ours: told by who feeds, written down at each cut."""
        self.frames = 0
        self.bytes = 0

    @property
    def segmenter(self) -> Segmenter | None:
        """What decides; None before `begin`."""
        return self._segmenter

    @property
    def is_on(self) -> bool:
        """Whether a run is on."""
        return self._segmenter is not None and self._segmenter.recording

    def begin(self, track: Track) -> None:
        """The camera said what it sends."""
        self._segmenter = Segmenter(track, self._segment_us, self.head.t1_us)

    def feed(self, packet: Packet) -> None:
        """Store a picture, as the segmenter decides.

        Raises:
            StoreError: it could not be written down. SourceInvalid: it cannot be stored.
        """
        assert self._segmenter is not None
        self._carry_out(self._segmenter.feed(packet))

    def stop(self, cause: Cause, detail: str = "") -> None:
        """End the run, if one is on; `cause` is that of the gap which follows.

        Raises:
            StoreError: as `feed`.
        """
        if self._segmenter is not None and not self._is_abandoned:
            self._carry_out(self._segmenter.stop(cause, detail))

    def go_on(self, head: Head, cause: Cause, detail: str) -> None:
        """While no run is on, the gap up to there was written down; what follows of it has this cause."""
        self.head, self.cause, self.detail = head, cause, detail
        if self._segmenter is not None:
            self._segmenter.not_before(head.t1_us)

    def abandon(self) -> None:
        """Let go of an open file after a failure; what is on the disk stays for `resume`."""
        self._is_abandoned = True
        if self._segment is not None:
            self._segment.abandon()
            self._segment = None
        self._close_run()

    def _carry_out(self, commands: Iterable[Command]) -> None:
        try:
            for command in commands:
                if type(command) is WritePacket:  # nearly all are
                    assert self._segment is not None
                    self._segment.write(command)
                else:
                    self._do(command)
        except (StoreError, SourceInvalid):
            self.abandon()
            raise

    def _do(self, command: Command) -> None:
        if isinstance(command, WriteAudio):
            assert self._segment is not None
            self._segment.write_audio(command)
        elif isinstance(command, StartRun):
            self._start(command)
        elif isinstance(command, OpenSegment):
            self._open(command.t0_us)
        elif isinstance(command, CutSegment):
            self._cut(command)
        elif isinstance(command, EndRun):
            self._close_run()
            if command.cause is not None:
                self.cause, self.detail = command.cause, command.detail

    def _start(self, command: StartRun) -> None:
        self._run = RunWriter(command.codec, command.sample, command.audio)
        if command.t0_us != self.head.t1_us:
            self.head = self._book.commit_gap(self._stream_id, command.t0_us, self.cause, self.detail)
        self._run_n = self.head.next_n

    def _open(self, t0_us: int) -> None:
        assert self._run is not None
        header = SegmentHeader(
            box=self._book.box_id,
            camera=camera_of(self._stream_id),
            stream=self._stream_id,
            run=self._run_n,
            n=self.head.next_n,
            t0_us=t0_us,
            prev=self.head.prev,
        )
        self._segment = self._run.open(self._book.begin(header))

    def _cut(self, command: CutSegment) -> None:
        assert self._run is not None
        assert self._segment is not None
        segment = self._segment
        segment.close()
        run = self._run
        facts = SegmentFacts(
            t1_us=command.t1_us,
            frames=segment.frames,
            codec=run.codec,
            width=run.width,
            height=run.height,
            lost_packets=segment.lost_packets,
            clock_offset_us=segment.clock_offset_us,
            clock_drift_ppb=self.clock_drift_ppb,
            audio=_audio_facts(run, segment, command.audio_lost),
            camsig=tuple(sorted(segment.signatures)),
        )
        self.head = self._book.commit_segment(segment.part, facts)
        self._segment = None

    def _close_run(self) -> None:
        self._run = None


def _audio_facts(run: RunWriter, segment: SegmentWriter, lost: int | None) -> AudioFacts | None:
    """What is told of the sound in a segment; nothing where its file describes none."""
    audio = run.audio
    if audio is None:
        return None
    missing = None if lost is None and not segment.audio_refused else (lost or 0) + segment.audio_refused
    return AudioFacts(audio.codec, audio.rate_hz, audio.channels, segment.audio_frames, missing)
