"""The thin shell around the machines: sockets, TLS, and the carrying out of what the client machine commands.

`open` blocks, within its limits; afterwards `take` never does. There is no waiting for a socket: on a tick whoever owns
connections asks them, and one call takes what dozens of packets brought. Waking up for each packet costs several times
as much (ADR 8).

All connections of a thread read into one buffer, one after the other: a buffer for each, of hundreds of them, is in no
cache when its turn comes.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.clock import Clock, Reading
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.jpeg import JpegDepacketiser
from recorder.capture.rtp.receiver import TrackReceiver
from recorder.capture.rtp.reorder import ReorderWindow
from recorder.capture.rtp.units import AccessUnit, Depacketiser
from recorder.capture.rtsp.audio import depacketiser_of
from recorder.capture.rtsp.client import (
    Agreed,
    AgreedTrack,
    AudioWish,
    BindPorts,
    Client,
    Command,
    Phase,
    Redirect,
    Send,
)
from recorder.capture.rtsp.digest import Authenticator
from recorder.capture.rtsp.framing import BUFFER_BYTES, CHANNELS, AheadSink, Framer
from recorder.capture.rtsp.messages import Message
from recorder.capture.rtsp.sdp import MediaDescription
from recorder.capture.rtsp.transport import Transport, TransportReply
from recorder.errors import (
    SourceCertificate,
    SourceEnded,
    SourceError,
    SourceInvalid,
    SourceRedirected,
    SourceTransportRefused,
    SourceUnreachable,
)

CONNECT_LIMIT_S = 10
"""For the TCP connection, and again for TLS."""

READS_LIMIT = 32
"""Reads of one socket in one poll: a flood must not keep other cameras waiting."""

DATAGRAMS_LIMIT = 2000
"""Likewise for UDP, where a read brings one packet."""

RECORDS_LIMIT = 2000
"""Likewise for TLS, where a read brings one record: many cameras put each packet into one of its own."""

DATAGRAM_BYTES = 65_536
"""The largest there is."""

REDIRECT_LIMIT = 3
"""A camera that sends us round in circles ends here."""

LEAVE_LIMIT_S = 0.3
"""How long a goodbye is waited for."""

RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024
"""Asked for a UDP socket: a key frame arrives at once, at the speed of the line. The kernel may grant less."""

PORT_TRIES = 100
"""A pair of ports, even and odd, is looked for so often."""

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322}
"""RFC 2326, 3.2; RFC 7826, 22.14."""

AGENT = "Custos"

_Pair = tuple[socket.socket, socket.socket]
"""For RTP and RTCP of one track."""


class _OfThread(threading.local):
    """What the connections of one thread share. Between two looks nothing of theirs is left in it."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER_BYTES))


_OF_THREAD = _OfThread()


@dataclass(frozen=True)
class Target:
    """A camera to connect to."""

    url: str
    """Without credentials."""
    username: str | None
    password: SecretStr | None
    transport: Transport
    ca_file: str | None = None
    """Whom to believe about certificates; None: whom the system believes."""
    audio: bool = False
    """Whether its sound is wanted too."""
    allow_basic: bool = False
    """Whether it may be shown the password by basic authentication without TLS."""

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is said to it."""
        return self.url.lower().startswith("rtsps:")


class _Redirected(Exception):
    """The camera wants to be asked under another URL."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class _Incoming:
    """One track as it arrives."""

    def __init__(self, track: AgreedTrack, depacketiser: Depacketiser, udp: _Pair | None) -> None:
        media = track.media
        self.reply = track.reply
        self.rtp_channel = track.reply.rtp_channel
        self.udp = udp
        self.units: list[AccessUnit] = []
        self.receiver = TrackReceiver(
            depacketiser,
            media.payload_type,
            media.clock_rate_hz,
            own_ssrc=secrets.randbits(32),
            ssrc=track.reply.ssrc,
            fragmenting=depacketiser if isinstance(depacketiser, H264Depacketiser | H265Depacketiser) else None,
        )
        self._window = ReorderWindow()

    def take(self) -> list[AccessUnit]:
        """What it completed since it was last asked."""
        units, self.units = self.units, []
        return units

    def packet(self, data: memoryview, now_us: int) -> None:
        """A packet, in order."""
        units = self.receiver.rtp(data, now_us)
        if units:
            self.units.extend(units)

    def datagrams(self, buffer: memoryview, senders: set[str], now_us: int) -> None:
        """What its sockets hold, where it has some, put in order."""
        if self.udp is None:
            return
        try:
            for data in self._read(self.udp[0], buffer, senders):
                if len(data) >= 12:
                    for packet in self._window.take(data[2] << 8 | data[3], data, now_us):
                        self.packet(packet, now_us)
            for data in self._read(self.udp[1], buffer, senders):
                self.receiver.rtcp(data, now_us)
            for packet in self._window.older(now_us):
                self.packet(packet, now_us)
        finally:
            self.receiver.settle()

    def _read(self, one: socket.socket, buffer: memoryview, senders: set[str]) -> Iterator[memoryview]:
        """What came from the camera: anybody on the network can send to a port, and would be in the record.

        Datagrams lie one behind the other in the buffer, as many as it holds, before anything is written over.
        """
        at = len(buffer)
        for _ in range(DATAGRAMS_LIMIT):
            if at + DATAGRAM_BYTES > len(buffer):
                self.receiver.settle()
                at = 0
            try:
                count, address = one.recvfrom_into(buffer[at:])
            except OSError:  # nothing there, or the echo of a report that nobody took
                return
            if address[0] in senders:
                yield buffer[at : at + count]
                at += count

    def rest(self, buffer: memoryview, senders: set[str], now_us: int) -> None:
        """Nothing more will come: what its sockets hold, and what waited for a packet or an end to come."""
        self.datagrams(buffer, senders, now_us)
        for packet in self._window.rest():
            self.packet(packet, now_us)
        if self.receiver.said_goodbye:
            self.units.extend(self.receiver.finish())


class RtspConnection:
    """One session with a camera. One thread at a time."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._socket: socket.socket | None = None
        self._hosts = ("", "")
        self._pairs: list[_Pair] = []
        self._begin(target, AudioWish.YES if target.audio else AudioWish.NO)
        self.agreed: Agreed | None = None
        """Known once opened."""
        self.looked = Reading(0, 0)
        """When it was last looked what came; that came by then."""

    def _begin(self, target: Target, audio: AudioWish) -> None:
        basic = target.is_encrypted or target.allow_basic  # else everybody on the way could read the password
        authenticator = Authenticator(
            target.username, target.password, basic_allowed=basic, cnonce=lambda: secrets.token_hex(8)
        )
        self._authenticator = authenticator
        self._is_encrypted = target.is_encrypted
        self._audio_wish = audio
        self._client = Client(target.url, authenticator, target.transport, agent=AGENT, audio=audio)
        self._framer = Framer()
        self._video: _Incoming | None = None
        self._audio: _Incoming | None = None
        self._senders: set[str] = set()
        self._now_us = 0
        self._over: SourceError | None = None

    @property
    def receiver(self) -> TrackReceiver:
        """The video track's; once opened."""
        assert self._video is not None
        return self._video.receiver

    @property
    def wants_audio(self) -> bool:
        """Whether sound is asked for beside the pictures."""
        return self._target.audio

    @property
    def audio_receiver(self) -> TrackReceiver | None:
        """The audio track's, where there is one."""
        return None if self._audio is None else self._audio.receiver

    @property
    def password_in_clear(self) -> bool:
        """Whether the camera was shown the password so that everybody on the way could read it."""
        return self._authenticator.uses_basic and not self._is_encrypted

    @property
    def description(self) -> bytes:
        """The camera's SDP, raw."""
        return self._client.description

    def open(self, is_given_up: Callable[[], bool] = lambda: False) -> Agreed:
        """Connect, log in, agree on the video track, and on sound where it is wanted; begin.

        Where asking for sound ends in an error, all is begun anew without it.

        Args:
            is_given_up: asked from time to time; true ends the attempt.

        Raises:
            SourceError: one of its kinds.
        """
        target, audio = self._target, self._audio_wish
        for _ in range(REDIRECT_LIMIT + 2):
            try:
                self._open(target, is_given_up)
            except _Redirected as to:
                self.close()
                target = replace(target, url=to.url)
                self._begin(target, audio)
            except SourceError:
                if not self._client.is_about_audio or is_given_up():
                    raise
                self.close()
                audio = AudioWish.GIVEN_UP
                self._begin(target, audio)
            else:
                assert self.agreed is not None
                return self.agreed
        raise SourceRedirected("The camera sends us from one address to the next, and never to a stream.")

    def _open(self, target: Target, is_given_up: Callable[[], bool]) -> None:
        self._socket = _connected(target)
        self._hosts = _hosts(self._socket)
        self._socket.setblocking(False)
        self._do(self._client.start(self._read_clock()))
        while not self._is_playing():
            if self._over is not None:
                raise self._over
            if is_given_up():
                raise SourceEnded()
            self._wait(0.1)
            self._go_on()

    def _is_playing(self) -> bool:
        return self._client.phase is Phase.PLAYING

    def take(self) -> list[AccessUnit]:
        """Whatever has arrived, and whatever was due meanwhile; never waits.

        Raises:
            SourceError: the session is over.
        """
        if self._over is None:
            self._go_on()
        units = [] if self._video is None else self._video.take()
        if not units and self._over is not None:
            raise self._over
        return units

    def take_audio(self) -> list[AccessUnit]:
        """The sound that came when `take` was last called."""
        return [] if self._audio is None else self._audio.take()

    def _go_on(self) -> None:
        """One look at everything. An error that ends the session waits until what came before it was handed out."""
        try:
            self._look()
        except SourceError as err:
            self._over = err
            self._read_rest()

    def _look(self) -> None:
        self.looked = self._clock.read()
        now_us = self._now_us = self.looked.mono_us
        self._read_stream()
        if self._pairs:
            self._read_datagrams(_OF_THREAD.buffer, now_us)
        commands = self._client.tick(now_us)
        if commands:
            self._do(commands)
        if self._video is not None:
            self._report(self._video, now_us)
            if self._audio is not None:
                self._report(self._audio, now_us)
            if self._video.receiver.has_left(now_us):
                raise SourceEnded()

    def _read_datagrams(self, buffer: memoryview, now_us: int) -> None:
        if self._video is not None:
            self._video.datagrams(buffer, self._senders, now_us)
        if self._audio is not None:
            with self._audio_alone():
                self._audio.datagrams(buffer, self._senders, now_us)

    @contextlib.contextmanager
    def _audio_alone(self) -> Iterator[None]:
        """What is wrong with the sound is the end of the sound, not of the session."""
        try:
            yield
        except SourceError:
            self._audio = None

    def _read_rest(self) -> None:
        """The session is over: what came beside it over UDP, and what waited for a packet or an end to come."""
        for track in (self._video, self._audio):
            if track is not None:
                with contextlib.suppress(SourceError):  # there is one already
                    track.rest(_OF_THREAD.buffer, self._senders, self._now_us)

    def close(self) -> None:
        """Say goodbye, if there is a session, and let go of everything."""
        if self._socket is not None:
            with contextlib.suppress(SourceError, OSError):  # whoever does not hear a goodbye ends by its time-out
                for command in self._client.leave(self._read_clock()):
                    if isinstance(command, Send):
                        self._send(command.data)
                        self._wait(LEAVE_LIMIT_S)
            self._socket.close()
            self._socket = None
        for pair in self._pairs:
            for one in pair:
                one.close()
        self._pairs = []

    # -- in

    def _read_clock(self) -> int:
        return self._clock.read().mono_us

    def _wait(self, timeout_s: float) -> None:
        assert self._socket is not None
        poll = select.poll()  # not select(): a box has more than 1024 files open
        poll.register(self._socket, select.POLLIN)
        if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            poll.poll(round(timeout_s * 1000))

    def _read_stream(self) -> None:
        """Read what is there, and look at it when it is all there, or the buffer full: TLS hands out 16 KB at most."""
        assert self._socket is not None
        buffer, is_tls = _OF_THREAD.buffer, isinstance(self._socket, ssl.SSLSocket)
        begin = end = self._framer.begin(buffer)
        count = None
        for _ in range(RECORDS_LIMIT if is_tls else READS_LIMIT):
            count = self._receive(buffer[end:])
            end += count or 0
            if end == BUFFER_BYTES:
                self._drain(buffer, end, self._ahead)
                begin = end = self._framer.begin(buffer)
            elif not count or not is_tls:
                break
        if end > begin:
            self._drain(buffer, end, self._ahead)
        if count == 0:
            self._drain(buffer, self._framer.begin(buffer), None)  # no more of it will come
            raise self._ended()

    def _receive(self, room: memoryview) -> int | None:
        """How many bytes came; None: there are none now, 0: nor ever will be."""
        assert self._socket is not None
        try:
            return self._socket.recv_into(room)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:  # reset, timed out by the kernel, broken TLS: the connection is gone whatever it was
            return 0

    def _drain(self, buffer: memoryview, end: int, ahead: AheadSink | None) -> None:
        try:
            self._framer.drain(buffer, end, self._packet, self._message, ahead)
        finally:
            for track in (self._video, self._audio):
                if track is not None:
                    track.receiver.settle()

    def _ended(self) -> SourceError:
        """The connection is gone. Who said something else than RTSP before, and nothing in RTSP, is no camera."""
        if self._client.phase is Phase.OPTIONS and self._framer.noise_bytes:
            return SourceInvalid()
        return self._client.ended(self._read_clock())

    def _packet(self, channel: int, data: memoryview) -> None:
        video, audio = self._video, self._audio
        if video is None:
            return
        if channel == video.rtp_channel:  # hundreds a second: nothing is called that need not be
            units = video.receiver.rtp(data, self._now_us)
            if units:
                video.units.extend(units)
        elif channel == video.reply.rtcp_channel:
            video.receiver.rtcp(data, self._now_us)
        elif audio is not None and channel == audio.rtp_channel:
            with self._audio_alone():
                audio.packet(data, self._now_us)
        elif audio is not None and channel == audio.reply.rtcp_channel:
            audio.receiver.rtcp(data, self._now_us)

    def _ahead(self, buffer: memoryview, at: int, end: int) -> tuple[int, bool]:
        video = self._video
        if video is None:
            return at, False
        at, waits, units = video.receiver.ahead(buffer, at, end, video.rtp_channel, self._now_us)
        if units:
            video.units.extend(units)
        return at, waits

    def _message(self, message: Message) -> None:
        self._do(self._client.received(message, self._now_us))

    # -- out

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                self._send(command.data)
            elif isinstance(command, Agreed):
                self._agree(command)
            elif isinstance(command, BindPorts):
                self._pairs.append(_port_pair(self._local_host()))
                self._do(self._client.ports_bound(self._pairs[-1][0].getsockname()[1], self._read_clock()))
            elif isinstance(command, Redirect):
                raise _Redirected(command.url)

    def _send(self, data: bytes) -> None:
        """Requests are far smaller than the kernel's buffer: one that does not fit means nobody reads any more."""
        assert self._socket is not None
        try:
            sent = self._socket.send(data)
        except OSError as err:
            raise self._ended() from err
        if sent != len(data):
            raise SourceEnded("The camera does not read what it is sent.")

    def _agree(self, agreed: Agreed) -> None:
        self.agreed = agreed
        replies = [agreed.reply] + ([] if agreed.audio is None else [agreed.audio.reply])
        self._framer.channels = max(CHANNELS, *(1 + max(one.rtp_channel, one.rtcp_channel) for one in replies))
        self._senders = {self._peer_host(), agreed.reply.source or self._peer_host()}
        media = agreed.media
        self._video = self._incoming(AgreedTrack(media, agreed.reply), _depacketiser(media), 0)
        if agreed.audio is not None:
            self._senders.add(agreed.audio.reply.source or self._peer_host())
            self._audio = self._incoming(agreed.audio, depacketiser_of(agreed.audio.media), 1)

    def _incoming(self, track: AgreedTrack, depacketiser: Depacketiser, number: int) -> _Incoming:
        reply = track.reply
        if reply.group is not None:
            self._pairs.append(_multicast_pair(reply, self._local_host()))
        pair = self._pairs[number] if number < len(self._pairs) else None
        if pair is not None and reply.group is None and reply.server_port is not None:
            self._punch(pair, reply.source or self._peer_host(), reply.server_port)
        return _Incoming(track, depacketiser, pair)

    def _punch(self, pair: _Pair, host: str, port: int) -> None:
        """A packet each way opens the path through routers and firewalls that let answers in only."""
        for index, one in enumerate(pair):
            with contextlib.suppress(OSError):  # where nothing is in the way nothing need be opened
                one.sendto(
                    b"\x80\x00\x00\x00" if index == 0 else b"\x80\xc9\x00\x01\x00\x00\x00\x00", (host, port + index)
                )

    def _report(self, track: _Incoming, now_us: int) -> None:
        report = track.receiver.report(now_us)
        if report is None or self._client.phase is not Phase.PLAYING:
            return
        reply = track.reply
        if self._target.transport is Transport.TCP:
            self._send(b"$" + bytes([reply.rtcp_channel]) + len(report).to_bytes(2, "big") + report)
        elif track.udp is not None and reply.server_port is not None:
            with contextlib.suppress(OSError):  # an unreachable report port is not the media's
                track.udp[1].sendto(report, (reply.source or self._peer_host(), reply.server_port + 1))

    def _local_host(self) -> str:
        return self._hosts[0]

    def _peer_host(self) -> str:
        return self._hosts[1]


def _hosts(one: socket.socket) -> tuple[str, str]:
    """Ours and the camera's, while the kernel knows: of a connection that was reset it does not any more.

    Raises:
        SourceEnded: it was already.
    """
    try:
        return str(one.getsockname()[0]), str(one.getpeername()[0])
    except OSError as err:
        raise SourceEnded() from err


def _depacketiser(media: MediaDescription) -> Depacketiser:
    if media.encoding == "JPEG":
        return JpegDepacketiser(media.size)
    if media.encoding == "H265":
        don_diff = media.fmtp.get("sprop-max-don-diff", "0")
        return H265Depacketiser(donl=don_diff.isdigit() and int(don_diff) > 0)
    return H264Depacketiser()


def _connected(target: Target) -> socket.socket:
    """A connection, encrypted where the URL says so."""
    try:
        parts = urlsplit(target.url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError) as err:
        raise SourceInvalid("That is not a URL of an RTSP camera.") from err
    if parts.scheme != "rtsps":
        return _plain(host, port)
    context = _context(target.ca_file)
    try:
        return _encrypted(_plain(host, port), host, context)
    except _OtherName as err:
        if target.ca_file is None:
            raise SourceCertificate(f"{SourceCertificate.sentence()} It is for another name than {host}.") from err
    # The camera's own certificate, pinned, needs no name: nobody else has its key.
    context.check_hostname = False
    secure = _encrypted(_plain(host, port), host, context)
    if secure.getpeercert(binary_form=True) in _pinned(target.ca_file):
        return secure
    secure.close()
    raise SourceCertificate(f"{SourceCertificate.sentence()} It is for another name than {host}.")


class _OtherName(Exception):
    """A certificate that is good, for somebody else."""


_NAME_MISMATCHES = (62, 64)
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def _plain(host: str, port: int) -> socket.socket:
    try:
        plain = socket.create_connection((host, port), timeout=CONNECT_LIMIT_S)
    except socket.gaierror as err:
        raise SourceUnreachable("The name of the camera's host is not known: check it, or use its address.") from err
    except OSError as err:
        raise SourceUnreachable(_why_not(err)) from err
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as err:
        raise SourceCertificate("The file with the camera's certificates cannot be read, or holds none.") from err
    if ca_file is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a pinned certificate need not be an authority's
    return context


def _pinned(ca_file: str) -> set[bytes]:
    """The certificates of a file (DER)."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    blocks = Path(ca_file).read_text(encoding="ascii", errors="replace").split(end)
    return {ssl.PEM_cert_to_DER_cert(block[block.find(begin) :] + end) for block in blocks if begin in block}


def _encrypted(plain: socket.socket, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Takes the connection over, or closes it."""
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as err:
        plain.close()
        if err.verify_code in _NAME_MISMATCHES:
            raise _OtherName from err
        raise SourceCertificate(f"{SourceCertificate.sentence()} It was refused: {err.verify_message}.") from err
    except (ssl.SSLError, OSError) as err:
        plain.close()
        raise SourceInvalid("What answers at that port does not speak TLS: check the port, or use rtsp.") from err


def _why_not(err: OSError) -> str:
    if isinstance(err, TimeoutError):
        return "Nothing answers at the camera's address: check power, cable and address."
    if err.errno == errno.ECONNREFUSED:
        return "The camera's host is there, but nothing listens at that port: check the port, or switch RTSP on."
    return SourceUnreachable.sentence()


def _port_pair(host: str) -> _Pair:
    """RTP on an even port, RTCP on the next (RFC 3550, 11)."""
    for _ in range(PORT_TRIES):
        try:
            rtp = _datagram_socket(host, 0)
        except OSError as err:
            raise SourceTransportRefused(f"This box has no UDP port for the camera ({err.strerror}).") from err
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            with contextlib.suppress(OSError):  # somebody has the next one
                return rtp, _datagram_socket(host, port + 1)
        rtp.close()
    raise SourceTransportRefused("No pair of UDP ports is free on this box.")


def _datagram_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        one.bind((host, port))
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def _multicast_pair(reply: TransportReply, local_host: str) -> _Pair:
    """Both ports of the group, joined on the interface that the camera is reached by."""
    assert reply.group is not None
    assert reply.port is not None
    return _joined(reply.group, reply.port, local_host), _joined(reply.group, reply.port + 1, local_host)


def _joined(group: str, port: int, local_host: str) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # several cameras may share a group's port
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        one.bind((group, port))
        membership = socket.inet_aton(group) + socket.inet_aton(local_host)
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        one.setblocking(False)
    except OSError as err:
        one.close()
        raise SourceTransportRefused("The camera's multicast group cannot be joined from this box.") from err
    return one
