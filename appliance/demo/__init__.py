"""The demonstration camera: a small RTSP server with a moving picture, so that a new box has something to record.

It is a camera like any other to the rest of the box, reached over the network by its URL. It listens on the loopback
interface only. Left to others: recording it (`recorder.capture`), and deciding when it runs (`appliance.wiring`).
"""

from appliance.demo.film import ClockFilm, Film, Frame
from appliance.demo.server import DemoServer

__all__ = ["ClockFilm", "DemoServer", "Film", "Frame"]
