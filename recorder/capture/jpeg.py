"""What a JPEG picture (ITU-T T.81) says of itself in the headers before its scan. Pure."""

from __future__ import annotations

SEGMENT_LIMIT = 256
"""Marker segments looked at. Cameras send about ten, some with comments of their own between; more is noise."""

_SOI = b"\xff\xd8"
_NOT_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
"""Among 0xC0 to 0xCF, which begin frames, these are something else: Huffman codes, reserved, arithmetic codes."""
_SCAN, _END = 0xDA, 0xD9


def frame_header(picture: bytes) -> bytes | None:
    """The frame header (B.2.2) with its marker: kind of coding, size and sampling; None where there is none.

    Quantisers, and with them the quality, are not in it: cameras change them from picture to picture.
    """
    if not picture.startswith(_SOI):
        return None
    at = len(_SOI)
    for _ in range(SEGMENT_LIMIT):
        head = picture[at : at + 4]
        if head.startswith(b"\xff\xff"):  # any number of these bytes may stand before a marker (B.1.1.2)
            at += 1
            continue
        if len(head) < 4 or head[0] != 0xFF or head[1] in (_SCAN, _END):
            return None
        end = at + 2 + (head[2] << 8 | head[3])
        if 0xC0 <= head[1] <= 0xCF and head[1] not in _NOT_FRAMES:
            return picture[at:end] if at + 4 < end <= len(picture) else None
        at = end
    return None
