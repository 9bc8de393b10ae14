"""Interleaved packets and messages from one connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtsp.framing import BUFFER_BYTES, NOISE_LIMIT_BYTES, Framer
from recorder.capture.rtsp.messages import BODY_LIMIT_BYTES, HEAD_LIMIT_BYTES, Message, Response, ServerRequest
from recorder.errors import SourceInvalid, SourceMixed


class Heard:
    """Collects what a framer hands out."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.packets: list[tuple[int, bytes]] = []
        self.messages: list[Message] = []

    def feed(self, data: bytes) -> None:
        self.framer.feed(data, lambda channel, view: self.packets.append((channel, bytes(view))), self.messages.append)

    def look(self, buffer: memoryview, data: bytes) -> int:
        """As a connection reads: as much as there is room for, into a buffer that is not the framer's."""
        begin = self.framer.begin(buffer)
        count = min(len(data), len(buffer) - begin)
        buffer[begin : begin + count] = data[:count]
        self.framer.drain(
            buffer,
            begin + count,
            lambda channel, view: self.packets.append((channel, bytes(view))),
            self.messages.append,
        )
        return count


def frame(channel: int, payload: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(payload).to_bytes(2, "big") + payload


RESPONSE = b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nContent-Length: 5\r\n\r\nv=0\r\n"


def test_packets_and_messages_mixed() -> None:
    """Each comes out whole, in its own order."""
    heard = Heard()
    heard.feed(
        frame(0, b"one")
        + RESPONSE
        + frame(1, b"")
        + b"\r\n"
        + b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        + frame(0, b"two")
    )

    assert heard.packets == [(0, b"one"), (1, b""), (0, b"two")]
    first, second = heard.messages
    assert isinstance(first, Response)
    assert first.body == b"v=0\r\n"
    assert isinstance(second, ServerRequest)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.lists(st.binary(max_size=90), min_size=1, max_size=6))
def test_arrival_in_any_pieces(cuts: list[int], payloads: list[bytes]) -> None:
    """However the network cuts the stream, the same packets come out."""
    stream = b"".join(frame(index % 4, payload) for index, payload in enumerate(payloads)) + RESPONSE
    heard = Heard()
    at = 0
    for cut in cuts:
        heard.feed(stream[at : at + cut])
        at += cut
    heard.feed(stream[at:])

    assert [payload for _, payload in heard.packets] == payloads
    assert len(heard.messages) == 1


def test_many_large_packets() -> None:
    """The buffer is used again and again: what is not whole at its end is kept, not lost."""
    heard = Heard()
    payloads = [bytes([index]) * (65_535 - index) for index in range(40)]
    stream, at = b"".join(frame(2, payload) for payload in payloads), 0
    buffer = memoryview(bytearray(BUFFER_BYTES))
    while at < len(stream):
        at += heard.look(buffer, stream[at:])

    assert [payload for _, payload in heard.packets] == payloads


def test_connections_that_share_a_buffer() -> None:
    """What one keeps is its own, whatever others put there meanwhile."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    first, second = Heard(), Heard()
    mine, others = frame(0, bytes(range(256)) * 12) + RESPONSE, frame(3, b"\xff" * 5000) * 2
    for at in range(0, len(others), 3):
        first.look(buffer, mine[at : at + 3])
        second.look(buffer, others[at : at + 3])

    assert first.packets == [(0, bytes(range(256)) * 12)]
    assert len(first.messages) == 1
    assert second.packets == [(3, b"\xff" * 5000)] * 2


def test_a_message_and_a_packet_byte_by_byte() -> None:
    """A look that brings nothing whole loses nothing, and neither does one that brings nothing."""
    heard, buffer = Heard(), memoryview(bytearray(BUFFER_BYTES))
    for byte in RESPONSE + frame(1, b"abc") + b"\r\n" + RESPONSE:
        heard.look(buffer, bytes([byte]))
        heard.framer.begin(buffer)
        heard.look(buffer, b"")

    assert heard.packets == [(1, b"abc")]
    assert [one.body for one in heard.messages if isinstance(one, Response)] == [b"v=0\r\n"] * 2


def test_a_listener_that_fails() -> None:
    """Nothing is handed out twice: what it was given is gone, what stands behind it is still there."""
    heard = Heard()

    def fail(*_: object) -> None:
        raise SourceMixed

    for first in (frame(0, b"one"), RESPONSE):
        with pytest.raises(SourceMixed):
            heard.framer.feed(first + frame(0, b"two") + b"$\0", fail, fail)
        heard.feed(b"\0\0")

    assert heard.packets == [(0, b"two"), (0, b"")] * 2
    assert heard.messages == []


def test_noise_between_packets() -> None:
    """It is skipped and counted; the next packet is found."""
    heard = Heard()
    heard.feed(frame(0, b"one") + b"\x00\xffnoise" + b"$\xf0junk" + frame(0, b"two") + b"??" + RESPONSE)

    assert heard.packets == [(0, b"one"), (0, b"two")]
    assert len(heard.messages) == 1
    assert heard.framer.noise_bytes == 15


def test_empty_lines_between_messages() -> None:
    """They are to be ignored (RFC 2326, 4.1), all of them at once."""
    heard = Heard()
    heard.feed(b"\r\n" * 2000 + frame(0, b"one") + b"\n\r\n" + RESPONSE)

    assert heard.packets == [(0, b"one")]
    assert len(heard.messages) == 1
    assert heard.framer.noise_bytes == 0


def test_empty_lines_without_end() -> None:
    """A stream of them is no RTSP, and is found out in a few looks."""
    heard = Heard()
    with pytest.raises(SourceInvalid):
        heard.feed(b"\n" * (NOISE_LIMIT_BYTES + 1))


def test_noise_without_end() -> None:
    """That is no camera."""
    heard = Heard()
    with pytest.raises(SourceInvalid, match="neither"):
        heard.feed(b"\x80" * (NOISE_LIMIT_BYTES + 1))


def test_an_endless_header() -> None:
    """It ends the session at a bound, not the process."""
    heard = Heard()
    with pytest.raises(SourceInvalid, match="without end"):
        heard.feed(b"RTSP/1.0 200 OK\r\nX-Padding: " + b"a" * 1_000_000)


LARGE = st.one_of(
    st.integers(0, 0xFFFF).map(lambda size: b"$\0" + size.to_bytes(2, "big") + bytes(size)),
    st.integers(0, BODY_LIMIT_BYTES + 9).map(
        lambda size: b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    ),
    st.integers(0, HEAD_LIMIT_BYTES).map(lambda size: b"RTSP/1.0 200 OK\r\nX-A: " + b"a" * size + b"\r\n\r\n"),
)
"""The largest things that there may be, and some that are too large."""


@given(st.lists(st.one_of(st.binary(max_size=300), LARGE), max_size=8), st.integers(0, 0xFFFF))
def test_any_bytes(pieces: list[bytes], cut_off: int) -> None:
    """Packets and messages, or the one declared error; what is not whole leaves room for more, however large it is."""
    heard, buffer = Heard(), memoryview(bytearray(BUFFER_BYTES))
    data = b"".join(pieces)
    data = data[: max(len(data) - cut_off, 0)]
    try:
        while data:
            data = data[heard.look(buffer, data) :]
            assert heard.framer.begin(buffer) < BUFFER_BYTES
    except SourceInvalid:
        return
    assert not data
