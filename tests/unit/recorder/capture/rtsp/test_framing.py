"""Interleaved packets and messages from one connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtsp.framing import BUFFER_BYTES, NOISE_LIMIT_BYTES, Framer
from recorder.capture.rtsp.messages import Message, Response, ServerRequest
from recorder.errors import SourceInvalid


class Heard:
    """Collects what a framer hands out."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.packets: list[tuple[int, bytes]] = []
        self.messages: list[Message] = []

    def feed(self, data: bytes) -> None:
        self.framer.feed(data, lambda channel, view: self.packets.append((channel, bytes(view))), self.messages.append)


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
    """The buffer is used again and again: what lies across its end is moved, not lost."""
    heard = Heard()
    payloads = [bytes([index]) * (65_535 - index) for index in range(40)]
    for payload in payloads:
        heard.feed(frame(2, payload))

    assert [payload for _, payload in heard.packets] == payloads
    assert 65_540 <= len(heard.framer.room()) <= BUFFER_BYTES


def test_noise_between_packets() -> None:
    """It is skipped and counted; the next packet is found."""
    heard = Heard()
    heard.feed(frame(0, b"one") + b"\x00\xffnoise" + b"$\xf0junk" + frame(0, b"two") + b"??" + RESPONSE)

    assert heard.packets == [(0, b"one"), (0, b"two")]
    assert len(heard.messages) == 1
    assert heard.framer.noise_bytes == 15


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


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Packets and messages, or the one declared error; there is always room for more."""
    heard = Heard()
    try:
        for piece in pieces:
            heard.feed(piece)
    except SourceInvalid:
        return
    assert len(heard.framer.room()) > 0
