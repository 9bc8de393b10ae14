"""The Transport header (RFC 2326, 12.39): what we offer, and what the camera makes of it. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

from recorder.errors import SourceTransportRefused

PORT_MOST = 65_534
"""The RTCP port is the next one."""


AUDIO_CHANNEL = 2
"""Where sound is asked for among the interleaved frames, beside the pictures on 0 and 1."""


class Transport(StrEnum):
    """How media comes."""

    TCP = "tcp"
    """In the RTSP connection: what arrives is whole and in order."""
    UDP = "udp"
    MULTICAST = "multicast"


@dataclass(frozen=True)
class TransportReply:
    """What was agreed."""

    rtp_channel: int = 0
    rtcp_channel: int = 1
    """Of the interleaved frames."""
    ssrc: int | None = None
    source: str | None = None
    """Host that sends, where it is not the one we are connected to."""
    server_port: int | None = None
    group: str | None = None
    port: int | None = None
    """Multicast group and RTP port."""

    def shares_channels_with(self, other: TransportReply) -> bool:
        """Whether frames of two tracks could not be told apart."""
        return not {self.rtp_channel, self.rtcp_channel}.isdisjoint({other.rtp_channel, other.rtcp_channel})


def offer(transport: Transport, rtp_port: int | None, channel: int = 0) -> str:
    """The header of SETUP; `channel`: the first of two interleaved ones."""
    if transport is Transport.TCP:
        return f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
    if transport is Transport.UDP:
        assert rtp_port is not None
        return f"RTP/AVP;unicast;client_port={rtp_port}-{rtp_port + 1}"
    return "RTP/AVP;multicast"


def parse_transport(text: str, wanted: Transport, channel: int = 0) -> TransportReply:
    """What the camera agreed to. A header that is missing or says nothing agrees to what was offered.

    Raises:
        SourceTransportRefused: the camera will send another way, or to nobody.
    """
    words = [word.strip() for word in text.split(",", maxsplit=1)[0].split(";")]
    kind = words[0].upper()
    values = {
        name.strip().lower(): value.strip().strip('"') for name, _, value in (word.partition("=") for word in words)
    }
    if kind and (kind.endswith("/TCP") != (wanted is Transport.TCP)):
        raise SourceTransportRefused()
    rtp, rtcp = _pair(values.get("interleaved", ""), 0, 255)
    server_port, _ = _pair(values.get("server_port", ""), 1, PORT_MOST)
    port, _ = _pair(values.get("port", ""), 1, PORT_MOST)
    reply = TransportReply(
        rtp_channel=channel if rtp is None else rtp,
        rtcp_channel=channel + 1 if rtcp is None else rtcp,
        ssrc=_ssrc(values.get("ssrc", "")),
        source=_address(values.get("source", "")),
        server_port=server_port,
        group=_address(values.get("destination", "")) if wanted is Transport.MULTICAST else None,
        port=port,
    )
    if wanted is Transport.MULTICAST and not _is_group(reply):
        raise SourceTransportRefused("The camera did not name a multicast group: switch multicast on in the camera.")
    return reply


def _is_group(reply: TransportReply) -> bool:
    return reply.port is not None and reply.group is not None and ipaddress.ip_address(reply.group).is_multicast


def _pair(text: str, least: int, most: int) -> tuple[int | None, int | None]:
    first, _, second = text.partition("-")
    low = _number(first, least, most)
    high = _number(second, least, most + 1)
    return low, high if high is not None or low is None else low + 1


def _number(text: str, least: int, most: int) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return None
    return int(text) if least <= int(text) <= most else None


def _ssrc(text: str) -> int | None:
    """Eight hexadecimal digits by the standard; fewer, or a prefix, by some cameras."""
    try:
        found = int(text.strip(), 16)
    except ValueError:
        return None
    return found if 0 < found < 1 << 32 else None


def _address(text: str) -> str | None:
    """An address, never a name: nothing that a camera says is looked up."""
    try:
        return str(ipaddress.ip_address(text.strip("[] ")))
    except ValueError:
        return None
