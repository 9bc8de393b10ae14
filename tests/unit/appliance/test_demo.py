"""The demonstration camera: its packets, its conversation, its picture, and all of it together seen by libav."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from zoneinfo import ZoneInfo

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.demo.film import GOP_FRAMES, HEIGHT, WIDTH, ClockFilm, draw
from appliance.demo.rtp import nal_units, payloads, rtp_packet, sender_report
from appliance.demo.rtsp import REQUEST_LIMIT_BYTES, Account, Conversation, HangUp, Pause, Play, Reply
from appliance.demo.server import DemoServer
from config.clock import SystemClock
from config.times import parse_us

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON_US = parse_us("2026-11-24T04:00:00Z")


def put_together(parts: list[bytes]) -> list[bytes]:
    """The receiver's side of RFC 6184, written apart from the sender's."""
    units: list[bytes] = []
    for part in parts:
        if part[0] & 0x1F != 28:
            units.append(part)
        elif part[1] & 0x80:
            units.append(bytes([part[0] & 0xE0 | part[1] & 0x1F]) + part[2:])
        else:
            units[-1] += part[2:]
    return units


nal_unit = st.builds(
    lambda head, body: bytes([head]) + body + b"\x80", st.integers(0x61, 0x68), st.binary(max_size=5000)
).filter(lambda nal: b"\x00\x00\x01" not in nal and b"\x00\x00\x00" not in nal)


@given(st.lists(nal_unit, min_size=1, max_size=5))
def test_units_of_any_size_are_sent(units: list[bytes]) -> None:
    """What is cut into packets and put together again is what went in, and no packet is too large."""
    parts = list(payloads(b"".join(b"\x00\x00\x00\x01" + unit for unit in units)))
    assert put_together(parts) == units
    assert max(map(len, parts)) <= 1400


def test_long_and_short_start_codes() -> None:
    """Both start codes of Annex B part units, and the zero of the long one belongs to none."""
    assert nal_units(b"\x00\x00\x00\x01ab\x00\x00\x01cd\x00\x00\x00\x01e") == [b"ab", b"cd", b"e"]


def test_packet_carries_its_header() -> None:
    """Version, marker, payload type, sequence, time stamp and source stand where RFC 3550 has them, and wrap."""
    packet = rtp_packet(b"xy", payload_type=96, seq=65_537, ticks=2**32 + 7, ssrc=9, marker=True)
    assert struct.unpack("!BBHII", packet[:12]) == (0x80, 0xE0, 1, 7, 9)
    assert packet[12:] == b"xy"


def test_report_names_the_instant() -> None:
    """A sender report carries NTP time: half a second is half of 2**32."""
    report = sender_report(utc_us=500_000, ticks=45_000, ssrc=9, packets=3, payload_bytes=99)
    assert struct.unpack("!BBHIIIIII", report) == (0x80, 200, 6, 9, 2_208_988_800, 2**31, 45_000, 3, 99)


def request(method: str, *headers: str, url: str = "rtsp://127.0.0.1/demo") -> bytes:
    return "\r\n".join([f"{method} {url} RTSP/1.0", "CSeq: 5", *headers, "", ""]).encode()


def talk(conversation: Conversation, data: bytes) -> list[object]:
    return list(conversation.receive(data))


def status(command: object) -> int:
    assert isinstance(command, Reply)
    return int(command.data.split(b" ")[1])


@pytest.fixture
def conversation() -> Conversation:
    return Conversation({"demo": ("m=video 0 RTP/AVP 96",)}, "abc")


def test_recorder_sets_up_and_plays(conversation: Conversation) -> None:
    """OPTIONS, DESCRIBE, SETUP over TCP and PLAY lead to a film on the asked channels; PAUSE and TEARDOWN end it."""
    assert status(talk(conversation, request("OPTIONS"))[0]) == 200
    described = talk(conversation, request("DESCRIBE", "Accept: application/sdp"))[0]
    assert isinstance(described, Reply)
    assert b"m=video 0 RTP/AVP 96\r\na=control:track1\r\n" in described.data
    assert status(talk(conversation, request("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3"))[0]) == 200
    assert talk(conversation, request("PLAY", "Session: abc"))[1:] == [Play("demo", 2, 3)]
    assert talk(conversation, request("PAUSE", "Session: abc"))[1:] == [Pause()]
    assert talk(conversation, request("TEARDOWN", "Session: abc"))[-1] == HangUp()


def test_udp_is_asked_for(conversation: Conversation) -> None:
    """SETUP over UDP is answered with 461, so that a client goes over to TCP."""
    assert status(talk(conversation, request("SETUP", "Transport: RTP/AVP;unicast;client_port=4000-4001"))[0]) == 461


def test_play_before_setup(conversation: Conversation) -> None:
    """Nothing is played on channels nobody agreed on."""
    assert [status(command) for command in talk(conversation, request("PLAY"))] == [454]


def test_unknown_film(conversation: Conversation) -> None:
    """A path that is no film is answered with 404."""
    assert status(talk(conversation, request("DESCRIBE", url="rtsp://127.0.0.1/other"))[0]) == 404


def test_requests_arrive_in_pieces(conversation: Conversation) -> None:
    """However the network cuts it, a request is answered once, and packets between requests are passed over."""
    data = b"$\x01\x00\x03abc" + request("OPTIONS") + b"$\x01\x00\x00" + request("OPTIONS")
    replies = [command for at in range(len(data)) for command in talk(conversation, data[at : at + 1])]
    assert [status(reply) for reply in replies] == [200, 200]


def test_something_else_than_rtsp(conversation: Conversation) -> None:
    """A browser that strays here is told off and hung up on."""
    commands = talk(conversation, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status(commands[0]) == 400
    assert commands[1:] == [HangUp()]


def test_endless_request(conversation: Conversation) -> None:
    """A request without end is hung up on before it fills memory."""
    assert talk(conversation, b"x" * (REQUEST_LIMIT_BYTES + 1)) == [HangUp()]


def digest(password: str) -> str:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    url = "rtsp://127.0.0.1/demo"
    response = md5(f"{md5(f'ann:custos demo:{password}')}:abc:{md5(f'DESCRIBE:{url}')}")
    return f'Authorization: Digest username="ann", realm="custos demo", nonce="abc", uri="{url}", response="{response}"'


def test_account_is_asked_for() -> None:
    """Without the right password, only the challenge is given; with it, the description."""
    conversation = Conversation({"demo": ("m=video 0 RTP/AVP 96",)}, "abc", Account("ann", "right"))
    assert status(talk(conversation, request("DESCRIBE"))[0]) == 401
    assert status(talk(conversation, request("DESCRIBE", digest("wrong")))[0]) == 401
    assert status(talk(conversation, request("DESCRIBE", digest("right")))[0]) == 200
    assert "right" not in repr(Account("ann", "right"))


def test_time_passes_in_the_picture() -> None:
    """The same instant gives the same picture, and a tenth of a second later it differs."""
    picture = draw(NOON_US, SHANGHAI, "demo")
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(picture, draw(NOON_US, SHANGHAI, "demo"))
    assert not np.array_equal(picture, draw(NOON_US + 100_000, SHANGHAI, "demo"))


def test_film_begins_each_second_with_a_key_frame() -> None:
    """Every tenth frame is a key frame carrying its parameter sets, and every frame decodes to its picture."""
    film = ClockFilm(SHANGHAI)
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    pictures, keys = [], []
    for count in range(2 * GOP_FRAMES + 1):
        frame = film.next(NOON_US + count * 100_000)
        units = put_together(list(frame.payloads))
        keys.append(frame.is_key)
        assert ([unit[0] & 0x1F for unit in units][:2] == [7, 8]) == frame.is_key
        pictures += decoder.decode(av.Packet(b"".join(b"\x00\x00\x00\x01" + unit for unit in units)))
    pictures += decoder.decode(None)
    assert [at for at, is_key in enumerate(keys) if is_key] == [0, 10, 20]
    assert len(pictures) == len(keys)
    shown = pictures[7].to_ndarray(format="bgr24").astype(int)
    assert np.abs(shown - draw(NOON_US + 700_000, SHANGHAI, "demo")).mean() < 8


def watch(url: str, frames: int, **options: str) -> list[tuple[int | None, bool]]:
    with av.open(url, options={"rtsp_transport": "tcp", "timeout": "5000000"} | options) as container:
        seen = []
        for packet in container.demux(video=0):
            seen.append((packet.dts, packet.is_keyframe))
            if len(seen) == frames:
                break
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", WIDTH, HEIGHT)
        return seen


async def test_libav_watches() -> None:
    """A client that knows nothing of this code gets the size, a key frame first, and whole tenths of a second."""
    server = DemoServer({"demo": ClockFilm(SHANGHAI)}, SystemClock())
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.run(ready.set))
        await ready.wait()
        seen = await asyncio.to_thread(watch, server.url("demo"), 13)
        serving.cancel()
    assert [is_key for _, is_key in seen[:11]] == [True] + [False] * 9 + [True]
    ticks = [dts for dts, _ in seen[1:] if dts is not None]
    assert ticks == sorted(set(ticks))
    assert all(dts % 9000 == 0 for dts in ticks)


async def test_libav_gives_a_wrong_password() -> None:
    """An account keeps out a real client with a wrong password, and lets in the same with the right one."""
    server = DemoServer({"demo": ClockFilm(SHANGHAI)}, SystemClock(), account=Account("ann", "right"))
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.run(ready.set))
        await ready.wait()
        with pytest.raises(av.error.HTTPUnauthorizedError):
            await asyncio.to_thread(watch, server.url("demo").replace("//", "//ann:wrong@"), 1)
        assert len(await asyncio.to_thread(watch, server.url("demo").replace("//", "//ann:right@"), 3)) == 3
        serving.cancel()
