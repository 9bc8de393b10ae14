"""Cameras as they misbehave, over real sockets: what comes out of each, or the error that names it.

The rows of the table of quirks that are about connections stand here, each with its number; those about time and
parameter sets stand with the segmenter.
"""

import base64
import hashlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.clock import SystemClock
from recorder.capture.nal import units
from recorder.capture.rtp.rtcp import NTP_EPOCH_S
from recorder.capture.rtsp.connection import RtspConnection, Target
from recorder.capture.rtsp.framing import BUFFER_BYTES
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.rtsp.transport import Transport
from recorder.capture.source import Packet, Track
from recorder.capture.sources import packets as packets_of
from recorder.errors import (
    SourceBasicOnly,
    SourceBusy,
    SourceEnded,
    SourceError,
    SourceFault,
    SourceInvalid,
    SourceMixed,
    SourceNotFound,
    SourceRedirected,
    SourceRefusedUs,
    SourceSilent,
    SourceTransportRefused,
    SourceUnreachable,
    SourceWithoutVideo,
)
from recorder.store.records import CodecName
from tests.fakes.certificates import identity
from tests.fakes.clock import FakeClock
from tests.fakes.rtsp_camera import (
    SSRC,
    Asked,
    BasicOnly,
    Behaviour,
    RtspCamera,
    camera,
    interleaved,
    large_film,
    packets,
    rtp,
)
from tests.fakes.stepping import until
from tests.unit.recorder.capture.rtp.packets import h264_payloads

PASSWORD = "planted-secret"
AHEAD_US = 90_000_000


def source(url: str, *, clock: SystemClock | FakeClock | None = None, user: str | None = "ann") -> RtspSource:
    return RtspSource(Target(url, user, SecretStr(PASSWORD), Transport.TCP), clock or SystemClock())


def watched(behaviour: Behaviour, count: int | None = None) -> tuple[Track, list[Packet]]:
    """What comes of such a camera, up to so many pictures."""
    with camera(behaviour) as url:
        one = source(url)
        try:
            return one.open(), list(
                islice(packets_of(one, SystemClock()), len(behaviour.shots) if count is None else count)
            )
        finally:
            one.close()
            one.release()


def refused(behaviour: Behaviour, error: type[SourceError]) -> str:
    """The sentence with which such a camera is given up."""
    with camera(behaviour) as url:
        one = source(url)
        with pytest.raises(error) as raised:
            one.open()
        one.release()
    assert PASSWORD not in f"{raised.value}{raised.value.__cause__}{raised.value.__context__}"
    return str(raised.value)


@pytest.mark.parametrize("codec", list(CodecName))
def test_a_camera_without_oddities(codec: CodecName) -> None:
    """Every picture as it was sent; goodbye at the end."""
    behaviour = Behaviour(codec)
    track, seen = watched(behaviour)

    assert track.codec is codec
    assert [one.data for one in seen] == behaviour.shots
    assert [one.dts for one in seen] == [index * 3600 for index in range(len(seen))]
    assert [one.unit_starts for one in seen] == [
        None if codec is CodecName.MJPEG else tuple(start.start() for start in re.finditer(b"\0\0\0\1", one.data))
        for one in seen
    ]
    assert seen[0].is_key
    assert behaviour.asked[-1].method == "TEARDOWN"
    assert behaviour.asked[-1].headers["session"] == "4711"


def test_several_units_with_start_codes_in_one_of_rtp() -> None:
    """A camera that packs them so: where units begin is looked for then, else a player would take them for one."""
    sei = b"\x06\x05\x01\x00\x80"

    class Packed(Behaviour):
        def media(self) -> Iterator[bytes]:
            for index, shot in enumerate(self.shots):
                mine = list(units(shot))
                sent = [*mine[:-1], mine[-1] + b"\0\0\0\1" + sei]
                for place, unit in enumerate(sent):
                    yield interleaved(rtp(unit, index * 8 + place, index * 3600, place == len(sent) - 1))

        def film(self) -> list[bytes]:
            return [b"".join(b"\0\0\0\1" + one for one in (*units(shot), sei)) for shot in self.shots]

    behaviour = Packed()
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.film()
    assert {one.unit_starts for one in seen} == {None}


def test_quirk_6_no_parameter_sets_in_the_description() -> None:
    """Opening does not fail; the pictures bring them."""
    track, seen = watched(Behaviour(), 1)

    assert track.sets == ()
    assert seen[0].is_key


def test_quirk_6_wrong_parameter_sets_in_the_description() -> None:
    """Annex B in them is taken apart, what is none is left out, and the stream is the camera's all the same."""

    class Wrong(Behaviour):
        def sdp(self) -> str:
            told = base64.b64encode(b"\0\0\0\1\x67\x42\x00\x0a\0\0\0\1\x68\xce\x01").decode() + ",%%%," + "QUJD"
            return super().sdp() + f"a=fmtp:96 sprop-parameter-sets={told};packetization-mode=1 \r\n"

    behaviour = Wrong()
    track, seen = watched(behaviour)

    assert track.sets == (b"\x67\x42\x00\x0a", b"\x68\xce\x01")
    assert [one.data for one in seen] == behaviour.shots


def test_quirk_11_media_of_a_dead_session_on_the_new_connection() -> None:
    """What the old session left in the pipe is passed over, and no picture of the new one is missing (Moonfire 209)."""

    class Stale(Behaviour):
        def transport(self) -> str:
            return super().transport() + ";ssrc=1234ABCD"

        def media(self) -> Iterator[bytes]:
            for number in range(5):
                yield interleaved(rtp(b"\x41old", 900 + number, 99, True, ssrc=7))
            yield from super().media()

    behaviour = Stale()
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.shots


def test_quirk_11_two_sessions_for_good() -> None:
    """Where the old one goes on, the session ends with a name for it (Moonfire 209)."""

    class Mixed(Behaviour):
        def media(self) -> Iterator[bytes]:
            for number, packet in enumerate(packets(self.shots * 40, self.codec)):
                yield interleaved(packet) + interleaved(rtp(b"\x41old", number, 99, True, ssrc=7))

    with pytest.raises(SourceMixed):
        watched(Mixed(), 2000)


def test_quirk_13_a_camera_that_accepts_and_says_nothing() -> None:
    """Classified by the time that passes; the sentence says at which request."""

    class Mute(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return None

    clock = FakeClock()
    with camera(Mute()) as url:
        one = RtspConnection(Target(url, None, None, Transport.TCP), clock)
        with pytest.raises(SourceSilent, match="OPTIONS"):
            one.open(is_given_up=lambda: bool(clock.advance(4)))
        one.close()


def test_quirk_13_too_many_viewers() -> None:
    """The sentence says what to do."""

    class Full(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return self.say(asked, 453) if asked.method == "SETUP" else super().answer(asked)

    assert "viewer" in refused(Full(), SourceBusy)


def test_quirk_14_a_hole_in_the_stream() -> None:
    """The rest of the pictures comes, and what is missing is counted."""

    class Holed(Behaviour):
        def media(self) -> Iterator[bytes]:
            for index, packet in enumerate(packets(self.shots, self.codec)):
                if index != 12:
                    yield interleaved(packet)

    behaviour = Holed()
    with camera(behaviour) as url:
        one = source(url)
        one.open()
        seen = list(islice(packets_of(one, SystemClock()), len(behaviour.shots) - 1))
        assert one.connection.receiver.tally.lost == 1
        assert sum(packet.lost_packets or 0 for packet in seen) == 1
        one.release()
    assert sum(one.data in behaviour.shots for one in seen) >= len(behaviour.shots) - 2


def sender_report(utc_us: int, stamp: int) -> bytes:
    whole, part = divmod(utc_us, 1_000_000)
    return struct.pack("!BBHIIIIII", 0x80, 200, 6, SSRC, whole + NTP_EPOCH_S, (part << 32) // 1_000_000, stamp, 1, 1)


@pytest.mark.parametrize(("is_told", "is_set"), [(False, False), (True, False), (True, True)])
def test_quirk_5_what_the_camera_says_of_the_time(is_told: bool, is_set: bool) -> None:
    """No report, a clock that nobody set, a clock that is ahead: told beside our own time, never used for it."""
    begun = SystemClock().read()
    told_us = begun.utc_us + AHEAD_US if is_set else 7_000_000

    class Telling(Behaviour):
        def media(self) -> Iterator[bytes]:
            if is_told:
                yield interleaved(rtp(b"", 0xFFFF, 0, False)) + interleaved(sender_report(told_us, 0), 1)
            yield from super().media()

    _, seen = watched(Telling())

    found = seen[-1].clock_offset_us
    assert (found is not None) == (is_told and is_set)
    assert found is None or AHEAD_US - 30_000_000 < found <= AHEAD_US
    assert all(begun.mono_us <= one.arrived.mono_us < begun.mono_us + 30_000_000 for one in seen)


@pytest.mark.parametrize(("by", "follows_us"), [("00:01:00", -60_000_000), ("00:00:00.001", 0)])
def test_our_own_clock_is_set_between_two_reports(by: str, follows_us: int) -> None:
    """What the camera's report means follows a step: the older number would be wrong by as much. Where our clock is
    only steered, one report stays one number, so that it does not look like a newer one."""
    clock, is_set = FakeClock(), threading.Event()

    class Telling(Behaviour):
        def media(self) -> Iterator[bytes]:
            sent = [interleaved(one) for one in packets(self.shots, self.codec)]
            told = sender_report(clock.read().utc_us + AHEAD_US, 0)
            yield sent[0] + interleaved(told, 1) + b"".join(sent[1:20])
            is_set.wait(10)
            yield b"".join(sent[20:])

    with camera(Telling()) as url:
        one, seen = source(url, clock=clock), list[Packet]()
        one.open()
        until(lambda: seen.extend(one.take()) or seen)
        before = seen[-1].clock_offset_us
        clock.set_wall(f"2026-03-01T{by}Z")
        is_set.set()
        until(lambda: seen.extend(one.take()) or len(seen) >= 24)
        one.release()

    assert (before, seen[-1].clock_offset_us) == (AHEAD_US, AHEAD_US + follows_us)


class Locked(Behaviour):
    """Wants to know who asks."""

    challenges: tuple[str, ...] = ()
    algorithm = "sha256"

    def answer(self, asked: Asked) -> bytes | None:
        if asked.method == "OPTIONS" or self.is_right(asked):
            return super().answer(asked)
        return self.say(asked, 401, "\r\n".join(f"WWW-Authenticate: {one}" for one in self.challenges))

    def is_right(self, asked: Asked) -> bool:
        given = asked.headers.get("authorization", "")

        def make(text: str) -> str:
            return hashlib.new(self.algorithm, text.encode()).hexdigest()

        expected = make(f"{make(f'ann:cam:{PASSWORD}')}:n1:{make(f'{asked.method}:{asked.url}')}")
        return f'response="{expected}"' in given


MD5 = 'Digest realm="cam", nonce="n1"'
SHA256 = 'Digest realm="cam", nonce="n1", algorithm=SHA-256'


@pytest.mark.parametrize(
    ("challenges", "algorithm"),
    [
        ((SHA256,), "sha256"),
        ((MD5, SHA256), "sha256"),
        ((SHA256, MD5), "sha256"),
        ((MD5,), "md5"),
        (('Basic realm="c"', MD5), "md5"),
    ],
)
def test_quirk_15_digests_in_any_order(challenges: tuple[str, ...], algorithm: str) -> None:
    """The best one is used, each request with a response of its own."""
    behaviour = Locked(pictures=3)
    behaviour.challenges, behaviour.algorithm = challenges, algorithm
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.shots


def test_quirk_15_a_digest_that_nobody_can_do() -> None:
    """The sentence names it."""
    behaviour = Locked()
    behaviour.challenges = ('Digest realm="cam", nonce="n1", algorithm=SHA-512-256',)

    assert "SHA-512-256" in refused(behaviour, SourceRefusedUs)


def test_a_camera_with_basic_alone() -> None:
    """It is shown nothing, and the sentence says what to do."""
    behaviour = BasicOnly("ann", PASSWORD)

    assert "`allow_basic`" in refused(behaviour, SourceBasicOnly)
    assert not any("authorization" in one.headers for one in behaviour.asked)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_camera_with_basic_alone_that_is_allowed(is_encrypted: bool, tmp_path: Path) -> None:
    """By TLS always, else by somebody's word; only the latter goes over the network readable, and that is told."""
    behaviour = BasicOnly("ann", PASSWORD)
    own = identity(tmp_path, "gate", address="127.0.0.1")
    with camera(behaviour, own.context() if is_encrypted else None) as url:
        target = Target(
            url,
            "ann",
            SecretStr(PASSWORD),
            Transport.TCP,
            ca_file=str(own.certificate),
            allow_basic=not is_encrypted,
        )
        one = RtspSource(target, SystemClock())
        track = one.open()
        seen = list(islice(packets_of(one, SystemClock()), len(behaviour.shots)))
        one.release()

    assert [packet.data for packet in seen] == behaviour.shots
    assert track.password_in_clear is not is_encrypted


def test_a_wrong_password_that_went_readable() -> None:
    """Refused or not, everybody on the way has read it: that is told."""
    behaviour = BasicOnly("ann", "another")
    with camera(behaviour) as url:
        target = Target(url, "ann", SecretStr(PASSWORD), Transport.TCP, allow_basic=True)
        one = RtspSource(target, SystemClock())
        with pytest.raises(SourceRefusedUs) as raised:
            one.open()
        one.release()

    assert raised.value.password_in_clear
    assert not SourceBasicOnly().password_in_clear


def test_a_better_way_than_basic_is_taken_where_both_are_allowed() -> None:
    """The password is not shown, and nothing is told of it."""
    behaviour = Locked(pictures=3)
    behaviour.challenges, behaviour.algorithm = ('Basic realm="c"', MD5), "md5"
    with camera(behaviour) as url:
        one = RtspSource(Target(url, "ann", SecretStr(PASSWORD), Transport.TCP, allow_basic=True), SystemClock())
        track = one.open()
        one.release()

    assert not track.password_in_clear
    assert not any(one.headers.get("authorization", "").startswith("Basic") for one in behaviour.asked)


def test_a_wrong_password_is_tried_once() -> None:
    """A second try with the same one could lock the account."""
    behaviour = Locked()
    behaviour.challenges, behaviour.algorithm = (MD5,), "sha1"
    refused(behaviour, SourceRefusedUs)

    assert sum("authorization" in one.headers for one in behaviour.asked) == 1


def test_quirk_16_other_tracks_that_never_come() -> None:
    """They are named, and nobody waits for them."""

    class WithSound(Behaviour):
        def sdp(self) -> str:
            return (
                super().sdp()
                + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000\r\nm=application 0 RTP/AVP 98\r\n"
            )

    behaviour = WithSound()
    track, seen = watched(behaviour)

    assert track.left_out == ("audio (mpeg4-generic)", "application")
    assert len(seen) == len(behaviour.shots)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Base: 127.0.0.1/live/",
        "Content-Base: rtsp://10.9.8.7:99/live/ ",
        "Content-Type : application/sdp\r\nbroken line without a colon",
    ],
)
def test_quirk_17_broken_headers(head: str) -> None:
    """A base without scheme or of another host, lines that are none, bad RTP-Info, a session id that changes."""

    class Broken(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            if asked.method == "DESCRIBE":
                return self.say(asked, 200, head, self.sdp().replace("\r\n", "  \n"))
            if asked.method == "PLAY":
                return self.say(asked, 200, "Session: 4712\r\nRTP-Info: url=x;seq=;rtptime=-1").replace(b"\r\n", b"\n")
            return super().answer(asked)

    behaviour = Broken()
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.shots
    assert behaviour.asked[-1].headers["session"] == "4712"


def test_cameras_in_several_threads() -> None:
    """Opened in some and looked at in others, all at the same time: of each come its own pictures, whole."""
    behaviours = [Behaviour(codec) for codec in (*CodecName, *CodecName)]
    for one in behaviours:
        one.shots = large_film(one.codec)
    with ExitStack() as cameras, ThreadPoolExecutor(4) as threads:
        sources = [source(cameras.enter_context(camera(one))) for one in behaviours]
        list(threads.map(RtspSource.open, sources))
        seen: list[list[bytes]] = [[] for _ in sources]
        patience = time.monotonic() + 60
        while time.monotonic() < patience and any(
            len(pictures) < len(one.shots) for pictures, one in zip(seen, behaviours, strict=True)
        ):
            for pictures, came in zip(seen, threads.map(RtspSource.take, sources), strict=True):
                pictures += [packet.data for packet in came]
        for one in sources:
            one.release()

    assert seen == [one.shots for one in behaviours]


class OverUdp(Behaviour):
    """Sends as datagrams; somebody else sends to the same port, and every third packet overtakes its neighbour."""

    def transport(self) -> str:
        return "RTP/AVP;unicast"

    def ordered(self) -> list[bytes]:
        """The packets as they should arrive."""
        return list(packets(self.shots, self.codec))

    def overtake(self, ordered: list[bytes]) -> list[bytes]:
        """The packets as they arrive."""
        for index in range(0, len(ordered) - 1, 3):
            ordered[index], ordered[index + 1] = ordered[index + 1], ordered[index]
        return ordered

    def media(self) -> Iterator[bytes]:
        asked = next(one for one in self.asked if one.method == "SETUP")
        port = int(asked.headers["transport"].rpartition("client_port=")[2].partition("-")[0])
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            own.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.2", 0))
            for packet in self.overtake(self.ordered()):
                other.sendto(rtp(b"\x41forged", 7, 99, True), ("127.0.0.1", port))
                own.sendto(packet, ("127.0.0.1", port))
        yield b""


def test_datagrams_that_overtake_each_other_among_those_of_somebody_else() -> None:
    """They are put in order; what does not come from the camera is not in the record (quirk 14)."""
    behaviour = OverUdp(pictures=10)
    with camera(behaviour) as url:
        one = RtspSource(Target(url, None, None, Transport.UDP), SystemClock())
        one.open()
        seen = list(islice(packets_of(one, SystemClock()), 9))
        tally = one.connection.receiver.tally
        one.release()

    assert [packet.data for packet in seen[1:]] == behaviour.shots[1:9]
    assert tally.foreign == 0


def test_more_datagrams_than_the_buffer_holds() -> None:
    """Of a picture that is read in one look, none is written over before it was copied."""

    class Flood(OverUdp):
        def __init__(self) -> None:
            super().__init__(pictures=1)
            noise = random.Random(1).randbytes(BUFFER_BYTES).replace(b"\0", b"\1")
            self.shots = [b"\0\0\0\1\x65\x88" + noise]
            self.sent = threading.Event()

        def ordered(self) -> list[bytes]:
            payloads = h264_payloads(list(units(self.shots[0])), 7000)
            return [rtp(payload, number, 0, marker) for number, (payload, marker) in enumerate(payloads)]

        def overtake(self, ordered: list[bytes]) -> list[bytes]:
            return ordered

        def media(self) -> Iterator[bytes]:
            yield from super().media()
            self.sent.set()

    behaviour = Flood()
    with camera(behaviour) as url:
        one = RtspSource(Target(url, None, None, Transport.UDP), SystemClock())
        one.open()
        assert behaviour.sent.wait(10)
        seen = one.take()
        one.release()

    assert [packet.data for packet in seen] == behaviour.shots


def until_the_end(one: RtspSource, clock: SystemClock | FakeClock) -> list[Packet]:
    """Everything that comes before the camera leaves."""
    seen: list[Packet] = []
    one.open()
    with pytest.raises(SourceEnded):
        seen.extend(packets_of(one, clock))
    one.release()
    return seen


def test_a_camera_that_hangs_up_behind_its_last_datagrams() -> None:
    """They were sent beside the connection, before it was closed: they are read, and so is what waits in the window."""

    class Holed(OverUdp):
        def overtake(self, ordered: list[bytes]) -> list[bytes]:
            return [*ordered[:-2], ordered[-1]]

    behaviour = Holed(pictures=40)
    behaviour.stays = False
    with camera(behaviour) as url:
        clock = SystemClock()
        seen = until_the_end(RtspSource(Target(url, None, None, Transport.UDP), clock), clock)

    assert [packet.data for packet in seen[:39]] == behaviour.shots[:39]
    assert [packet.lost_packets for packet in seen if packet.lost_packets] == [1]


def bye(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 0x81, 203, 1, ssrc)


def test_a_camera_that_says_goodbye_and_holds_the_connection() -> None:
    """The session ends without waiting for more; the last picture needs no marker then."""

    class Leaving(Behaviour):
        def media(self) -> Iterator[bytes]:
            *most, last = packets(self.shots, self.codec)
            yield from (interleaved(packet) for packet in most)
            yield interleaved(last[:1] + bytes([last[1] & 0x7F]) + last[2:]) + interleaved(bye(SSRC), 1)

    behaviour = Leaving()
    with camera(behaviour) as url:
        clock = FakeClock()
        seen = until_the_end(source(url, clock=clock), clock)

    assert [one.data for one in seen] == behaviour.shots


def test_media_before_the_answer_to_play() -> None:
    """The key picture that comes first is not lost."""

    class Eager(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            told = super().answer(asked) or b""
            return b"".join(super().media()) + told if asked.method == "PLAY" else told

        def media(self) -> Iterator[bytes]:
            return iter(())

    behaviour = Eager()
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.shots


def test_noise_between_packets() -> None:
    """It is passed over."""

    class Noisy(Behaviour):
        def media(self) -> Iterator[bytes]:
            for one in super().media():
                yield b"\xff\0noise" + one

    behaviour = Noisy()
    _, seen = watched(behaviour)

    assert [one.data for one in seen] == behaviour.shots


def test_an_endless_header() -> None:
    """It ends the session."""

    class Endless(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return b"RTSP/1.0 200 OK\r\nX: " + b"a" * 100_000

    assert "without end" in refused(Endless(), SourceInvalid)


def test_a_camera_that_is_something_else() -> None:
    """A web server at that port: the sentence says to check it."""

    class Web(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            self.hung_up = getattr(self, "hung_up", False)
            return b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"

    behaviour = Web()
    with RtspCameraClosing(behaviour) as url:
        one = source(url)
        with pytest.raises(SourceInvalid, match="port"):
            one.open()
        one.release()


class RtspCameraClosing:
    """A server that hangs up after its first answer."""

    def __init__(self, behaviour: Behaviour) -> None:
        inner = behaviour.answer
        told: list[bytes] = []

        def answer(asked: Asked) -> bytes | None:
            told.append(inner(asked) or b"")
            camera_socket = self._camera._connections[-1]
            camera_socket.sendall(told[-1])
            return b""

        behaviour.answer = answer  # type: ignore[method-assign]  # this one's own way of answering
        self._camera = RtspCamera(behaviour)

    def __enter__(self) -> str:
        return self._camera.url

    def __exit__(self, *error: object) -> None:
        self._camera.close()


def test_a_camera_that_hangs_up_in_the_middle() -> None:
    """The pictures before it came all the same."""
    behaviour = Behaviour(pictures=5)
    behaviour.stays = False
    with pytest.raises(SourceEnded):
        watched(behaviour, 6)
    assert len(watched(behaviour, 5)[1]) == 5


@pytest.mark.parametrize(
    ("status", "error"), [(404, SourceNotFound), (500, SourceFault), (403, SourceRefusedUs), (400, SourceInvalid)]
)
def test_a_description_that_is_refused(status: int, error: type[SourceError]) -> None:
    """Each status has its error."""

    class Refusing(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return self.say(asked, status) if asked.method == "DESCRIBE" else super().answer(asked)

    refused(Refusing(), error)


def test_a_camera_without_video() -> None:
    """An intercom, or one that came back as audio only."""

    class Deaf(Behaviour):
        def sdp(self) -> str:
            return "v=0\r\nm=audio 0 RTP/AVP 0\r\n"

    refused(Deaf(), SourceWithoutVideo)


def test_a_camera_that_sends_over_udp_only() -> None:
    """The sentence names the setting."""

    class Other(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return self.say(asked, 461) if asked.method == "SETUP" else super().answer(asked)

    assert "transport" in refused(Other(), SourceTransportRefused)


def test_a_redirection_to_another_port() -> None:
    """It is followed on the same host; elsewhere it is refused, and nobody there hears of us."""
    real = Behaviour()
    with camera(real) as url:

        class Elsewhere(Behaviour):
            def answer(self, asked: Asked) -> bytes | None:
                return self.say(asked, 302, f"Location: {url}") if asked.method == "DESCRIBE" else super().answer(asked)

        with camera(Elsewhere()) as first:
            one = source(first)
            one.open()
            assert len(list(islice(packets_of(one, SystemClock()), 25))) == 25
            one.release()


def test_redirections_without_end() -> None:
    """They end."""

    class Round(Behaviour):
        def answer(self, asked: Asked) -> bytes | None:
            return (
                self.say(asked, 302, f"Location: {asked.url}") if asked.method == "DESCRIBE" else super().answer(asked)
            )

    refused(Round(), SourceRedirected)


def test_nobody_listens() -> None:
    """The host is there, the port is not: that is said."""
    one = RtspCamera(Behaviour())
    url = one.url
    one.close()
    with pytest.raises(SourceUnreachable, match="nothing listens"):
        source(url).open()


@pytest.mark.parametrize("url", ["rtsp://", "rtsp://127.0.0.1:0x/", "http://127.0.0.1/", "rtsp://[/"])
def test_a_url_that_is_none(url: str) -> None:
    """It is refused before anything is connected."""
    with pytest.raises((SourceInvalid, SourceUnreachable)):
        source(url).open()


def test_tls_where_there_is_none() -> None:
    """The sentence says so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        connection, _ = listener.accept()
        connection.sendall(b"220 ready\r\n" * 10)
        connection.recv(1000)
        connection.close()

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(SourceInvalid, match="TLS"):
        source(f"rtsps://127.0.0.1:{listener.getsockname()[1]}/live").open()
    thread.join(10)
    listener.close()
