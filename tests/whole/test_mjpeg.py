"""A box that records an MJPEG camera is killed in the middle of a segment: every picture that it stored is one sent."""

from __future__ import annotations

import io
import itertools
import subprocess
import threading
from collections.abc import Iterator, Sequence

import av
import cv2
import httpx
import numpy as np
import pytest

from config.clock import SystemClock
from config.times import format_us, parse_us
from recorder.store.records import CodecName
from tests.fakes.rtsp_camera import Behaviour, camera, headed, interleaved, payloads, rtp
from tests.whole.machine import Machine, until

pytestmark = pytest.mark.whole

FPS = 25
PICTURES = 400
WIDER_FROM = 260
"""From this picture on the camera sends another size."""


def numbered(n: int, width: int) -> bytes:
    """A picture that differs from all others: its number stands in it, a black or white block for each bit."""
    picture = np.full((120, width, 3), 128, np.uint8)
    for bit in range(PICTURES.bit_length()):
        picture[16:32, bit * 16 : bit * 16 + 16] = 255 * (n >> bit & 1)
    return cv2.imencode(".jpg", picture)[1].tobytes()


class LiveCamera(Behaviour):
    """Sends pictures at the pace at which a camera would; goes on where it was when somebody connects again."""

    def __init__(self) -> None:
        super().__init__(CodecName.MJPEG, 1)
        self.shots = [headed(numbered(n, 160 if n < WIDER_FROM else 320)) for n in range(PICTURES)]
        self.sent = 0
        self._turn = threading.Event()

    def media(self) -> Iterator[bytes]:
        number = 0
        while self.sent < PICTURES:
            for payload, marker in payloads(self.shots[self.sent], self.codec):
                yield interleaved(rtp(payload, number, self.sent * 3600, marker))
                number += 1
            self.sent += 1
            self._turn.wait(1 / FPS)


def segments(machine: Machine) -> list[dict[str, object]]:
    start, now_us = machine.get("/api/v1/cameras/yard")["registered"], SystemClock().read().utc_us
    found: list[dict[str, object]] = machine.get(
        "/api/v1/cameras/yard/segments", start=start, end=format_us(now_us), limit="1000"
    )["segments"]
    return found


def packets_by_ffprobe(what: str, data: bytes = b"") -> int:
    """How many pictures another program finds there; `-` is the data."""
    command = ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", what]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return int(done.stdout.split()[0].strip(b","))  # of a playlist it is told twice, once for its program


def stored(data: bytes) -> list[bytes]:
    """The pictures of a file, byte by byte."""
    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def places(pictures: Sequence[bytes], film: Sequence[bytes]) -> list[int]:
    """Which pictures of the film they are."""
    number = {shot: index for index, shot in enumerate(film)}
    return [number[one] for one in pictures]


def recorded_over_a_crash(machine: Machine, behaviour: LiveCamera, url: str) -> int:
    """The box is killed in the middle of a segment, and records the rest; how many were sent when it was killed."""
    machine.start()
    machine.add_camera("yard", url)
    until("two segments are stored", lambda: len(segments(machine)) >= 2, 40)
    until("the next one has begun", lambda: list((machine.data_dir / "media").rglob("yard.main/**/*.part")), 10)
    sent = behaviour.sent
    until("a second more is sent", lambda: behaviour.sent >= sent + FPS, 10)
    sent_before_crash = behaviour.sent
    machine.kill()
    machine.start()
    until("it is recorded again", lambda: machine.status_of("yard")["state"] == "recording", 30)
    until("all is sent", lambda: behaviour.sent == PICTURES, 90)
    assert machine.stop() == 0
    return sent_before_crash


@pytest.mark.timeout(180)
def test_an_mjpeg_camera_and_a_crash(machine: Machine) -> None:
    """Stored byte by byte as they came, in order, none missing within a run; a change of size ends one; `verify` is
    content after the crash, which cost at most a second of pictures; ffprobe finds as many as the log has."""
    behaviour = LiveCamera()
    assert len(set(behaviour.shots)) == PICTURES
    with camera(behaviour) as url:
        sent_before_crash = recorded_over_a_crash(machine, behaviour, url)
    assert machine.command("verify").code == 0
    assert machine.command("fsck").code == 0

    machine.start()
    found = segments(machine)
    answers = [httpx.get(f"{machine.url}/api/v1/segments/{one['id']}/media", trust_env=False) for one in found]
    files = [answer.content for answer in answers]
    first_run = [one for one in found if one["run"] == found[0]["run"]]
    interval = f"start={first_run[0]['start']}&end={first_run[-1]['start']}"
    played = packets_by_ffprobe(f"{machine.url}/api/v1/cameras/yard/playlist.m3u8?{interval}")
    assert machine.stop() == 0
    assert {one["codec"] for one in found} == {"mjpeg"}
    assert [packets_by_ffprobe("-", data) for data in files] == [one["frames"] for one in found]
    runs = [
        (key, [index for _, data in group for index in places(stored(data), behaviour.shots)])
        for key, group in itertools.groupby(
            zip(found, files, strict=True), key=lambda one: (one[0]["run"], one[0]["width"])
        )
    ]
    assert [width for (_, width), _ in runs] == [160, 160, 320]
    assert all(indices == list(range(indices[0], indices[-1] + 1)) for _, indices in runs)
    (_, before), (_, after), (_, wider) = runs
    assert sent_before_crash - before[-1] <= FPS
    assert (after[-1], wider[0]) == (WIDER_FROM - 1, WIDER_FROM)
    assert PICTURES - wider[-1] <= 3
    assert played == sum(int(str(one["frames"])) for one in first_run[:-1])
    long_us = [parse_us(str(one["end"])) - parse_us(str(one["start"])) for one in found]
    assert max(long_us) < 2_500_000
    print(f"{len(files)} files; the crash cost {sent_before_crash - before[-1] - 1} of {sent_before_crash} pictures")
