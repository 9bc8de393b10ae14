"""A camera with sound over RTSP, as it is told to be: H.264 and a second track, in time, and any oddity about it."""

from __future__ import annotations

import base64
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recorder.capture.rtp.rtcp import NTP_EPOCH_S
from recorder.store.records import CodecName
from tests.fakes.rtsp_camera import SSRC, Asked, Behaviour, interleaved, packets
from tests.fakes.sound import encoded, g711
from tests.unit.recorder.capture.rtp.packets import aac_payload, adts

AUDIO_SSRC = 0x0A0D10
AUDIO_TYPE = 97
FIRST_VIDEO_STAMP, FIRST_AUDIO_STAMP = 4_000_000_000, 77_000
"""Clocks begin anywhere; that of the pictures wraps within some hours."""

PICTURE_S = 0.04


@dataclass(frozen=True)
class RtpSound:
    """A track of sound, as it is sent."""

    encoding: str
    lines: str
    """Of the description, behind the `m=` line."""
    rate_hz: int
    payloads: Sequence[bytes]
    samples: int
    """Of each payload."""
    stored: Sequence[bytes]
    """The frames that should be in the file, but for G.711, whose samples should."""


def aac(seconds: float, *, units: int = 1, config: bool = True, with_adts: bool = False) -> RtpSound:
    """AAC-hbr of 16 kHz, so many units in a packet."""
    told, frames, size = encoded("aac", 16_000, seconds)
    whole = [adts(one) if with_adts else one for one in frames]
    payloads = [aac_payload(list(whole[at : at + units])) for at in range(0, len(frames), units)]
    lines = (
        f"a=rtpmap:{AUDIO_TYPE} mpeg4-generic/16000/1\r\na=fmtp:{AUDIO_TYPE} streamtype=5;profile-level-id=15;"
        "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
        + (f";config={told.hex()}\r\n" if config else "\r\n")
    )
    return RtpSound("mpeg4-generic", lines, 16_000, payloads, size * units, frames)


def opus(seconds: float) -> RtpSound:
    """Opus in packets of 20 ms."""
    _, frames, size = encoded("libopus", 48_000, seconds)
    return RtpSound("opus", f"a=rtpmap:{AUDIO_TYPE} opus/48000/2\r\n", 48_000, frames, size, frames)


def telephone(seconds: float, law: str = "pcma") -> RtpSound:
    """G.711 in packets of 20 ms."""
    packets_ = g711(seconds, law)
    return RtpSound(law, f"a=rtpmap:{AUDIO_TYPE} {law.upper()}/8000\r\n", 8000, packets_, 160, packets_)


class Sounding(Behaviour):
    """H.264 and sound, each packet at its time; channels are those it is asked for."""

    def __init__(self, sound: RtpSound, seconds: float) -> None:
        super().__init__(CodecName.H264, round(seconds / PICTURE_S))
        self.sound = sound
        self.heard: Callable[[float], bool] = lambda at_s: True
        """Whether sound is sent at that second."""
        self.reports_at_s: float | None = None
        """When it says how its clocks stand."""
        self.sound_late_s = 0.0
        self.plays = True
        """Whether it sends anything."""
        self.once = False
        """Whether it shows its film to the first who comes alone."""
        self.turns: threading.Semaphore | None = None
        """Where there is one, each picture's time is sent when it is given a turn; else when it has come."""

    def sdp(self) -> str:
        """Both tracks."""
        sets = ",".join(base64.b64encode(one).decode() for one in self.sets())
        media = f"m=audio 0 RTP/AVP {AUDIO_TYPE}\r\n{self.sound.lines}a=control:track2\r\n"
        return super().sdp() + f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n" + media

    def sets(self) -> tuple[bytes, ...]:
        """Parameter sets, told ahead."""
        return ()

    def answer(self, asked: Asked) -> bytes | None:
        """SETUP of sound is a request of its own."""
        if asked.method == "SETUP" and asked.url.endswith("track2"):
            return self.answer_audio(asked)
        return super().answer(asked)

    def answer_audio(self, asked: Asked) -> bytes | None:
        """Good."""
        return self.say(asked, 200, f"Session: 4711\r\nTransport: {asked.headers['transport']}")

    def media(self) -> Iterator[bytes]:
        """Both tracks by time, sound before the picture that is sent with it."""
        never, count = threading.Event(), 0
        begun_s = time.monotonic()
        if not self.plays:
            return
        self.plays = not self.once
        for at_s, channel, packet in sorted(self.timed(), key=lambda one: (one[0], -one[1])):
            while count <= round(at_s / PICTURE_S, 6):
                count += 1
                if self.turns is not None:
                    self.turns.acquire()
                else:
                    never.wait(begun_s + (count - 1) * PICTURE_S - time.monotonic())
            yield interleaved(packet, channel)

    def timed(self) -> Iterator[tuple[float, int, bytes]]:
        """When each packet is sent, and on which channel."""
        for packet in packets(self.shots, self.codec, FIRST_VIDEO_STAMP):
            stamp = (int.from_bytes(packet[4:8], "big") - FIRST_VIDEO_STAMP) & 0xFFFFFFFF
            yield stamp / 90_000, 0, packet
        for at_s, packet in self.sounds():
            yield at_s + self.sound_late_s, 2, packet
        if self.reports_at_s is not None:
            at_s = self.reports_at_s
            yield at_s, 1, report(SSRC, at_s, FIRST_VIDEO_STAMP + round(at_s * 90_000))
            yield at_s, 3, report(AUDIO_SSRC, at_s, FIRST_AUDIO_STAMP + round(at_s * self.sound.rate_hz))

    def sounds(self) -> Iterator[tuple[float, bytes]]:
        """Packets of sound: each is sent when its last sample has been heard."""
        for number, payload in enumerate(self.sound.payloads):
            begin = number * self.sound.samples
            at_s = (begin + self.sound.samples) / self.sound.rate_hz
            if self.heard(at_s):
                head = struct.pack("!BBHII", 0x80, AUDIO_TYPE | 0x80, number, FIRST_AUDIO_STAMP + begin, AUDIO_SSRC)
                yield at_s, head + payload


def report(ssrc: int, at_s: float, stamp: int) -> bytes:
    """A sender report (RFC 3550, 6.4.1): the camera's clock began on the first of March 2026."""
    ntp = round((1_772_323_200 + NTP_EPOCH_S + at_s) * (1 << 32))
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, ntp, stamp & 0xFFFFFFFF, 0, 0)
