"""What arrives over one TCP connection: RTP and RTCP packets between `$` marks, and messages (RFC 2326, 10.12). Pure.

The buffer that is read into belongs to whoever reads, and may serve any number of connections in turn: packets are
looked at where they lie, and nothing but the beginning of what is not whole yet is kept here between two looks.
Who reads lets the framer `begin` in the buffer, reads behind that, and `drain`s; meanwhile the buffer is this
framer's alone. Noise between packets is skipped up to a bound.
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
"""Of a buffer to read into: more than the largest packet (64 KB), or a message with head and body, so that there is
always room behind what was kept: what is never whole in it is an error."""

NOISE_LIMIT_BYTES = 64 * 1024
"""Bytes that are neither packet nor message. Some cameras leave some behind; a stream of them is no RTSP."""

LEFT_LIMIT_BYTES = 64 * 1024
"""What is left in the buffer because it may be the beginning of a picture: of usual cameras it is some 10 KB. What is
larger is taken packet by packet, so that there is room behind it, as behind a packet."""

CHANNELS = 32
"""Channels that may be in use, where no higher ones were agreed on: a `$` before a higher one is noise."""

_DOLLAR = 0x24
_MESSAGE_STARTS = (b"RTSP/", b"OPTIONS ", b"ANNOUNCE ", b"SET_PARA", b"GET_PARA", b"REDIRECT", b"TEARDOWN", b"PLAY ")

PacketSink = Callable[[int, memoryview], None]
AheadSink = Callable[[memoryview, int, int], tuple[int, bool]]
"""Takes packets from there on, before the end; where something else begins, and whether that is to be left there
until more has come."""

MessageSink = Callable[[Message], None]

assert BUFFER_BYTES > LEFT_LIMIT_BYTES + 65_540
assert BUFFER_BYTES > HEAD_LIMIT_BYTES + BODY_LIMIT_BYTES + 65_540


class Framer:
    """One connection's incoming bytes."""

    def __init__(self) -> None:
        self.channels = CHANNELS
        self._kept = b""
        """The beginning of something that was not whole when it was last drained, a packet or a picture."""
        self.noise_bytes = 0
        """Skipped so far."""
        self._noise_run = 0

    def begin(self, buffer: memoryview) -> int:
        """Put what was kept to the front of a buffer of `BUFFER_BYTES`; what comes next is to be read in from there."""
        size = len(self._kept)
        buffer[:size] = self._kept
        return size

    def feed(self, data: bytes, packet: PacketSink, message: MessageSink) -> None:
        """All of `data`: for those who have bytes already."""
        whole = memoryview(self._kept + data)
        self.drain(whole, len(whole), packet, message)

    def drain(
        self, buffer: memoryview, end: int, packet: PacketSink, message: MessageSink, ahead: AheadSink | None = None
    ) -> None:
        """Hand out what is whole of that which lies before `end`, each thing once, whatever is raised on the way.

        What is handed out stays valid until the buffer is written to again, which is after this call. `ahead` is
        offered what there is before each packet, and takes from it what needs no looking at.

        Raises:
            SourceInvalid: this is no RTSP, or something has no end.
        """
        at = 0
        try:
            while at < end:
                if ahead is not None:
                    at, waits = ahead(buffer, at, end)
                    if at == end or (waits and end - at <= LEFT_LIMIT_BYTES):
                        break
                if buffer[at] == _DOLLAR:
                    if end - at < 4:
                        break
                    if buffer[at + 1] < self.channels:
                        stop = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
                        if stop > end:
                            break
                        channel, data = buffer[at + 1], buffer[at + 4 : stop]
                        self._noise_run, at = 0, stop
                        packet(channel, data)
                        continue
                read, found = self._text(buffer[at:end])
                if not read:
                    break
                at += read
                if found is not None:
                    message(found)
        finally:
            self._kept = bytes(buffer[at:end])

    def _text(self, data: memoryview) -> tuple[int, Message | None]:
        """How many bytes a message or noise at the beginning of `data` has, 0 while it is not whole; the message."""
        head = bytes(data[: HEAD_LIMIT_BYTES + 1])
        if head[:1] in (b"\r", b"\n"):  # RFC 2326, 4.1: empty lines before a message are to be ignored
            return self._passed(len(head) - len(head.lstrip(b"\r\n"))), None
        if not _may_be_message(head):
            return self._skip(head), None
        length = head_length(head)
        if length is None:
            return 0, None
        message = parse_head(head[:length])
        body = body_length(message)
        if len(data) < length + body:
            return 0, None
        if isinstance(message, Response) and body:
            message = replace(message, body=bytes(data[length : length + body]))
        self._noise_run = 0
        return length + body, message

    def _skip(self, data: bytes) -> int:
        """Noise up to the next thing that may be something."""
        starts = [data.find(mark, 1) for mark in (b"$", b"RTSP/")]
        count = min((one for one in starts if one > 0), default=len(data))
        self.noise_bytes += count
        return self._passed(count)

    def _passed(self, count: int) -> int:
        """So many bytes of nothing."""
        self._noise_run += count
        if self._noise_run > NOISE_LIMIT_BYTES:
            raise SourceInvalid("The camera sends bytes that are neither media nor RTSP.")
        return count


def _may_be_message(head: bytes) -> bool:
    start = head[:8].upper()
    return any(start.startswith(mark) or mark.startswith(start) for mark in _MESSAGE_STARTS)
