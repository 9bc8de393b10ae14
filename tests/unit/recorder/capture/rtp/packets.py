"""NAL units into RTP payloads, as cameras do it (RFC 6184, RFC 7798): for tests of the way back."""

from collections.abc import Iterator

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
