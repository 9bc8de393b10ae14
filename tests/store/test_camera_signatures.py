"""Signatures of cameras on their whole way: from the wire to the file, byte for byte, and what is told of them."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.clock import SystemClock
from recorder.capture.nal import unit_type, units
from recorder.capture.recording import Recording
from recorder.capture.source import Packet, Track
from recorder.capture.sources import source_of
from recorder.causes import Cause
from recorder.errors import SourceEnded
from recorder.store.boxes import BoxesDamaged, boxes, outline, pictures
from recorder.store.camsig import stored_signatures, stored_units
from recorder.store.records import CameraSignature, CodecName, Signing
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import SEGMENT_US, blind, new_store, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.rtsp_camera import Behaviour, camera, interleaved, rtp
from tests.fakes.signing import BEHIND, NOISE, UUID, message, sei_unit, signature_unit, signed
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import h264_payloads, h265_payloads

AXIS, ONVIF = CameraSignature.AXIS, CameraSignature.ONVIF
SLICES = {CodecName.H264: range(1, 6), CodecName.H265: range(32)}
SPLITS = {CodecName.H264: h264_payloads, CodecName.H265: h265_payloads}
PACKET_BYTES = 700
"""Smaller than a signature: so it comes in pieces (FU-A)."""

Groups = list[tuple[list[bytes], int]]
"""Units, and by how many ticks before the picture they are stamped."""


def signatures_of(n: int, codec: CodecName) -> list[bytes]:
    return [signature_unit(codec, ONVIF), signature_unit(codec, AXIS, bytes([n]) + NOISE * 3)]


def before_the_slices(picture: list[bytes], mine: list[bytes], codec: CodecName) -> Groups:
    at = next(n for n, unit in enumerate(picture) if unit_type(unit, codec) in SLICES[codec])
    return [([*picture[:at], *mine, *picture[at:]], 0)]


def each_by_itself(picture: list[bytes], mine: list[bytes], codec: CodecName) -> Groups:
    """In an access unit of its own, with a time stamp and a marker of its own."""
    return [*(([one], 900 * (len(mine) - n)) for n, one in enumerate(mine)), (picture, 0)]


def marked_by_itself(picture: list[bytes], mine: list[bytes], codec: CodecName) -> Groups:
    """With a marker, under the stamp of the picture that follows."""
    return [(mine, 0), (picture, 0)]


def behind_the_slices(picture: list[bytes], mine: list[bytes], codec: CodecName) -> Groups:
    suffix = sei_unit(codec, message(5, UUID[ONVIF] + NOISE), header=BEHIND if codec is CodecName.H265 else None)
    return [([*picture, suffix], 0)]


Placing = Callable[[list[bytes], list[bytes], CodecName], Groups]


class SigningCamera(Behaviour):
    """Sends what it is told in pieces, and remembers every unit in order."""

    def __init__(self, codec: CodecName, placing: Placing) -> None:
        super().__init__(codec)
        self.stays = False
        self.sent: list[bytes] = []
        self._placing = placing

    def media(self) -> Iterator[bytes]:
        number = 0
        for n, shot in enumerate(self.shots):
            for group, early in self._placing(list(units(shot)), signatures_of(n, self.codec), self.codec):
                self.sent += group
                for payload, marker in SPLITS[self.codec](group, PACKET_BYTES):
                    yield interleaved(rtp(payload, number, (n + 1) * 3600 - early, marker))
                    number += 1


def received(url: str, transport: str) -> tuple[Track, list[Packet]]:
    """All that a source makes of a camera."""
    source = source_of(url, None, None, transport, SystemClock())
    track, found, ends_s = source.open(), list[Packet](), time.monotonic() + 30
    with contextlib.suppress(SourceEnded):
        while True:
            assert time.monotonic() < ends_s, "the film does not end"
            found += source.take()
    source.release()
    return track, found


def stored(tmp_path: Path, track: Track, came: Sequence[Packet]) -> tuple[Store, list[bytes]]:
    """The units in the files that are made of it, in order."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(track)
    clock.advance(5)
    for packet in came:
        clock.advance(0.04)
        recording.feed(packet._replace(arrived=clock.read()))
    recording.stop(Cause.UNREACHABLE)
    return store, [unit for one in segments(store, clock) for unit in units_in(store.media_path(one))]


def units_in(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [bytes(unit) for picture in pictures(data, outline(data)) for unit in stored_units(picture)]


@pytest.mark.parametrize("transport", ["tcp", "libav"])
@pytest.mark.parametrize("placing", [before_the_slices, each_by_itself, marked_by_itself, behind_the_slices])
@pytest.mark.parametrize("codec", [CodecName.H264, CodecName.H265])
def test_what_a_camera_signed_with_is_in_the_file_byte_for_byte(
    tmp_path: Path, codec: CodecName, placing: Placing, transport: str
) -> None:
    """Every unit that it sent, in order, with all bytes against emulated start codes; by our client and by libav."""
    mine = SigningCamera(codec, placing)
    with camera(mine) as url:
        track, came = received(url, transport)
    store, found = stored(tmp_path, track, came)

    assert any(b"\0\0\3" in unit for unit in mine.sent)
    assert found == mine.sent
    told = {one.camsig for one in segments(store, FakeClock())}
    assert told == {(ONVIF,) if placing is behind_the_slices else (AXIS, ONVIF)}
    assert verify(store) == []


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        (CodecName.H264, "mp4"),
        (CodecName.H264, "mpegts"),
        (CodecName.H264, "flv"),
        (CodecName.H265, "mp4"),
        (CodecName.H265, "mpegts"),
    ],
)
def test_libav_keeps_them_out_of_other_containers_too(tmp_path: Path, codec: CodecName, container: str) -> None:
    """It may add parameter sets and delimiters of its own, and never takes a signature away, or changes their order."""
    shots = [signed(shot, codec, *signatures_of(n, codec)) for n, (shot, _) in enumerate(access_units(codec, 25))]
    path = tmp_path / f"film.{container}"
    raw = io.BytesIO(b"".join(shots))
    with (
        av.open(raw, format="hevc" if codec is CodecName.H265 else "h264") as film,
        av.open(str(path), "w", format=container) as out,
    ):
        stream = out.add_stream_from_template(film.streams.video[0])
        for n, packet in enumerate(one for one in film.demux(video=0) if one.size):
            packet.stream, packet.time_base = stream, stream.time_base or packet.time_base
            packet.pts = packet.dts = round(n / 25 / float(packet.time_base))
            out.mux(packet)
    track, came = received(path.as_uri(), "tcp")
    store, found = stored(tmp_path, track, came)

    seis = [unit for shot in shots for unit in units(shot) if any(uuid in unit for uuid in UUID.values())]
    assert len(seis) == 50
    assert [unit for unit in found if unit in set(seis)] == seis
    assert {one.camsig for one in segments(store, FakeClock())} == {(AXIS, ONVIF)}


def signing(drawing: str, clock: FakeClock, *, when: Callable[[int], bool]) -> Iterator[Packet]:
    """The packets of a drawing; those whose number says so carry a signature."""
    for n, packet in enumerate(packets(drawing, clock)):
        data = signed(packet.data, CodecName.H264, signature_unit(CodecName.H264, ONVIF)) if when(n) else packet.data
        yield packet._replace(data=data)


def recorded(store: Store, clock: FakeClock, drawing: str, when: Callable[[int], bool]) -> None:
    recording = Recording(store, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in signing(drawing, clock, when=when):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE)


def test_each_segment_says_whether_it_carries_any(tmp_path: Path) -> None:
    """In its leaf and its row: those of a camera that signs each tenth picture, and then no more."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recorded(store, clock, SECOND * 6, lambda n: n % 10 == 5 and n < 30)
    store.checkpoint()

    leaves = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "seg"]
    assert [one["camsig"] for one in leaves] == [["onvif"], ["onvif"], []]
    assert [one.camsig for one in segments(store, clock)] == [(ONVIF,), (ONVIF,), ()]
    assert verify(store) == []


def test_a_camera_that_stops_signing_is_told_from_one_that_never_did(tmp_path: Path) -> None:
    """Since when, and how much was recorded without; signing again ends it."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    recorded(store, clock, SECOND * 2, lambda n: True)
    first = store.signing("gate.main")
    recorded(store, clock, SECOND * 4, lambda n: False)
    found = segments(store, clock)
    stopped = store.signing("gate.main")
    recorded(store, clock, SECOND * 2, lambda n: True)
    again = store.signing("gate.main")

    assert first == Signing((ONVIF,), found[0].t1_us)
    unsigned = [one for one in found if one.camsig == ()]
    length_us = sum(one.t1_us - one.t0_us for one in unsigned)
    assert stopped == Signing((ONVIF,), found[0].t1_us, unsigned[0].t0_us, length_us)
    assert again == Signing((ONVIF,), segments(store, clock)[-1].t1_us)
    assert store.signing("yard.main") is None


def test_a_segment_that_nobody_looked_at_says_nothing(tmp_path: Path) -> None:
    """Its leaf has no such field, so that what was written before there was one is told alike."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recorded(store, clock, SECOND * 2, lambda n: True)
    before = store.signing("gate.main")
    blind(store)
    recorded(store, clock, SECOND * 2, lambda n: True)
    store.checkpoint()

    last = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "seg"][-1]
    assert "camsig" not in last
    assert segments(store, clock)[-1].camsig is None
    assert store.signing("gate.main") == before
    assert verify(store) == []


@pytest.mark.parametrize(("until", "told"), [(15, (ONVIF,)), (0, ())])
def test_what_a_crash_left_is_read_for_them(tmp_path: Path, until: int, told: tuple[CameraSignature, ...]) -> None:
    """The segment that the next start makes of it says the same as one that was cut in time."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    recording = Recording(store, "gate.main", 60 * SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in signing(SECOND * 5, clock, when=lambda n: n < until):
        recording.feed(packet)
    store.close()
    clock.advance(30)
    store = Store.open(tmp_path / "data", clock)
    report = store.recover()
    store.checkpoint()

    (only,) = segments(store, clock)
    assert report.recovered == (only.id,)
    assert (only.recovered, only.camsig) == (True, told)
    assert verify(store) == []


@pytest.fixture(scope="module")
def a_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    clock = FakeClock()
    store = new_store(tmp_path_factory.mktemp("file"), clock, "gate")
    recorded(store, clock, SECOND * 2, lambda n: True)
    return store.media_path(segments(store, clock)[0]).read_bytes()


def test_every_picture_is_read_back(a_file: bytes) -> None:
    """As many as were stored, one behind the other, and all of their fragments' media."""
    seen = outline(a_file)
    sizes = [len(picture) for picture in pictures(a_file, seen)]
    media = sum(box.offset + box.size - box.content for box in boxes(a_file) if box.type == b"mdat")

    assert len(sizes) == seen.frames == 20
    assert sum(sizes) == media


@given(st.data())
def test_a_damaged_file_is_told_or_read(a_file: bytes, data: st.DataObject) -> None:
    """Nothing but the declared error, wherever bytes differ; and nothing is read that lies outside of its fragment."""
    changed = bytearray(a_file)
    places = [box.content for box in boxes(a_file) if box.type == b"moof"]
    for at in data.draw(st.lists(st.sampled_from(places), max_size=3)):
        changed[at + data.draw(st.integers(0, 160))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BoxesDamaged):
        seen = outline(bytes(changed))
        whole = sum(len(picture) for picture in pictures(bytes(changed), seen))
        assert whole <= len(changed) * max(1, seen.frames)
        assert stored_signatures(pictures(bytes(changed), seen), CodecName.H264) <= {ONVIF}
