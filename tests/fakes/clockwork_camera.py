"""A camera in simulated time: RTP packets as they come due by a clock that is handed in, from a clock of its own.

Its own clock runs wrong by some millionths, its sequence numbers and time stamps wrap, its sender reports say what its
clock says, and the network delays each picture by as much as chance (seeded) says. No socket, no thread.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from config.times import SECOND_US
from recorder.capture.nal import units
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.receiver import TrackReceiver
from recorder.capture.rtp.rtcp import NTP_EPOCH_S
from recorder.capture.rtp.stamps import Stamps
from recorder.capture.rtsp.source import clock_offset_us
from recorder.capture.source import Packet, Track
from recorder.store.records import CodecName
from tests.fakes.clock import FakeClock
from tests.fakes.video import access_units

SSRC = 7
REPORT_US = 5 * SECOND_US


class ClockworkCamera:
    """Obeys `recorder.capture.source.Source`."""

    def __init__(self, clock: FakeClock, *, period_us: int, drift_ppm: float, delay_us: int, seed: int) -> None:
        self._clock = clock
        self._period_us = period_us
        self._drift = 1 + drift_ppm / 1e6
        self._delay_us = delay_us
        self._film = access_units(CodecName.H264, 20, 10)
        self._receiver = TrackReceiver(H264Depacketiser(), 96, 90_000, own_ssrc=1)
        self._stamps = Stamps(90_000)
        self._begun = clock.read()
        self._reported_us = 0
        self._number = 65_000
        self._first_stamp = 2**32 - 900_000
        self.sent = 0

    def open(self) -> Track:
        return Track(CodecName.H264)

    def close(self) -> None:
        """Nothing waits."""

    def release(self) -> None:
        """Nothing is held."""

    def take(self) -> Sequence[Packet]:
        now = self._clock.read()
        passed_us = now.mono_us - self._begun.mono_us
        found: list[Packet] = []
        while self.sent * self._period_us + self._late() <= passed_us:
            found += self._picture(now.mono_us)
            self.sent += 1
        if passed_us - self._reported_us >= REPORT_US:
            self._reported_us = passed_us
            self._receiver.rtcp(memoryview(self._report(passed_us)), now.mono_us)
        return found

    def _late(self) -> int:
        """How long the network takes for the next picture: the same however often it is asked."""
        return random.Random(self.sent).randrange(self._delay_us + 1)

    def _camera_us(self, passed_us: int) -> int:
        return round(passed_us * self._drift)

    def _picture(self, now_us: int) -> list[Packet]:
        data, _ = self._film[self.sent % len(self._film)]
        stamp = self._first_stamp + self._camera_us(self.sent * self._period_us) * 9 // 100
        parts = list(units(data))
        found: list[Packet] = []
        for index, part in enumerate(parts):
            marker = index == len(parts) - 1
            head = struct.pack("!BBHII", 0x80, 96 | marker << 7, self._number & 0xFFFF, stamp & 0xFFFFFFFF, SSRC)
            self._number += 1
            for unit in self._receiver.rtp(memoryview(head + part), now_us):
                dts, pts = self._stamps.take(unit.timestamp, now_us)
                arrived = self._clock.read()
                offset_us = clock_offset_us(self._receiver, arrived)
                found.append(Packet(unit.data, dts, pts, unit.is_key, arrived, 0, offset_us))
        return found

    def _report(self, passed_us: int) -> bytes:
        whole, part = divmod(self._begun.utc_us + self._camera_us(passed_us), SECOND_US)
        stamp = self._first_stamp + self._camera_us(passed_us) * 9 // 100
        body = struct.pack("!IIIII", whole + NTP_EPOCH_S, (part << 32) // SECOND_US, stamp & 0xFFFFFFFF, 1, 1)
        return struct.pack("!BBHI", 0x80, 200, 6, SSRC) + body
