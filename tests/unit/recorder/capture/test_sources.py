"""Which source reads which camera, and looking at one."""

import contextlib
import traceback

import pytest
from pydantic import SecretStr

from config.clock import SystemClock
from recorder.capture.libav import LibavSource
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.source import Packet, Source
from recorder.capture.sources import packets, probe, source_of
from recorder.capture.timeline import TICKS_PER_S
from recorder.errors import (
    SourceBasicOnly,
    SourceEnded,
    SourceError,
    SourceNotFound,
    SourceRefusedUs,
    SourceSilent,
    SourceStalled,
    SourceUnreachable,
)
from recorder.store.records import CodecName
from tests.fakes.clock import FakeClock
from tests.fakes.http_camera import http_camera
from tests.fakes.rtsp_camera import BasicOnly, Behaviour, camera
from tests.fakes.video import access_units


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


def test_sound_is_asked_for_where_it_is_wanted() -> None:
    """By either source; by none, where nobody said so."""
    ours = source_of("rtsp://192.0.2.1/a", None, None, "udp", SystemClock(), audio=True)
    assert isinstance(ours, RtspSource)
    assert ours.connection.wants_audio
    quiet = source_of("rtsp://192.0.2.1/a", None, None, "udp", SystemClock())
    assert isinstance(quiet, RtspSource)
    assert not quiet.connection.wants_audio


def test_basic_is_allowed_where_somebody_says_so() -> None:
    """By our own client: nothing is known of how libav logs in."""
    with camera(BasicOnly("ann", "planted")) as url:
        for allowed in (False, True):
            one = source_of(url, "ann", SecretStr("planted"), "tcp", SystemClock(), allow_basic=allowed)
            with contextlib.nullcontext() if allowed else pytest.raises(SourceBasicOnly):
                assert one.open().password_in_clear
            one.release()


@pytest.mark.parametrize("codec", list(CodecName))
def test_a_camera_is_looked_at(codec: CodecName) -> None:
    """Codec, size and rate, by its own pictures; nothing is recorded."""
    behaviour = Behaviour(codec, 75)
    behaviour.stays = False
    with camera(behaviour) as url:
        clock = SystemClock()
        found = probe(source_of(url, None, None, "tcp", clock), clock)

    assert (found.codec, found.frames_per_s, found.left_out) == (codec, 25.0, ())
    assert found.key_interval_s is not None
    assert found.width > 0
    assert found.height > 0


def test_pictures_by_http() -> None:
    """They come byte by byte as they were sent. They bear no time: that of arrival counts, and is called that."""
    film = [picture for picture, _ in access_units(CodecName.MJPEG, 60)]
    clock = FakeClock()
    with http_camera(film) as url:
        source = source_of(url, None, None, "tcp", clock)
        track = source.open()
        seen: list[Packet] = []
        with pytest.raises(SourceEnded):
            seen.extend(packets(source, clock))
        source.release()

    assert (track.codec, track.sets) == (CodecName.MJPEG, ())
    assert [one.data for one in seen] == film
    assert all(one.is_key and one.stamps_stand_still for one in seen)
    assert [one.dts for one in seen] == [one.arrived.mono_us * TICKS_PER_S // 1_000_000 for one in seen]
    assert [one.pts for one in seen] == [one.dts for one in seen]


@pytest.mark.parametrize(("pictures", "kind"), [(0, SourceUnreachable), (60, SourceStalled)])
def test_a_camera_on_http_that_falls_silent(
    pictures: int, kind: type[SourceError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """libav would wait for ever: for the first byte, or for the next picture."""
    monkeypatch.setattr("recorder.capture.libav.SOCKET_TIMEOUT_S", 1)
    film = [picture for picture, _ in access_units(CodecName.MJPEG, 60)][:pictures]
    with http_camera(film, hangs=True) as url:
        source = source_of(url, None, None, "tcp", SystemClock())
        with pytest.raises(kind):
            drained(source)
        source.release()


@pytest.mark.parametrize(
    ("status", "kind"), [(401, SourceRefusedUs), (403, SourceRefusedUs), (404, SourceNotFound), (500, SourceError)]
)
def test_libav_is_refused_and_no_error_tells_the_password(status: int, kind: type[SourceError]) -> None:
    """libav's own texts hold the URL with all that is in it: they end where it is known."""
    with http_camera([], status=status) as url:
        source = source_of(url, "ann", SecretStr("planted"), "tcp", SystemClock())
        with pytest.raises(kind) as caught:
            source.open()
        source.release()

    told = "".join(traceback.format_exception(caught.value))
    assert "planted" not in told
    assert "ann" not in str(caught.value)


def test_a_camera_on_http_that_dribbles(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says a little now and then, for ever: whoever waits for it has his thread back, and few are left behind."""
    monkeypatch.setattr("recorder.capture.libav.OPEN_LIMIT_S", 0.5)
    monkeypatch.setattr("recorder.capture.libav.GIVEN_UP_LIMIT", 2)
    with http_camera([], dribbles=True) as url:
        for text in ("too slowly", "too slowly", "Too many"):
            source = source_of(url, None, None, "tcp", SystemClock())
            with pytest.raises(SourceSilent, match=text):
                source.open()
            source.release()


def test_a_camera_on_http_that_is_not_wanted_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it dribbles: it is given up at once."""
    with http_camera([], dribbles=True) as url:
        source = source_of(url, None, None, "tcp", SystemClock())
        source.close()
        with pytest.raises(SourceEnded):
            source.open()
        source.release()


def drained(source: Source) -> list[Packet]:
    """All that comes of one, to its end."""
    source.open()
    return list(packets(source, FakeClock()))
