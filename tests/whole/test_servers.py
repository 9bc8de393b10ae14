"""Recording from RTSP servers that this project did not write: every picture once, in order, from the first one on.

One box records them all at once: GStreamer's (five ways, MJPEG too), LIVE555's (two) and VLC's (over UDP, which is all
it has), H.264 and H.265 each, with digest authentication where the server has it. The servers stand on a host of their
own behind a cable (network namespaces) where that can be had; where it cannot, all is on loopback, without multicast.
Then what was stored is compared with what was sent, picture by picture. `make soak` (CUSTOS_LONG=1) does so for three
minutes.
"""

import io
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import SecretStr

from config.clock import SystemClock
from recorder.capture.sources import probe, source_of
from recorder.errors import SourceRefusedUs
from recorder.store.boxes import init_of
from recorder.store.records import CodecName, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.whole import servers
from tests.whole.servers import Film, Picture, slices
from tests.whole.show import LARGE, LOOP_S, Show, Shown

LENGTH_S = 180 if os.environ.get("CUSTOS_LONG") else 4

pytestmark = [pytest.mark.whole, pytest.mark.timeout(LENGTH_S * 3 + 120)]

CODECS = ("h264", "h265")
STOP_US = 4_000_000
"""Between the word and the deed, on a busy machine."""

GST = [("gst", codec, way) for codec in (*CODECS, "jpeg") for way in ("tcp", "udp", "multicast", "tls", "libav")]
LIVE555 = [("live555", codec, way) for codec in CODECS for way in ("tcp", "udp")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """All servers have shown their films, and one box recorded them."""
    with ExitStack() as stack:
        show = Show(tmp_path_factory.mktemp("show"), stack, LENGTH_S)
        show.open_gst()
        show.open_gst_jpeg()
        show.open_loop()
        show.open_live555()
        return show.record()


@pytest.fixture(scope="module")
def store(shown: Shown) -> Iterator[Store]:
    """What the box wrote down."""
    one = Store.open(shown.data_dir, SystemClock())
    yield one
    one.close()


def film_of(shown: Shown, camera: str) -> Film:
    """What was shown to it, or why nothing was."""
    for part, why in shown.absent.items():
        if part in camera:
            pytest.skip(why)
    return shown.films[camera]


def files_of(shown: Shown, store: Store, camera: str) -> list[tuple[Segment, bytes]]:
    """Its segments with their bytes."""
    items = store.items(f"{camera}.main", 0, shown.ended_us + STOP_US)
    return [(one, store.media_path(one).read_bytes()) for one in items if isinstance(one, Segment)]


def pictures_of(data: bytes, codec: CodecName) -> list[Picture]:
    """The pictures of a file, in the order in which they are stored."""
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
    """Pictures that ffmpeg decodes; any error of its makes the test fail."""
    path.write_bytes(data)
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-fps_mode", "passthrough", "-f", "framecrc", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return sum(not line.startswith("#") for line in done.stdout.splitlines())


def where_they_differ(stored: Sequence[Picture], sent: Sequence[Picture]) -> str | None:
    """The first difference from the film, shown again and again."""
    for n, picture in enumerate(stored):
        if picture != sent[n % len(sent)]:
            found = sent.index(picture) if picture in sent else "none of the film's"
            return f"picture {n} is {found}"
    return None


def compare(shown: Shown, store: Store, camera: str, sent: Sequence[Picture], tmp_path: Path) -> None:
    """The record begins with all that was sent, without a hole; its files play alone and as one."""
    codec = shown.films[camera].codec
    files = files_of(shown, store, camera)
    stored = [pictures_of(data, codec) for _, data in files]
    pictures = [picture for one in stored for picture in one]
    assert len(pictures) >= len(sent)
    # A server that shows its film to whoever comes shows it again when the box comes back.
    assert where_they_differ(pictures, sent) is None
    first = [entry for entry in files if entry[0].run == files[0][0].run]
    assert sum(segment.frames for segment, _ in first) == len(sent)
    numbers = [segment.n for segment, _ in first]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [decoded(data, tmp_path / "one.mp4") for _, data in first] == [segment.frames for segment, _ in first]
    joined = init_of(first[0][1]) + b"".join(data[segment.init_bytes :] for segment, data in first)
    assert decoded(joined, tmp_path / "all.mp4") == len(sent)
    assert not shown.lost_packets[camera]


@pytest.mark.parametrize(("server", "codec", "way"), GST + LIVE555)
def test_every_picture_of_a_foreign_server_is_stored(
    shown: Shown, store: Store, server: str, codec: str, way: str, tmp_path: Path
) -> None:
    """Once, in order, from the first one on; logged in by digest, and over TLS the server's certificate is believed
    because of the authority that the camera's settings name."""
    camera = f"{server}-{codec}-{way}"
    compare(shown, store, camera, film_of(shown, camera).pictures, tmp_path)


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_that_vlc_sent_is_stored(shown: Shown, store: Store, codec: str, tmp_path: Path) -> None:
    """VLC plays as if it were live, decodes pictures in another order than it shows them in (B-frames), and hangs up
    before it has sent the end. What it did send another viewer has counted."""
    camera = f"vlc-{codec}-udp"
    film, witness = film_of(shown, camera), shown.witnesses[camera]
    assert witness.numbers == [(witness.numbers[0] + n) & 0xFFFF for n in range(len(witness.numbers))]
    assert witness.pictures > LENGTH_S * servers.FPS / 2
    compare(shown, store, camera, film.pictures[: witness.pictures], tmp_path)


@pytest.mark.parametrize("codec", CODECS)
def test_a_film_under_way_is_stored_from_a_key_picture_on(
    shown: Shown, store: Store, codec: str, tmp_path: Path
) -> None:
    """Whoever comes late misses what was before, and nothing after; of H.265, VLC then sends the parameter sets in its
    description alone."""
    camera = f"vlc_late-{codec}-udp"
    film, witness = film_of(shown, camera), shown.witnesses[camera]
    first = film.pictures.index(pictures_of(files_of(shown, store, camera)[0][1], film.codec)[0])
    assert first > 0
    assert first % servers.GOP == 0
    compare(shown, store, camera, film.pictures[first : witness.pictures], tmp_path)


def test_every_picture_of_a_foreign_jpeg_encoder_is_stored(shown: Shown, store: Store) -> None:
    """GStreamer's own encoder, with its own tables: as many pictures as were sent, and each shows what it should."""
    wanted = pixels_shown(film_of(shown, "gst-jpegenc"))
    found = [picture for _, data in files_of(shown, store, "gst-jpegenc") for picture in pixels(data, "mp4")]
    assert len(found) == len(wanted)
    assert max(float(np.abs(one - other).mean()) for one, other in zip(found, wanted, strict=True)) < 3


def test_jpeg_pictures_larger_than_packets_can_tell(shown: Shown, store: Store) -> None:
    """The server tells their size in its description: they are stored in it, and decode to the very same pixels."""
    wanted = pixels_shown(film_of(shown, "gst-large"))
    files = files_of(shown, store, "gst-large")
    assert {(segment.width, segment.height) for segment, _ in files} == {LARGE}
    found = [picture for _, data in files for picture in pixels(data, "mp4")]
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))


def pixels_shown(film: Film) -> list[np.ndarray]:
    """The luminance of each picture of a row of JPEG pictures."""
    row, at, found = film.path.read_bytes(), 0, b""
    while at < len(row):
        size = int.from_bytes(row[at : at + 4], "big")
        found += row[at + 4 : at + 4 + size]
        at += 4 + size
    return pixels(found, "mjpeg")


def pixels(data: bytes, file_format: str) -> list[np.ndarray]:
    """The luminance of each picture of a file."""
    with av.open(io.BytesIO(data), format=file_format) as container:
        return [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]


def test_a_film_that_is_played_again_and_again_is_recorded_and_explained(shown: Shown, store: Store) -> None:
    """`multifilesrc loop=true` gives all pictures one time stamp: all are stored, the record is as long as it took,
    and the box says what is wrong with the camera."""
    film = film_of(shown, "loop").pictures
    files = files_of(shown, store, "loop")
    pictures = [picture for _, data in files for picture in pictures_of(data, CodecName.H264)]
    assert len(pictures) >= LOOP_S * servers.FPS
    assert where_they_differ(pictures, film) is None
    segments = [segment for segment, _ in files]
    assert all(one.t1_us == other.t0_us for one, other in pairwise(segments))
    assert abs(shown.ended_us - segments[-1].t1_us) < STOP_US
    assert shown.notice is not None
    assert shown.notice["camera"] == "loop"


def test_the_record_is_whole(shown: Shown, store: Store) -> None:
    """What the box wrote of all of it keeps every invariant, and every file hashes to its leaf."""
    assert shown.films
    assert verify(store) == []


@pytest.mark.parametrize("way", ["tcp", "libav"])
def test_a_wrong_password_is_refused_in_words_without_the_password(tmp_path: Path, way: str) -> None:
    """The camera's refusal has its own error; neither URL nor password stands in its sentence."""
    film = servers.row_of(tmp_path, CodecName.H264, 1)
    wrong = SecretStr("planted-wrong-one")
    with servers.gst(film, "127.0.0.1") as url, pytest.raises(SourceRefusedUs) as refused:
        probe(source_of(f"{url}/tcp", servers.USER, wrong, way, SystemClock()), SystemClock())

    assert "planted-wrong-one" not in str(refused.value)
    assert refused.value.__cause__ is None
