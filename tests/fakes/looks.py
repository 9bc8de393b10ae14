"""One connection's media without a socket: what came is read in looks, out of a buffer that others write over."""

from __future__ import annotations

from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.h265 import H265Depacketiser
from recorder.capture.rtp.receiver import TrackReceiver
from recorder.capture.rtp.units import AccessUnit
from recorder.capture.rtsp.framing import BUFFER_BYTES, AheadSink, Framer

TORN = 0xAA
"""What stands in the buffer after a look: whoever still reads there reads this."""


def shared_buffer() -> memoryview:
    """For as many connections as there are in a thread."""
    return memoryview(bytearray(BUFFER_BYTES))


class Looks:
    """Video on channel 0."""

    def __init__(
        self, depacketiser: H264Depacketiser | H265Depacketiser, buffer: memoryview, *, at_once: bool = True
    ) -> None:
        """`at_once`: pieces of units are taken together, as a connection does it."""
        self._buffer = buffer
        self._at_once = at_once
        self.framer = Framer()
        self.receiver = TrackReceiver(
            depacketiser, 96, 90_000, own_ssrc=1, fragmenting=depacketiser if at_once else None
        )
        self.found: list[AccessUnit] = []

    def look(self, data: bytes, *, is_last: bool = False) -> None:
        """So much came since the last one; `is_last`: and nothing more will."""
        begin = self.framer.begin(self._buffer)
        end = begin + len(data)
        self._buffer[begin:end] = data
        self._drain(end, self._ahead if self._at_once else None)
        if is_last:
            self._drain(self.framer.begin(self._buffer), None)

    def _drain(self, end: int, ahead: AheadSink | None) -> None:
        try:
            self.framer.drain(self._buffer, end, self._packet, lambda message: None, ahead)
        finally:
            self.receiver.settle()
            self._buffer[:end] = bytes((TORN,)) * end

    def looks(self, data: bytes, size: int) -> None:
        """All of it, in looks of that size."""
        for at in range(0, len(data), size):
            self.look(data[at : at + size], is_last=at + size >= len(data))

    def _packet(self, channel: int, data: memoryview) -> None:
        if channel == 0:
            self.found.extend(self.receiver.rtp(data, 0))

    def _ahead(self, buffer: memoryview, at: int, end: int) -> tuple[int, bool]:
        at, waits, units = self.receiver.ahead(buffer, at, end, 0, 0)
        self.found.extend(units)
        return at, waits
