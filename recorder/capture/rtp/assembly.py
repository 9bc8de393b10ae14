"""NAL units to pictures, for H.264 and H.265 alike. Pure.

A picture ends with its marker bit, or where the time stamp changes. What comes without a slice (parameter sets, SEI)
belongs to the next picture. Some cameras set the marker on every unit of a picture: once a slice that does not begin
a picture follows a marker under the same time stamp, markers of this camera count no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit

START_CODE = b"\x00\x00\x00\x01"

NOTHING: tuple[AccessUnit, ...] = ()


class Assembly:
    """The picture that is growing."""

    __slots__ = (
        "_data",
        "_fragment_at",
        "_hole",
        "_is_key",
        "_markers_lie",
        "_sent_stamp",
        "damaged",
        "has_slice",
        "stamp",
    )

    def __init__(self) -> None:
        self._data = bytearray()
        self.stamp: int | None = None
        """Of the picture."""
        self._sent_stamp: int | None = None
        self._fragment_at = -1
        self._is_key = False
        self._hole = False
        self._markers_lie = False
        self.has_slice = False
        self.damaged = False

    def lost(self) -> None:
        """Packets are missing before the next one: in this picture, the next, or both."""
        self.drop_fragment()
        self.damaged = True
        self._hole = True

    def at(self, stamp: int) -> Sequence[AccessUnit]:
        """The next packet has this stamp: the picture before, where it is complete by that."""
        if stamp == self.stamp:
            self._hole = False
            return NOTHING
        done = self._done() if self._data or self.damaged else NOTHING
        self.stamp = stamp
        self.damaged = self.damaged or self._hole
        self._hole = False
        return done

    def marked(self) -> Sequence[AccessUnit]:
        """The packet had the marker bit."""
        if self._markers_lie:
            return NOTHING
        return self._done()

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing more will come: the picture is as whole as it will be."""
        return self._done()

    def unit(self, data: memoryview, *, is_slice: bool, is_first: bool, is_key: bool) -> None:
        """A whole NAL unit. `is_first`: a slice that begins a picture."""
        self.drop_fragment()
        if self._has_room(len(data)):
            self._data += START_CODE
            self._data += data
            self._note(is_slice, is_first, is_key)

    def begin_fragment(self, header: bytes, data: memoryview) -> None:
        """A NAL unit begins, of which more will come."""
        self.drop_fragment()
        if self._has_room(len(data)):
            self._fragment_at = len(self._data)
            self._data += START_CODE
            self._data += header
            self._data += data

    def growing(self) -> bytearray | None:
        """Where the next piece of a fragmented unit goes; None: none is growing, or something is missing before it."""
        return self._data if self._fragment_at >= 0 and not self._hole else None

    def more(self, data: memoryview) -> None:
        """It goes on."""
        self._hole = False
        if self._fragment_at < 0:
            self.damaged = True
        elif len(self._data) + len(data) <= UNIT_LIMIT_BYTES or self._has_room(len(data)):
            self._data += data

    def end_fragment(self, *, is_slice: bool, is_first: bool, is_key: bool) -> None:
        """It is whole."""
        if self._fragment_at >= 0:
            self._fragment_at = -1
            self._note(is_slice, is_first, is_key)

    def fragment_first_byte(self, header_bytes: int) -> int:
        """The first byte behind the NAL unit header of the growing fragment; 0 when there is none."""
        at = self._fragment_at + len(START_CODE) + header_bytes
        return self._data[at] if self._fragment_at >= 0 and at < len(self._data) else 0

    def drop_fragment(self) -> None:
        """A unit with a hole in it is no unit: a decoder is not shown half of it."""
        if self._fragment_at >= 0:
            del self._data[self._fragment_at :]
            self._fragment_at = -1
            self.damaged = True

    def _has_room(self, count: int) -> bool:
        if len(self._data) + count <= UNIT_LIMIT_BYTES:
            return True
        self.drop_fragment()
        self.damaged = True
        return False

    def _note(self, is_slice: bool, is_first: bool, is_key: bool) -> None:
        if is_slice and not is_first and not self.has_slice and self.stamp == self._sent_stamp:
            self._markers_lie = True
            self.damaged = True
        self.has_slice = self.has_slice or is_slice
        self._is_key = self._is_key or is_key

    def _done(self) -> Sequence[AccessUnit]:
        self.drop_fragment()
        if not self.has_slice:
            return NOTHING
        assert self.stamp is not None
        done = AccessUnit(bytes(self._data), self.stamp, self._is_key, self.damaged)
        self._sent_stamp = self.stamp
        self._data.clear()
        self._is_key = self.has_slice = self.damaged = False
        return (done,)
