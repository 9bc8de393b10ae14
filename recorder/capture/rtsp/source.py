"""A camera by way of our own client: obeys `source.Source`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from config.clock import STEP_LIMIT_US, Clock, Reading
from config.times import SECOND_US
from recorder.capture.nal import parameter_sets, unit_spans
from recorder.capture.rtp.receiver import TrackReceiver
from recorder.capture.rtp.stamps import Stamps
from recorder.capture.rtp.units import AccessUnit
from recorder.capture.rtsp.audio import AudioIntake, audio_track
from recorder.capture.rtsp.connection import RtspConnection, Target
from recorder.capture.rtsp.sdp import sets_from_fmtp
from recorder.capture.source import AudioFrame, Packet, Track
from recorder.capture.sps import reorder_depth
from recorder.errors import SourceRefusedUs
from recorder.store.records import CodecName

CLOCK_WAS_SET_US = 978_307_200 * SECOND_US
"""2001: a clock that stands earlier was not set by anybody."""

_new = tuple.__new__
"""Makes one of a `NamedTuple` without its own constructor, which is a call more for each picture."""

_CODECS = {"H264": CodecName.H264, "H265": CodecName.H265, "JPEG": CodecName.MJPEG}


class RtspSource:
    """One session with an RTSP camera."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self.connection = RtspConnection(target, clock)
        self._closing = threading.Event()
        self._stamps: Stamps | None = None
        self._lost = 0
        self._audio: AudioIntake | None = None
        self._audio_lost = 0
        self._track: Track | None = None
        self._sets: tuple[bytes, ...] = ()
        self._is_packed = False
        self._reported_us = self._mapped_us = 0
        self._clock_offset_us: int | None = None

    def open(self) -> Track:
        """Connect and agree on the track."""
        try:
            agreed = self.connection.open(self._closing.is_set)
        except SourceRefusedUs as err:
            err.password_in_clear = self.connection.password_in_clear
            raise
        codec = _CODECS[agreed.media.encoding]
        self._stamps = Stamps(agreed.media.clock_rate_hz)
        sets = sets_from_fmtp(agreed.media, codec)
        audio = None if agreed.audio is None else audio_track(agreed.audio.media)
        if agreed.audio is not None and audio is not None:
            self._audio = AudioIntake(agreed.audio.media, audio)
        in_clear = self.connection.password_in_clear
        self._track = Track(codec, sets, agreed.left_out, self.connection.description, audio, in_clear)
        return self._track

    def take(self) -> Sequence[Packet]:
        """Pictures that have come; always ends with an error, were it that the camera said goodbye."""
        units = self.connection.take()
        if self._audio is not None:
            self._hear(self._audio)
        if not units:
            return ()
        arrived = self.connection.looked
        packets = self._packets(units, arrived)
        return packets if self._audio is None else self._with_sound(packets, self._audio)

    def _packets(self, units: Sequence[AccessUnit], arrived: Reading) -> list[Packet]:
        """Of what one look brought; which of its pictures lost packets belonged to is not known here: the first."""
        stamps = self._stamps
        assert stamps is not None
        lost, offset_us = self._newly_lost(), self._offset(arrived)
        packets = []
        for data, stamp, is_key, _, starts in units:
            if is_key:
                self._looks_packed(data, starts)
                self._learn_order(data, self._known(starts), stamps)
            dts, pts = stamps.take(stamp, arrived.mono_us)
            still, known = stamps.stands_still, None if self._is_packed else starts or None
            packets.append(_new(Packet, (data, dts, pts, is_key, arrived, lost, offset_us, still, (), None, known)))
            lost = 0
        return packets

    def _with_sound(self, packets: Sequence[Packet], audio: AudioIntake) -> list[Packet]:
        return [
            one._replace(audio=self._sound_with(audio, one.pts, one.arrived), audio_lost=self._newly_lost_audio(audio))
            for one in packets
        ]

    def _hear(self, audio: AudioIntake) -> None:
        units = self.connection.take_audio()
        if units:
            audio.came(units, self.connection.looked.mono_us)

    def _sound_with(self, audio: AudioIntake, ticks: int | None, arrived: Reading) -> tuple[AudioFrame, ...]:
        """The sound that goes on with a picture. Reports count where the pictures' times are those of their stamps."""
        assert self._stamps is not None
        receiver = self.connection.audio_receiver
        if receiver is not None and receiver.last_report is not None:
            told = None if self._stamps.stands_still else self.connection.receiver.reported()
            picture = None if told is None else (told[0], self._stamps.in_ticks(told[1]))
            audio.reports(picture, receiver.reported())
        return audio.picture(ticks, arrived.mono_us)

    def _newly_lost_audio(self, audio: AudioIntake) -> int:
        receiver = self.connection.audio_receiver
        before, self._audio_lost = self._audio_lost, audio.dropped + (receiver.tally.lost if receiver else 0)
        return max(self._audio_lost - before, 0)

    def _looks_packed(self, picture: bytes, starts: Sequence[int]) -> None:
        """Some cameras put several units with start codes into one of RTP: told by looking through each key picture."""
        self._is_packed = bool(starts) and len(starts) != sum(1 for _ in unit_spans(picture))

    def _known(self, starts: tuple[int, ...]) -> tuple[int, ...] | None:
        return None if self._is_packed else starts or None

    def _learn_order(self, picture: bytes, starts: Sequence[int] | None, stamps: Stamps) -> None:
        """At each key picture: its sets, or else those told before, say whether pictures are swapped."""
        assert self._track is not None
        sets = parameter_sets(picture, self._track.codec, starts) or self._track.sets
        if sets != self._sets:
            self._sets = sets
            stamps.expect(reorder_depth(sets, self._track.codec) or 0)

    def _offset(self, now: Reading) -> int | None:
        """The camera's clock against ours: worked out once for each report, so that the same number is the same report.

        Our own two clocks are read one after the other, and the wall clock is steered: else it would differ each time.
        """
        receiver, mapped_us = self.connection.receiver, now.offset_us()
        if receiver.last_report_us != self._reported_us or abs(mapped_us - self._mapped_us) > STEP_LIMIT_US:
            self._reported_us, self._mapped_us = receiver.last_report_us, mapped_us
            self._clock_offset_us = clock_offset_us(receiver, now)
        return self._clock_offset_us

    def _newly_lost(self) -> int:
        before, self._lost = self._lost, self.connection.receiver.tally.lost
        return self._lost - before

    def close(self) -> None:
        """Ask `open` to give up; it does within a tenth of a second."""
        self._closing.set()

    def release(self) -> None:
        """Say goodbye to the camera and close the connection."""
        self.connection.close()


def clock_offset_us(receiver: TrackReceiver, now: Reading) -> int | None:
    """How far the camera's clock is ahead of ours, by its last sender report; the way here counts as lag of it.

    A camera whose clock was never set counts from 1970, or from its start: that tells nothing.
    """
    report = receiver.last_report
    if report is None or report.ntp_us < CLOCK_WAS_SET_US:
        return None
    return report.ntp_us - (receiver.last_report_us + now.offset_us())
