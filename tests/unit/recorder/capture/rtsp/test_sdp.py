"""Session descriptions as cameras write them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtsp.sdp import (
    MEDIA_LIMIT,
    SIDE_LIMIT_PIXELS,
    TEXT_LIMIT_BYTES,
    base_of,
    parse,
    resolved,
    sets_from_fmtp,
)
from recorder.errors import SourceInvalid
from recorder.store.records import CodecName

BASE = "rtsp://192.0.2.1:554/live"
SPS, PPS = b"\x67\x42\x00\x1e\xab", b"\x68\xce\x38\x80"
SPROP = ",".join(base64.b64encode(one).decode() for one in (SPS, PPS))

PLAIN = f"""v=0
o=- 1 1 IN IP4 192.0.2.1
s=Media
t=0 0
a=control:*
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=42001E;sprop-parameter-sets={SPROP}
a=control:trackID=1
m=audio 0 RTP/AVP 8
a=control:trackID=2
"""


def test_a_plain_description() -> None:
    """Tracks, their formats, and absolute control URLs; a static type needs no rtpmap (RFC 3551)."""
    found = parse(PLAIN.encode(), BASE)
    video, audio = found.media

    assert (video.kind, video.encoding, video.payload_type, video.clock_rate_hz) == ("video", "H264", 96, 90_000)
    assert video.control_url == BASE + "/trackID=1"
    assert sets_from_fmtp(video, CodecName.H264) == (SPS, PPS)
    assert (audio.kind, audio.encoding, audio.clock_rate_hz, audio.channels) == ("audio", "PCMA", 8000, 1)
    assert found.control is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "  \r"),
        lambda text: text + "\0\0\0",
        lambda text: text.replace("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=Media\nt=0 0\n", ""),
        lambda text: text.replace("a=", "A ="),
        lambda text: text.replace("s=Media", "s=\xe9\xff junk\nnot a line\n=\nb"),
        lambda text: text.replace("H264", "h264"),
        lambda text: text.replace("a=rtpmap:96 H264/90000", "a=rtpmap: 96  H264/90000"),
    ],
)
def test_a_description_as_cameras_write_it(change: object) -> None:
    """Any line ends, trailing blanks and zeros, missing lines, other case, junk: the same tracks (quirk 17)."""
    text = change(PLAIN)  # type: ignore[operator]  # a function of the table above
    video, audio = parse(text.encode("latin-1"), BASE).media

    assert (video.encoding, video.control_url, audio.encoding) == ("H264", BASE + "/trackID=1", "PCMA")


@pytest.mark.parametrize(
    "text", [b"", b"v=0\r\ns=x\r\n", b"m=video\r\n", b"m=video 0 RTP/AVP x\n", b"<html>", b"m=video 0 RTP/AVP 999"]
)
def test_a_description_without_media(text: bytes) -> None:
    """That is refused in words."""
    with pytest.raises(SourceInvalid, match="media"):
        parse(text, BASE)


def test_a_description_without_end() -> None:
    """Neither its size nor its tracks fill the memory."""
    with pytest.raises(SourceInvalid, match="no end"):
        parse(b"a" * (TEXT_LIMIT_BYTES + 1), BASE)
    assert len(parse(b"m=video 0 RTP/AVP 96\n" * 900, BASE).media) == MEDIA_LIMIT


def test_several_payload_types() -> None:
    """The first that is explained is taken."""
    (found,) = parse(b"m=video 0 RTP/AVP 35 96 97\na=rtpmap:97 H265/90000\na=rtpmap:96 H264/90000\n", BASE).media

    assert (found.payload_type, found.encoding) == (96, "H264")


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("a=x-dimensions:3840,2160", (3840, 2160)),
        ("a=x-dimensions: 3840 , 2160 ", (3840, 2160)),
        ("", None),
        ("a=x-dimensions:3840", None),
        ("a=x-dimensions:0,2160", None),
        ("a=x-dimensions:-1,2160", None),
        ("a=x-dimensions:3840,2160,1", None),
        (f"a=x-dimensions:{SIDE_LIMIT_PIXELS + 1},2160", None),
    ],
)
def test_the_size_of_large_jpeg_pictures(line: str, size: tuple[int, int] | None) -> None:
    """Servers write it where packets have no room for it; what is no size of a picture is passed over."""
    (video,) = parse(f"m=video 0 RTP/AVP 26\n{line}\n".encode(), BASE).media

    assert (video.encoding, video.clock_rate_hz, video.size) == ("JPEG", 90_000, size)


@pytest.mark.parametrize(
    ("control", "url"),
    [
        ("trackID=1", "rtsp://192.0.2.1:554/live/trackID=1"),
        ("*", BASE),
        ("", BASE),
        ("/other/track1", "rtsp://192.0.2.1:554/other/track1"),
        ("rtsp://10.0.0.9/live/track1", "rtsp://192.0.2.1:554/live/track1"),
        ("RTSP://192.0.2.1:554/live/track1?a=b", "rtsp://192.0.2.1:554/live/track1?a=b"),
        ("rtsp://[broken/", BASE),
    ],
)
def test_a_control_url(control: str, url: str) -> None:
    """Relative, absolute, or of a host that only the camera knows: always on the host that was asked."""
    assert resolved(BASE, control) == url


def test_a_control_url_behind_a_query() -> None:
    """It goes behind the base, query or not, as cameras expect it."""
    assert resolved("rtsp://h/a?channel=1", "trackID=1") == "rtsp://h/a?channel=1/trackID=1"


@pytest.mark.parametrize(
    ("base", "location", "url"),
    [
        ("", "", BASE),
        ("rtsp://192.0.2.1:554/live/", "", "rtsp://192.0.2.1:554/live/"),
        ("rtsp://10.0.0.9/live/", "", "rtsp://192.0.2.1:554/live/"),
        ("", "rtsp://10.0.0.9/x", "rtsp://192.0.2.1:554/x"),
        ("192.0.2.1/live/", "", "rtsp://192.0.2.1:554/live/"),
        ("/live/", "", "rtsp://192.0.2.1:554/live/"),
        ("rtsp://[", "", BASE),
        ("nonsense", "", BASE),
    ],
)
def test_a_content_base(base: str, location: str, url: str) -> None:
    """Schemeless, of another host, missing: the host stays the one that was asked (quirk 17)."""
    assert base_of(BASE, base, location) == url


def sprop(value: str) -> tuple[bytes, ...]:
    text = f"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets={value}\n"
    return sets_from_fmtp(parse(text.encode(), BASE).media[0], CodecName.H264)


def test_parameter_sets_that_are_wrong() -> None:
    """Start codes in them are taken off, what is no parameter set is left out (quirk 6)."""
    annex_b = base64.b64encode(b"\0\0\0\1" + SPS + b"\0\0\1" + PPS).decode()

    assert sprop(annex_b) == (SPS, PPS)
    assert sprop(SPROP.replace("=", "")) == (SPS, PPS)
    assert sprop(f"!!!,,{SPROP}") == (SPS, PPS)
    assert sprop(base64.b64encode(b"\x65slice").decode()) == ()
    assert sprop("") == ()


def test_parameter_sets_of_h265() -> None:
    """Each kind has its own parameter (RFC 7798, 7.1)."""
    vps, sps, pps = b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1"
    told = ";".join(
        f"sprop-{n}={base64.b64encode(one).decode()}" for n, one in (("vps", vps), ("pps", pps), ("sps", sps))
    )
    text = f"m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 {told}\n"

    assert sets_from_fmtp(parse(text.encode(), BASE).media[0], CodecName.H265) == (vps, sps, pps)


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    """Tracks, or the one declared error."""
    try:
        found = parse(b"m=video 0 RTP/AVP 96\n" + data, BASE)
    except SourceInvalid:
        return
    for one in found.media:
        assert one.control_url.startswith("rtsp://192.0.2.1:554/")
        sets_from_fmtp(one, CodecName.H264)


@given(st.text(max_size=200))
def test_any_control_and_base(text: str) -> None:
    """No URL of a camera's answer leads to another host."""
    for url in (resolved(BASE, text), base_of(BASE, text, "")):
        assert url.startswith("rtsp://192.0.2.1:554/")
