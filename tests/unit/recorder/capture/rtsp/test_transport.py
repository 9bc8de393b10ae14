"""The Transport header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtsp.transport import Transport, TransportReply, offer, parse_transport
from recorder.errors import SourceTransportRefused


def test_what_is_offered() -> None:
    """One way only: a camera that may choose chooses what was not asked for."""
    assert offer(Transport.TCP, None) == "RTP/AVP/TCP;unicast;interleaved=0-1"
    assert offer(Transport.UDP, 5000) == "RTP/AVP;unicast;client_port=5000-5001"
    assert offer(Transport.MULTICAST, None) == "RTP/AVP;multicast"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("", TransportReply()),
        ("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0000001F", TransportReply(2, 3, 31)),
        ("rtp/avp/tcp; interleaved=4 ; ssrc = 0x1f", TransportReply(4, 5, 31)),
        ("RTP/AVP/TCP;unicast;interleaved=999-x;ssrc=nonsense", TransportReply()),
        ("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0,RTP/AVP", TransportReply()),
    ],
)
def test_tcp_as_cameras_write_it(text: str, reply: TransportReply) -> None:
    """Other channels are obeyed; what makes no sense counts as not said."""
    assert parse_transport(text, Transport.TCP) == reply


def test_udp() -> None:
    """Where it comes from; a source that is a name is not looked up."""
    text = "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;source=192.0.2.7"
    assert parse_transport(text, Transport.UDP) == TransportReply(source="192.0.2.7", server_port=6970)
    assert parse_transport(text.replace("192.0.2.7", "evil.example"), Transport.UDP).source is None


def test_multicast() -> None:
    """A group and a port are needed."""
    reply = parse_transport("RTP/AVP;multicast;destination=239.1.2.3;port=5000-5001;ttl=4", Transport.MULTICAST)
    assert (reply.group, reply.port) == ("239.1.2.3", 5000)
    with pytest.raises(SourceTransportRefused, match="group"):
        parse_transport("RTP/AVP;multicast;destination=192.0.2.1;port=5000", Transport.MULTICAST)


@pytest.mark.parametrize(("text", "wanted"), [("RTP/AVP;unicast", Transport.TCP), ("RTP/AVP/TCP", Transport.UDP)])
def test_another_way_than_was_asked_for(text: str, wanted: Transport) -> None:
    """Nobody would listen there."""
    with pytest.raises(SourceTransportRefused):
        parse_transport(text, wanted)


@given(st.text(max_size=200), st.sampled_from(list(Transport)))
def test_any_header(text: str, wanted: Transport) -> None:
    """An agreement, or the one declared error."""
    try:
        parse_transport(text, wanted)
    except SourceTransportRefused:
        return
