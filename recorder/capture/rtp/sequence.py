"""Sequence numbers and time stamps that wrap (RFC 3550, 5.1 and appendices A.1, A.3, A.8). Pure."""

from __future__ import annotations

from config.times import SECOND_US

DROPOUT_LIMIT = 3000
"""RFC 3550, A.1: a hole of more packets is no hole, but a camera that began anew."""

LATE_LIMIT = 100
"""RFC 3550, A.1: so far behind, a packet is late or a duplicate; further behind, the camera began anew."""


class SequenceTracker:
    """What is missing in the numbers of one source."""

    __slots__ = (
        "_base",
        "_clock_rate_hz",
        "_jumped_to",
        "_lost_reported",
        "_received",
        "_received_reported",
        "_transit",
        "extended_highest",
        "jitter",
        "last_stamp",
        "lost",
    )

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._base = -1
        self._jumped_to = -1
        self._received = 0
        self._received_reported = 0
        self._lost_reported = 0
        self.last_stamp = -1
        """Of the picture that the newest packet belongs to, as it is in the packet."""
        self._transit = 0
        self.extended_highest = -1
        """The highest number, with the times it wrapped above its 16 bits; -1 before the first packet."""
        self.jitter = 0.0
        """Of arrival against time stamps, in ticks."""
        self.lost = 0

    def followed(self, packets: int) -> None:
        """So many came, each the next one of the same picture."""
        self.extended_highest += packets
        self._received += packets

    def passed(self, packets: int, stamp: int, now_us: int) -> None:
        """So many came, each the next one, of whole pictures of which that is the last one's stamp.

        It alone is measured: those that are found together did not all wait so long.
        """
        self.extended_highest += packets
        self._received += packets
        self._measure(stamp, now_us)

    def follows(self, number: int, stamp: int) -> bool:
        """Whether this is simply the next packet of the same picture: taken then, and nothing else need be done."""
        if stamp != self.last_stamp or number != (self.extended_highest + 1) & 0xFFFF:
            return False
        self.extended_highest += 1
        self._received += 1
        return True

    def take(self, number: int, stamp: int, now_us: int) -> int:
        """How many packets are missing before this one; -1 when it is late, a duplicate, or not to be believed yet."""
        ahead = (number - self.extended_highest) & 0xFFFF
        if ahead != 1:
            missing = self._unusual(number, ahead)
            if missing < 0:
                return -1
        else:
            missing = 0
            self.extended_highest += 1
        self._received += 1
        if stamp != self.last_stamp:
            self._measure(stamp, now_us)
        return missing

    def _unusual(self, number: int, ahead: int) -> int:
        if self.extended_highest < 0:
            self._base = self.extended_highest = number
            return 0
        if 0 < ahead < DROPOUT_LIMIT:
            self.extended_highest += ahead
            self.lost += ahead - 1
            return ahead - 1
        if ahead == 0 or ahead > 0xFFFF - LATE_LIMIT:
            return -1
        if number != self._jumped_to:  # one stray number is not followed; two in a row are a new beginning
            self._jumped_to = (number + 1) & 0xFFFF
            return -1
        self._jumped_to = -1
        self.extended_highest += ahead
        self._base += ahead - 1  # what lies between was never sent
        return 1

    def _measure(self, stamp: int, now_us: int) -> None:
        """Interarrival jitter (A.8), once a picture: its packets share a stamp, so more often would measure nothing."""
        transit = now_us * self._clock_rate_hz // SECOND_US - stamp
        if self.last_stamp >= 0:
            step = abs(transit - self._transit) & 0xFFFFFFFF
            self.jitter += (min(step, 0xFFFFFFFF - step) - self.jitter) / 16
        self._transit = transit
        self.last_stamp = stamp

    def fraction_lost(self) -> int:
        """In 256ths, since this was last asked (A.3)."""
        lost, received = self.lost - self._lost_reported, self._received - self._received_reported
        self._lost_reported, self._received_reported = self.lost, self._received
        return min(255, lost * 256 // (lost + received)) if lost else 0


class TimestampUnwrapper:
    """32-bit time stamps to numbers that go on; steps of less than half the range either way are believed."""

    __slots__ = ("_last", "_raw")

    def __init__(self) -> None:
        self._raw = -1
        self._last = 0

    def take(self, raw: int) -> int:
        """The stamp, unwrapped; the first one as it is."""
        if raw == self._raw:
            return self._last
        self._last = self.near(raw)
        self._raw = raw
        return self._last

    def near(self, raw: int) -> int:
        """A stamp beside those that were taken, such as a report's, unwrapped."""
        if self._raw < 0:
            return raw
        return self._last + ((raw - self._raw + 0x80000000) & 0xFFFFFFFF) - 0x80000000
