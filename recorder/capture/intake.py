"""Between reading from a camera and storing: a bounded queue, and the last group of pictures in memory.

A slow disk never makes a camera's connection stall: what cannot be stored in time waits here, up to a bound. Past it
packets are dropped, and the record says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from recorder.capture.source import Packet

QUEUE_LIMIT_PACKETS = 1500
QUEUE_LIMIT_BYTES = 64 * 1024 * 1024
"""About a minute of an ordinary camera: a disk that is slower for longer is an overload, and is called so."""

TAP_LIMIT_PACKETS = 1500
TAP_LIMIT_BYTES = 8 * 1024 * 1024
"""What a camera's newest group of pictures may take in memory; of a longer one only the key picture is kept."""


TAKEN_AT_ONCE = 64
"""What is drained at once is in nobody's count while it is stored."""


class Overflow:
    """Stands in the queue where packets were dropped: what comes behind it does not follow what came before."""


class PacketQueue:
    """One thread puts, another drains: bounded by count and bytes."""

    def __init__(self) -> None:
        self._packets: deque[Packet | Overflow] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._dropping = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._packets)

    def put(self, packets: Sequence[Packet]) -> None:
        """Add packets.

        One for which there is no room is dropped, and so is all until the next key frame that finds half of the room
        free: half a group of pictures cannot be decoded.
        """
        size = 0
        for one in packets:
            size += len(one.data)
        with self._lock:
            if not self._dropping and self._has_room(len(packets), size):  # nearly always
                self._packets.extend(packets)
                self._bytes += size
                return
            for packet in packets:
                self._put(packet)

    def _put(self, packet: Packet) -> None:
        if not self._takes(packet):
            if not self._dropping:
                self._packets.append(Overflow())
            self._dropping = True
            self.dropped += 1
            return
        self._dropping = False
        self._packets.append(packet)
        self._bytes += len(packet.data)

    def _takes(self, packet: Packet) -> bool:
        share = 2 if self._dropping else 1
        return self._has_room(1, len(packet.data), share) and (packet.is_key or not self._dropping)

    def _has_room(self, count: int, size: int, share: int = 1) -> bool:
        return (
            len(self._packets) + count <= QUEUE_LIMIT_PACKETS // share
            and self._bytes + size <= QUEUE_LIMIT_BYTES // share
        )

    def get(self) -> Sequence[Packet | Overflow]:
        """The oldest entries, at most `TAKEN_AT_ONCE`; none, where there are none."""
        with self._lock:
            count = min(len(self._packets), TAKEN_AT_ONCE)
            found = [self._packets.popleft() for _ in range(count)]
            self._bytes -= sum([len(one.data) for one in found if type(one) is Packet])
            return found


class Tap:
    """The newest key picture of a stream and all that followed it: where a live view begins, and stills come from."""

    def __init__(self) -> None:
        self._packets: list[Packet] = []
        self._bytes = 0
        self.is_cut_off = False
        """Whether the group was longer than the bound, so that only its key picture is here."""

    def take(self, packets: Sequence[Packet]) -> None:
        """Pictures came."""
        for packet in packets:
            if packet.is_key:
                self._packets, self._bytes, self.is_cut_off = [packet], len(packet.data), False
            elif self._packets and not self.is_cut_off:
                self._packets.append(packet)
                self._bytes += len(packet.data)
        if self._bytes > TAP_LIMIT_BYTES or len(self._packets) > TAP_LIMIT_PACKETS:
            del self._packets[1:]
            self._bytes = sum(len(one.data) for one in self._packets)
            self.is_cut_off = True

    def key(self) -> Packet | None:
        """The newest key picture."""
        return self._packets[0] if self._packets else None

    def since_key(self) -> tuple[Packet, ...]:
        """The newest group of pictures, from its key picture on."""
        return tuple(self._packets)

    def clear(self) -> None:
        """The session ended: what follows does not continue it."""
        self._packets, self._bytes, self.is_cut_off = [], 0, False
