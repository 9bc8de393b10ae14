"""Which source reads which camera, and looking at one."""

import pytest

from config.clock import SystemClock
from recorder.capture.libav import LibavSource
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.sources import probe, source_of
from recorder.store.records import CodecName
from tests.fakes.clock import FakeClock
from tests.fakes.rtsp_camera import Behaviour, camera


@pytest.mark.parametrize(
    ("url", "transport", "kind"),
    [
        ("rtsp://192.0.2.1/a", "tcp", RtspSource),
        ("rtsps://192.0.2.1/a", "udp", RtspSource),
        ("rtsp://192.0.2.1/a", "libav", LibavSource),
        ("http://192.0.2.1/a.mjpg", "tcp", LibavSource),
        ("file:///film.mp4", "multicast", LibavSource),
    ],
)
def test_a_url_finds_its_source(url: str, transport: str, kind: type) -> None:
    """Our own client for RTSP unless somebody chose otherwise; libav for the rest."""
    assert isinstance(source_of(url, None, None, transport, SystemClock()), kind)


@pytest.mark.parametrize("codec", list(CodecName))
def test_a_camera_is_looked_at(codec: CodecName) -> None:
    """Codec, size and rate, by its own pictures; nothing is recorded."""
    behaviour = Behaviour(codec, 75)
    behaviour.stays = False
    with camera(behaviour) as url:
        clock = FakeClock()
        found = probe(source_of(url, None, None, "tcp", clock), clock)

    assert (found.codec, found.frames_per_s, found.left_out) == (codec, 25.0, ())
    assert found.key_interval_s is not None
    assert found.width > 0
    assert found.height > 0
