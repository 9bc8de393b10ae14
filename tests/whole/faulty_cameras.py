"""Cameras that go wrong by a script: ``python -m tests.whole.faulty_cameras --cameras 50 --seed 7 --seconds 900``.

One process, an RTSP server on a port of its own for each camera, ten pictures a second of real H.264 over TCP, a key
picture and a sender report every second. Prints a line with name and URL for each camera. The faults begin when a
line comes on the standard input; when they are over, a line ``over`` is printed; the cameras then go on without
faults until the input ends. The journal (JSON lines) has every fault with the causes and times that it explains, and
at the end what each camera sent.

A camera begins where its film stands, in the middle of a group of pictures, as cameras do; one that does not hear
from its viewer for the session's time-out forgets it, and counts that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TextIO, cast

from appliance.demo.rtp import interleaved, payloads, rtp_packet, sender_report
from recorder.store.records import CodecName
from tests.fakes.video import access_units
from tests.whole.faults import Fault, Happened, deal

HOST = "127.0.0.1"

PICTURES_A_SECOND = 10
GOP = 10
FILM_PICTURES = 5 * GOP
TICKS = 90_000 // PICTURES_A_SECOND
SIZES = ((320, 240), (352, 288), (288, 192))
GRAIN = 40
"""Makes about fifty kilobytes a second."""

SESSION_S = 20
"""Time-out of a session: short, so that the box must keep it alive many times in a run."""

BEHIND_LIMIT_BYTES = 1 << 20
"""So far behind a viewer gets no more pictures: twenty seconds of them. They count as held back."""

CLOCK_STEPS_US = {"clock_ahead": 3_600_000_000, "clock_back": -10_000_000, "clock_at_key": 3_600_000_000}

RESYNC_PICTURES = 30
"""After noise with `$` in it, which may be taken for the mark of a packet of 64 KB: nobody can say what was read."""

LOSS = 0.1
"""Of all packets: most key pictures of some twenty packets are hit."""

NOISE_BYTES = 400
"""With each picture at most: thrice the seconds that noise lasts stay far below what no RTSP may be (64 KB)."""

HEADER = b"RTSP/1.0 200 OK\r\nX-Without-End: "
OTHER_THAN_DOLLAR = b"%"


@dataclass(frozen=True)
class Picture:
    """A picture as RTP payloads."""

    payloads: tuple[bytes, ...]
    is_key: bool


@lru_cache(maxsize=len(SIZES))
def film(size: tuple[int, int]) -> tuple[Picture, ...]:
    """A film in that size, which can be played round and round."""
    width, height = size
    shots = access_units(CodecName.H264, FILM_PICTURES, GOP, width, height, GRAIN)
    return tuple(Picture(tuple(payloads(data)), is_key) for data, is_key in shots)


@dataclass
class Counts:
    """What a camera did, for the end of the journal."""

    viewers: int = 0
    begun: int = 0
    """Pictures of which at least a part was sent: more than these cannot be stored."""
    sent: int = 0
    """Pictures sent in full."""
    storable: int = 0
    """Of these, pictures that must be stored: behind a key picture, with nothing before them that hides them."""
    held_back: int = 0
    """Pictures that were not sent because the viewer did not read."""
    forgotten: int = 0
    """Viewers that were not heard of for too long."""
    left: int = 0
    """Viewers that said goodbye."""
    watching: int = 0
    """At the end."""
    clock_offset_s: float = 0.0
    late_s: float = 0.0
    """The most that this simulator lagged behind."""


@dataclass
class Step:
    """The clock is to be set, where its group of pictures has come to that place."""

    by_us: int
    place: int
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class Camera:
    """One camera: what it shows, who looks, and what is wrong with it."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.chance = random.Random(f"{seed} {name}")
        self.counts = Counts()
        self.viewers: set[Viewer] = set()
        self.mood = ""
        """Of `MOODS`; empty: all is well."""
        self.size = self.chance.randrange(len(SIZES))
        self.clock_offset_us = 0
        self._server: asyncio.Server | None = None
        self._reserved = _bound(0)
        self._port = self._reserved.getsockname()[1]
        self._film = film(SIZES[self.size])
        self._unsure = 0
        self._step: Step | None = None

    @property
    def url(self) -> str:
        """Of its stream."""
        return f"rtsp://{HOST}:{self._port}/{self.name}"

    async def listen(self) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Viewer(self), sock=self._reserved)

    def refuse(self) -> None:
        """Take none: the port stays ours, so that nobody else comes to listen there."""
        assert self._server is not None
        self._server.close()
        self._reserved = _bound(self._port)

    def drop(self) -> None:
        """Close all connections, in the middle of a packet."""
        for viewer in tuple(self.viewers):
            viewer.hang_up(half_said=True)

    def reset(self) -> None:
        """Tear all connections down, with what is on the way."""
        for viewer in tuple(self.viewers):
            viewer.reset()

    async def step_clock(self, by_us: int, *, at_key: bool) -> None:
        """Its own clock is set, and time stamps with it: at a key picture, or in the middle of a group."""
        self._step = Step(by_us, 0 if at_key else GOP // 2)
        await self._step.taken.wait()

    def _take(self, step: Step) -> None:
        self.clock_offset_us += step.by_us
        for viewer in self.viewers:
            viewer.awaits_key = True
        step.taken.set()
        self._step = None

    async def play(self) -> None:
        """Show a picture whenever one is due, until cancelled."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time() + self.chance.random() / PICTURES_A_SECOND
        begun_us = time.time_ns() // 1000 + round((begun_s - loop.time()) * 1e6)
        number = 0
        while True:
            due_s = begun_s + number / PICTURES_A_SECOND
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.counts.late_s = max(self.counts.late_s, loop.time() - due_s)
            self._show(number, begun_us + number * 1_000_000 // PICTURES_A_SECOND)
            number += 1

    def _show(self, number: int, utc_us: int) -> None:
        at = number % FILM_PICTURES
        if self._step is not None and at % GOP == self._step.place:
            self._take(self._step)
        if at % GOP == 0:
            self._film = film(SIZES[self.size])
        stamp = number + self.clock_offset_us * PICTURES_A_SECOND // 1_000_000
        if self.mood == "wild_noise":
            self._unsure = RESYNC_PICTURES
        self._unsure -= 1
        shot = Shot(self._film[at], stamp * TICKS, utc_us + self.clock_offset_us, self.mood, self._unsure < 0)
        for viewer in tuple(self.viewers):
            viewer.show(shot, with_report=number % PICTURES_A_SECOND == 0)

    def sum(self) -> Counts:
        """What became of it."""
        self.counts.watching = sum(viewer.plays for viewer in self.viewers)
        self.counts.clock_offset_s = self.clock_offset_us / 1e6
        return self.counts


@dataclass(frozen=True)
class Shot:
    """A picture at its time, in whatever mood the camera is."""

    picture: Picture
    ticks: int
    utc_us: int
    mood: str
    is_sure: bool


@dataclass
class Channel:
    """What one viewer was sent."""

    base: int = field(default_factory=lambda: secrets.randbits(32))
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    seq: int = field(default_factory=lambda: secrets.randbits(16))
    packets: int = 0
    payload_bytes: int = 0
    pictures: int = 0
    last_ticks: int = 0


class Viewer(asyncio.Protocol):
    """One connection to a camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._channel = Channel()
        self._heard_s = time.monotonic()
        self.endless = False
        """Whether it is being sent a header that never ends: from then on nothing else, until it leaves."""
        self.plays = False
        self.awaits_key = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._camera.viewers.add(self)
        self._camera.counts.viewers += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._camera.viewers.discard(self)

    def hang_up(self, *, half_said: bool = False) -> None:
        """Close, perhaps in the middle of a packet."""
        if half_said and self.plays:
            self._write(interleaved(0, self._packet(b"\x41" + bytes(500), 0, marker=False))[:250])
        if self._transport:
            self._transport.close()
        self._camera.viewers.discard(self)

    def reset(self) -> None:
        """RST: the kernel sends one when a connection with no time to linger is closed."""
        if self._transport:
            wire = cast(socket.socket, self._transport.get_extra_info("socket"))
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        self._camera.viewers.discard(self)

    # -- what is asked

    def data_received(self, data: bytes) -> None:
        self._heard_s = time.monotonic()
        self._buffer += data
        while self._buffer:
            if self._buffer[0] == 0x24:  # a receiver report
                end = 4 + int.from_bytes(self._buffer[2:4], "big")
                if len(self._buffer) < max(end, 4):
                    return
            else:
                end = self._buffer.find(b"\r\n\r\n") + 4
                if end < 4:
                    return
                self._answer(self._buffer[:end].decode("latin-1"))
            self._buffer = self._buffer[end:]

    def _answer(self, request: str) -> None:
        first, *lines = request.split("\r\n")
        method = first.split(" ")[0]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        mood = self._camera.mood
        if mood == "deaf" or self.endless:
            return
        if mood == "endless_header" and not self.plays:
            self._begin_header()
            return
        status, head, body = self._says(method, mood, first)
        self._say(status, headers.get("cseq", "0"), head, body)
        if method == "TEARDOWN":
            self._camera.counts.left += 1
            self.plays = False
            self.hang_up()
        elif method == "PLAY" and status.startswith("200"):
            self.plays = True

    def _says(self, method: str, mood: str, first: str) -> tuple[str, list[str], str]:
        if method == "OPTIONS":
            return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], ""
        if method == "DESCRIBE" and mood == "lock_out":
            nonce = secrets.token_hex(8)
            return "401 Unauthorized", [f'WWW-Authenticate: Digest realm="gate", nonce="{nonce}"'], ""
        if method == "DESCRIBE" and mood == "overloaded":
            return "503 Service Unavailable", [], ""
        if method == "DESCRIBE":
            head = [f"Content-Base: {first.split(' ')[1]}/", "Content-Type: application/sdp"]
            return "200 OK", head, self._description(with_video=mood != "audio_only")
        if method == "SETUP" and mood == "busy":
            return "453 Not Enough Bandwidth", [], ""
        if method == "SETUP":
            return "200 OK", [f"Session: 4711;timeout={SESSION_S}", "Transport: RTP/AVP/TCP;interleaved=0-1"], ""
        return "200 OK", ["Session: 4711"], ""

    def _description(self, *, with_video: bool) -> str:
        lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", f"s={self._camera.name}", "t=0 0"]
        if with_video:
            lines += ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=control:track1"]
        else:
            lines += ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=control:track2"]
        return "\r\n".join([*lines, ""])

    def _say(self, status: str, cseq: str, head: list[str], body: str) -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {cseq}", *head]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _begin_header(self) -> None:
        self._write(HEADER)
        self.endless = True

    # -- what is shown

    def show(self, shot: Shot, *, with_report: bool) -> None:
        """A picture is due: send it, in the way of the camera's mood."""
        if time.monotonic() - self._heard_s > SESSION_S:
            self._camera.counts.forgotten += 1
            self.hang_up()
            return
        if shot.mood == "endless_header" and self.plays and not self.endless:
            self._begin_header()
        if self.endless:
            self._write(b"x" * 4096)
        elif not self.plays or shot.mood in ("stall", "short_stall", "deaf"):
            return
        elif shot.mood == "garbage":
            self._write(self._noise(16_384, wild=False))
        elif self._transport and self._transport.get_write_buffer_size() > BEHIND_LIMIT_BYTES:
            self._camera.counts.held_back += 1
        else:
            self._send(shot, with_report)

    def _send(self, shot: Shot, with_report: bool) -> None:
        channel, chance = self._channel, self._camera.chance
        if with_report or not channel.pictures:
            self._write(interleaved(1, self._report(shot)))
        keeps = shot.mood == "still_stamps" or (shot.mood == "twin_stamps" and channel.pictures % 2 == 1)
        ticks = channel.last_ticks if keeps and channel.pictures else shot.ticks
        channel.last_ticks = ticks
        packets = list(self._packets(shot.picture, ticks))
        whole = len(packets)
        if shot.mood == "loss":
            packets = [one for one in packets if chance.random() > LOSS]
        if shot.mood in ("noise", "wild_noise"):
            noise = self._noise(chance.randrange(1, NOISE_BYTES), wild=shot.mood == "wild_noise")
            packets.insert(chance.randrange(whole + 1), noise)
        self._write(b"".join(packets))
        self._count(shot, is_whole=len(packets) >= whole)

    def _count(self, shot: Shot, *, is_whole: bool) -> None:
        self._channel.pictures += 1
        self._camera.counts.begun += 1
        if shot.picture.is_key and is_whole:
            self.awaits_key = False
        if is_whole:
            self._camera.counts.sent += 1
            self._camera.counts.storable += not self.awaits_key and shot.is_sure

    def _packets(self, picture: Picture, ticks: int) -> Iterator[bytes]:
        last = len(picture.payloads) - 1
        for at, payload in enumerate(picture.payloads):
            yield interleaved(0, self._packet(payload, ticks, marker=at == last))

    def _packet(self, payload: bytes, ticks: int, *, marker: bool) -> bytes:
        channel = self._channel
        channel.seq += 1
        channel.packets += 1
        channel.payload_bytes += len(payload)
        return rtp_packet(
            payload, payload_type=96, seq=channel.seq, ticks=channel.base + ticks, ssrc=channel.ssrc, marker=marker
        )

    def _report(self, shot: Shot) -> bytes:
        channel = self._channel
        return sender_report(
            utc_us=shot.utc_us,
            ticks=channel.base + shot.ticks,
            ssrc=channel.ssrc,
            packets=channel.packets,
            payload_bytes=channel.payload_bytes,
        )

    def _noise(self, count: int, *, wild: bool) -> bytes:
        data = self._camera.chance.randbytes(count)
        return data if wild else data.replace(b"$", OTHER_THAN_DOLLAR)

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


def _bound(port: int) -> socket.socket:
    """A socket on that port (0: any) that does not listen yet: whoever connects to it is refused."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((HOST, port))
    return made


# -- the faults


async def carry_out(camera: Camera, fault: Fault) -> None:
    """From its beginning to its end."""
    name = fault.kind.name
    if name == "reset":
        camera.reset()
    elif name in CLOCK_STEPS_US:
        await camera.step_clock(CLOCK_STEPS_US[name], at_key=name == "clock_at_key")
    elif name == "refuse":
        camera.refuse()
        camera.drop()
        await asyncio.sleep(fault.length_s)
        await camera.listen()
    elif name in ("other_size", "size_flips"):
        flips = 1 if name == "other_size" else 5
        for _ in range(flips):
            camera.size = (camera.size + 1) % len(SIZES)
            await asyncio.sleep(fault.length_s / flips)
    else:
        await _be_in_a_mood(camera, name, fault.length_s)


async def _be_in_a_mood(camera: Camera, name: str, length_s: float) -> None:
    camera.mood = name
    if name in ("hang_up", "lock_out", "busy", "overloaded", "audio_only"):  # what is wrong shows at the next session
        camera.drop()
    await asyncio.sleep(length_s)
    camera.mood = ""


async def live(camera: Camera, script: list[Fault], tell: Callable[[dict[str, object]], None]) -> None:
    """A camera's whole script."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    for fault in script:
        await asyncio.sleep(max(0.0, begun_s + fault.at_s - loop.time()))
        began_us = time.time_ns() // 1000
        await carry_out(camera, fault)
        tell(Happened(camera.name, fault.kind.name, began_us, time.time_ns() // 1000).line())


async def serve(names: list[str], seed: int, seconds: float, rest_s: float, journal: TextIO) -> None:
    """Everything, from the first connection to the end of the input."""
    cameras = [Camera(name, seed) for name in names]

    def tell(line: dict[str, object]) -> None:
        journal.write(json.dumps(line) + "\n")
        journal.flush()

    async with asyncio.TaskGroup() as group:
        for camera in cameras:
            await camera.listen()
        players = [group.create_task(camera.play()) for camera in cameras]
        print("\n".join(f"{camera.name} {camera.url}" for camera in cameras), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as scripts:
            for camera, script in zip(cameras, deal(seed, len(cameras), seconds, rest_s), strict=True):
                scripts.create_task(live(camera, script, tell))
        print("over", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for camera in cameras:
            tell({"camera": camera.name, "counts": vars(camera.sum())})
        for player in players:
            player.cancel()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole.faulty_cameras", description=__doc__)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60, help="how long the faults go on")
    parser.add_argument("--rest", type=float, default=15, help="the most seconds between two faults of a camera")
    parser.add_argument("--journal", type=Path, help="where every fault is written down; left out: the error output")
    arguments = parser.parse_args()
    names = [f"camera-{number:02}" for number in range(arguments.cameras)]
    for size in SIZES:
        film(size)
    journal = arguments.journal.open("w", encoding="utf-8") if arguments.journal else sys.stderr
    with journal:
        asyncio.run(serve(names, arguments.seed, arguments.seconds, arguments.rest, journal))


if __name__ == "__main__":
    main()
