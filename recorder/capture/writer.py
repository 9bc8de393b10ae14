"""Frames to segment files: fragments of MP4 into a part file that hashes what it is handed.

Each segment is a file of its own with the same `ftyp` and `moov`, our header box behind them, and fragments whose
decode times run on through the whole run. What the tracks are libav describes, once for each run; the fragments are
ours, and made of the pictures as they came, which are copied nowhere (ADR 12). Every byte is final when written.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from recorder.capture.fragments import AUDIO_TRACK, VIDEO_TRACK, Sample, TrackPart, fragment, picture_pieces
from recorder.capture.segmenter import WriteAudio, WritePacket
from recorder.capture.source import AudioTrack
from recorder.capture.template import open_template
from recorder.errors import SourceInvalid, StoreError
from recorder.store.boxes import TIMESCALE_HZ, boxes, header_box
from recorder.store.camsig import NONE, signatures, stored_units
from recorder.store.parts import PartFile
from recorder.store.records import AudioCodec, CodecName

FRAGMENT_TICKS = 2 * TIMESCALE_HZ
"""A fragment is what a crash can cost: cut at key frames and at least this often."""

FRAGMENT_LIMIT_BYTES = 32 * 1024 * 1024
"""What is held in memory for a fragment has a bound: reached early, it is cut early."""

FRAGMENT_LIMIT_SAMPLES = 4096
"""Likewise for frames of a few bytes."""

_TIME_BASE = Fraction(1, TIMESCALE_HZ)

_FORMATS = {CodecName.H264: "h264", CodecName.H265: "hevc", CodecName.MJPEG: "mjpeg"}

_OPTIONS = {
    # empty_moov: all is said before the first frame; skip_trailer: no index, which would be behind the beginning.
    "movflags": "empty_moov+default_base_moof+skip_trailer",
    "use_editlist": "0",
}

_ADTS = b"\xff\xf0"
"""AAC with a header of its own (ISO/IEC 13818-7): players take what follows it for damage."""


class RunWriter:
    """Knows the tracks of one run; makes the writers of its segments."""

    def __init__(self, codec: CodecName, sample: bytes, audio: AudioTrack | None = None) -> None:
        """`sample`: a key access unit with its parameter sets (Annex B), or a JPEG file.

        Sound that the muxer does not want is left out (`audio` is None then).

        Raises:
            SourceInvalid: no picture size can be read from it.
        """
        self.codec = codec
        self.audio: AudioTrack | None = None
        try:
            with av.open(io.BytesIO(sample), format=_FORMATS[codec]) as container:
                stream = container.streams.video[0]
                self.width, self.height = stream.width, stream.height
                if not self.width or not self.height:
                    raise SourceInvalid("The camera's parameter sets do not tell the size of its pictures.")
                self._beginning = _beginning(stream)
                if audio is not None:
                    self._describe(stream, audio)
        except av.error.FFmpegError as err:
            raise SourceInvalid("The camera's first picture cannot be read.") from err

    def _describe(self, stream: VideoStream, audio: AudioTrack) -> None:
        """Have files of this run that sound too, if they can: tried before it can cost a picture."""
        try:
            container, sound = open_template(audio)
        except av.error.FFmpegError:
            return
        with container:
            try:
                self._beginning = _beginning(stream, sound)
            except av.error.FFmpegError:
                return
        self.audio = audio

    def open(self, part: PartFile) -> SegmentWriter:
        """Begin a segment in that part file.

        Raises:
            StoreError: it cannot be written; the file is let go of.
        """
        try:
            part.append(self._beginning, header_box(part.header))
        except StoreError:
            part.close()
            raise
        return SegmentWriter(part, self.codec, self.audio)


def _beginning(stream: VideoStream, sound: AudioStream | None = None) -> bytes:
    """`ftyp` and `moov` of a file with these tracks.

    Raises:
        av.error.FFmpegError: the muxer does not want one of them.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options=_OPTIONS) as container:
        container.add_stream_from_template(stream).time_base = _TIME_BASE
        if sound is not None:
            container.add_stream_from_template(sound)
        container.start_encoding()
    data = file.getvalue()
    return data[: next(box.offset + box.size for box in boxes(data) if box.type == b"moov")]


class SegmentWriter:
    """Writes the frames of one segment."""

    def __init__(self, part: PartFile, codec: CodecName, audio: AudioTrack | None = None) -> None:
        """`part`: with the beginning of the file in it."""
        self.part = part
        self.frames = 0
        self.audio_frames = 0
        self.audio_refused = 0
        self.lost_packets: int | None = None
        self.clock_offset_us: int | None = None
        self.signatures = NONE
        """Whose signatures of the camera were among what was written."""
        self._codec = codec
        self._audio = audio
        self._audio_limit = 0 if audio is None else audio.rate_hz * FRAGMENT_TICKS // TIMESCALE_HZ
        self._fragments = 0
        self._pending_audio: WriteAudio | None = None
        self._begin_fragment()

    def _begin_fragment(self) -> None:
        self._pictures: list[Sample] = []
        self._sounds: list[Sample] = []
        self._picture_at = self._sound_at = self._bytes = 0

    def write(self, command: WritePacket) -> None:
        """Store one frame; a whole fragment reaches the kernel when it is complete.

        Raises:
            StorageError: one of its kinds.
            SourceInvalid: there is no picture in the frame.
        """
        pieces = picture_pieces(command.data, self._codec, command.unit_starts)
        if not pieces:
            raise SourceInvalid("The camera sent a picture that cannot be stored.")
        if self._pictures and self._is_full(command):
            self._flush()
        if not self._pictures:
            self._picture_at = command.dts
        # A picture of more units than anybody sends is one piece (`UNITS_LIMIT` of `fragments`); else they alternate.
        found = signatures(pieces[1::2] if len(pieces) > 1 else stored_units(pieces[0]), self._codec)
        if found:
            self.signatures |= found
        size = sum(map(len, pieces))
        self._pictures.append(Sample(command.duration, size, command.pts - command.dts, command.is_key, pieces))
        self._bytes += size
        self.frames += 1
        if command.lost_packets is not None:
            self.lost_packets = (self.lost_packets or 0) + command.lost_packets
        if command.clock_offset_us is not None:
            self.clock_offset_us = command.clock_offset_us

    def _is_full(self, command: WritePacket) -> bool:
        return (
            command.is_key
            or command.dts + command.duration - self._picture_at > FRAGMENT_TICKS
            or self._bytes + len(command.data) > FRAGMENT_LIMIT_BYTES
            or len(self._pictures) >= FRAGMENT_LIMIT_SAMPLES
        )

    def write_audio(self, command: WriteAudio) -> None:
        """Store one frame of sound; one that no player would understand is dropped and counted.

        The newest is held back: a hole behind a frame is told by how long the frame is, so it must be known.

        Raises:
            StorageError: one of its kinds.
        """
        if self._audio is None or (self._audio.codec is AudioCodec.AAC and command.data[:2] >= _ADTS):
            self.audio_refused += 1
            return
        before, self._pending_audio = self._pending_audio, command
        if before is not None:
            self._add_audio(before, command.at - before.at)

    def _add_audio(self, command: WriteAudio, samples: int) -> None:
        is_long = command.at + samples - self._sound_at > self._audio_limit
        is_large = self._bytes + len(command.data) > FRAGMENT_LIMIT_BYTES
        if self._sounds and (is_long or is_large or len(self._sounds) >= FRAGMENT_LIMIT_SAMPLES):
            self._flush()
        if not self._sounds:
            self._sound_at = command.at
        self._sounds.append(Sample(samples, len(command.data), pieces=(command.data,)))
        self._bytes += len(command.data)
        self.audio_frames += 1

    def close(self) -> None:
        """Write the last fragment.

        Raises:
            StorageError: one of its kinds.
        """
        if self._pending_audio is not None:
            self._add_audio(self._pending_audio, self._pending_audio.samples)
            self._pending_audio = None
        self._flush()

    def abandon(self) -> None:
        """Let go after a failure: what is on the disk stays for `resume` to read."""
        self._begin_fragment()
        self.part.close()

    def _flush(self) -> None:
        runs = []
        if self._pictures:
            runs.append(TrackPart(VIDEO_TRACK, self._picture_at, self._pictures))
        if self._sounds:
            runs.append(TrackPart(AUDIO_TRACK, self._sound_at, self._sounds))
        if runs:
            self._fragments += 1
            self.part.append(*fragment(self._fragments, runs))
            self._begin_fragment()
