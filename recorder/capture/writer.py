"""Frames to segment files: PyAV's MP4 muxer into a part file that hashes what it is handed.

Each segment is a file of its own with the same `ftyp` and `moov`, our header box behind them, and fragments whose
decode times run on through the whole run. The muxer writes forwards only, so that every byte is final when written.
"""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from recorder.capture.segmenter import WriteAudio, WritePacket
from recorder.capture.source import AudioTrack
from recorder.capture.template import open_template
from recorder.errors import SourceInvalid, StorageError
from recorder.store.boxes import TIMESCALE_HZ, header_box
from recorder.store.parts import PartFile
from recorder.store.records import AudioCodec, CodecName

FRAGMENT_US = 2_000_000
"""A fragment is what a crash can cost: cut at key frames and at least this often."""

BUFFER_BYTES = 256 * 1024
"""What the muxer hands over at once: each time costs a call into Python and one into the kernel."""

TIME_BASE = Fraction(1, TIMESCALE_HZ)

_FORMATS = {CodecName.H264: "h264", CodecName.H265: "hevc", CodecName.MJPEG: "mjpeg"}

_OPTIONS = {
    # empty_moov: all is said before the first frame; frag_discont: decode times are ours, not counted from zero;
    # skip_trailer: no index at the end, so that files can be joined by cutting off their beginnings.
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "frag_duration": str(FRAGMENT_US),
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "flush_packets": "1",
    # Where there is sound: packets of one track do not wait for those of the other. libav would hold pictures back for
    # ten seconds where no sound comes; so each waits for the next at most.
    "max_interleave_delta": "1",
}


class Sink:
    """What the muxer writes into. Puts our header box behind `moov`; the muxer's writes may be split anywhere."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._beginning = bytearray()
        self._begun = False
        self.failure: StorageError | None = None
        """Kept, because the muxer goes on writing on its way out of an error."""

    def write(self, data: bytes) -> int:
        """Take the muxer's bytes."""
        if self.failure is None:
            try:
                self._take(bytes(data))
            except StorageError as err:
                self.failure = err
                raise
        return len(data)

    def _take(self, data: bytes) -> None:
        if self._begun:
            self._part.append(data)
            return
        self._beginning += data
        end = _end_of_moov(self._beginning)
        if end is not None:
            init, rest = bytes(self._beginning[:end]), bytes(self._beginning[end:])
            self._part.append(init + header_box(self._part.header) + rest)
            self._begun = True
            self._beginning.clear()


class RunWriter:
    """Knows the streams of one run; makes the writers of its segments."""

    def __init__(self, codec: CodecName, sample: bytes, audio: AudioTrack | None = None) -> None:
        """`sample`: a key access unit with its parameter sets (Annex B), or a JPEG file.

        Sound that the muxer does not want is left out (`audio` is None then).

        Raises:
            SourceInvalid: no picture size can be read from it.
        """
        self.codec = codec
        try:
            container = av.open(io.BytesIO(sample), format=_FORMATS[codec])
        except av.error.FFmpegError as err:
            raise SourceInvalid("The camera's first picture cannot be read.") from err
        assert isinstance(container, InputContainer)
        self._container = container
        self._template: VideoStream = container.streams.video[0]
        self.width, self.height = self._template.width, self._template.height
        if not self.width or not self.height:
            container.close()
            raise SourceInvalid("The camera's parameter sets do not tell the size of its pictures.")
        self._audio_container: InputContainer | None = None
        self._audio_template: AudioStream | None = None
        self.audio = audio if audio is not None and self._describe(audio) else None

    def _describe(self, audio: AudioTrack) -> bool:
        """Whether files of this run can have that sound: tried before it can cost a picture."""
        try:
            container, stream = open_template(audio)
        except av.error.FFmpegError:
            return False
        try:
            with av.open(io.BytesIO(), "w", format="mp4", options=_OPTIONS) as trial:
                trial.add_stream_from_template(self._template).time_base = TIME_BASE
                trial.add_stream_from_template(stream)
                trial.start_encoding()
        except av.error.FFmpegError:
            container.close()
            return False
        self._audio_container, self._audio_template = container, stream
        return True

    def open(self, part: PartFile) -> SegmentWriter:
        """Begin a segment in that part file."""
        if self.audio is None or self._audio_template is None:
            return SegmentWriter(part, self._template)
        return SegmentWriter(part, self._template, self._audio_template, self.audio)

    def close(self) -> None:
        """The run is over."""
        self._container.close()
        if self._audio_container is not None:
            self._audio_container.close()


class SegmentWriter:
    """Writes the frames of one segment."""

    def __init__(
        self,
        part: PartFile,
        template: VideoStream,
        audio_template: AudioStream | None = None,
        audio: AudioTrack | None = None,
    ) -> None:
        self.part = part
        self.frames = 0
        self.audio_frames = 0
        self.audio_refused = 0
        self.lost_packets: int | None = None
        self.clock_offset_us: int | None = None
        self._sink = Sink(part)
        container = av.open(self._sink, "w", format="mp4", options=_OPTIONS, buffer_size=BUFFER_BYTES)
        assert isinstance(container, OutputContainer)
        self._container = container
        self._stream = container.add_stream_from_template(template)
        self._stream.time_base = TIME_BASE
        self._audio = None if audio_template is None else container.add_stream_from_template(audio_template)
        self._pending_audio: WriteAudio | None = None
        self._audio_time_base = Fraction(1, 1 if audio is None else audio.rate_hz)
        self._is_aac = audio is not None and audio.codec is AudioCodec.AAC

    def write(self, command: WritePacket) -> None:
        """Store one frame; a whole fragment reaches the kernel when it is complete.

        Raises:
            StorageError: one of its kinds.
            SourceInvalid: the muxer refuses the frame.
        """
        packet = av.Packet(command.data)
        packet.stream = self._stream
        packet.dts, packet.pts, packet.duration = command.dts, command.pts, command.duration
        packet.is_keyframe = command.is_key
        self._mux(packet)
        self.frames += 1
        if command.lost_packets is not None:
            self.lost_packets = (self.lost_packets or 0) + command.lost_packets
        if command.clock_offset_us is not None:
            self.clock_offset_us = command.clock_offset_us

    def write_audio(self, command: WriteAudio) -> None:
        """Store one frame of sound; one that the muxer refuses is dropped and counted.

        The newest is held back: the muxer reckons where the next fragment begins by how long this one's frames are, so
        a hole behind one must be known.

        Raises:
            StorageError: one of its kinds.
        """
        # libav would take such AAC for a header of ADTS, and fail: not here, but at the next picture.
        if self._audio is None or (self._is_aac and command.data[:2] >= b"\xff\xf0"):
            self.audio_refused += 1
            return
        before, self._pending_audio = self._pending_audio, command
        if before is not None:
            self._mux_audio(self._audio, before, command.at - before.at)

    def _mux_audio(self, stream: AudioStream, command: WriteAudio, samples: int) -> None:
        packet = av.Packet(command.data)
        packet.stream = stream
        packet.time_base = self._audio_time_base
        packet.dts = packet.pts = command.at
        packet.duration = samples
        packet.is_keyframe = True
        try:
            self._mux(packet)
        except SourceInvalid:
            self.audio_refused += 1
        else:
            self.audio_frames += 1

    def close(self) -> None:
        """Write the last fragment.

        Raises:
            StorageError: one of its kinds.
        """
        if self._audio is not None and self._pending_audio is not None:
            self._mux_audio(self._audio, self._pending_audio, self._pending_audio.samples)
            self._pending_audio = None
        try:
            self._container.close()
        except av.error.FFmpegError as err:
            raise self._failure() from err
        self._check()

    def abandon(self) -> None:
        """Let go after a failure: what is on the disk stays for `resume` to read."""
        self._sink.failure = self._sink.failure or StorageError()
        with contextlib.suppress(av.error.FFmpegError):  # the muxer fails again at the failure that brought us here
            self._container.close()
        self.part.close()

    def _mux(self, packet: av.Packet[Any]) -> None:
        try:
            self._container.mux_one(packet)
        except av.error.FFmpegError as err:
            raise self._failure() from err
        self._check()

    def _failure(self) -> StorageError | SourceInvalid:
        """What an error of the muxer means: where the disk failed before, that."""
        return self._sink.failure or SourceInvalid("The camera sent a picture that cannot be stored.")

    def _check(self) -> None:
        """The muxer forgets errors of writing that came while it wrote what it had gathered."""
        if self._sink.failure is not None:
            raise self._sink.failure


def _end_of_moov(data: bytes | bytearray) -> int | None:
    """Where `moov` ends, once it is there whole."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + max(size, 8)
        if end > len(data):
            return None
        if data[at + 4 : at + 8] == b"moov":
            return end
        at = end
    return None
