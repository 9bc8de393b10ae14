"""Recording from an RTSP server that this project did not write: every frame once, in order, decodable.

In CI each codec is recorded for some seconds; `make soak` (CUSTOS_LONG=1) records three minutes each.
"""

import io
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from pydantic import SecretStr

from config.clock import SystemClock
from recorder.capture.nal import KEY_SLICES, unit_type, units
from recorder.capture.source import Source, WantedCamera
from recorder.capture.sources import probe, source_of
from recorder.causes import Cause
from recorder.errors import SourceRefusedUs
from recorder.store.boxes import init_of
from recorder.store.records import CodecName, Gap, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.certificates import identity
from tests.fakes.stepping import RunningWorker
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import jpeg_segments
from tests.whole.namespaces import CAMERA_ADDRESS, Hosts, SourceOnHost, hosts, missing

pytestmark = pytest.mark.whole

FPS = 25
LENGTH_S = 180 if os.environ.get("CUSTOS_LONG") else 8
USER, PASSWORD = "viewer", "p@ss:w/rd%"
NAMES = {CodecName.H264: "h264", CodecName.H265: "h265", CodecName.MJPEG: "jpeg"}


@contextmanager
def gst_camera(film: Path, kind: str, certificate: Path | None = None, host: str | None = None) -> Iterator[str]:
    """GStreamer's server as a process of its own, here or on that host; the URL of its stream."""
    script = Path(__file__).with_name("gst_camera.py")
    command = ["/usr/bin/python3", str(script), str(film), kind, str(FPS), USER, PASSWORD]
    address = "127.0.0.1" if host is None else CAMERA_ADDRESS
    command += [address] if certificate is None else [address, str(certificate)]
    command = command if host is None else ["ip", "netns", "exec", host, *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, process.stderr.read() if process.stderr else ""
        yield f"{'rtsp' if certificate is None else 'rtsps'}://{address}:{port}/main"
    finally:
        process.kill()
        process.communicate(timeout=10)


def film_of(folder: Path, codec: CodecName) -> tuple[Path, list[tuple[bytes, ...]]]:
    """A film in which every picture differs; its slices, frame by frame."""
    shots = [unit for unit, _ in access_units(codec, LENGTH_S * FPS, FPS)]
    path = folder / "film"
    path.write_bytes(b"".join(len(unit).to_bytes(4, "big") + unit for unit in shots))
    return path, [slices(unit, codec) for unit in shots]


def slices(unit: bytes, codec: CodecName) -> tuple[bytes, ...]:
    """What carries the picture: without parameter sets, delimiters and SEI, which a server may send apart.

    Of a JPEG its scan: what stands before it is left out on the way, and made again; libav sets a second end behind.
    """
    if codec is CodecName.MJPEG:
        return (re.sub(rb"(\xff\xd9)+$", b"", jpeg_segments(unit)[1]),)
    picture = range(1, 6) if codec is CodecName.H264 else range(32)
    return tuple(one for one in units(unit) if unit_type(one, codec) in picture)


def stored(data: bytes, codec: CodecName) -> list[tuple[bytes, ...]]:
    """The frames of a file, in the order in which they are stored."""
    with av.open(io.BytesIO(data)) as container:
        bodies = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    return [slices(one if codec is CodecName.MJPEG else with_start_codes(one), codec) for one in bodies]


def with_start_codes(body: bytes) -> bytes:
    """Units with their lengths before them, as a file has them, made a stream again."""
    at, found = 0, b""
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        found += b"\x00\x00\x01" + body[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def decoded(data: bytes, path: Path) -> int:
    """Frames that ffmpeg decodes; any error of its makes the test fail."""
    path.write_bytes(data)
    complaints = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert complaints.returncode == 0, complaints.stderr
    assert complaints.stderr == ""
    count = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
         "stream=nb_read_packets", "-of", "csv=p=0", str(path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return int(count.stdout.strip().strip(","))


def source(way: str, url: str, password: SecretStr | None, ca_file: Path | None = None) -> Source:
    """A session with the server, by our own client over that transport, or by libav."""
    return source_of(url, USER, password, way, SystemClock(), ca_file=None if ca_file is None else str(ca_file))


@pytest.mark.timeout(LENGTH_S * 3 + 120)
@pytest.mark.parametrize("way", ["tcp", "udp", "tls", "libav"])
@pytest.mark.parametrize("codec", list(CodecName))
def test_every_frame_of_a_foreign_server_is_stored_once_in_order(tmp_path: Path, codec: CodecName, way: str) -> None:
    """With digest authentication: stored frames equal the sent ones; files play alone and as one."""
    record_and_compare(tmp_path, codec, way)


@pytest.mark.timeout(LENGTH_S * 3 + 120)
@pytest.mark.parametrize("codec", list(CodecName))
def test_every_frame_of_a_multicast_group_is_stored_once_in_order(tmp_path: Path, codec: CodecName) -> None:
    """From another host, whose group is joined on the cable that leads there."""
    if why := missing():
        pytest.skip(why)
    with hosts() as both:
        record_and_compare(tmp_path, codec, "multicast", both)


def frames_of(fleet: RunningWorker, camera_id: str) -> int:
    """Pictures stored so far."""
    status = fleet.snapshot().get(camera_id)
    return 0 if status is None else status.frames


def record_and_compare(tmp_path: Path, codec: CodecName, way: str, both: Hosts | None = None) -> None:
    """Record the film whole, and compare what is stored with what was sent."""
    film, sent = film_of(tmp_path, codec)
    segments, files = recorded(tmp_path, film, len(sent), NAMES[codec], way, both)
    frames = [frame for data in files for frame in stored(data, codec)]
    # The first frame of the film is a key frame; the server may drop what it sent before it was asked to play.
    first = next(n for n, frame in enumerate(sent) if frame == frames[0])
    assert codec is CodecName.MJPEG or any(unit_type(one, codec) in KEY_SLICES[codec] for one in frames[0])
    assert frames == sent[first : first + len(frames)]
    assert first + len(frames) == len(sent)
    joined = init_of(files[0]) + b"".join(data[one.init_bytes :] for data, one in zip(files, segments, strict=True))
    assert decoded(joined, tmp_path / "all.mp4") == len(frames)
    print(f"\n{codec.value} by {way}: {len(sent)} sent, {len(frames)} stored from {first} on, {len(files)} files")


def recorded(
    tmp_path: Path, film: Path, count: int, kind: str, way: str, both: Hosts | None = None
) -> tuple[list[Segment], list[bytes]]:
    """Record a film of so many pictures; its segments and their files, each of which decodes by itself."""
    clock = SystemClock()
    Store.create(tmp_path / "data", "test", clock, "0")
    store = Store.open(tmp_path / "data", clock)
    authority = identity(tmp_path, "authority") if way == "tls" else None
    shown = None if authority is None else identity(tmp_path, "gst", address="127.0.0.1", issuer=authority)
    believed = None if authority is None else authority.certificate
    transport = "tcp" if way == "tls" else way

    def on_its_host(one: WantedCamera) -> Source:
        made = source(transport, one.url, store.cameras.password(one.id), believed)
        return made if both is None else SourceOnHost(made, both.box)

    with gst_camera(film, kind, None if shown is None else shown.both, both and both.camera) as url:
        camera = store.cameras.add("gst", "GStreamer", url, username=USER, password=SecretStr(PASSWORD))
        fleet = RunningWorker(store, on_its_host, clock, segment_s=30 if LENGTH_S > 60 else 3)
        fleet.apply([WantedCamera(camera.id, camera.stream_id, url, USER, "")])
        turn = Event()
        for _ in range((LENGTH_S + 30) * 10):
            if frames_of(fleet, "gst") >= count:
                break
            turn.wait(0.1)
        assert fleet.stop()
    store.checkpoint()

    items = store.items("gst.main", 0, clock.read().utc_us)
    segments = [item for item in items if isinstance(item, Segment)]
    files = [store.media_path(one).read_bytes() for one in segments]
    assert [decoded(data, tmp_path / "one.mp4") for data in files] == [one.frames for one in segments]
    assert verify(store) == []
    gaps = [one.cause for one in items if isinstance(one, Gap)]
    assert set(gaps) <= {Cause.NO_MEDIA, Cause.UNREACHABLE}
    return segments, files


@pytest.mark.timeout(LENGTH_S * 3 + 120)
def test_every_picture_of_a_foreign_jpeg_encoder_is_stored(tmp_path: Path) -> None:
    """GStreamer's own encoder, with its own tables: as many pictures as were sent, and each shows what it should."""
    film, sent = film_of(tmp_path, CodecName.MJPEG)
    _, files = recorded(tmp_path, film, len(sent), "jpegenc", "tcp")

    shown = [picture for data in files for picture in brightness(data, "mp4")]
    wanted = brightness(b"".join(unit for unit, _ in access_units(CodecName.MJPEG, LENGTH_S * FPS, FPS)), "mjpeg")
    assert len(shown) == len(wanted)
    assert max(float(np.abs(one - other).mean()) for one, other in zip(shown, wanted, strict=True)) < 3


def brightness(data: bytes, file_format: str) -> list[np.ndarray]:
    """The luminance of each picture."""
    with av.open(io.BytesIO(data), format=file_format) as container:
        return [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]


@pytest.mark.timeout(LENGTH_S * 3 + 120)
def test_jpeg_pictures_larger_than_packets_can_tell(tmp_path: Path) -> None:
    """The server tells their size in its description: they are stored in it, and decode to the very same pixels."""
    shots = [unit for unit, _ in access_units(CodecName.MJPEG, FPS, FPS, 2560, 1440)]
    film = tmp_path / "film"
    film.write_bytes(b"".join(len(unit).to_bytes(4, "big") + unit for unit in shots))

    segments, files = recorded(tmp_path, film, len(shots), "jpeg", "tcp")

    assert {(one.width, one.height) for one in segments} == {(2560, 1440)}
    shown = [picture for data in files for picture in brightness(data, "mp4")]
    wanted = brightness(b"".join(shots), "mjpeg")
    assert all(np.array_equal(one, other) for one, other in zip(shown, wanted, strict=True))


def test_a_file_that_is_played_again_and_again_is_recorded_and_explained(tmp_path: Path) -> None:
    """`multifilesrc loop=true` gives all pictures one time stamp: the record is as long as it took, and says so."""
    film = tmp_path / "film.h264"
    film.write_bytes(b"".join(unit for unit, _ in access_units(CodecName.H264, 100, FPS)))
    clock = SystemClock()
    Store.create(tmp_path / "data", "test", clock, "0")
    store = Store.open(tmp_path / "data", clock)
    command = ["/usr/bin/python3", str(Path(__file__).with_name("gst_loop.py")), str(film), str(FPS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"rtsp://127.0.0.1:{server.stdout.readline().strip()}/main"
        camera = store.cameras.add("loop", "Loop", url)
        fleet = RunningWorker(store, lambda one: source_of(one.url, None, None, "tcp", clock), clock, segment_s=2)
        fleet.apply([WantedCamera(camera.id, camera.stream_id, url, None, "")])
        turn = Event()
        for _ in range(300):
            if frames_of(fleet, "loop") >= 6 * FPS:
                break
            turn.wait(0.1)
        seen = fleet.snapshot()["loop"]
        took_us = clock.read().utc_us - seen.since_us
        assert fleet.stop()
        server.kill()
    store.checkpoint()

    segments = [item for item in store.items("loop.main", 0, clock.read().utc_us) if isinstance(item, Segment)]
    assert seen.stamps_stand_still
    assert sum(one.frames for one in segments) >= 6 * FPS
    assert abs(segments[-1].t1_us - segments[0].t0_us - took_us) < 2_000_000
    assert verify(store) == []


@pytest.mark.parametrize("way", ["tcp", "libav"])
def test_a_wrong_password_is_refused_in_words_without_the_password(tmp_path: Path, way: str) -> None:
    """The camera's refusal has its own error; neither URL nor password stands in its sentence."""
    film, _ = film_of(tmp_path, CodecName.H264)
    with gst_camera(film, "h264") as url, pytest.raises(SourceRefusedUs) as refused:
        probe(source(way, url, SecretStr("planted-wrong-one")), SystemClock())

    assert "planted-wrong-one" not in str(refused.value)
    assert refused.value.__cause__ is None
