"""Sound the whole way: from cameras over sockets into files that play, with the record of it checked.

GStreamer's server is a camera that this project did not write; the others misbehave as they are told.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright
from pydantic import SecretStr

from config.clock import SystemClock
from config.times import parse_us
from recorder.capture.rtp.g711 import G711Depacketiser
from recorder.store.boxes import init_of, outline
from recorder.store.records import CodecName, Gap, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.rtsp_camera import Asked, RtspCamera
from tests.fakes.sounding_camera import PICTURE_S, Sounding, aac, opus, telephone
from tests.whole import servers
from tests.whole.machine import Machine, until

LENGTH_S = 180 if os.environ.get("CUSTOS_LONG") else 8

pytestmark = [pytest.mark.whole, pytest.mark.timeout(LENGTH_S * 3 + 150)]

SOUNDS = ("aac", "alaw", "mulaw", "opus")
WAYS = ("tcp", "udp", "libav")
STORED = {"aac": ("aac", 16_000), "alaw": ("flac", 8000), "mulaw": ("flac", 8000), "opus": ("opus", 48_000)}

ENCODER_DELAY_S = {"aac": 0.1}
"""An AAC encoder puts silence before what it is given, and says nothing of it: that is in the camera's sound."""

SYNC_MS = 60
"""Sound may be so far from its picture: half of what viewers notice (ITU-R BT.1359-1)."""


@dataclass
class Recorded:
    """The files of one camera."""

    segments: list[Segment]
    files: list[bytes]

    @property
    def joined(self) -> bytes:
        """The first run as one film."""
        first = self.segments[0].run
        run = [(one, data) for one, data in zip(self.segments, self.files, strict=True) if one.run == first]
        return init_of(run[0][1]) + b"".join(data[one.init_bytes :] for one, data in run)


def recorded(store: Store, camera: str) -> Recorded:
    items = store.items(f"{camera}.main", 0, 2**62)
    segments = [one for one in items if isinstance(one, Segment)]
    return Recorded(segments, [store.media_path(one).read_bytes() for one in segments])


def counted(data: bytes, path: Path) -> dict[str, int]:
    """Packets of each track, by ffprobe, which must have no complaint; and ffmpeg none when it decodes all of it."""
    path.write_bytes(data)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets",
         "-of", "json", str(path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    played = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (shown.stderr, played.returncode, played.stderr) == ("", 0, "")
    return {one["codec_type"]: int(one.get("nb_read_packets", 0)) for one in json.loads(shown.stdout)["streams"]}


def heard(data: bytes) -> tuple[np.ndarray, int, float]:
    """All samples from the first one on, with silence where there are none; their rate; when the first is heard."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        rate_hz, resampler = stream.rate, av.AudioResampler("s16", "mono", stream.rate)
        pieces = [
            (frame.time, frame.to_ndarray().reshape(-1))
            for decoded in container.decode(stream)
            for frame in resampler.resample(decoded)
            if frame.time is not None
        ]
    begin_s = float(pieces[0][0])
    whole = np.zeros(round((float(pieces[-1][0]) - begin_s) * rate_hz) + len(pieces[-1][1]), np.int16)
    for time_s, samples in pieces:
        at = round((float(time_s) - begin_s) * rate_hz)
        whole[at : at + len(samples)] = samples[: len(whole) - at]
    return whole, rate_hz, begin_s


def ticks(data: bytes) -> list[float]:
    """When each tick begins, in seconds of the run."""
    whole, rate_hz, begin_s = heard(data)
    loud = np.flatnonzero(np.abs(whole.astype(int)) > 6000)
    starts = [loud[0], *(after for before, after in pairwise(loud) if after - before > rate_hz // 2)]
    return [begin_s + int(at) / rate_hz for at in starts]


def pictures(data: bytes) -> list[float]:
    """When each picture is shown."""
    with av.open(io.BytesIO(data)) as container:
        return [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.size]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, servers.Film]]:
    """GStreamer has shown the film with each sound each way, all at once, and one box recorded them."""
    folder = tmp_path_factory.mktemp("sound")
    machine = Machine(folder, {"CUSTOS_RECORDING__SEGMENT_S": "30" if LENGTH_S > 60 else "3"})
    film = servers.row_of(folder, CodecName.H264, LENGTH_S)
    clock = SystemClock()
    Store.create(machine.data_dir, "test", clock, "0")
    store = Store.open(machine.data_dir, clock)
    with ExitStack() as stack:
        for sound in SOUNDS:
            url = stack.enter_context(servers.gst(film, "127.0.0.1", kind=f"h264+{sound}"))
            for way in WAYS:
                store.cameras.add(
                    f"{sound}-{way}", sound, f"{url}/{way}", username=servers.USER,
                    password=SecretStr(servers.PASSWORD), transport=way, audio="on",
                )  # fmt: skip
        store.close()
        stack.callback(machine.end)
        machine.start()
        cameras = [f"{sound}-{way}" for sound in SOUNDS for way in WAYS]
        until("all is recorded", lambda: all(frames(machine, one) >= sent(film, one) for one in cameras), 90)
        assert machine.stop() == 0
    store = Store.open(machine.data_dir, clock)
    yield store, film
    store.close()


def sent(film: servers.Film, camera: str) -> int:
    """Pictures that must be stored: libav keeps one back until the next comes, and while there is sound no end does."""
    return len(film.pictures) - camera.endswith("libav")


def frames(machine: Machine, camera: str) -> int:
    said = httpx.get(f"{machine.url}/metrics", timeout=30, trust_env=False).text
    counter = f'custos_camera_frames_total{{camera="{camera}"'
    line = next((one for one in said.splitlines() if one.startswith(counter)), "")
    return int(float(line.rpartition(" ")[2])) if line else 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sound", SOUNDS)
def test_sound_of_a_foreign_server(shown: tuple[Store, servers.Film], sound: str, way: str, tmp_path: Path) -> None:
    """Every picture is stored that is without sound; sound runs through without a hole, and each tick is heard with the
    picture of its second; files play alone and as one, and their counts are those of the log."""
    store, film = shown
    found = recorded(store, f"{sound}-{way}")
    counts = [counted(data, tmp_path / "one.mp4") for data in found.files]
    assert [one["video"] for one in counts] == [one.frames for one in found.segments]
    assert [one.get("audio", 0) for one in counts] == [one.audio.frames if one.audio else 0 for one in found.segments]
    assert {(one.audio.codec.value, one.audio.rate_hz) for one in found.segments if one.audio} == {STORED[sound]}
    assert sum(one.lost_packets or 0 for one in found.segments) == 0
    whole = counted(found.joined, tmp_path / "all.mp4")
    assert whole["video"] >= sent(film, way)
    assert len({one.init_sha256 for one in found.segments if one.run == found.segments[0].run}) == 1

    samples, rate_hz, begin_s = heard(found.joined)
    assert begin_s < 0.3
    assert len(samples) / rate_hz > LENGTH_S - 1.5
    holes = steps(found.joined)
    times = pictures(found.joined)
    at = [tick - ENCODER_DELAY_S.get(sound, 0) for tick in ticks(found.joined)]
    at = [tick for tick in at if tick < times[-1] - SYNC_MS / 1000]  # the next one may be heard a little early
    off_ms = [1000 * min((tick - times[n] for n in range(0, len(times), servers.FPS)), key=abs) for tick in at]
    print(f"\n{sound} by {way}: {whole}, begins at {begin_s:.3f} s, ticks off by {[round(one) for one in off_ms]} ms; "
          f"{holes} seams")  # fmt: skip
    assert holes <= 1, "sound is placed once, and once more when the server has reported"
    assert len(at) >= LENGTH_S - 2
    assert max(abs(one) for one in off_ms[-3:]) < SYNC_MS


def steps(data: bytes) -> int:
    """How often a frame of sound does not begin where the one before ends."""
    with av.open(io.BytesIO(data)) as container:
        found = [packet for packet in container.demux(audio=0) if packet.size]
    sizes = sorted((after.dts or 0) - (before.dts or 0) for before, after in pairwise(found))
    usual = sizes[len(sizes) // 2]
    return sum(abs(one - usual) > usual // 8 for one in sizes)


def test_the_record_of_foreign_sound_is_whole(shown: tuple[Store, servers.Film]) -> None:
    """Every invariant is kept, every file hashes to its leaf."""
    assert verify(shown[0]) == []


# -- cameras that are told what to do

FILM_S = 13.0

BEFORE_FRAMES = 4
"""Of 20 ms: by arrival, the first sound may seem to come so much before the first picture, and is then left out."""

CHROMIUM = "/usr/bin/chromium"
PLAY = """async (playlist) => {
    const video = document.createElement('video');
    video.src = playlist;
    document.body.replaceChildren(video);
    await video.play();
}"""


SEEN = """(video => [video.videoWidth, video.error, video.webkitAudioDecodedByteCount > 0])(
    document.querySelector('video'))"""

PLAYED = ("aac", "pcma", "opus", "silent", "stops", "late")


class Refusing(Sounding):
    """Has sound, and hands out none."""

    def answer_audio(self, asked: Asked) -> bytes | None:
        return self.say(asked, 461)


class HangsUp(Sounding):
    """Is upset by anybody who asks for sound."""

    def answer_audio(self, asked: Asked) -> bytes | None:
        return b""


class SoundAlone(Sounding):
    """Pictures and sound for three seconds; after that, whoever comes is offered sound alone."""

    def __init__(self) -> None:
        super().__init__(telephone(3.0), 3.0)
        self.stays = False

    def sdp(self) -> str:
        both = super().sdp()
        first = sum(asked.method == "DESCRIBE" for asked in self.asked) == 1
        return both if first else "v=0\r\n" + both[both.index("m=audio") :]


def cameras() -> dict[str, Sounding]:
    """By what they do."""
    length = FILM_S + 1
    found: dict[str, Sounding] = {
        "aac": Sounding(aac(length, units=2), FILM_S),
        "adts": Sounding(aac(length, with_adts=True, config=False), FILM_S),
        "pcma": Sounding(telephone(length), FILM_S),
        "opus": Sounding(opus(length), FILM_S),
        "silent": Sounding(aac(length), FILM_S),
        "stops": Sounding(aac(length), FILM_S),
        "late": Sounding(opus(length), FILM_S),
        "refused": Refusing(telephone(length), FILM_S),
        "upset": HangsUp(telephone(length), FILM_S),
        "unwanted": Sounding(telephone(length), FILM_S),
    }
    for one in found.values():
        one.once = True
    found["silent"].heard = lambda at_s: False
    found["stops"].heard = lambda at_s: at_s < 5
    found["late"].heard = lambda at_s: at_s > 5
    return found


@dataclass
class Evening:
    """All cameras were recorded by one box, which has stopped."""

    machine: Machine
    cameras: dict[str, Sounding]
    statuses: dict[str, dict[str, object]]
    notices: set[str]
    """Cameras of which the box said that their sound is missing."""
    played: dict[str, object]
    """What a browser made of the playlists: width of the picture, error, and whether it decoded sound; or why not."""
    found: dict[str, tuple[str, str, int]]
    """What ffprobe complained of in the playlists, the pictures that it found, and those that the files have."""


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """Ten cameras for thirteen seconds, and one that comes back with sound alone."""
    machine = Machine(tmp_path_factory.mktemp("evening"), {"CUSTOS_RECORDING__SEGMENT_S": "2"})
    behaviours, alone = cameras(), SoundAlone()
    servers_ = {name: RtspCamera(one) for name, one in (*behaviours.items(), ("alone", alone))}
    try:
        machine.start()
        for name, server in servers_.items():
            machine.add_camera(name, server.url, audio="off" if name == "unwanted" else "on")
        wanted = {name: len(one.shots) for name, one in behaviours.items()}
        until(
            "sound that is missing is told",
            lambda: {"silent", "refused", "upset"} <= missing_sound(machine), 30,
        )  # fmt: skip
        until("all is sent", lambda: all(frames(machine, name) >= count for name, count in wanted.items()), 60)
        notices = missing_sound(machine)
        statuses = {name: dict(machine.status_of(name)) for name in behaviours}
        until("sound alone is refused", lambda: machine.problem("source_no_video"), 30)
        played = {name: play(machine, name) for name in PLAYED}
        found = {name: found_by_playlist(machine, name) for name in PLAYED}
        assert machine.stop() == 0
        yield Evening(machine, behaviours, statuses, notices, played, found)
    finally:
        machine.end()
        for server in servers_.values():
            server.close()


def play(machine: Machine, name: str) -> object:
    """Play the whole record of a camera for some seconds."""
    if not Path(CHROMIUM).exists():
        return None
    start, end = machine.get(f"/api/v1/cameras/{name}")["registered"], machine.get("/api/v1/status")["box"]["now"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        try:
            page = browser.new_page()
            page.goto(f"{machine.url}/healthz")
            page.evaluate(PLAY, f"/api/v1/cameras/{name}/playlist.m3u8?start={start}&end={end}")
            page.wait_for_function("document.querySelector('video').currentTime > 7", timeout=40_000)
            return page.evaluate(SEEN)
        except PlaywrightError as err:
            return str(err)
        finally:
            browser.close()


def found_by_playlist(machine: Machine, name: str) -> tuple[str, str, int]:
    """Of the whole record of a camera."""
    start, end = machine.get(f"/api/v1/cameras/{name}")["registered"], machine.get("/api/v1/status")["box"]["now"]
    files = machine.get(f"/api/v1/cameras/{name}/segments", start=start, end=end)["segments"]
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
         "stream=nb_read_packets", "-of", "csv=p=0",
         f"{machine.url}/api/v1/cameras/{name}/playlist.m3u8?start={start}&end={end}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    # It tells of the stream twice: once for its program.
    return shown.stderr, shown.stdout.partition("\n")[0].strip(","), sum(one["frames"] for one in files)


def missing_sound(machine: Machine) -> set[str]:
    problems = machine.get("/api/v1/status")["problems"]
    return {one["camera"] for one in problems if one["code"] == "camera_without_sound"}


@pytest.fixture(scope="module")
def kept(evening: Evening) -> Iterator[Store]:
    """What the box wrote down."""
    store = Store.open(evening.machine.data_dir, SystemClock())
    yield store
    store.close()


@pytest.mark.parametrize("name", list(cameras()))
def test_every_picture_is_stored_whatever_the_sound_does(
    evening: Evening, kept: Store, name: str, tmp_path: Path
) -> None:
    """All of them, in one unbroken record; both tracks of each file are counted as the log has them, and play."""
    found = recorded(kept, name)
    assert sum(one.frames for one in found.segments) == len(evening.cameras[name].shots)
    assert all(one.t1_us == after.t0_us for one, after in pairwise(found.segments))
    for one, data in zip(found.segments, found.files, strict=True):
        counts = counted(data, tmp_path / "one.mp4")
        assert (counts["video"], counts.get("audio", 0)) == (one.frames, one.audio.frames if one.audio else 0)
        assert outline(data).audio_frames == counts.get("audio", 0)


@pytest.mark.parametrize("name", ["aac", "adts", "opus"])
def test_sound_is_stored_as_it_was_sent(evening: Evening, kept: Store, name: str) -> None:
    """Byte by byte, from the first frame on, none missing; in one run, with the pictures of its time."""
    found = recorded(kept, name)
    assert len({one.run for one in found.segments}) == 1
    with av.open(io.BytesIO(found.joined)) as container:
        stored = [(bytes(one), float((one.pts or 0) * one.time_base)) for one in container.demux(audio=0) if one.size]
    sent = evening.cameras[name].sound.stored
    begin = sent.index(stored[0][0])
    assert [data for data, _ in stored] == list(sent[begin : begin + len(stored)])
    assert begin <= BEFORE_FRAMES
    assert stored[0][1] < 0.2
    assert FILM_S - 1 < stored[-1][1] < FILM_S + 0.2
    assert sum(one.audio.lost_packets or 0 for one in found.segments if one.audio) == 0
    assert evening.statuses[name]["audio"] == "recorded"


def test_telephone_sound_is_stored_sample_by_sample(evening: Evening, kept: Store) -> None:
    """What FLAC gives back are the samples that the codes mean."""
    samples, rate_hz, _ = heard(recorded(kept, "pcma").joined)
    depacketiser = G711Depacketiser("pcma")
    sent = b"".join(
        depacketiser.feed(memoryview(one), 0, False)[0].data for one in evening.cameras["pcma"].sound.stored
    )
    assert rate_hz == 8000
    assert len(samples) / rate_hz > FILM_S - 1
    begin = sent.index(samples[:1600].astype("<i2").tobytes())
    assert samples.astype("<i2").tobytes() == sent[begin : begin + 2 * len(samples)]
    assert begin <= BEFORE_FRAMES * 320


def test_quirk_16_sound_that_never_comes(evening: Evening, kept: Store) -> None:
    """No file describes any, and the box says so."""
    for name in ("silent", "refused", "upset"):
        assert all(one.audio is None for one in recorded(kept, name).segments)
        assert evening.statuses[name]["audio"] in ("silent", "none")
    assert evening.statuses["silent"]["audio"] == "silent"
    for name in ("refused", "upset"):
        assert evening.statuses[name]["left_out"] == ["audio (pcma), refused by the camera"]


def test_sound_that_comes_and_goes_is_in_runs_of_its_own(evening: Evening, kept: Store) -> None:
    """It begins, and it stops, at the next segment that is due; nothing lies between."""
    stops, late = recorded(kept, "stops"), recorded(kept, "late")
    has = [one.audio is not None and one.audio.frames > 0 for one in stops.segments]
    assert has[0]
    assert not has[-1]
    assert has == sorted(has, reverse=True)
    has = [one.audio is not None for one in late.segments]
    assert not has[0]
    assert has[-1]
    assert has == sorted(has)
    for found in (stops, late):
        assert len({one.run for one in found.segments}) == 2
    assert evening.notices >= {"stops"}
    assert "late" not in evening.notices


def test_sound_that_nobody_asked_for_never_left_the_camera(evening: Evening, kept: Store) -> None:
    """State Council order 799, article 8."""
    asked = [one.url for one in evening.cameras["unwanted"].asked if one.method == "SETUP"]
    assert {url.rpartition("/")[2] for url in asked} == {"track1"}
    assert all(one.audio is None for one in recorded(kept, "unwanted").segments)
    assert "unwanted" not in evening.notices


def test_a_camera_that_comes_back_with_sound_alone(kept: Store) -> None:
    """Its record goes on with a gap that says what it does not send."""
    found = recorded(kept, "alone")
    assert sum(one.frames for one in found.segments) == round(3.0 / PICTURE_S)
    items = kept.items("alone.main", 0, 2**62)
    told = [one for one in items if isinstance(one, Gap) and "no video track" in one.detail.lower()]
    assert told, [one for one in items if isinstance(one, Gap)]


def test_the_record_of_that_evening_is_whole(kept: Store) -> None:
    """Every invariant is kept, every file hashes to its leaf."""
    assert verify(kept) == []


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Debian's chromium is not installed")
@pytest.mark.parametrize("name", PLAYED)
def test_films_with_sound_play_in_a_browser(evening: Evening, name: str) -> None:
    """Picture and sound of the playlist of stored files are decoded, time advances, and nothing is wrong. Where sound
    begins or ends the film is shown without: Chromium would give it up, or stand still."""
    assert evening.played[name] == [160, None, name in ("aac", "pcma", "opus")]


@pytest.mark.parametrize("name", PLAYED)
def test_films_with_sound_are_read_whole_by_their_playlists(evening: Evening, name: str) -> None:
    """By ffprobe, every picture: also where sound begins or ends in the film."""
    complaints, read, stored = evening.found[name]
    assert (complaints, read) == ("", str(stored))
    assert stored > 100


def test_a_box_killed_while_it_records_sound(tmp_path: Path) -> None:
    """`kill -9` in the middle of files with two tracks: what was whole is found again, both tracks counted."""
    machine = Machine(tmp_path, {"CUSTOS_RECORDING__SEGMENT_S": "60"})
    behaviours = {"aac": Sounding(aac(12.0), 11.0), "pcma": Sounding(telephone(12.0), 11.0)}
    servers_ = {name: RtspCamera(one) for name, one in behaviours.items()}
    try:
        machine.start()
        for name, server in servers_.items():
            machine.add_camera(name, server.url, audio="on")
        until("seven seconds are stored", lambda: all(frames(machine, one) > 175 for one in behaviours), 40)
        threading.Event().wait(0.5)
        machine.kill()
        machine.start()
        until("they are recorded again", lambda: all(frames(machine, one) > 50 for one in behaviours), 60)
        assert machine.stop() == 0
        assert machine.command("verify").code == 0
        assert machine.command("fsck").code == 0
        store = Store.open(machine.data_dir, SystemClock())
        for name in behaviours:
            found = recorded(store, name)
            first = found.segments[0]
            counts = counted(found.files[0], tmp_path / "one.mp4")
            assert first.recovered
            assert first.frames >= 130
            assert first.audio is not None
            assert counts == {"video": first.frames, "audio": first.audio.frames}
            assert first.audio.frames > (70 if name == "aac" else 230)
            told_s = (parse_us_of(store, first.leaf_index, "t1") - parse_us_of(store, first.leaf_index, "t0")) / 1e6
            assert told_s == pytest.approx(first.frames * PICTURE_S, abs=0.05)
            print(f"\n{name}: {first.frames} pictures and {first.audio.frames} frames of sound were found again")
        store.close()
    finally:
        machine.end()
        for server in servers_.values():
            server.close()


def parse_us_of(store: Store, index: int, field: str) -> int:
    """An instant of a leaf."""
    (_, leaf) = next(store.leaves(index, index + 1))
    return parse_us(str(leaf.fields[field]))
