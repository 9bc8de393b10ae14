"""RTSP messages, as written and as cameras write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtsp.messages import (
    BODY_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    HEADER_LIMIT,
    Headers,
    Response,
    ServerRequest,
    answer,
    body_length,
    head_length,
    parse_head,
    request,
)
from recorder.errors import SourceInvalid


def test_a_request_is_written() -> None:
    """Method, URL, headers, an empty line (RFC 2326, 6)."""
    told = request("DESCRIBE", "rtsp://192.0.2.1/a", {"CSeq": "2", "Accept": "application/sdp"})

    assert told == b"DESCRIBE rtsp://192.0.2.1/a RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n"


@pytest.mark.parametrize("planted", ["a\r\nX: y", "a\nb", "a\rb"])
def test_a_line_break_in_what_is_sent(planted: str) -> None:
    """A camera's session id or control URL cannot make us send headers of its choice."""
    with pytest.raises(SourceInvalid):
        request("PLAY", "rtsp://192.0.2.1/", {"Session": planted})


def test_an_answer_is_read() -> None:
    """Status, reason, and headers by names of any case, each as often as it stands there."""
    head = b'RTSP/1.0 401 Unauthorized\r\nCSeq: 3\r\nWWW-Authenticate: Basic realm="a"\r\nwww-authenticate: B\r\n\r\n'
    found = parse_head(head)

    assert isinstance(found, Response)
    assert (found.status, found.reason, found.headers.number("cseq")) == (401, "Unauthorized", 3)
    assert found.headers.every("www-authenticate") == ('Basic realm="a"', "B")
    assert head_length(head + b"body") == len(head)


@pytest.mark.parametrize(
    "head",
    [
        b"RTSP/1.0 200 OK\nSession: 7 \n\n",
        b"rtsp/1.0 200\r\nSESSION:7\r\n\r\n",
        b"RTSP/2.0  200  OK \r\nsession :\t7\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nno colon here\r\nSession: 7\0\r\n\r\n",
    ],
)
def test_an_answer_as_cameras_write_it(head: bytes) -> None:
    """LF alone, trailing blanks, no reason, other case, lines that are no headers."""
    found = parse_head(head)

    assert isinstance(found, Response)
    assert (found.status, found.headers.first("session")) == (200, "7")


def test_a_folded_header() -> None:
    """RFC 2326 takes over the continuation lines of HTTP/1.1."""
    found = parse_head(b"RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n PLAY\r\n\r\n")

    assert found.headers.first("public") == "OPTIONS, PLAY"


def test_the_camera_asks_something() -> None:
    """It is told that we live, under its own number; what nobody does for it is 501."""
    asked = parse_head(b"OPTIONS * RTSP/1.0\r\nCSeq: 12\r\n\r\n")

    assert asked == ServerRequest("OPTIONS", Headers((("cseq", "12"),)))
    assert answer(asked) == b"RTSP/1.0 200 OK\r\nCSeq: 12\r\n\r\n"
    assert answer(ServerRequest("ANNOUNCE", Headers())).startswith(b"RTSP/1.0 501 ")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"220 ftp ready\r\n\r\n", b"\r\n\r\n", b"SSH-2.0-x\n\n"])
def test_something_that_is_no_rtsp(head: bytes) -> None:
    """The port belongs to another service; the sentence says to check it."""
    with pytest.raises(SourceInvalid, match="port"):
        parse_head(head)


def test_a_header_without_end() -> None:
    """It is refused at the bound, not collected for ever."""
    assert head_length(b"RTSP/1.0 200 OK\r\n" + b"a" * 100) is None
    with pytest.raises(SourceInvalid, match="without end"):
        head_length(b"RTSP/1.0 200 OK\r\n" + b"a" * HEAD_LIMIT_BYTES)


@pytest.mark.parametrize("length", [str(BODY_LIMIT_BYTES + 1), "99999999999"])
def test_a_description_without_end(length: str) -> None:
    """Nobody waits for a body that would fill the memory."""
    found = parse_head(f"RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
    with pytest.raises(SourceInvalid, match="without end"):
        body_length(found)


@pytest.mark.parametrize("length", ["", "-1", "x", "1" * 40, "²"])
def test_a_length_that_is_no_number(length: str) -> None:
    """It counts as none."""
    assert body_length(Response(200, "", Headers((("content-length", length),)))) == 0


@given(st.binary(max_size=2000))
def test_any_bytes_as_a_head(data: bytes) -> None:
    """A message with a bounded number of headers, or the one declared error."""
    try:
        found = parse_head(data)
    except SourceInvalid:
        return
    assert len(found.headers.items) <= HEADER_LIMIT
