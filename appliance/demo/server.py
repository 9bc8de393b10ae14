"""The demonstration camera's server: films played to whoever asks, over RTSP on one TCP port of the loopback interface.

Each film is drawn once, however many look, and not at all while nobody does. A client that reads too slowly loses
frames up to the next key frame; the server's memory stays bounded. Left to others: what is said (`appliance.demo.rtsp`)
and shown (`appliance.demo.film`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from appliance.demo.film import Film, Frame
from appliance.demo.rtp import interleaved, rtp_packet, sender_report
from appliance.demo.rtsp import Account, Conversation, HangUp, Pause, Play, Reply
from config.clock import Clock

HOST = "127.0.0.1"
"""The demonstration camera is for this machine alone."""

WRITE_LIMIT_BYTES = 1 << 20
"""Some ten seconds of the film: a reader that far behind has stalled, and gets no more until it has caught up."""

REPORT_FRAMES = 50
"""A sender report every five seconds at ten frames a second (RFC 3550 clause 6.2 asks for that order)."""


class DemoServer:
    """Plays films under ``rtsp://127.0.0.1:<port>/<name>``.

    Args:
        films: by the name in the URL.
        clock: whose time is shown and reported.
        account: None lets everybody look.
        port: 0 lets the operating system choose.
    """

    def __init__(
        self, films: Mapping[str, Film], clock: Clock, *, account: Account | None = None, port: int = 0
    ) -> None:
        self._films = films
        self._clock = clock
        self._account = account
        self._port = port
        self._clients: set[_Client] = set()
        self._wanted = {name: asyncio.Event() for name in films}

    def url(self, name: str) -> str:
        """Where a film is played; valid once `run` has called `ready`."""
        return f"rtsp://{HOST}:{self._port}/{name}"

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled.

        Raises:
            OSError: the port cannot be listened on.
        """
        server = await asyncio.get_running_loop().create_server(lambda: _Client(self), HOST, self._port)
        self._port = server.sockets[0].getsockname()[1]
        try:
            ready()
            async with asyncio.TaskGroup() as group:
                for name, film in self._films.items():
                    group.create_task(self._play(name, film), name=f"demo film {name}")
        finally:
            server.close()
            for client in tuple(self._clients):
                client.hang_up()

    async def _play(self, name: str, film: Film) -> None:
        """Draw a frame whenever one is due and somebody looks; what could not be drawn in time is left out."""
        loop = asyncio.get_running_loop()
        interval_s, begun_s, base = 1 / film.frames_per_s, loop.time(), secrets.randbits(32)
        count = 0
        while True:
            await self._wanted[name].wait()
            count = max(count + 1, int((loop.time() - begun_s) / interval_s))
            await asyncio.sleep(begun_s + count * interval_s - loop.time())
            utc_us = self._clock.read().utc_us
            frame = await asyncio.to_thread(film.next, utc_us)
            shot = _Shot(frame, base + count * film.ticks_per_s // film.frames_per_s, utc_us, film.payload_type)
            for client in tuple(self._clients):
                client.show(name, shot)

    def _looking_changed(self) -> None:
        for name, wanted in self._wanted.items():
            if any(client.looks_at == name for client in self._clients):
                wanted.set()
            else:
                wanted.clear()


@dataclass(frozen=True)
class _Shot:
    frame: Frame
    ticks: int
    utc_us: int
    payload_type: int


@dataclass
class _Screen:
    """What a client looks at, and how far it was sent."""

    name: str
    rtp_channel: int
    rtcp_channel: int
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    seq: int = field(default_factory=lambda: secrets.randbits(16))
    packets: int = 0
    payload_bytes: int = 0
    frames: int = 0
    waits_for_key: bool = True


class _Client(asyncio.Protocol):
    """One connection: its conversation, and what it looks at."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        media = {name: film.media_lines for name, film in server._films.items()}
        self._conversation = Conversation(media, secrets.token_hex(8), server._account)
        self._transport: asyncio.Transport | None = None
        self._screen: _Screen | None = None
        self._is_full = False

    @property
    def looks_at(self) -> str | None:
        """The film that is being played to this client."""
        return self._screen.name if self._screen else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: uvloop's transports behave as asyncio's, and are none by type.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT_BYTES)
        self._server._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server._clients.discard(self)
        self._server._looking_changed()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False

    def data_received(self, data: bytes) -> None:
        """Let the conversation decide, and do as it says."""
        for command in self._conversation.receive(data):
            match command:
                case Reply(data=reply):
                    self._send(reply)
                case Play(name=name, rtp_channel=rtp, rtcp_channel=rtcp):
                    self._screen = _Screen(name, rtp, rtcp)
                    self._server._looking_changed()
                case Pause():
                    self._screen = None
                    self._server._looking_changed()
                case HangUp():
                    self.hang_up()

    def hang_up(self) -> None:
        """Close once everything is sent."""
        if self._transport:
            self._transport.close()

    def show(self, name: str, shot: _Shot) -> None:
        """Send a frame of a film, if this client looks at it and keeps up; it begins with a key frame."""
        screen = self._screen
        if screen is None or screen.name != name:
            return
        if self._is_full:
            screen.waits_for_key = True
        if screen.waits_for_key and (self._is_full or not shot.frame.is_key):
            return
        screen.waits_for_key = False
        self._send(b"".join(_packets(screen, shot)))

    def _send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            with contextlib.suppress(ConnectionError):
                self._transport.write(data)


def _packets(screen: _Screen, shot: _Shot) -> list[bytes]:
    """The interleaved packets of a frame, with a sender report before it when one is due."""
    out = []
    if screen.frames % REPORT_FRAMES == 0:
        report = sender_report(
            utc_us=shot.utc_us,
            ticks=shot.ticks,
            ssrc=screen.ssrc,
            packets=screen.packets,
            payload_bytes=screen.payload_bytes,
        )
        out.append(interleaved(screen.rtcp_channel, report))
    last = len(shot.frame.payloads) - 1
    for at, payload in enumerate(shot.frame.payloads):
        packet = rtp_packet(
            payload,
            payload_type=shot.payload_type,
            seq=screen.seq,
            ticks=shot.ticks,
            ssrc=screen.ssrc,
            marker=at == last,
        )
        out.append(interleaved(screen.rtp_channel, packet))
        screen.seq += 1
        screen.packets += 1
        screen.payload_bytes += len(payload)
    screen.frames += 1
    return out
