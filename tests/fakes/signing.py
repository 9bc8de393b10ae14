"""A camera that signs: SEI units with the UUIDs of ONVIF Media Signing and Axis Signed Video among its pictures.

What stands behind the UUID is noise, as signatures are to whoever does not check them; it is made so that the units
need bytes against emulated start codes.
"""

from __future__ import annotations

from recorder.capture.nal import unit_type, units
from recorder.store.records import CameraSignature, CodecName

UUID = {
    CameraSignature.ONVIF: bytes.fromhex("005bc93f2d715e95ada4796f90877a6f"),
    CameraSignature.AXIS: b"Signed Video...0",
}
NOISE = bytes(range(1, 200)) + b"\0\0\0" + b"\0\0\1" + b"\0\0\2\0\0\3" + b"\xff" * 300 + b"\0\0\0\0\1"
"""With every run of bytes that must not stand in a unit."""

HEADERS = {CodecName.H264: b"\x06", CodecName.H265: b"\x4e\x01"}
BEHIND = b"\x50\x01"
"""H.265: an SEI unit behind the slices."""

START = b"\0\0\0\1"


def message(kind: int, payload: bytes) -> bytes:
    """An SEI message (H.264, 7.3.2.3.1)."""
    out = b""
    for number in (kind, len(payload)):
        out += b"\xff" * (number // 255) + bytes([number % 255])
    return out + payload


def escaped(payload: bytes) -> bytes:
    """With emulation prevention bytes (H.264, 7.4.1)."""
    out, zeros = bytearray(), 0
    for one in payload:
        if zeros >= 2 and one <= 3:
            out.append(3)
            zeros = 0
        out.append(one)
        zeros = zeros + 1 if one == 0 else 0
    return bytes(out)


def sei_unit(codec: CodecName, *messages: bytes, header: bytes | None = None) -> bytes:
    """An SEI unit of these messages."""
    return (HEADERS[codec] if header is None else header) + escaped(b"".join(messages) + b"\x80")


def signature_unit(codec: CodecName, whose: CameraSignature, noise: bytes = NOISE) -> bytes:
    """As a camera sends it."""
    return sei_unit(codec, message(5, UUID[whose] + noise))


def signed(shot: bytes, codec: CodecName, *more: bytes) -> bytes:
    """A picture with these units before its first slice, as both specifications want it."""
    found = list(units(shot))
    slices = range(1, 6) if codec is CodecName.H264 else range(32)
    at = next(n for n, unit in enumerate(found) if unit_type(unit, codec) in slices)
    return b"".join(START + unit for unit in (*found[:at], *more, *found[at:]))
