"""Which sound can be recorded, and how it comes to the pictures; by real sockets where a camera is asked."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config.clock import SystemClock
from config.times import SECOND_US
from recorder.capture import flac
from recorder.capture.rtp.opus import opus_head
from recorder.capture.rtp.units import AccessUnit
from recorder.capture.rtsp.audio import (
    WAITING_LIMIT_BYTES,
    WAITING_LIMIT_FRAMES,
    AudioIntake,
    audio_track,
    depacketiser_of,
)
from recorder.capture.rtsp.connection import Target
from recorder.capture.rtsp.sdp import MediaDescription, parse
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.rtsp.transport import Transport
from recorder.capture.source import AudioTrack, Packet, Track
from recorder.capture.sources import packets as packets_of
from recorder.errors import SourceEnded, SourceFault, SourceWithoutVideo
from recorder.store.records import AudioCodec
from tests.fakes.clock import FakeClock
from tests.fakes.rtsp_camera import Asked, camera
from tests.fakes.sounding_camera import PICTURE_S, RtpSound, Sounding, aac, opus, telephone

BASE = "rtsp://192.0.2.1/live"


def media_of(lines: str, line: str = "m=audio 0 RTP/AVP 97") -> MediaDescription:
    return parse(f"v=0\n{line}\n{lines}\n".encode(), BASE).media[0]


AAC = "a=rtpmap:97 MPEG4-GENERIC/16000/1\na=fmtp:97 mode=AAC-hbr;config=1408"


@pytest.mark.parametrize(
    ("media", "track"),
    [
        (media_of(AAC), AudioTrack(AudioCodec.AAC, 16_000, 1, b"\x14\x08")),
        (media_of(AAC.replace(";config=1408", "")), AudioTrack(AudioCodec.AAC, 16_000, 1, b"\x14\x08")),
        (media_of(AAC.replace("1408", '"zz"')), AudioTrack(AudioCodec.AAC, 16_000, 1, b"\x14\x08")),
        (media_of(AAC.replace("16000", "32000")), AudioTrack(AudioCodec.AAC, 32_000, 1, b"\x14\x08")),
        (media_of(AAC.replace("16000", "90000")), AudioTrack(AudioCodec.AAC, 16_000, 1, b"\x14\x08")),
        (media_of(AAC.replace("1408", "0c08")), None),
        (media_of("a=rtpmap:97 MPEG4-GENERIC/15000"), None),
        (media_of("a=rtpmap:97 MP4A-LATM/16000"), None),
        (media_of("a=rtpmap:97 opus/48000/2"), AudioTrack(AudioCodec.OPUS, 48_000, 2, opus_head(2))),
        (media_of("", "m=audio 0 RTP/AVP 8"), AudioTrack(AudioCodec.FLAC, 8000, 1, flac.stream_info(8000, 1))),
        (media_of("a=rtpmap:97 PCMU/16000/2"), AudioTrack(AudioCodec.FLAC, 16_000, 2, flac.stream_info(16_000, 2))),
        (media_of("a=rtpmap:97 PCMU/8000/9"), None),
        (media_of("a=rtpmap:97 PCMA/2000000"), None),
        (media_of("a=rtpmap:97 G726-32/8000"), None),
        (media_of(AAC, "m=video 0 RTP/AVP 97"), None),
    ],
)
def test_what_can_be_recorded(media: MediaDescription, track: AudioTrack | None) -> None:
    """AAC-LC by its configuration or, without one, by its clock; Opus; G.711 with as many channels as FLAC has."""
    assert audio_track(media) == track
    if track is not None:
        assert depacketiser_of(media).feed(memoryview(b""), 0, False) is not None


def intake(lines: str = AAC) -> AudioIntake:
    media = media_of(lines)
    track = audio_track(media)
    assert track is not None
    return AudioIntake(media, track)


def unit(number: int, data: bytes = b"frame") -> AccessUnit:
    return AccessUnit(data, 5000 + number * 1024, True, False)


def test_sound_rides_with_pictures_once_it_can_be_placed() -> None:
    """A second of pictures decides where it belongs; then all that waited goes on, seamless, and no frame twice."""
    one, out = intake(), []
    for n in range(50):
        one.came([unit(n)], n * 64_000)
        out.append(one.picture(90_000 + n * 5760, n * 64_000))

    assert [len(frames) for frames in out[:16]] == [0] * 16
    assert len(out[16]) == 17
    assert [len(frames) for frames in out[17:]] == [1] * 33
    frames = [frame for found in out for frame in found]
    assert [frame.at for frame in frames] == [16_000 + n * 1024 for n in range(50)]
    assert {frame.samples for frame in frames} == {1024}


def test_pictures_without_stamps_carry_sound_too() -> None:
    """Where one has none, those before it tell where sound belongs."""
    one = intake()
    for n in range(20):
        one.came([unit(n)], n * 64_000)
        one.picture(n * 5760, n * 64_000)
    one.came([unit(20)], 20 * 64_000)

    assert [frame.at for frame in one.picture(None, 20 * 64_000)] == [20 * 1024]


def test_what_cannot_be_stored_is_dropped_and_counted() -> None:
    """Damage; telephone sound of too few samples."""
    one = intake("a=rtpmap:97 PCMA/8000")
    one.came([AccessUnit(b"", 0, True, True), AccessUnit(bytes(30), 0, True, False)], 0)
    one.came([AccessUnit(bytes(320), 0, True, False)], 0)
    one.picture(0, 0)

    assert one.dropped == 2
    assert [frame.samples for frame in one.picture(90_000, SECOND_US)] == [160]


def test_sound_that_waits_for_pictures_is_bounded() -> None:
    """The oldest goes first: by count, and by bytes."""
    many, large = intake(), intake()
    many.came([unit(n) for n in range(WAITING_LIMIT_FRAMES + 5)], 0)
    large.came([unit(n, bytes(WAITING_LIMIT_BYTES // 4)) for n in range(6)], 0)
    for one in (many, large):
        one.picture(0, 0)

    assert (many.dropped, large.dropped) == (5, 2)
    assert [len(one.picture(90_000, SECOND_US)) for one in (many, large)] == [WAITING_LIMIT_FRAMES, 4]


def test_a_clock_at_another_rate_than_the_samples() -> None:
    """Some cameras count sound in 90 kHz: it is placed in samples all the same."""
    one = intake(AAC.replace("16000", "90000"))
    for n in range(20):
        one.came([AccessUnit(b"frame", n * 5760, True, False)], n * 64_000)
        found = one.picture(n * 5760, n * 64_000)

    assert [(frame.at, frame.samples) for frame in found] == [(19 * 1024, 1024)]


def test_reports_place_sound() -> None:
    """Half a second late on its way, it belongs where the camera says."""
    one = intake()
    for n in range(30):
        one.came([unit(n)], n * 64_000 + 500_000)
        one.reports((10**9, 0), (10**9, 5000))
        found = one.picture(n * 5760, n * 64_000 + 500_000 - 1)

    assert found[-1].at == 29 * 1024


# -- with a camera


def stepped(behaviour: Sounding, one: RtspSource, clock: FakeClock, count: int) -> list[Packet]:
    """So many pictures, each with the sound of its time; the clock goes on with the camera."""
    found: list[Packet] = []
    turn = threading.Event()
    for number in range(count):
        assert behaviour.turns is not None
        behaviour.turns.release()
        clock.advance(PICTURE_S)
        for _ in range(5000):
            found += one.take()
            if len(found) > number:
                break
            turn.wait(0.001)
    return found


def seen(
    behaviour: Sounding, *, audio: bool = True, transport: Transport = Transport.TCP
) -> tuple[Track, list[Packet]]:
    """What comes of such a camera."""
    clock = FakeClock()
    behaviour.turns = threading.Semaphore(0)
    with camera(behaviour) as url:
        one = RtspSource(Target(url, None, None, transport, audio=audio), clock)
        try:
            return one.open(), stepped(behaviour, one, clock, len(behaviour.shots))
        finally:
            one.release()
            behaviour.turns.release(10_000)


SOUNDS = {"aac": aac(3.0), "aac-3": aac(3.0, units=3), "adts": aac(3.0, with_adts=True), "opus": opus(3.0)}
SECONDS = 2.0


@pytest.mark.parametrize("name", list(SOUNDS))
def test_sound_of_a_camera_is_handed_out_as_it_came(name: str) -> None:
    """Every frame, in order, where its picture is; the pictures are as they were without."""
    behaviour = Sounding(SOUNDS[name], SECONDS)
    track, found = seen(behaviour)

    assert track.audio is not None
    assert track.left_out == ()
    assert [one.data for one in found] == behaviour.shots
    frames = [frame for one in found for frame in one.audio]
    assert [frame.data for frame in frames] == list(behaviour.sound.stored[: len(frames)])
    assert len(frames) * frames[0].samples / track.audio.rate_hz > SECONDS - 0.5
    steps = {after.at - before.at for before, after in itertools.pairwise(frames)}
    assert steps == {frames[0].samples}
    begin_s = frames[0].at / track.audio.rate_hz - (found[0].pts or 0) / 90_000
    assert abs(begin_s) < 0.25, "the first sample belongs to the first picture"
    assert {one.audio_lost for one in found} == {0}


@pytest.mark.parametrize("law", ["pcma", "pcmu"])
def test_telephone_sound_becomes_samples(law: str) -> None:
    """Each packet is a frame of FLAC with the samples that its codes mean."""
    behaviour = Sounding(telephone(3.0, law), SECONDS)
    track, found = seen(behaviour)

    assert track.audio == AudioTrack(AudioCodec.FLAC, 8000, 1, flac.stream_info(8000, 1))
    frames = [frame for one in found for frame in one.audio]
    media = media_of(behaviour.sound.lines.replace("\r", ""))
    opened = [depacketiser_of(media).feed(memoryview(one), 0, False)[0].data for one in behaviour.sound.stored]
    assert [frame.data[-322:-2] for frame in frames] == [
        b"".join(one[at : at + 2][::-1] for at in range(0, 320, 2)) for one in opened[: len(frames)]
    ]


def test_nobody_asks_for_sound_that_is_not_wanted() -> None:
    """State Council order 799, article 8: it is off unless somebody asked. It never leaves the camera."""
    behaviour = Sounding(aac(1.0), 0.4)
    track, found = seen(behaviour, audio=False)

    assert track.audio is None
    assert track.left_out == ("audio (mpeg4-generic)",)
    assert next(one.url for one in behaviour.asked if one.method == "SETUP").endswith("track1")
    assert len([one for one in behaviour.asked if one.method == "SETUP"]) == 1
    assert all(one.audio == () for one in found)


class Refusing(Sounding):
    """Answers to SETUP of sound as it is told."""

    status = 461

    def answer_audio(self, asked: Asked) -> bytes | None:
        return self.say(asked, self.status, "Location: rtsp://127.0.0.1/x" if self.status == 302 else "")


@pytest.mark.parametrize("status", [302, 400, 401, 404, 453, 454, 461, 500, 503])
def test_a_camera_that_refuses_its_sound_is_recorded_without(status: int) -> None:
    """Whatever it says, all its pictures come; and it is told why there is no sound."""
    behaviour = Refusing(aac(1.0), 0.4)
    behaviour.status = status
    track, found = seen(behaviour)

    assert track.audio is None
    assert track.left_out == ("audio (mpeg4-generic), refused by the camera",)
    assert [one.data for one in found] == behaviour.shots


class HangsUp(Sounding):
    """Ends the connection when it is asked for sound."""

    def answer_audio(self, asked: Asked) -> bytes | None:
        return b""


class Mixes(Sounding):
    """Sends sound where the pictures are."""

    def answer_audio(self, asked: Asked) -> bytes | None:
        return self.say(asked, 200, "Session: 4711\r\nTransport: RTP/AVP/TCP;interleaved=0-1")


class RefusesToPlayBoth(Sounding):
    """Agrees to both tracks, and plays but one."""

    def answer(self, asked: Asked) -> bytes | None:
        both = self.asked[-2:][0].url.endswith("track2")
        self.plays = not both
        return self.say(asked, 500) if asked.method == "PLAY" and both else super().answer(asked)


@pytest.mark.parametrize("kind", [HangsUp, Mixes, RefusesToPlayBoth])
def test_a_camera_that_sound_upsets_is_asked_again_without(kind: type[Sounding]) -> None:
    """Never at the price of the pictures: one more connection, and they come."""
    behaviour = kind(aac(1.0), 0.4)
    track, found = seen(behaviour)

    assert track.audio is None
    assert track.left_out == ("audio (mpeg4-generic), refused by the camera",)
    assert [one.data for one in found] == behaviour.shots


def test_a_camera_that_refuses_everything_is_refused_once_more() -> None:
    """The error is that of the attempt without sound."""

    class Broken(Sounding):
        def answer(self, asked: Asked) -> bytes | None:
            self.plays = False
            return self.say(asked, 500) if asked.method == "PLAY" else super().answer(asked)

    with pytest.raises(SourceFault):
        seen(Broken(aac(1.0), 0.4))


def test_a_camera_with_sound_alone_is_none() -> None:
    """Even where sound is wanted: `source_no_video`."""

    class Deaf(Sounding):
        def sdp(self) -> str:
            return "v=0\r\n" + super().sdp()[super().sdp().index("m=audio") :]

    with pytest.raises(SourceWithoutVideo):
        seen(Deaf(aac(1.0), 0.4))


def test_reports_of_both_tracks_move_sound_to_its_picture() -> None:
    """It comes 0.4 s late, which nobody could know before the camera reports how its clocks stand."""
    behaviour = Sounding(telephone(4.0), 3.0)
    behaviour.sound_late_s, behaviour.reports_at_s = 0.4, 1.8
    track, found = seen(behaviour)

    assert track.audio is not None
    first_s = (found[0].pts or 0) / 90_000
    early, late = ([frame for one in found[at:end] for frame in one.audio] for at, end in ((0, 44), (50, 75)))
    behind_s = [frames[0].at / 8000 - first_s - sample_of(frames[0].data) / 8000 for frames in (early, late)]
    assert behind_s[0] == pytest.approx(0.4, abs=0.1)
    assert behind_s[1] == pytest.approx(0.0, abs=0.01)


def sample_of(frame: bytes) -> int:
    """Which sample of the film a frame of FLAC begins with, by the number it carries."""
    lead = frame[4]
    follow = 0 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length() - 1
    number = lead & (0xFF >> follow + 2) if follow else lead
    for byte in frame[5 : 5 + follow]:
        number = number << 6 | byte & 0x3F
    return number - 77_000


def test_sound_of_another_session_among_ours_ends_the_sound_alone() -> None:
    """Two sources mixed are an error for pictures; for sound they are its end."""

    class Mixed(Sounding):
        def sounds(self) -> Iterator[tuple[float, bytes]]:
            for at_s, packet in super().sounds():
                yield at_s, packet
                for number in range(5):
                    yield at_s, packet[:2] + number.to_bytes(2, "big") + packet[4:8] + b"\xaa\xbb\xcc\xdd" + packet[12:]

    behaviour = Mixed(telephone(4.0), 3.0)
    _, found = seen(behaviour)

    assert [one.data for one in found] == behaviour.shots
    assert any(one.audio for one in found[20:40])
    assert not any(one.audio for one in found[60:])


def test_lost_packets_of_sound_are_counted_apart() -> None:
    """They are no loss of pictures; what they leave is a hole in the sound."""
    behaviour = Sounding(telephone(3.0), SECONDS)
    behaviour.heard = lambda at_s: not 0.5 < at_s < 0.7
    _, found = seen(behaviour)

    assert sum(one.lost_packets or 0 for one in found) == 0
    lost = sum(one.audio_lost or 0 for one in found)
    assert lost == 9
    frames = [frame for one in found for frame in one.audio]
    holes = [after.at - before.at - 160 for before, after in itertools.pairwise(frames)]
    assert sum(holes) == lost * 160


@pytest.mark.parametrize("sound", [replace(aac(1.0), lines="a=rtpmap:97 G726-32/8000\r\n")])
def test_sound_of_a_kind_that_cannot_be_recorded_is_not_asked_for(sound: RtpSound) -> None:
    """It is named among what is left out."""
    behaviour = Sounding(sound, 0.4)
    track, _ = seen(behaviour)

    assert (track.audio, track.left_out) == (None, ("audio (g726-32)",))
    assert len([one for one in behaviour.asked if one.method == "SETUP"]) == 1


def test_the_end_of_a_camera_is_the_end_of_its_pictures() -> None:
    """All pictures that came are handed out first, with their sound."""
    behaviour = Sounding(telephone(2.0), 1.6)
    behaviour.stays = False
    clock, behaviour.turns = FakeClock(), threading.Semaphore(0)
    with camera(behaviour) as url:
        one = RtspSource(Target(url, None, None, Transport.TCP, audio=True), clock)
        one.open()
        found = stepped(behaviour, one, clock, len(behaviour.shots) - 1)
        behaviour.turns.release(10_000)
        with pytest.raises(SourceEnded):
            found += packets_of(one, SystemClock())
        one.release()

    assert [packet.data for packet in found] == behaviour.shots[: len(found)]
    assert sum(len(packet.audio) for packet in found) > 60
