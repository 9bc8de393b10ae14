"""What arrives over one TCP connection: RTP and RTCP packets between `$` marks, and messages (RFC 2326, 10.12). Pure.

The framer owns the buffer that is read into, so that packets are looked at where they lie and never copied here:
who reads asks for `room`, says how much was `filled`, and `drain`s. Noise between packets is skipped up to a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recorder.capture.rtsp.messages import (
    BODY_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    Message,
    Response,
    body_length,
    head_length,
    parse_head,
)
from recorder.errors import SourceInvalid

BUFFER_BYTES = 160 * 1024
"""More than the largest packet (64 KB), or a message with head and body: what is never whole in it is an error."""

MOVED_BYTES = 2048
"""The beginning of a packet is moved to the buffer's front: hundreds of buffers that are used to their ends would push
each other out of the processor's cache."""

NOISE_LIMIT_BYTES = 64 * 1024
"""Bytes that are neither packet nor message. Some cameras leave some behind; a stream of them is no RTSP."""

CHANNELS = 32
"""Channels that may be in use: a `$` before a higher one is noise."""

_DOLLAR = 0x24
_MESSAGE_STARTS = (b"RTSP/", b"OPTIONS ", b"ANNOUNCE ", b"SET_PARA", b"GET_PARA", b"REDIRECT", b"TEARDOWN", b"PLAY ")

PacketSink = Callable[[int, memoryview], None]
PieceSink = Callable[[memoryview, int, int], int]
"""Takes packets from there on, before the end; where something else begins."""

MessageSink = Callable[[Message], None]

assert BUFFER_BYTES > HEAD_LIMIT_BYTES + BODY_LIMIT_BYTES + 65_540


class Framer:
    """One connection's incoming bytes."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._begin = 0
        self._end = 0
        self.noise_bytes = 0
        """Skipped so far."""
        self._noise_run = 0

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        left = self._end - self._begin
        if self._begin and (left <= MOVED_BYTES or self._end > BUFFER_BYTES // 2):
            self._buffer[:left] = bytes(self._buffer[self._begin : self._end])
            self._begin, self._end = 0, left
        return self._buffer[self._end :]

    def filled(self, count: int) -> None:
        """So many bytes were put there."""
        self._end += count

    def feed(self, data: bytes, packet: PacketSink, message: MessageSink) -> None:
        """All of `data`, in pieces if need be: for those who have bytes already."""
        at = 0
        while at < len(data):
            room = self.room()
            piece = data[at : at + len(room)]
            room[: len(piece)] = piece
            self.filled(len(piece))
            self.drain(packet, message)
            at += len(piece)

    def drain(self, packet: PacketSink, message: MessageSink, pieces: PieceSink | None = None) -> None:
        """Hand out what is whole. A packet's bytes are valid during the call only.

        `pieces` is offered the buffer behind each packet, and takes from it what needs no looking at.

        Raises:
            SourceInvalid: this is no RTSP, or something has no end.
        """
        buffer, at, end = self._buffer, self._begin, self._end
        while at < end:
            if buffer[at] == _DOLLAR:
                if end - at < 4:
                    break
                if buffer[at + 1] < CHANNELS:
                    stop = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
                    if stop > end:
                        break
                    self._begin = stop
                    self._noise_run = 0
                    packet(buffer[at + 1], buffer[at + 4 : stop])
                    at = stop if pieces is None else pieces(buffer, stop, end)
                    continue
            self._begin = at
            taken = self._text(at, message)
            if taken is None:
                break
            at += taken
        self._begin = at

    def _text(self, at: int, sink: MessageSink) -> int | None:
        """A message, or noise, at `at`: how many bytes it has; None while it is not whole."""
        data = self._buffer[at : self._end]
        head = bytes(data[: HEAD_LIMIT_BYTES + 1])
        if head[:1] in (b"\r", b"\n"):  # RFC 2326, 4.1: empty lines before a message are to be ignored
            return 1
        if not _may_be_message(head):
            return self._skip(head)
        length = head_length(head)
        if length is None:
            return None
        message = parse_head(head[:length])
        body = body_length(message)
        if len(data) < length + body:
            return None
        if isinstance(message, Response) and body:
            message = replace(message, body=bytes(data[length : length + body]))
        self._begin = at + length + body
        self._noise_run = 0
        sink(message)
        return length + body

    def _skip(self, data: bytes) -> int:
        """Noise up to the next thing that may be something."""
        starts = [data.find(mark, 1) for mark in (b"$", b"RTSP/")]
        count = min((one for one in starts if one > 0), default=len(data))
        self.noise_bytes += count
        self._noise_run += count
        if self._noise_run > NOISE_LIMIT_BYTES:
            raise SourceInvalid("The camera sends bytes that are neither media nor RTSP.")
        return count


def _may_be_message(head: bytes) -> bool:
    start = head[:8].upper()
    return any(start.startswith(mark) or mark.startswith(start) for mark in _MESSAGE_STARTS)
