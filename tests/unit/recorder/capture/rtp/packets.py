"""Pictures into RTP payloads, as cameras do it (RFC 6184, RFC 7798, RFC 2435): for tests of the way back."""

from collections.abc import Iterator
from itertools import accumulate

from recorder.capture.rtp.units import AccessUnit

START = b"\x00\x00\x00\x01"


def h264_payloads(units: list[bytes], most: int) -> Iterator[tuple[bytes, bool]]:
    """Payloads of at most `most` bytes and their marker bits."""
    for index, unit in enumerate(units):
        is_last = index == len(units) - 1
        if len(unit) <= most:
            yield unit, is_last
            continue
        pieces = [unit[at : at + most] for at in range(1, len(unit), most)]
        for number, piece in enumerate(pieces):
            flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
            head = bytes([unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F])
            yield head + piece, is_last and number == len(pieces) - 1


def h265_payloads(units: list[bytes], most: int) -> Iterator[tuple[bytes, bool]]:
    """Likewise for H.265."""
    for index, unit in enumerate(units):
        is_last = index == len(units) - 1
        if len(unit) <= most:
            yield unit, is_last
            continue
        kind = unit[0] >> 1 & 0x3F
        pieces = [unit[at : at + most] for at in range(2, len(unit), most)]
        for number, piece in enumerate(pieces):
            flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
            yield (
                bytes([unit[0] & 0x81 | 49 << 1, unit[1], flags | kind]) + piece,
                is_last and number == len(pieces) - 1,
            )


def annex_b(units: list[bytes]) -> bytes:
    """Units with start codes."""
    return b"".join(START + unit for unit in units)


def picture(units: list[bytes], stamp: int, *, is_key: bool = False, damaged: bool = False) -> AccessUnit:
    """A picture of these, as it comes out."""
    starts = tuple(accumulate((len(START + unit) for unit in units[:-1]), initial=0))
    return AccessUnit(annex_b(units), stamp, is_key, damaged, starts)


def jpeg_segments(picture: bytes) -> tuple[dict[int, bytes], bytes]:
    """The contents of a JPEG file's marker segments, those of one kind behind each other; and its scan, with EOI."""
    found: dict[int, bytes] = {}
    at = 2
    while True:
        marker, size = picture[at + 1], int.from_bytes(picture[at + 2 : at + 4], "big")
        found[marker] = found.get(marker, b"") + picture[at + 4 : at + 2 + size]
        at += 2 + size
        if marker == 0xDA:
            return found, picture[at:]


def jpeg_payloads(picture: bytes, most: int, q: int = 255, *, tables: bool = True) -> Iterator[tuple[bytes, bool]]:
    """Likewise for JPEG with the usual Huffman codes; with Q from 128 on its tables are sent, or with `tables` not."""
    found, scan = jpeg_segments(picture)
    frame, quantisers = found[0xC0], found[0xDB]
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    kind = {b"\x21\x11\x11": 0, b"\x22\x11\x11": 1}[frame[7::3]]
    restarts = found[0xDD] + b"\xff\xff" if 0xDD in found else b""
    sides = bytes((-(-side // 8) if side <= 2040 else 0) for side in (width, height))
    numbers = b"".join(quantisers[at + 1 : at + 65] for at in range(0, len(quantisers), 65)) if tables else b""
    for at in range(0, len(scan), most):
        head = b"\0" + at.to_bytes(3, "big") + bytes((kind | (0x40 if restarts else 0), q)) + sides + restarts
        if at == 0 and q >= 128:
            head += b"\0\0" + len(numbers).to_bytes(2, "big") + numbers
        yield head + scan[at : at + most], at + most >= len(scan)


def aac_payload(units: list[bytes], whole: int | None = None) -> bytes:
    """Units of AAC as one payload of RFC 3640, AAC-hbr; `whole`: the size of the unit that this is a piece of."""
    sizes = [len(one) for one in units] if whole is None else [whole]
    headers = b"".join((size << 3).to_bytes(2, "big") for size in sizes)
    return (8 * len(headers)).to_bytes(2, "big") + headers + b"".join(units)


def adts(unit: bytes, rate_index: int = 8, channels: int = 1) -> bytes:
    """A unit of AAC-LC behind an ADTS header without checksum."""
    size = len(unit) + 7
    head = (0xFFF1 << 40) | 1 << 38 | rate_index << 34 | channels << 30 | size << 13 | 0x7FF << 2
    return head.to_bytes(7, "big") + unit
