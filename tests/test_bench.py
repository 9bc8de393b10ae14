"""The bench: that its cameras send what they should, that what is stored is counted right, and that the table is made.

Nothing is timed here; what recording costs is for `make bench` to say.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from appliance.demo.rtp import nal_units
from appliance.demo.rtsp import Conversation
from bench import __main__ as bench_main
from bench import measure, others, recorders, table
from bench.camera import BACKLOG_LIMIT_BYTES, HOST, MODES, Cameras, Schedule, State, Viewer, phases_us
from bench.film import FIRST, KEY, LAST, PACKET_LIMIT_BYTES, RTP_HEADER_BYTES, Film, Scene, Train, film_of
from bench.measure import Memory
from bench.run import Idle, Measured, Plan
from bench.site import Site
from bench.stored import frames_in, frames_of
from config.clock import SystemClock
from config.load import load
from recorder.capture.rtsp.connection import RtspConnection, Target
from recorder.capture.rtsp.transport import Transport
from tests.whole.machine import until

SMALL = Scene(width=320, height=180, gop_frames=5, frames=10, bits_per_s=1_000_000)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Film]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("films")))
        yield film_of(SMALL)


def headers(data: bytes) -> list[tuple[int, int, bool]]:
    """Sequence number, time stamp and marker of every interleaved packet."""
    found, at = [], 0
    while at < len(data):
        assert data[at] == 0x24
        assert data[at + 1] == 0
        packet = data[at + 4 : at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")]
        number, stamp = int.from_bytes(packet[2:4], "big"), int.from_bytes(packet[4:8], "big")
        found.append((number, stamp, bool(packet[1] & 0x80)))
        at += 4 + len(packet)
    return found


# -- the film


def test_film_has_the_rate_and_the_groups_that_were_asked_for(film: Film) -> None:
    """A key frame every five frames, every frame decodes, and the rate is the scene's (less what may be saved up)."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    pictures = [one for frame in film.frames for one in decoder.decode(av.Packet(frame))] + decoder.decode(None)

    assert len(film.frames) == len(pictures) == 10
    keys = [at for at, frame in enumerate(film.frames) if any(nal[0] & 0x1F == 5 for nal in nal_units(frame))]
    assert keys == [0, 5]
    assert sum(map(len, film.frames)) * 8 / 0.4 == pytest.approx(SMALL.bits_per_s, rel=0.25)


def test_film_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time it is read from where it was kept, the same to the byte."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = film_of(SMALL)
    (kept,) = tmp_path.rglob("*.film")
    inode = kept.stat().st_ino

    assert film_of(SMALL) == made
    assert kept.stat().st_ino == inode
    assert list(kept.parent.iterdir()) == [kept]


def test_film_is_not_taken_from_a_folder_that_others_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever could put a film there could have anything parsed here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"custos-bench-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(PermissionError):
        film_of(SMALL)


# -- the train


@pytest.mark.parametrize("mode", MODES)
def test_turns_follow_each_other_without_a_seam(film: Film, mode: str) -> None:
    """Numbers and time stamps go on from turn to turn, past the end of the numbers."""
    train = Train(film, MODES[mode])
    packets = len(headers(bytes(train.turn(0))))
    first = 65_536 // packets - 1
    found = [one for count in range(first, first + 4) for one in headers(bytes(train.turn(count)))]

    assert [number for number, _, _ in found] == [(first * packets + at) & 0xFFFF for at in range(len(found))]
    stamps = list(dict.fromkeys(stamp for _, stamp, _ in found))
    assert stamps == [(first * 10 + at) * 3600 for at in range(40)]
    assert sum(marker for _, _, marker in found) == 40


@pytest.mark.parametrize(("mode", "most"), [("bursts", 3), ("frames", 1000)])
def test_bursts_are_whole_packets_in_order(film: Film, mode: str, most: int) -> None:
    """Bursts tile the turn, hold as many packets as they may, and say where frames begin and end."""
    train = Train(film, MODES[mode])
    data = bytes(train.turn(0))

    assert [one.begin for one in train.bursts] == [0, *(one.end for one in train.bursts[:-1])]
    assert train.bursts[-1].end == train.turn_bytes == len(data)
    assert [one.at_us for one in train.bursts] == sorted({one.at_us for one in train.bursts})
    for burst in train.bursts:
        assert 1 <= len(headers(data[burst.begin : burst.end])) <= most
    for role, count in ((FIRST, 10), (LAST, 10), (KEY, 2)):
        assert sum(bool(one.role & role) for one in train.bursts) == count
    assert (len(train.bursts) == 10) == (mode == "frames")


def test_packets_are_not_larger_than_a_network_carries(film: Film) -> None:
    """1400 bytes with the RTP header, and the large ones are filled."""
    train = Train(film, 1)
    sizes = [one.end - one.begin - 4 for one in train.bursts]

    assert max(sizes) == PACKET_LIMIT_BYTES
    assert min(sizes) > RTP_HEADER_BYTES


def test_each_camera_plays_every_frame_at_its_own_phase(film: Film) -> None:
    """Three cameras over several turns: each shows all bursts in order, and no two begin a frame together."""
    schedule = Schedule(Train(film, 3), 3)
    shown: dict[int, list[tuple[int, int, bool]]] = {0: [], 1: [], 2: []}
    for now_us in range(0, 1_300_000, 500):
        schedule.send(now_us, lambda camera, burst, role: shown[camera].extend(headers(bytes(burst))))

    for found in shown.values():
        numbers = [number for number, _, _ in found]
        assert numbers == [(numbers[0] + at) & 0xFFFF for at in range(len(numbers))]
        stamps = list(dict.fromkeys(stamp for _, stamp, _ in found))
        assert stamps == [stamps[0] + at * 3600 for at in range(len(stamps))]
        assert len(stamps) >= 30
    phases = phases_us(300, 2_000_000).tolist()
    assert len({phase // 1000 for phase in phases}) == 300


def test_cameras_that_fell_behind_catch_up_in_steps(film: Film) -> None:
    """However late it is, no more is sent at once than was asked for, and nothing is left out."""
    schedule = Schedule(Train(film, 3), 2)
    shown: list[tuple[int, int, bool]] = []
    steps = 0
    while schedule.due_us <= 1_000_000:
        schedule.send(
            min(1_000_000, schedule.due_us + 5000), lambda _, burst, role: shown.extend(headers(bytes(burst)))
        )
        steps += 1

    assert steps >= 40  # frames lie 40 ms apart, and each takes a few milliseconds
    assert sum(marker for _, _, marker in shown) in range(48, 53)


# -- the cameras


@contextmanager
def running(film: Film, cameras: int, mode: str) -> Iterator[tuple[int, Any]]:
    """The cameras' port, and whom to ask."""
    read, commands = os.pipe()
    answers, write = os.pipe()
    with os.fdopen(answers) as heard, os.fdopen(commands, "w") as told:
        thread = threading.Thread(target=lambda: Cameras(film, cameras, mode, read, write).run())
        thread.start()

        def ask(command: str) -> dict[str, Any]:
            told.write(command + "\n")
            told.flush()
            facts: dict[str, Any] = json.loads(heard.readline())
            return facts

        try:
            yield json.loads(heard.readline())["port"], ask
        finally:
            told.write("quit\n")
            told.flush()
            thread.join(10)
            os.close(read)
            os.close(write)


@pytest.mark.parametrize("mode", MODES)
def test_recorder_receives_the_film_from_a_key_frame_on(film: Film, mode: str) -> None:
    """Our own client gets the film's frames to the byte, over several turns; what was sent is what came."""
    with running(film, 2, mode) as (port, ask):
        connection = RtspConnection(Target(f"rtsp://{HOST}:{port}/1", None, None, Transport.TCP), SystemClock())
        connection.open()
        units: list[list[bytes]] = []

        def received(count: int) -> bool:
            units.extend(nal_units(one.data) for one in connection.take())
            return len(units) >= count

        until("25 frames", lambda: received(25), 30, 0.01)
        (session,) = ask("stop")["sessions"]
        until("all that was sent", lambda: received(session["frames"]), 30, 0.01)
        receiver = connection.receiver
        connection.close()

    frames = [nal_units(one) for one in film.frames]
    begin = frames.index(units[0])
    assert begin in (0, 5)
    assert units == [frames[(begin + at) % 10] for at in range(len(units))]
    assert len(units) == session["frames"]
    assert (session["camera"], session["dropped"], receiver.tally.lost) == (1, 0, 0)
    assert session["first_us"] < session["last_us"]


def test_client_that_comes_again_is_another_session(film: Film) -> None:
    """Who hangs up and connects again is counted twice, and nothing is sent to the connection that is gone."""
    with running(film, 1, "frames") as (port, ask):
        for _ in range(2):
            connection = RtspConnection(Target(f"rtsp://{HOST}:{port}/0", None, None, Transport.TCP), SystemClock())
            connection.open()
            until("a frame", connection.take, 30, 0.01)
            connection.close()
            until("it is gone", lambda: ask("status")["playing"] == 0, 30, 0.01)

        assert [one["camera"] for one in ask("status")["sessions"]] == [0, 0]


def test_cameras_are_a_process_of_their_own(film: Film) -> None:
    """It answers, names a URL for each camera, and ends with its context."""
    del film
    with Site(3, "bursts") as site:
        sent = site.status()
        assert (sent.playing, sent.sessions, sent.frames) == (0, 0, 0)
        assert site.urls == [f"rtsp://127.0.0.1:{site.port}/{number}" for number in range(3)]
        assert site.stop().frames == 0


def test_slow_client_loses_frames_and_no_more(film: Film) -> None:
    """What is not taken waits up to a bound; beyond it whole frames are left out, and no packet is cut."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        mine.setblocking(False)
        viewer = Viewer(mine, Conversation({}, "x"))
        viewer.state = State.WAITING
        train, due = Train(film, 3), 0
        while viewer.dropped < 20:
            data = train.turn(due // 10)
            for burst in train.bursts:
                viewer.show(data[burst.begin : burst.end], burst.role, due, stopping=False)
                due += bool(burst.role & LAST)
        waiting = sum(len(data) for data, _ in viewer._backlog)
        got = bytearray()
        while viewer.is_behind:
            got += theirs.recv(1 << 20)
            viewer.flush(due)
        mine.close()
        while data := theirs.recv(1 << 20):
            got += data

    assert BACKLOG_LIMIT_BYTES < waiting < BACKLOG_LIMIT_BYTES + max(map(len, film.frames)) + 1000
    assert viewer.frames + viewer.dropped == due
    assert sum(marker for _, _, marker in headers(bytes(got))) == viewer.frames


# -- measuring


def test_frames_are_counted_by_boxes(tmp_path: Path, film: Film) -> None:
    """Fragmented or not, every frame is counted; of a file that was cut short, the whole fragments."""
    for name, flags in (("plain", ""), ("fragmented", "frag_keyframe+empty_moov+default_base_moof")):
        path = tmp_path / f"{name}.mp4"
        with av.open(str(path), "w", format="mp4", options={"movflags": flags} if flags else {}) as file:
            stream = file.add_stream("libx264", rate=25)
            stream.width, stream.height = 320, 180
            for count, frame in enumerate(film.frames):
                packet = av.Packet(frame)
                packet.stream, packet.is_keyframe = stream, count % 5 == 0
                packet.dts = packet.pts = count * 3600
                packet.time_base = Fraction(1, 90_000)
                file.mux(packet)
        assert frames_of(path) == 10
    assert frames_in(tmp_path) == 20

    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"mdat") + 100])
    assert 5 <= frames_of(path) <= 10


def test_children_count_too() -> None:
    """A tree is a process and all that descend from it, and what it used includes what its ended children used."""
    code = "import time\nwhile time.process_time() < 0.3: pass"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}]); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        until("its child has ended", lambda: measure.cpu_s([process.pid]) >= 0.1, 60, 0.05)
        assert process.pid in measure.tree([os.getpid()])
        used = measure.memory([process.pid])
        process.communicate(b"\n")

    assert 0 < used.pss_bytes <= used.rss_bytes
    assert measure.cpu_s([process.pid]) == 0


def test_unread_bytes_are_seen() -> None:
    """What came for a program that does not read it is what it may still lose."""
    with socket.create_server((HOST, 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = server.getsockname()[1]
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"x" * 1000)
            until("it has arrived", lambda: measure.unread_bytes(port) == 1000, 10, 0.01)
            client.recv(1000)
            assert measure.unread_bytes(port) == 0


def test_machine_is_named() -> None:
    """Whoever reads the numbers knows what they were measured on."""
    facts = measure.machine()

    assert set(facts) == {"processor", "memory", "system", "Python", "PyAV", "ffmpeg"}
    assert facts["PyAV"].startswith(av.__version__)
    assert all(facts.values())


# -- recorders


def leaf(kind: str, stream: str, n: int, t1: str, at: str, frames: int = 1500) -> dict[str, Any]:
    fields = {"stream": stream, "n": n, "t1": f"2026-11-24T00:{t1}.000000Z", "frames": frames}
    return {"type": kind, "at": f"2026-11-24T00:{at}Z", "fields": fields}


def test_commits_are_read_from_the_log() -> None:
    """Each segment's leaf tells when it was written down; those cut by the box's stop tell only of stopping."""
    leaves = [
        leaf("gap", "a.main", 0, "00:01", "00:01.100000"),
        leaf("seg", "a.main", 1, "01:01", "01:01.040000"),
        leaf("seg", "b.main", 0, "01:02", "01:02.060000"),
        leaf("seg", "a.main", 2, "01:20", "01:29.000000", frames=475),
        leaf("seg", "b.main", 1, "01:20", "01:29.000000", frames=450),
    ]

    assert recorders.commits_us(leaves) == [40_000, 60_000]
    assert recorders.stored_frames(leaves) == 1500 + 1500 + 475 + 450


def test_box_is_configured_as_its_user_would(tmp_path: Path) -> None:
    """The file is one that the box takes, with every camera, and the segments that were asked for."""
    path = tmp_path / "custos.toml"
    path.write_text(recorders.configuration(["rtsp://127.0.0.1:1/0", "rtsp://127.0.0.1:1/1"], 60))
    settings = load(path, {})

    assert [one.url for one in settings.cameras] == ["rtsp://127.0.0.1:1/0", "rtsp://127.0.0.1:1/1"]
    assert (settings.recording.segment_s, settings.http.port) == (60, 0)
    assert settings.box.data_dir == tmp_path / "data"
    assert all(one.enabled for one in settings.cameras)


def test_idle_box_records_nothing(tmp_path: Path) -> None:
    """A box without cameras would record the demonstration camera: it gets one that is switched off."""
    path = tmp_path / "custos.toml"
    path.write_text(recorders.configuration([], 60))

    assert [one.enabled for one in load(path, {}).cameras] == [False]


class Sleeper(recorders.Recorder):
    """A recorder that does nothing, for as long as it is let."""

    name, about, expected_bytes = "sleeper", "", 0

    def start(self, urls: Any) -> None:
        self._run(sys.executable, "-c", "print('gone', flush=True)" if urls else "import time; time.sleep(60)")


def test_recorder_that_ends_by_itself_has_failed(tmp_path: Path) -> None:
    """And what it said last is told; one that is told to end has not."""
    ended, kept = Sleeper(tmp_path / "a", 60), Sleeper(tmp_path / "b", 60)
    ended.start(["rtsp://127.0.0.1:1/0"])
    kept.start([])
    ended._processes[0].wait(60)

    with pytest.raises(recorders.RecorderFailed, match="1 of 1 processes ended by themselves: gone"):
        ended.check()
    kept.check()
    kept.stop()
    assert kept._processes[0].returncode == -signal.SIGTERM
    kept.end()


def test_mediamtx_is_told_to_record_and_nothing_else(tmp_path: Path) -> None:
    """Its servers are off, each camera has a path, and without cameras the file is still whole."""
    text = others.mediamtx_configuration(["rtsp://127.0.0.1:1/0"], 60, tmp_path)

    assert "rtsp: false\n" in text
    assert "  recordSegmentDuration: 60s\n" in text
    assert text.endswith("paths:\n  cam-0:\n    source: rtsp://127.0.0.1:1/0\n")
    assert others.mediamtx_configuration([], 60, tmp_path).endswith("paths: {}\n")


def test_moonfire_is_told_of_its_cameras(tmp_path: Path) -> None:
    """Its directory's file names the database's own id and has the length it must have; each camera has a stream."""
    database = tmp_path / "db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table meta (uuid)")
        connection.execute("insert into meta values (?)", (b"B" * 16,))
        connection.execute("create table sample_file_dir (id, uuid, config)")
        connection.execute("create table camera (id, uuid, short_name, config)")
        connection.execute(
            "create table stream (camera_id, sample_file_dir_id, type, config, cum_recordings, "
            "cum_media_duration_90k, cum_runs)"
        )
    others.register(database, tmp_path, ["rtsp://127.0.0.1:1/0", "rtsp://127.0.0.1:1/1"])

    with closing(sqlite3.connect(database)) as connection:
        ((directory, config),) = connection.execute("select uuid, config from sample_file_dir").fetchall()
        streams = [json.loads(one) for (one,) in connection.execute("select config from stream order by camera_id")]
    assert json.loads(config) == {"path": str(tmp_path)}
    assert [one["url"] for one in streams] == ["rtsp://127.0.0.1:1/0", "rtsp://127.0.0.1:1/1"]
    meta = (tmp_path / "meta").read_bytes()
    assert len(meta) == 512
    assert meta[:37] == b"\x24\x0a\x10" + b"B" * 16 + b"\x12\x10" + directory


# -- the table


def found(recorder: str, cameras: int, mode: str, cpu: float, **more: Any) -> Measured:
    facts: dict[str, Any] = {
        "memory": Memory(cameras * 60_000_000, cameras * 90_000_000),
        "sessions": cameras,
        "sent": 1500,
        "dropped": 0,
        "stored": 1500,
        "commits_us": (),
        "cameras_cpu": 0.1,
        "late_us": 4000,
    }
    return Measured(recorder=recorder, cameras=cameras, mode=mode, cpu=cpu, **(facts | more))


def test_table_compares_with_ffmpeg_in_the_same_run() -> None:
    """Figures are for each camera, ratios against the same number of cameras arriving the same way."""
    measured = [
        found("ffmpeg", 20, "bursts", 0.2),
        found("ffmpeg", 20, "frames", 0.1),
        found("ffmpeg", 1, "bursts", 0.01),
        found("Custos", 20, "bursts", 0.05, memory=Memory(100_000_000, 150_000_000), commits_us=(40_000, 90_000)),
        found("Custos", 20, "frames", 0.04, stored=1490, dropped=5),
        found("Custos", 300, "bursts", 0.6),
    ]
    rows = table.table(measured, [Idle("Custos", 0.01, Memory(60_000_000, 70_000_000))]).splitlines()

    assert rows[2] == "| 1 | ffmpeg | 1.00 % (1.00×) | – | 60.0 MB (1.00×) | 90.0 MB (1.00×) | 0 | – |"
    assert rows[4] == (
        "| 20 | Custos | 0.25 % (0.25×) | 0.20 % (0.40×) | 2.0 MB (0.03×) | 4.0 MB (0.04×) | 15 of 3005 | 40 / 90 ms |"
    )
    assert rows[5].startswith("| 300 | Custos | 0.20 % | – | 59.8 MB |")
    assert len({row.count("|") for row in rows}) == 1


def test_page_tells_what_must_be_known() -> None:
    """Date, machine, how it was measured, what the cameras cost themselves, and what was not measured and why."""
    page = table.page(
        [found("ffmpeg", 20, "bursts", 0.2)],
        [],
        ["mediamtx: there is no `mediamtx` on PATH."],
        {"ffmpeg": "a process a camera"},
        {"processor": "Some"},
        date="2026-11-24 04:00 UTC",
        window_s=30,
        segment_s=60,
    )

    for words in (
        "- date: 2026-11-24 04:00 UTC\n- processor: Some\n",
        "- ffmpeg: a process a camera.",
        "cutting counts 2.0-fold",
        "- The cameras themselves, 20, packets in bursts: 10 % of a core beside ffmpeg (latest 4 ms).",
        "Not measured:\n\n- mediamtx: there is no `mediamtx` on PATH.\n",
    ):
        assert words in page


def test_quantiles() -> None:
    """The least value that so large a share does not exceed."""
    assert table.quantile([1, 2, 3, 4], 0.5) == 2
    assert table.quantile([7], 0.99) == 7
    assert table.quantile(list(range(1000)), 0.99) == 989


def test_window_ends_behind_the_first_cut(tmp_path: Path) -> None:
    """However short the window, each camera's first segment ends within it."""
    assert Plan(1, "bursts", 60, 60, tmp_path).settle_s == 8
    assert Plan(1, "bursts", 30, 60, tmp_path).settle_s == 34


def test_what_there_is_no_room_for_is_skipped(tmp_path: Path) -> None:
    """With the reason: time, memory, disk; and a program that is not installed is named."""
    asked = bench_main.arguments(["--cameras", "1,20", "--only", "custos,ffmpeg", "--data-dir", str(tmp_path)])
    bench = bench_main.Bench(asked)

    assert (asked.cameras, asked.mode, asked.seconds) == ([1, 20], ["bursts", "frames"], 60)
    assert bench._reason_against(recorders.Custos, 1, "bursts") == ""
    assert "of memory" in bench._reason_against(recorders.Ffmpeg, 10_000_000, "bursts")
    bench.measured.append(found("ffmpeg", 1000, "bursts", 1, memory=Memory(0, 0)))
    assert "--data-dir" in bench._reason_against(recorders.Ffmpeg, 10_000_000, "bursts")
    bench.asked.minutes = -1
    assert "--minutes" in bench._reason_against(recorders.Ffmpeg, 1, "bursts")
    with pytest.raises(SystemExit):
        bench_main.arguments(["--only", "nobody"])


def test_plain_recorder_records(film: Film, tmp_path: Path) -> None:
    """The PyAV threads, which Custos is compared with, store every frame and end by themselves."""
    with running(film, 2, "bursts") as (port, ask):
        urls = [f"rtsp://{HOST}:{port}/{number}" for number in range(2)]
        recorder = recorders.PyavThreads(tmp_path / "out", 0.4)
        recorder.start(urls)
        until("both are played", lambda: ask("status")["playing"] == 2, 60)
        until("some turns", lambda: min(one["frames"] for one in ask("status")["sessions"]) > 30, 60)
        sent = sum(one["frames"] for one in ask("stop")["sessions"])
    recorder.stop()

    assert recorder.frames() == sent
    assert len(list(tmp_path.rglob("*.mp4"))) > 4
    assert recorder.commits_us() == []
