"""A camera drawn as a string, and sources that play it.

``I`` a key picture, ``P`` another, ``G`` a second in which nothing comes, ``J`` the camera's time stamps jump an hour
ahead, ``B`` they go back five seconds, ``=`` the next picture repeats the stamp of the one before, ``?`` the next one
has none, ``S`` other parameter sets (and size) from the next key picture on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from config.errors import CustosError
from recorder.capture.source import Packet, Track, WantedCamera
from recorder.store.records import CodecName
from tests.fakes.clock import FakeClock
from tests.fakes.video import access_units

TICKS = 9000
"""Ten pictures a second."""

SECOND = "I" + "P" * 9
"""A second of them, which can be decoded from its beginning."""


def packets(drawing: str, clock: FakeClock, codec: CodecName = CodecName.H264, first_dts: int = 0) -> Iterator[Packet]:
    """The packets of a drawing; the clock goes on as they come."""
    dts, sizes, repeat, without, pictures = first_dts, iter([(160, 120), (176, 144), (192, 128)]), False, False, 0
    width, height = next(sizes)
    for letter in drawing:
        if letter == "G":
            clock.advance(1)
            dts += 10 * TICKS
        elif letter == "J":
            dts += 3600 * 90_000
        elif letter == "B":
            dts -= 5 * 90_000
        elif letter == "S":
            width, height = next(sizes)
        elif letter == "=":
            repeat = True
        elif letter == "?":
            without = True
        else:
            unit, is_key = _picture(letter == "I", pictures, codec, width, height)
            stamp = dts - TICKS if repeat else dts
            yield Packet(unit, None if without else stamp, None if without else stamp, is_key, clock.read())
            clock.advance(0.1)
            dts += 0 if repeat else TICKS
            repeat, without, pictures = False, False, pictures + 1


def _picture(key: bool, n: int, codec: CodecName, width: int, height: int) -> tuple[bytes, bool]:
    """The n-th picture of the film, where the drawing follows its groups; else one of the kind that was drawn.

    And whether it is a key picture, which in MJPEG every one is, however it was drawn.
    """
    film = access_units(codec, 50, 10, width, height)
    unit, is_key = film[n % len(film)]
    if is_key == key or codec is CodecName.MJPEG:
        return unit, is_key
    alike = [(one, its_key) for one, its_key in film if its_key == key]
    return alike[n % len(alike)]


class ScriptedSource:
    """Obeys `recorder.capture.source.Source`: plays packets, then fails as told."""

    def __init__(
        self,
        script: Iterable[Packet],
        error: CustosError,
        *,
        refuse: bool = False,
        left_out: tuple[str, ...] = (),
        password_in_clear: bool = False,
        releasing: Callable[[], None] = lambda: None,
    ) -> None:
        """`releasing`: what happens just as it is let go of."""
        self._releasing = releasing
        self._script = iter(script)
        self._error = error
        self._refuse = refuse
        self._track = Track(CodecName.H264, (), left_out, password_in_clear=password_in_clear)
        self.closed = False
        self.released = False

    def open(self) -> Track:
        if self._refuse:
            raise self._error
        return self._track

    def take(self) -> Sequence[Packet]:
        """One packet at a time, so that the clock of the script and that of the session go together."""
        for packet in self._script:
            return [packet]
        raise self._error

    def close(self) -> None:
        self.closed = True

    def release(self) -> None:
        self._releasing()
        self.released = True


def wanted(camera_id: str = "gate") -> WantedCamera:
    """A camera that should be recorded."""
    return WantedCamera(camera_id, f"{camera_id}.main", "rtsp://127.0.0.1/x", None, "")
