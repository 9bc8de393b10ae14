"""Terms that are written in several places are the same everywhere."""

from typing import get_args

from config.terms import TransportName
from recorder.capture.rtsp.transport import Transport
from recorder.capture.sources import LIBAV


def test_the_transports_that_can_be_set_are_those_that_can_be_used() -> None:
    """Three ways of RTSP, and libav."""
    assert set(get_args(TransportName)) == {*(one.value for one in Transport), LIBAV}
