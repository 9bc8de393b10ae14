"""A recorder of the plainest kind: PyAV, a thread a camera, one process. One of those that are measured.

    python -m bench.pyav_threads FOLDER SEGMENT_S SILENCE_US URL …

Each thread demuxes its camera over TCP and muxes what comes into fragmented MP4 files, a new one at the first key
frame past SEGMENT_S. It hashes nothing, logs nothing, syncs nothing, and when a camera sends nothing for
SILENCE_US, its thread closes its file and ends; the program ends with its last thread.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Semaphore

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

OPENING_AT_ONCE = 20
"""Finding out what a stream is costs far more than recording it: three hundred together time out together."""

_OPENING = Semaphore(OPENING_AT_ONCE)
_OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def record(url: str, folder: Path, segment_s: float, silence_us: str) -> None:
    """One camera, to its end."""
    folder.mkdir(parents=True)
    # The socket's own time-out: av.open(timeout=…) would call back into Python at every poll.
    container = _connected(url, {"rtsp_transport": "tcp", "timeout": silence_us})
    with container:
        _mux(container, folder, segment_s)


def _connected(url: str, options: dict[str, str]) -> InputContainer:
    """Tried again and again: while hundreds begin, one may have to wait longer than its time-out."""
    while True:
        try:
            with _OPENING:
                container = av.open(url, options=options)
        except av.error.FFmpegError:
            continue
        assert isinstance(container, InputContainer)
        return container


def _mux(container: InputContainer, folder: Path, segment_s: float) -> None:
    video = container.streams.video[0]
    assert video.time_base is not None
    begun_s, file, written = 0.0, None, None
    for packet in _until_silence(container, video):
        if packet.dts is None:  # libavformat counts from the first frame, and gives that one no time
            packet.dts = packet.pts = 0
        now_s = float(packet.dts * video.time_base)
        if packet.is_keyframe and (file is None or now_s - begun_s >= segment_s):
            if file is not None:
                file.close()
            file, written = _opened(folder / f"{packet.dts}.mp4", video)
            begun_s = now_s
        if file is not None and written is not None:
            packet.stream = written
            file.mux_one(packet)
    if file is not None:
        file.close()


def _until_silence(container: InputContainer, video: VideoStream) -> Iterator[Packet[VideoStream]]:
    try:
        for packet in container.demux(video):
            if packet.size:  # the last one only says that no more will come
                yield packet
    except av.error.FFmpegError:
        return


def _opened(path: Path, video: VideoStream) -> tuple[OutputContainer, VideoStream]:
    file = av.open(str(path), "w", format="mp4", options=_OPTIONS)
    assert isinstance(file, OutputContainer)
    return file, file.add_stream_from_template(video)


def main(arguments: Sequence[str]) -> None:
    """Record until all cameras are silent; without cameras, until the end of the input."""
    folder, segment_s, silence_us, *urls = arguments
    threads = [
        threading.Thread(target=record, args=(url, Path(folder, str(number)), float(segment_s), silence_us))
        for number, url in enumerate(urls)
    ]
    for one in threads:
        one.start()
    if not threads:
        sys.stdin.read()
    for one in threads:
        one.join()


if __name__ == "__main__":
    main(sys.argv[1:])
