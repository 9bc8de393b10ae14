"""The process that decodes: `python -m appliance.wiring.decoder FD`, started at the first still that is asked for.

It is niced, and ended when a picture takes too long: what breaks a decoder breaks no recording.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from dataclasses import dataclass
from typing import Final

from appliance.wiring.children import ChildProcess, orphaned, start, wait_for_orders
from config import logs
from config.clock import Clock
from config.times import SECOND_US
from recorder.capture.channel import Answer, Asked, Channel
from recorder.capture.fleet import Fleet, KeyPicture
from recorder.errors import PeerGone, StillUnavailable
from recorder.playback.stills import jpeg_of

NICE: Final = 10

KEY_S: Final = 3.0
"""How long a capture process may take to hand out a picture that it has in memory."""

DECODE_S: Final = 5.0
"""How long decoding may take; a picture of 4K takes a tenth of a second."""

WAITING_LIMIT: Final = 64
"""Pictures that may wait to be decoded: more than anybody looks at at once."""


@dataclass(frozen=True)
class Still:
    """A camera's newest key picture as a JPEG."""

    jpeg: bytes
    age_s: float
    utc_us: int
    """When it came."""


class Stills:
    """The main process's side. Thread-safe."""

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None

    def newest(self, camera_id: str, max_age_s: float) -> Still:
        """A camera's newest key picture.

        Raises:
            StillUnavailable: there is none, or none that is so new, or it cannot be decoded.
        """
        try:
            picture = self._fleet.key_picture(camera_id, KEY_S)
        except PeerGone as err:
            raise StillUnavailable from err
        if picture is None:
            raise StillUnavailable
        now = self._clock.read()
        age_s = max(0, now.mono_us - picture.arrived_us) / SECOND_US
        if age_s > max_age_s:
            raise StillUnavailable(f"The newest key picture is {age_s:.1f} s old; at most {max_age_s:g} s was asked.")
        return Still(self._decoded(picture), age_s, picture.arrived_us + now.offset_us())

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()
            child.channel.close()

    def _decoded(self, picture: KeyPicture) -> bytes:
        try:
            answer = self._running().channel.call("jpeg", {"codec": picture.codec}, picture.data, timeout_s=DECODE_S)
        except PeerGone as err:
            self.close()  # it hangs on this picture, or has died of it: the next one gets another
            raise StillUnavailable("The camera's newest key picture could not be decoded in time.") from err
        return answer.blob

    def _running(self) -> ChildProcess:
        with self._lock:
            if self._child is not None and self._child.ending():
                self._child.channel.close()
                self._child = None
            if self._child is None:
                self._child = start("appliance.wiring.decoder", lambda asked: None, lambda: None, name="decoder")
            return self._child


def decode(asked: Asked) -> Answer:
    """Carry out what `Stills` asks for."""
    return Answer({}, jpeg_of(asked.body["codec"], asked.blob))


def main(descriptor: int) -> None:
    """Be the process: one picture after the other."""
    end = wait_for_orders(descriptor)
    os.nice(NICE)
    logs.configure(level="WARNING")
    waiting: queue.Queue[Asked] = queue.Queue(WAITING_LIMIT)

    def take(asked: Asked) -> None:
        try:
            waiting.put_nowait(asked)
        except queue.Full:
            asked.refuse(StillUnavailable("Too many pictures are being asked for at once."))

    Channel(end, take, orphaned, name="main").start()
    while True:
        waiting.get().carry_out(decode)


if __name__ == "__main__":
    main(int(sys.argv[1]))
