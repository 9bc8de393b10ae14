"""Cameras over TLS: whose certificates are believed."""

from itertools import islice
from pathlib import Path
from threading import Event

import pytest

from config.clock import SystemClock
from recorder.capture.rtsp.connection import READS_LIMIT, Target
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.rtsp.transport import Transport
from recorder.capture.sources import packets
from recorder.errors import SourceCertificate
from tests.fakes.certificates import Identity, identity
from tests.fakes.rtsp_camera import Behaviour, camera, large_film

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.77"


def seen(shown: Identity, believed: Path | None) -> bool:
    """Whether the pictures of a camera with that certificate come.

    Raises:
        SourceCertificate: it is not believed.
    """
    behaviour = Behaviour(pictures=5)
    with camera(behaviour, shown.context()) as url:
        target = Target(url, None, None, Transport.TCP, ca_file=None if believed is None else str(believed))
        one = RtspSource(target, SystemClock())
        one.open()
        found = [packet.data for packet in islice(packets(one, SystemClock()), 5)]
        one.release()
    return found == behaviour.shots


def test_an_authority_vouches_for_the_camera(tmp_path: Path) -> None:
    """Its certificate is for the address that was asked."""
    authority = identity(tmp_path, "authority")

    assert seen(identity(tmp_path, "gate", address=HERE, issuer=authority), authority.certificate)


def test_the_cameras_own_certificate_is_pinned(tmp_path: Path) -> None:
    """Whatever name it has: cameras leave the factory with certificates for nobody."""
    for address in (HERE, ELSEWHERE):
        own = identity(tmp_path, f"own-{address}", address=address)
        assert seen(own, own.certificate)


def test_pictures_of_many_records(tmp_path: Path) -> None:
    """What TLS hands out in pieces of 16 KB is the same stream."""
    own, behaviour = identity(tmp_path, "own", address=HERE), Behaviour()
    behaviour.shots = large_film(behaviour.codec)
    with camera(behaviour, own.context()) as url:
        one = RtspSource(Target(url, None, None, Transport.TCP, ca_file=str(own.certificate)), SystemClock())
        one.open()
        found = [packet.data for packet in islice(packets(one, SystemClock()), len(behaviour.shots))]
        one.release()
    assert found == behaviour.shots


def test_one_look_takes_as_many_records_as_there_are(tmp_path: Path) -> None:
    """A record a packet, hundreds between two looks: what is left for the next look would grow for ever."""
    own, behaviour = identity(tmp_path, "own", address=HERE), Behaviour(pictures=120)
    with camera(behaviour, own.context()) as url:
        one = RtspSource(Target(url, None, None, Transport.TCP, ca_file=str(own.certificate)), SystemClock())
        one.open()
        looks, clock = list[int](), SystemClock()
        while sum(looks) < len(behaviour.shots):
            looks.append(len(one.take()))
            clock.wait(Event(), 0.2)
        one.release()
    assert max(looks) > READS_LIMIT


def test_a_certificate_for_another_address(tmp_path: Path) -> None:
    """An authority's word for one camera is no word for another."""
    authority = identity(tmp_path, "authority")
    with pytest.raises(SourceCertificate, match="another name"):
        seen(identity(tmp_path, "yard", address=ELSEWHERE, issuer=authority), authority.certificate)


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """Neither the system nor the given file knows it."""
    stranger = identity(tmp_path, "stranger", address=HERE)
    for believed in (None, identity(tmp_path, "authority").certificate):
        with pytest.raises(SourceCertificate, match="refused"):
            seen(stranger, believed)


def test_another_certificate_than_the_pinned_one(tmp_path: Path) -> None:
    """Somebody else answers at the camera's address, under its name."""
    own, other = (identity(tmp_path, name, address=HERE) for name in ("own", "other"))
    with pytest.raises(SourceCertificate):
        seen(other, own.certificate)


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_certificates(tmp_path: Path, text: str | None) -> None:
    """It is said, and nobody is believed."""
    file = tmp_path / "none.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SourceCertificate, match="file"):
        seen(identity(tmp_path, "gate", address=HERE), file)
