"""Recorders of other projects, measured where their programs are on PATH.

Neither can be told a list of cameras on its command line: mediamtx gets a configuration file, moonfire-nvr the rows of
its own database, which `moonfire-nvr init` has made, and the `meta` file of its sample directory.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.recorders import Recorder, RecorderFailed

META_BYTES = 512
"""Of a sample directory's `meta` file, which is always that long."""

RETAIN_BYTES = 1 << 40
"""More than is recorded: nothing is to be deleted meanwhile."""

FLUSH_S = 120
"""What moonfire-nvr's own configuration screen proposes: how old a recording may be before its row is committed."""


class Mediamtx(Recorder):
    """A media router that can record."""

    name = "mediamtx"
    program = "mediamtx"
    about = "recording only, every server of it off; fragmented MP4; no hashes, no log, no syncing"
    expected_bytes = 10 * 2**20
    stop_signal = signal.SIGINT

    def start(self, urls: Sequence[str]) -> None:
        """One process, one configuration file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mediamtx.yml"
        config.write_text(mediamtx_configuration(urls, self.segment_s, self.folder))
        self._run("mediamtx", str(config))


def mediamtx_configuration(urls: Sequence[str], segment_s: float, folder: Path) -> str:
    """Its YAML."""
    lines = ["logLevel: warn", *(f"{one}: false" for one in ("rtsp", "rtmp", "hls", "webrtc", "srt"))]
    lines += [
        "pathDefaults:",
        "  rtspTransport: tcp",
        "  record: true",
        f"  recordPath: {folder}/%path/%Y-%m-%d_%H-%M-%S-%f",
        "  recordFormat: fmp4",
        f"  recordSegmentDuration: {segment_s:g}s",
        "paths:" if urls else "paths: {}",
    ]
    for number, url in enumerate(urls):
        lines += [f"  cam-{number}:", f"    source: {url}"]
    return "\n".join(lines) + "\n"


class Moonfire(Recorder):
    """A recorder that keeps its own index."""

    name = "moonfire-nvr"
    program = "moonfire-nvr"
    about = "its own sample files and SQLite index, BLAKE3 of every recording, synced; recordings of about 60 s"
    expected_bytes = 10 * 2**20

    def start(self, urls: Sequence[str]) -> None:
        """Make its database, tell it the cameras, run it."""
        samples, database = self.folder / "samples", self.folder / "db"
        samples.mkdir(parents=True)
        database.mkdir()
        made = subprocess.run(
            ["moonfire-nvr", "init", f"--db-dir={database}"], capture_output=True, timeout=60, check=False
        )
        if made.returncode:
            raise RecorderFailed(f"moonfire-nvr init failed: {made.stderr.decode(errors='replace')[-500:]}")
        register(database / "db", samples, urls)
        config = self.folder / "moonfire-nvr.toml"
        config.write_text(f'dbDir = "{database}"\n\n[[binds]]\nipv4 = "127.0.0.1:0"\n')
        self._run("moonfire-nvr", "run", f"--config={config}")

    def frames(self) -> int:
        """By its database, which it writes to on its way out at the latest."""
        with closing(sqlite3.connect(self.folder / "db" / "db")) as connection:
            (found,) = connection.execute("select coalesce(sum(video_samples), 0) from recording").fetchone()
            return int(found)


def register(database: Path, samples: Path, urls: Sequence[str]) -> None:
    """Tell moonfire-nvr (schema 7) of a sample directory and cameras, as its configuration screen would."""
    directory = uuid.uuid4().bytes
    with closing(sqlite3.connect(database)) as connection, connection:
        (box,) = connection.execute("select uuid from meta").fetchone()
        connection.execute(
            "insert into sample_file_dir (id, uuid, config) values (1, ?, ?)",
            (directory, json.dumps({"path": str(samples)})),
        )
        for number, url in enumerate(urls, 1):
            connection.execute(
                "insert into camera (id, uuid, short_name, config) values (?, ?, ?, '{}')",
                (number, uuid.uuid4().bytes, f"cam-{number}"),
            )
            told = {
                "mode": "record",
                "url": url,
                "rtspTransport": "tcp",
                "retainBytes": RETAIN_BYTES,
                "flushIfSec": FLUSH_S,
            }
            connection.execute(
                "insert into stream (camera_id, sample_file_dir_id, type, config, cum_recordings, "
                "cum_media_duration_90k, cum_runs) values (?, 1, 'main', ?, 0, 0, 0)",
                (number, json.dumps(told)),
            )
    (samples / "meta").write_bytes(directory_meta(box, directory))


def directory_meta(box: bytes, directory: bytes) -> bytes:
    """Who a sample directory belongs to, never opened so far: a protobuf message behind its length, padded."""
    message = b"\x0a\x10" + box + b"\x12\x10" + directory
    return (bytes([len(message)]) + message).ljust(META_BYTES, b"\0")
