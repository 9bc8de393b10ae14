"""Signatures that cameras write into their pictures: whether there are any, and whose form they have. Pure.

A camera that signs (ONVIF Media Signing; Axis Signed Video) puts what it signs with into SEI units, as messages of the
type "user data unregistered" that begin with a UUID. This looks for those UUIDs and for nothing else: whether a
signature is right is not asked here, and not answered (ADR 23).

It runs for every picture of every camera. Units are known already when it is asked; of a unit that is no SEI one byte
is looked at, so the length of a picture costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from recorder.store.records import CameraSignature, CodecName

UUIDS: Final[Mapping[bytes, CameraSignature]] = {
    bytes.fromhex("005bc93f2d715e95ada4796f90877a6f"): CameraSignature.ONVIF,
    bytes.fromhex("5369676e656420566964656f2e2e2e30"): CameraSignature.AXIS,  # "Signed Video...0"
}
"""`uuid_iso_iec_11578` of the messages: ONVIF Media Signing Specification; the Signed Video Framework of Axis."""

UNITS_LIMIT: Final = 256
"""Units of a picture that are looked at: real ones have a few dozen, and signatures stand before the slices."""

MESSAGES_LIMIT: Final = 64
"""Messages of an SEI unit that are looked at: real ones have one or two, and a signature has a unit of its own."""

NONE: Final[frozenset[CameraSignature]] = frozenset()

_UNREGISTERED, _UUID_BYTES = 5, 16
_LENGTH_BYTES = 4
_LEAST_BYTES = 2 + _UUID_BYTES
"""A message with a UUID: its type, its length, and that. Most units with messages have less: times and the like, in
every picture of some cameras."""

_CODED = re.compile(rb"(\xff*)([^\xff])", re.DOTALL)
"""A number as SEI messages write it (H.264, 7.3.2.3.1; H.265, 7.3.5): 255 for each byte 0xFF, and one more byte."""


class _SeiUnits(NamedTuple):
    """How SEI units of a codec begin."""

    mask: int
    kinds: frozenset[int]
    """Of the first byte, under the mask."""
    header_bytes: int


_SEI: Final[Mapping[CodecName, _SeiUnits]] = {
    CodecName.H264: _SeiUnits(0x1F, frozenset({6}), 1),
    CodecName.H265: _SeiUnits(0x7E, frozenset({39 << 1, 40 << 1}), 2),
}
"""H.264, table 7-1; H.265, table 7-1: before the slices, and behind them. JPEG pictures have none."""


def signatures(units: Iterable[bytes | memoryview], codec: CodecName) -> frozenset[CameraSignature]:
    """Whose signatures a picture carries; `units`: its NAL units, without start codes or lengths."""
    sei, found = _SEI.get(codec), NONE
    if sei is None:
        return found
    mask, kinds, header_bytes = sei
    for unit in units:
        if len(unit) >= header_bytes + _LEAST_BYTES and unit[0] & mask in kinds:
            found |= _in_sei(bytes(unit), header_bytes)
    return found


def stored_signatures(pictures: Iterable[bytes | memoryview], codec: CodecName) -> frozenset[CameraSignature]:
    """The same of pictures as MP4 has them: each unit behind its length (ISO/IEC 14496-15, 4.3.3)."""
    found = NONE
    if codec in _SEI:
        for picture in pictures:
            found |= signatures(stored_units(picture), codec)
    return found


def stored_units(picture: bytes | memoryview) -> Iterator[memoryview]:
    """The first `UNITS_LIMIT` units of a picture as MP4 has it; where a length cannot be right it ends."""
    at = 0
    with memoryview(picture) as view:
        for _ in range(UNITS_LIMIT):
            begin = at + _LENGTH_BYTES
            at = begin + int.from_bytes(view[begin - _LENGTH_BYTES : begin], "big")
            if begin >= len(view) or at > len(view):
                return
            with view[begin:at] as unit:
                yield unit


def _in_sei(unit: bytes, header_bytes: int) -> frozenset[CameraSignature]:
    """Of one SEI unit. What is malformed ends it: what stood before counts, what would follow does not."""
    # Emulation prevention (H.264, 7.4.1; H.265, 7.4.2): lengths of messages are counted without it.
    payload = unit.replace(b"\x00\x00\x03", b"\x00\x00") if b"\x00\x00\x03" in unit else unit
    found, at = NONE, header_bytes
    for _ in range(MESSAGES_LIMIT):
        kind = _CODED.match(payload, at)
        size = None if kind is None else _CODED.match(payload, kind.end())
        if kind is None or size is None:
            break
        begin = size.end()
        at = begin + _value(size)
        if at > len(payload):  # a message that does not fit into its unit is none
            break
        if _value(kind) == _UNREGISTERED and at - begin >= _UUID_BYTES:
            whose = UUIDS.get(payload[begin : begin + _UUID_BYTES])
            found = found if whose is None else found | {whose}
    return found


def _value(coded: re.Match[bytes]) -> int:
    return 255 * len(coded[1]) + coded[2][0]
