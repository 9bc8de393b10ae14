"""A camera by way of libav (PyAV): RTSP over TCP, and every other URL that it can read.

`av.open(timeout=…)` is never used: its interrupt callback takes the interpreter's lock at every poll and triples the
cost of twenty cameras. The socket's own timeout and the session's media deadline do its work. What libav says goes
no further than `translated`: its texts contain the URL with its password.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit, urlunsplit

import av
import structlog
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.video.stream import VideoStream
from pydantic import SecretStr

from config.clock import Clock
from config.errors import CustosError
from config.times import SECOND_US
from recorder.capture.libavaudio import LibavAudio, audio_of
from recorder.capture.nal import parameter_sets
from recorder.capture.source import Packet, Track
from recorder.capture.timeline import TICKS_PER_S
from recorder.errors import (
    SourceCodecUnknown,
    SourceEnded,
    SourceError,
    SourceInvalid,
    SourceNotFound,
    SourceRefusedUs,
    SourceSilent,
    SourceStalled,
    SourceUnreachable,
    SourceWithoutVideo,
)
from recorder.store.records import CodecName

SOCKET_TIMEOUT_S = 10
"""How long the socket may be silent, connecting or reading."""

OPEN_LIMIT_S = 30
"""For all of connecting and looking at the stream: a server that sends a little now and then keeps each read short of
the socket's timeout, for ever."""

OPEN_LOOK_S = 0.1
"""How often whoever waits for that looks whether it is still wanted."""

GIVEN_UP_LIMIT = 16
"""Threads of a process that were given up and that libav has not come back from: while there are so many, no more are
begun for cameras like theirs."""

PROBE_BYTES = 5_000_000
PROBE_US = 3_000_000
"""How much libav may look at before it says what the stream is."""

QUEUE_LIMIT_PACKETS = 500
"""Between libav's thread and whoever takes: some ten seconds of an ordinary camera. When it is full libav waits, and
so does what feeds it."""

PUT_S = 0.25
"""How often a thread that waits for room looks whether anybody still wants packets."""

MULTIPART = "mpjpeg"
"""libav's name of JPEG pictures in an endless answer of HTTP. They bear no time; libav counts 25 a second, of any."""

_CODECS = {"h264": CodecName.H264, "hevc": CodecName.H265, "mjpeg": CodecName.MJPEG}
_FILTERS = {CodecName.H264: "h264_mp4toannexb", CodecName.H265: "hevc_mp4toannexb"}
_UNREACHABLE = {
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
}

log = structlog.get_logger("capture")

av.logging.set_level(None)


class _GivenUp:
    """Counts the threads that nobody waits for any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        """One more, or one less."""
        with self._lock:
            self._count += count

    def refuse(self) -> None:
        """Raise `SourceSilent` where there are too many."""
        with self._lock:
            if self._count >= GIVEN_UP_LIMIT:
                raise SourceSilent("Too many cameras that libav reads do not answer to the end: no more are tried now.")


_GIVEN_UP = _GivenUp()


class LibavSource:
    """Obeys `source.Source`. What may block on the camera happens in a thread of its own, connecting too."""

    def __init__(
        self, url: str, username: str | None, password: SecretStr | None, clock: Clock, *, audio: bool = False
    ) -> None:
        """`audio`: whether sound is wanted."""
        self._url = url
        self._username = username
        self._password = password
        self._clock = clock
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._filter: BitStreamFilterContext | None = None
        self._codec: CodecName | None = None
        self._without_times = False
        self._audio_wanted = audio
        self._audio: LibavAudio | None = None
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._outcome: Track | CustosError | None = None
        self._lock = threading.Lock()
        self._is_given_up = False
        self._packets: queue.Queue[Packet | CustosError] = queue.Queue(QUEUE_LIMIT_PACKETS)
        self._read_all = True
        """Whether no thread is in libav: it then closes with whoever releases."""
        self._reader = threading.Thread(target=self._read, name="libav", daemon=True)

    def open(self) -> Track:
        """Connect; takes a second or more, because libav looks at the stream first."""
        _GIVEN_UP.refuse()
        self._read_all = False
        self._reader.start()
        ends_s = time.monotonic() + OPEN_LIMIT_S
        while not self._opened.wait(OPEN_LOOK_S):
            if self._closing.is_set():
                self._give_up(SourceEnded())
            if time.monotonic() > ends_s:
                self._give_up(SourceSilent("The camera answers, but too slowly to be recorded: check it, or the line."))
        if isinstance(self._outcome, CustosError):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def _give_up(self, error: SourceError) -> NoReturn:
        """Leave the thread to itself: it ends, and closes, once libav comes back."""
        self._closing.set()
        with self._lock:
            self._is_given_up = not self._read_all
            if self._is_given_up:
                _GIVEN_UP.add(1)
        raise error

    def take(self) -> Sequence[Packet]:
        """Pictures that libav's thread has read; always ends with an error, were it that the camera said goodbye."""
        found: list[Packet] = []
        while True:
            try:
                one = self._packets.get_nowait()
            except queue.Empty:
                return found
            if isinstance(one, Packet):
                found.append(one)
            elif found:
                self._packets.put_nowait(one)  # what came before the end is handed out first
                return found
            else:
                raise one

    def close(self) -> None:
        """Ask libav's thread to end; it does within the socket's timeout."""
        self._closing.set()

    def release(self) -> None:
        """Let go. The thread that reads closes the connection once libav hands it back: libav is not thread-safe."""
        self._closing.set()
        if self._read_all:
            self._close_container()

    # -- libav's thread: everything that may block on the camera happens here

    def _read(self) -> None:
        try:
            self._outcome = self._open()
            self._opened.set()
            for packet in self._demuxed():
                self._put(packet)
        except CustosError as err:
            self._ended(err)
        except Exception as err:  # top of a supervised thread: reported to who takes, which tries again
            log.exception("reading failed")
            self._ended(SourceInvalid(f"Reading met an error of the program itself ({type(err).__name__})."))
        finally:
            with self._lock:
                self._read_all = True
                if self._is_given_up:
                    _GIVEN_UP.add(-1)
            if self._closing.is_set():
                self._close_container()

    def _ended(self, err: CustosError) -> None:
        """Whoever waits for the connection learns of it, or whoever takes pictures."""
        if self._opened.is_set():
            self._put(err)
        else:
            self._outcome = err
            self._opened.set()

    def _open(self) -> Track:
        with translated(connecting=True):
            container = av.open(
                with_credentials(self._url, self._username, self._password), options=_options(self._url)
            )
        assert isinstance(container, InputContainer)
        self._container = container
        self._without_times = container.format.name == MULTIPART
        if not container.streams.video:
            raise SourceWithoutVideo
        self._stream = container.streams.video[0]
        self._codec = _codec_of(self._stream)
        extradata = self._stream.codec_context.extradata or b""
        if self._codec in _FILTERS and extradata[:1] == b"\x01":  # length-prefixed units, as in MP4 files
            self._filter = BitStreamFilterContext(_FILTERS[self._codec], self._stream)
            extradata = b""
        if self._audio_wanted:
            self._audio = next(filter(None, map(audio_of, container.streams.audio)), None)
        taken = (self._stream, None if self._audio is None else self._audio.stream)
        left_out = tuple(_words(one) for one in container.streams if one not in taken)
        audio = None if self._audio is None else self._audio.track
        return Track(self._codec, parameter_sets(extradata, self._codec), left_out, audio=audio)

    def _put(self, one: Packet | CustosError) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._packets.put(one, timeout=PUT_S)
                return

    def _close_container(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(SourceError), translated(connecting=False):  # it was given up already
                container.close()

    def _demuxed(self) -> Iterator[Packet]:
        assert self._container is not None
        assert self._stream is not None
        audio = self._audio
        streams = (self._stream,) if audio is None else (self._stream, audio.stream)
        stream: Iterator[AvPacket[Any]] = self._container.demux(*streams)
        while not self._closing.is_set():
            with translated(connecting=False):
                packet = next(stream, None)
            if packet is None or packet.size == 0:
                raise SourceEnded
            if audio is not None and packet.stream is audio.stream:
                audio.came(packet)
            else:
                yield from self._filtered(packet)
        raise SourceEnded

    def _filtered(self, packet: AvPacket[VideoStream]) -> Iterator[Packet]:
        arrived = self._clock.read()
        time_base, is_key = packet.time_base, bool(packet.is_keyframe)  # a filter takes the packet over, and empties it
        with translated(connecting=False):
            filtered = [packet] if self._filter is None else self._filter.filter(packet)
        for one in filtered:
            dts, pts = _ticks(one.dts, time_base), _ticks(one.pts, time_base)
            if self._without_times:
                dts = pts = arrived.mono_us * TICKS_PER_S // SECOND_US
            audio = () if self._audio is None else self._audio.take()
            yield Packet(bytes(one), dts, pts, is_key, arrived, stamps_stand_still=self._without_times, audio=audio)


@contextmanager
def translated(*, connecting: bool) -> Iterator[None]:
    """Turn libav's errors into ours. The cause is cut off: its text holds the URL with the password.

    A silent server is told from a babbling one by the time it took, not by the kind of error, which is the same.
    """
    started = time.monotonic()
    try:
        yield
    except av.error.FFmpegError as err:
        ours = _kind(err, connecting=connecting, waited_s=time.monotonic() - started)
        raise ours(f"{ours.sentence()} (libav: {type(err).__name__})") from None


def _kind(err: av.error.FFmpegError, *, connecting: bool, waited_s: float) -> type[SourceError]:
    for kinds, ours in _TABLE:
        if isinstance(err, kinds):
            return ours
    silent = waited_s >= 0.9 * SOCKET_TIMEOUT_S or err.errno in (errno.ETIMEDOUT, errno.EAGAIN)
    if not connecting:
        return SourceStalled if silent else SourceEnded
    if err.errno in _UNREACHABLE or (err.errno == errno.EIO and not silent):
        return SourceUnreachable
    if err.errno == errno.ETIMEDOUT:
        return SourceUnreachable
    return SourceSilent if silent else SourceInvalid


_TABLE: tuple[tuple[tuple[type[BaseException], ...], type[SourceError]], ...] = (
    ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), SourceRefusedUs),
    ((av.error.HTTPNotFoundError,), SourceNotFound),
    ((av.error.FileNotFoundError,), SourceNotFound),
)


def with_credentials(url: str, username: str | None, password: SecretStr | None) -> str:
    """The URL as libav wants it; nobody else may see it."""
    if username is None:
        return url
    parts = urlsplit(url)
    secret = "" if password is None else ":" + quote(password.get_secret_value(), safe="")
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}{secret}@{parts.netloc}"))


def _options(url: str) -> dict[str, str]:
    options = {"probesize": str(PROBE_BYTES), "analyzeduration": str(PROBE_US)}
    timeout_us = str(SOCKET_TIMEOUT_S * SECOND_US)
    if urlsplit(url).scheme in ("rtsp", "rtsps"):
        return options | {"rtsp_transport": "tcp", "timeout": timeout_us}
    # HTTP, RTMP and what else has a socket would wait for ever; what has none does not know the option.
    return options | {"rw_timeout": timeout_us}


def _codec_of(stream: VideoStream) -> CodecName:
    name = stream.codec_context.name
    if name not in _CODECS:
        raise SourceCodecUnknown(f"The camera sends {name}, which cannot be recorded: set it to H.264 or H.265.")
    return _CODECS[name]


def _words(stream: object) -> str:
    kind = getattr(stream, "type", "unknown")
    codec = getattr(getattr(stream, "codec_context", None), "name", None)
    return f"{kind} ({codec})" if codec else str(kind)


def _ticks(stamp: int | None, time_base: Fraction) -> int | None:
    return None if stamp is None else round(stamp * time_base * TICKS_PER_S)
