"""One track's packets to access units: whose they are, what is missing, and what the camera says of its clock. Pure.

A packet that belongs to somebody else is left out: cameras send the media of a dead session on a new connection, or
begin anew under another source id (SSRC). The first of two that mix is an error; the second is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from config.times import SECOND_US
from recorder.capture.rtp.rtcp import Goodbye, SenderReport, parse, receiver_report
from recorder.capture.rtp.sequence import SequenceTracker, TimestampUnwrapper
from recorder.capture.rtp.units import AccessUnit, Depacketiser, Fragmenting
from recorder.capture.rtp.whole import pictures_in
from recorder.errors import SourceMixed

FOREIGN_IN_A_ROW = 10
"""So many packets of another source, and none of ours between: the camera began anew."""

FOREIGN_LIMIT = 200
"""So many packets of others among ours: two sessions are mixed. A few from the end of an older one are common."""

REPORT_PERIOD_US = 5 * SECOND_US
"""RFC 3550, 6.2: the least interval of reports. Some cameras take their absence for the viewer's death."""

GOODBYE_US = SECOND_US
"""So long after a goodbye (RFC 3550, 6.6) media may still come: over UDP it can be overtaken, and some say it only
to go on under another source id."""

_HEADER = Struct("!BBHII")
_NONE: tuple[AccessUnit, ...] = ()

_new = tuple.__new__
"""Makes one of a `NamedTuple` without its own constructor, which is a call more for each picture."""

_FRAME = Struct("!BBHBBHIIBBB")
"""An interleaved packet up to the third byte of its payload."""

_LEAST = 12 + 4
_DOLLAR = 0x24
_ENDS = 0xC0
"""The first or last piece of a unit (RFC 6184, 5.8; RFC 7798, 4.4.3)."""

_PLAIN = 0x80
"""The first byte of a packet without padding, extension and contributing sources."""


@dataclass
class Tally:
    """What a track's packets were, since the session began."""

    packets: int = 0
    lost: int = 0
    duplicates: int = 0
    foreign: int = 0
    malformed: int = 0
    other_type: int = 0
    restarts: int = 0


class TrackReceiver:
    """One track of one session."""

    def __init__(
        self,
        depacketiser: Depacketiser,
        payload_type: int,
        clock_rate_hz: int,
        *,
        own_ssrc: int,
        ssrc: int | None = None,
        fragmenting: Fragmenting | None = None,
    ) -> None:
        """`ssrc`: what the camera announced, which not every one keeps to; `fragmenting`: the depacketiser, if so."""
        self._fragmenting = fragmenting
        self._depacketiser = depacketiser
        self._payload_type = payload_type
        self._clock_rate_hz = clock_rate_hz
        self._own_ssrc = own_ssrc
        self._announced = ssrc
        self._ssrc: int | None = None
        self._others = 0
        self._sequence = SequenceTracker(clock_rate_hz)
        self._stamps = TimestampUnwrapper()
        self._stamp = 0
        self._reported_us: int | None = None
        self.tally = Tally()
        self.last_report: SenderReport | None = None
        self.last_report_us = 0
        """When it came, monotonic."""
        self._goodbye: tuple[int, int] | None = None
        """When the camera said it, and how many packets had come by then."""

    def rtp(self, data: memoryview, now_us: int) -> Sequence[AccessUnit]:
        """One packet (RFC 3550, 5.1); what it completed. `now_us` is monotonic. Long, because calls cost: it is taken
        hundreds of times a second for each camera.

        Raises:
            SourceMixed: the media of two sessions arrive together.
        """
        size = len(data)
        if size < 12 or data[0] >> 6 != 2:
            self.tally.malformed += 1
            return _NONE
        first, second, number, stamp, ssrc = _HEADER.unpack_from(data)
        if (
            first == _PLAIN
            and ssrc == self._ssrc
            and second & 0x7F == self._payload_type
            and size > 12
            and self._sequence.follows(number, stamp)
        ):
            self._others = 0
            self.tally.packets += 1
            return self._depacketiser.feed(data[12:], self._stamp, second > 0x7F)
        if ssrc != self._ssrc and not self._is_ours(ssrc):
            return _NONE
        self._others = 0
        if second & 0x7F != self._payload_type:
            self.tally.other_type += 1
            return _NONE
        begin = 12
        if first & 0x3F:
            begin, size = _payload(data, first)
            if begin > size:
                self.tally.malformed += 1
                return _NONE
        if begin == size:  # without payload, sent to keep paths open: no picture begins with it, nor goes on
            stamp = self._sequence.last_stamp
        missing = self._sequence.take(number, stamp, now_us)
        if missing:
            if missing < 0:
                self.tally.duplicates += 1
                return _NONE
            self.tally.lost += missing
            self._depacketiser.lost()
        self.tally.packets += 1
        if begin == size:
            return _NONE
        self._stamp = self._stamps.take(stamp)
        return self._depacketiser.feed(data[begin:size], self._stamp, second > 0x7F)

    def ahead(
        self, buffer: memoryview, at: int, end: int, channel: int, now_us: int
    ) -> tuple[int, bool, Sequence[AccessUnit]]:
        """Take what needs no looking at: whole pictures, or, of one that has begun, pieces in the middle.

        Where something else begins; whether that may be a picture that has not wholly come yet, and is best left
        there until it has; the pictures.
        """
        depacketiser, sequence = self._fragmenting, self._sequence
        if (
            depacketiser is None
            or self._ssrc is None
            or sequence.last_stamp < 0
            or (self._goodbye is not None and self.said_goodbye)  # the next packet tells whether that was meant
            or not depacketiser.is_between()
        ):
            return self.pieces(buffer, at, end, channel), False, _NONE
        at, packets, waits, found = pictures_in(
            buffer,
            at,
            end,
            depacketiser.is_h265,
            channel,
            self._payload_type,
            self._ssrc,
            (sequence.extended_highest + 1) & 0xFFFF,
            sequence.last_stamp,
        )
        if not found:
            return at, waits, _NONE
        units, take = [], self._stamps.take
        for data, raw, is_key, starts in found:
            self._stamp = take(raw)
            units.append(_new(AccessUnit, (data, self._stamp, is_key, False, starts)))
        sequence.passed(packets, raw, now_us)
        self.tally.packets += packets
        self._others = 0
        depacketiser.passed(self._stamp)
        return at, waits, units

    def pieces(self, buffer: memoryview, at: int, end: int, channel: int) -> int:
        """Take what lies at `at` as long as it simply goes on with a unit in pieces; where something else begins.

        What is simple: the next number, the same picture, source and payload type, no extension, no end of anything,
        and the packet whole, behind its `$` mark on that channel (RFC 2326, 10.12). Nine packets of ten are so, and
        taking them one by one through `rtp` costs four times as much. They are kept where they lie until `settle`.
        """
        room = 0 if self._fragmenting is None else self._fragmenting.room()
        if not room or self._fragmenting is None:
            return at
        behind_stamp, begun = 16 + self._fragmenting.middle.header_bytes, at
        last = min(end, at + room)
        found: list[memoryview] = []
        while step := self._middle(buffer, at, last, channel, len(found)):
            # Those of a unit are of one length: all but their number must be the same, to the byte.
            before, behind = bytes(buffer[at : at + 6]), bytes(buffer[at + 8 : at + behind_stamp])
            number = self._sequence.extended_highest + 1 + len(found)
            is_next = True
            while is_next:
                found.append(buffer[at + behind_stamp : at + step])
                at, number = at + step, number + 1
                head = before + (number & 0xFFFF).to_bytes(2, "big") + behind
                is_next = at + step <= last and buffer[at : at + behind_stamp] == head
        if at != begun:
            self._fragmenting.grow(found, at - begun - behind_stamp * len(found))
            self._sequence.followed(len(found))
            self.tally.packets += len(found)
            self._others = 0
        return at

    def _middle(self, buffer: memoryview, at: int, last: int, channel: int, behind: int) -> int:
        """How many bytes the packet at `at` has, with its mark, if it simply goes on with the unit; 0: it does not.

        `behind`: how many such lie between it and the last one that was counted.
        """
        assert self._fragmenting is not None
        if at + _FRAME.size > last:
            return 0
        mask, kind, header_bytes = self._fragmenting.middle
        mark, on, size, first, second, number, stamp, source, *head = _FRAME.unpack_from(buffer, at)
        is_simple = (
            number == (self._sequence.extended_highest + 1 + behind) & 0xFFFF
            and stamp == self._sequence.last_stamp
            and source == self._ssrc
            and second == self._payload_type
            and head[0] & mask == kind
            and not head[header_bytes - 1] & _ENDS
            and mark == _DOLLAR
            and on == channel
            and first == _PLAIN
            and at + 4 + size <= last
            and size >= _LEAST
        )
        return 4 + size if is_simple else 0

    def _is_ours(self, ssrc: int) -> bool:
        """Whether a packet of a source that was not the last one's belongs to this track."""
        if self._ssrc is None:
            if self._announced in (None, ssrc) or self._others >= FOREIGN_IN_A_ROW:
                self._follow(ssrc)
                return True
            self._others += 1
            self.tally.foreign += 1
            return False
        self._others += 1
        self.tally.foreign += 1
        if self._others > FOREIGN_IN_A_ROW:
            self.tally.restarts += 1
            self._follow(ssrc)
            return True
        if self.tally.foreign - self.tally.restarts * FOREIGN_IN_A_ROW > FOREIGN_LIMIT:
            raise SourceMixed()
        return False

    def _follow(self, ssrc: int) -> None:
        if self._ssrc is not None:
            self._depacketiser.lost()
        self._ssrc = ssrc
        self._sequence = SequenceTracker(self._clock_rate_hz)

    def settle(self) -> None:
        """The place where packets lie is about to be written over."""
        self._depacketiser.settle()

    def rtcp(self, data: memoryview, now_us: int) -> None:
        """What the camera says of itself: kept, as its own opinion of the time."""
        for one in parse(data):
            if isinstance(one, SenderReport) and one.ssrc == self._ssrc:
                self.last_report, self.last_report_us = one, now_us
            elif isinstance(one, Goodbye) and one.ssrc == self._ssrc:
                self._goodbye = (now_us, self.tally.packets)

    @property
    def said_goodbye(self) -> bool:
        """Whether the camera did, and sent nothing since."""
        return self._goodbye is not None and self._goodbye[1] == self.tally.packets

    def has_left(self, now_us: int) -> bool:
        """Whether it meant it: a while has passed."""
        return self._goodbye is not None and self.said_goodbye and now_us - self._goodbye[0] > GOODBYE_US

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing more will come; what was waiting for its end."""
        return self._depacketiser.finish()

    def reported(self) -> tuple[int, int] | None:
        """Its last sender report: at that time by its clock, in microseconds, units stood at that stamp."""
        report = self.last_report
        return None if report is None else (report.ntp_us, self._stamps.near(report.rtp_timestamp))

    def report(self, now_us: int) -> bytes | None:
        """Our report to the camera, when one is due."""
        if self._ssrc is None or (self._reported_us is not None and now_us - self._reported_us < REPORT_PERIOD_US):
            return None
        self._reported_us = now_us
        report = self.last_report
        return receiver_report(
            self._own_ssrc,
            self._ssrc,
            self._sequence.extended_highest,
            self._sequence.fraction_lost(),
            self._sequence.lost,
            int(self._sequence.jitter),
            0 if report is None else report.middle_ntp,
            0 if report is None else (now_us - self.last_report_us) * 65536 // SECOND_US,
        )


def _payload(data: memoryview, first: int) -> tuple[int, int]:
    """Where the payload begins and ends behind contributing sources, extension and before padding."""
    begin, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if begin + 4 > end:
            return end + 1, end
        begin += 4 + 4 * (data[begin + 2] << 8 | data[begin + 3])
    if first & 0x20:
        end -= data[end - 1]
    return begin, end
