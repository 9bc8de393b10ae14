"""A camera that sends JPEG pictures as one endless answer of HTTP (`multipart/x-mixed-replace`), as web cameras do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from tests.fakes.serving import Quiet, answering


@contextlib.contextmanager
def http_camera(
    pictures: Sequence[bytes], *, hangs: bool = False, status: int = 200, dribbles: bool = False
) -> Iterator[str]:
    """The URL of one that sends these, as fast as they are read, and then hangs up, or says nothing more.

    `status`: what it answers; it sends nothing behind any but 200. `dribbles`: a little each 0.1 s, for ever.
    """
    over = threading.Event()

    class Answer(Quiet):
        def do_GET(self) -> None:
            self.send_response(status)
            if status != 200:
                self.end_headers()
                return
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            while dribbles and not over.wait(0.1):
                self.wfile.write(b"X-More: later\r\n")
            self.end_headers()
            for one in pictures:
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(one)}\r\n\r\n"
                self.wfile.write(head.encode() + one + b"\r\n")
            if hangs:
                over.wait(60)

    with answering(Answer, over) as url:
        yield f"{url}/a.mjpg"
