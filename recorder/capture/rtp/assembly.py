"""NAL units to pictures, for H.264 and H.265 alike. Pure.

A picture ends with its marker bit, or where the time stamp changes. What comes without a slice (parameter sets, SEI)
belongs to the next picture. Some cameras set the marker on every unit of a picture: once a slice that does not begin
a picture follows a marker under the same time stamp, markers of this camera count no more.

A picture grows as a list of parts that lie where they were received, and is copied once, when it is done. Whoever
writes to that place again must have said `settle` before.
"""

from __future__ import annotations

from collections.abc import Sequence

from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit

START_CODE = b"\x00\x00\x00\x01"

PARTS_LIMIT = 4096
"""Of a picture. A key frame of two megabytes has 1500 packets; of the smallest possible ones each byte would take a
hundred in memory, so that they are joined before there are more."""

STARTS_LIMIT = 256
"""NAL units whose places are told: real pictures have a few dozen, and nobody looks at more."""

NOTHING: tuple[AccessUnit, ...] = ()


class Assembly:
    """The picture that is growing."""

    __slots__ = (
        "_fragment_at",
        "_fragment_part",
        "_hole",
        "_is_key",
        "_markers_lie",
        "_parts",
        "_sent_stamp",
        "_settled",
        "_size",
        "_starts",
        "damaged",
        "has_slice",
        "stamp",
    )

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview] = []
        self._size = 0
        """Of all of them, in bytes."""
        self._settled = 0
        """So many of them, from the first, are bytes of our own."""
        self._starts: list[int] = []
        """Where the units begin; one more than `STARTS_LIMIT` when there are too many to tell."""
        self.stamp: int | None = None
        """Of the picture."""
        self._sent_stamp: int | None = None
        self._fragment_at = -1
        """Where the unit in pieces begins that is growing, in bytes, and which part is its first; -1: there is none."""
        self._fragment_part = -1
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
        if len(self._parts) > PARTS_LIMIT:
            self._join(0)
        if stamp == self.stamp:
            self._hole = False
            return NOTHING
        done = self._done() if self._size or self.damaged else NOTHING
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

    def settle(self) -> None:
        """What was handed in is about to be written over: what is needed of it becomes bytes of our own."""
        if self._settled < len(self._parts):
            self._join(self._settled)

    def unit(self, data: memoryview, *, is_slice: bool, is_first: bool, is_key: bool) -> None:
        """A whole NAL unit. `is_first`: a slice that begins a picture."""
        self.drop_fragment()
        if self._has_room(len(data)):
            self._begin_unit(START_CODE, data)
            self._note(is_slice, is_first, is_key)

    def begin_fragment(self, header: bytes, data: memoryview) -> None:
        """A NAL unit begins, of which more will come."""
        self.drop_fragment()
        if self._has_room(len(data)):
            self._fragment_at, self._fragment_part = self._size, len(self._parts)
            self._begin_unit(START_CODE + header, data)

    def is_between(self) -> bool:
        """Whether no picture has begun, nothing is missing before the next one, and markers are believed."""
        return not (self._parts or self.damaged or self._hole or self._markers_lie)

    def passed(self, stamp: int) -> None:
        """Pictures were taken past this, between two of its own: the last one had that stamp."""
        self.stamp = self._sent_stamp = stamp

    def room(self) -> int:
        """How much more a unit in pieces may bring; 0: none is growing, or something is missing before what comes."""
        return UNIT_LIMIT_BYTES - self._size if self._fragment_at >= 0 and not self._hole else 0

    def grow(self, pieces: list[memoryview], size: int) -> None:
        """It goes on with these, of that size together; there is room."""
        self._parts += pieces
        self._size += size
        if len(self._parts) > PARTS_LIMIT:
            self._join(0)

    def more(self, data: memoryview) -> None:
        """It goes on."""
        self._hole = False
        if self._fragment_at < 0:
            self.damaged = True
        elif self._size + len(data) <= UNIT_LIMIT_BYTES or self._has_room(len(data)):
            self._parts.append(data)
            self._size += len(data)

    def end_fragment(self, *, is_slice: bool, is_first: bool, is_key: bool) -> None:
        """It is whole."""
        if self._fragment_at >= 0:
            self._fragment_at = self._fragment_part = -1
            self._note(is_slice, is_first, is_key)

    def fragment_first_byte(self, header_bytes: int) -> int:
        """The first byte behind the NAL unit header of the growing fragment; 0 when there is none."""
        if self._fragment_at < 0:
            return 0
        at = len(START_CODE) + header_bytes
        for part in self._parts[self._fragment_part : self._fragment_part + 2]:  # the header may be a part by itself
            if at < len(part):
                return part[at]
            at -= len(part)
        return 0

    def drop_fragment(self) -> None:
        """A unit with a hole in it is no unit: a decoder is not shown half of it."""
        if self._fragment_at >= 0:
            del self._parts[self._fragment_part :]
            self._size, self._settled = self._fragment_at, min(self._settled, self._fragment_part)
            if self._starts[-1] == self._fragment_at:
                self._starts.pop()
            self._fragment_at = self._fragment_part = -1
            self.damaged = True

    def _begin_unit(self, head: bytes, data: memoryview) -> None:
        if len(self._starts) <= STARTS_LIMIT:
            self._starts.append(self._size)
        self._parts.append(head)
        if data:  # else what follows the head would not be the part behind it
            self._parts.append(data)
        self._size += len(head) + len(data)

    def _join(self, begin: int) -> None:
        """Parts from that one on become one; two, where a unit in pieces may have to be cut off again."""
        parts = self._parts
        if begin < self._fragment_part:
            parts[begin : self._fragment_part] = (b"".join(parts[begin : self._fragment_part]),)
            begin = self._fragment_part = begin + 1
        if begin < len(parts):
            parts[begin:] = (b"".join(parts[begin:]),)
        self._settled = len(parts)

    def _has_room(self, count: int) -> bool:
        if self._size + count <= UNIT_LIMIT_BYTES:
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
        starts = tuple(self._starts) if len(self._starts) <= STARTS_LIMIT else ()
        done = AccessUnit(b"".join(self._parts), self.stamp, self._is_key, self.damaged, starts)
        self._sent_stamp = self.stamp
        self._parts, self._starts = [], []
        self._size = self._settled = 0
        self._is_key = self.has_slice = self.damaged = False
        return (done,)


class UnitsDepacketiser:
    """What H.264 and H.265 do alike (`units.Depacketiser`, `units.Fragmenting`): they differ in taking units out."""

    def __init__(self) -> None:
        self._picture = Assembly()

    def is_between(self) -> bool:
        """Whether whole pictures may be taken past it."""
        return self._picture.is_between()

    def passed(self, stamp: int) -> None:
        """They were, up to the one of this stamp."""
        self._picture.passed(stamp)

    def room(self) -> int:
        """How much more a unit in pieces may bring."""
        return self._picture.room()

    def grow(self, pieces: list[memoryview], size: int) -> None:
        """It goes on with these."""
        self._picture.grow(pieces, size)

    def settle(self) -> None:
        """Payloads are about to be written over."""
        self._picture.settle()

    def lost(self) -> None:
        """Packets are missing before the next one."""
        self._picture.lost()

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing more will come: the last picture, where no marker ended it."""
        return self._picture.finish()
