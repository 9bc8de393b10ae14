"""One evening on which every server that there is shows its films, and one box records them all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from config.clock import SystemClock
from recorder.store.records import CodecName
from recorder.store.store import Store
from tests.fakes.certificates import identity
from tests.fakes.video import access_units
from tests.whole import servers
from tests.whole.machine import Machine, until
from tests.whole.namespaces import CAMERA_ADDRESS, Hosts, hosts, missing, standing_on
from tests.whole.servers import FPS, NAMES, PASSWORD, USER, VLC_DELAY_S, Film
from tests.whole.witness import Witness

LOOP_PICTURES = 100
LOOP_S = 6
LARGE = (2560, 1440)
UNITS = (CodecName.H264, CodecName.H265)
"""What LIVE555 and VLC show here: of NAL units."""

VLC_PATIENCE_S = 30
FRAMES = re.compile(r'^custos_camera_frames_total\{camera="([^"]+)"\} (\S+)', re.MULTILINE)


@dataclass
class Shown:
    """What the servers said and showed, by camera; the box has stopped, and its store can be opened."""

    data_dir: Path
    films: dict[str, Film] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Parts of names of cameras that could not be, with the reason."""
    witnesses: dict[str, Witness] = field(default_factory=dict)
    lost_packets: dict[str, int | None] = field(default_factory=dict)
    """As the box says."""
    notice: Mapping[str, object] | None = None
    """What the box says of time stamps that stand still."""
    ended_us: int = 0
    """When the box was told to stop."""


class Show:
    """Servers are opened one after the other; then the box."""

    def __init__(self, folder: Path, stack: ExitStack, seconds: int) -> None:
        """On two hosts where that can be, else on this one."""
        self._folder, self._stack, self._seconds = folder, stack, seconds
        self._clock = SystemClock()
        self._machine = Machine(folder, {"CUSTOS_RECORDING__SEGMENT_S": "30" if seconds > 60 else "2"})
        self.shown = Shown(self._machine.data_dir)
        Store.create(self._machine.data_dir, "test", self._clock, "0")
        self._store = Store.open(self._machine.data_dir, self._clock)
        self._host, self._address = None, "127.0.0.1"
        if why := missing():
            self.shown.absent["multicast"] = why
        else:
            both: Hosts = stack.enter_context(hosts())
            stack.enter_context(standing_on(both.box))
            self._host, self._address = both.camera, CAMERA_ADDRESS

    def open_gst(self) -> None:
        """GStreamer's, with each film five ways."""
        authority = identity(self._folder, "authority")
        shown = identity(self._folder, "gst", address=self._address, issuer=authority)
        for codec, name in NAMES.items():
            film = servers.row_of(self._folder, codec, self._seconds)
            plain = self._stack.enter_context(servers.gst(film, self._address, self._host))
            secure = self._stack.enter_context(servers.gst(film, self._address, self._host, shown.both))
            for way in ("tcp", "udp", "libav", *(() if self._host is None else ("multicast",))):
                self._add(f"gst-{name}-{way}", f"{plain}/{way}", film, way)
            self._add(f"gst-{name}-tls", f"{secure}/tls", film, "tcp", str(authority.certificate))

    def open_gst_jpeg(self) -> None:
        """GStreamer's own JPEG encoder, with its own tables; and JPEG pictures larger than packets can tell."""
        film = servers.row_of(self._folder, CodecName.MJPEG, self._seconds)
        large = servers.row_of(self._folder, CodecName.MJPEG, 1, *LARGE)
        for name, one, kind in (("gst-jpegenc", film, "jpegenc"), ("gst-large", large, "jpeg")):
            url = self._stack.enter_context(servers.gst(one, self._address, self._host, kind=kind))
            self._add(name, f"{url}/tcp", one, "tcp")

    def open_loop(self) -> None:
        """GStreamer's, with a film that is played again and again under one time stamp."""
        shots = [unit for unit, _ in access_units(CodecName.H264, LOOP_PICTURES, FPS)]
        path = self._folder / "loop.h264"
        path.write_bytes(b"".join(shots))
        url = self._stack.enter_context(servers.gst_loop(path, self._address, self._host))
        pictures = [servers.slices(shot, CodecName.H264) for shot in shots]
        self._add("loop", url, Film(path, CodecName.H264, pictures), "tcp")

    def open_live555(self) -> None:
        """LIVE555's, two ways."""
        if not servers.LIVE555.exists():
            self.shown.absent["live555"] = "needs scripts/live555.sh to have been run, which needs a C++ compiler"
            return
        films = [servers.stream_of(self._folder, codec, self._seconds) for codec in UNITS]
        url = self._stack.enter_context(servers.live555(films, self._address, self._host))
        for film in films:
            for way in ("tcp", "udp"):
                self._add(f"live555-{NAMES[film.codec]}-{way}", f"{url}/{NAMES[film.codec]}", film, way)

    def record(self) -> Shown:
        """Let the box record until all films are over."""
        self._store.close()
        swapped = self._films_for_vlc()
        self._stack.callback(self._machine.end)
        self._machine.start()
        self._open_vlc(swapped)
        until("all was recorded", self._is_over, 2 * self._seconds + 40)
        self.shown.notice = self._machine.problem("camera_stamps_still")
        for camera in self.shown.films:
            self.shown.lost_packets[camera] = self._machine.status_of(camera)["lost_packets"]
        self.shown.ended_us = self._clock.read().utc_us
        assert self._machine.stop() == 0
        return self.shown

    def _add(self, camera: str, url: str, film: Film, transport: str, ca_file: str | None = None) -> None:
        self._store.cameras.add(
            camera, camera, url, username=USER, password=SecretStr(PASSWORD), transport=transport, ca_file=ca_file
        )
        self.shown.films[camera] = film

    def _films_for_vlc(self) -> list[Film]:
        if shutil.which("vlc") is None:
            self.shown.absent["vlc"] = "needs VLC"
            return []
        return [servers.swapped_of(self._folder, codec, self._seconds + VLC_DELAY_S) for codec in UNITS]

    def _open_vlc(self, films: Sequence[Film]) -> None:
        """VLC's begin when they are started: the box is told at once, and again when they are under way."""
        ports = [self._stack.enter_context(servers.vlc(film, self._address, self._host)) for film in films]
        witnesses = []
        for film, port in zip(films, ports, strict=True):
            witnesses.append(Witness(self._address, port, "/film"))
            self._stack.callback(witnesses[-1].close)
            self._watch_vlc("vlc", film, port, witnesses[-1])
        for film, port, witness in zip(films, ports, witnesses, strict=True):
            until("VLC has begun", witness.has_seen_something, VLC_PATIENCE_S, 0.02)
            self._watch_vlc("vlc_late", film, port, witness)

    def _watch_vlc(self, name: str, film: Film, port: int, witness: Witness) -> None:
        camera = f"{name}-{NAMES[film.codec]}-udp"
        self._machine.add_camera(camera, f"rtsp://{self._address}:{port}/film", transport="udp")
        self.shown.films[camera], self.shown.witnesses[camera] = film, witness

    def _is_over(self) -> bool:
        """Everything that was sent has come: its pictures are counted, or its server has left."""
        said = httpx.get(f"{self._machine.url}/metrics", timeout=30, trust_env=False).text
        frames = {one: int(float(count)) for one, count in FRAMES.findall(said)}
        return all(self._was_recorded(camera, frames.get(camera, 0)) for camera in self.shown.films)

    def _was_recorded(self, camera: str, frames: int) -> bool:
        if camera in self.shown.witnesses:
            is_recording = self._machine.status_of(camera)["state"] == "recording"
            return self.shown.witnesses[camera].is_over and not is_recording
        return frames >= (LOOP_S * FPS if camera == "loop" else len(self.shown.films[camera].pictures))
