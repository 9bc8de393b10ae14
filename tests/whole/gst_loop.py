"""GStreamer's server with a file that is played again and again: all its pictures come under one time stamp.

Run by the system's Python, as gst_camera.py is. Usage: gst_loop.py FILE FPS ADDRESS, where FILE is H.264 with start
codes. Prints the port when it listens. `multifilesrc loop=true` gives no time stamps; `identity` only slows it down.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after the versions are chosen

Gst.init(None)


def main(path, fps, address):
    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( multifilesrc location={path} loop=true ! h264parse config-interval=-1 "
        "! video/x-h264,stream-format=byte-stream,alignment=au "
        f"! identity sleep-time={1_000_000 // int(fps)} ! rtph264pay name=pay0 pt=96 )"
    )
    server.get_mount_points().add_factory("/main", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
