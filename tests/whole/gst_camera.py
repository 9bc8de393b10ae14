"""A camera that this project did not write: GStreamer's RTSP server, showing a film frame by frame.

Run by the system's Python (`/usr/bin/python3`, Debian's python3-gi), not by the project's: it shares no line of code
with what it tests. Usage: gst_camera.py FILM KIND FPS USER PASSWORD ADDRESS GROUP [CERTIFICATE]. Prints the port when
it listens at that address; with a certificate (and key, PEM) it does so over TLS. Each of `PATHS` shows the film once,
to the first who asks; GROUP (239.77.N.0) is where multicast may go.

A film is a row of access units, each as: length (4 bytes, big-endian), bytes. Its KIND is h264, h265, jpeg, or jpegenc:
JPEG pictures that GStreamer decodes, and encodes anew in its own way. Behind a `+` may follow one of `SOUNDS`: with the
picture of each whole second comes a tick.
"""

import sys

import gi

UNITS = "stream-format=byte-stream,alignment=au,framerate={fps}/1"
CHAINS = {
    "h264": f"video/x-h264,{UNITS} ! rtph264pay aggregate-mode={{together}}",
    "h265": f"video/x-h265,{UNITS} ! rtph265pay aggregate-mode={{together}}",
    "jpeg": "image/jpeg,framerate={fps}/1 ! jpegparse ! rtpjpegpay",
    "jpegenc": "image/jpeg,framerate={fps}/1 ! jpegdec ! jpegenc ! rtpjpegpay",
}
"""What the source's pictures are, and what is done with them."""

TICKS = "audiotestsrc is-live=true wave=ticks freq=1000 samplesperbuffer=160 ! audio/x-raw,rate={rate},channels=1"
SOUNDS = {
    "": "",
    "aac": f"{TICKS.format(rate=16000)} ! voaacenc ! rtpmp4gpay name=pay1 pt=97",
    "alaw": f"{TICKS.format(rate=8000)} ! alawenc ! rtppcmapay name=pay1 pt=8",
    "mulaw": f"{TICKS.format(rate=8000)} ! mulawenc ! rtppcmupay name=pay1 pt=0",
    "opus": f"{TICKS.format(rate=48000)} ! opusenc ! rtpopuspay name=pay1 pt=97",
}

PATHS = {"/tcp": "zero-latency", "/udp": "none", "/multicast": "zero-latency", "/tls": "none", "/libav": "none"}
"""With how the units of a picture travel: together where they fit into a packet (STAP-A, AP), or each by itself."""

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - after the versions are chosen

Gst.init(None)


def read_film(path):
    data, at, units = open(path, "rb").read(), 0, []  # noqa: PTH123, SIM115 - the system's Python, read once
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


class Film(GstRtspServer.RTSPMediaFactory):
    """Plays the film to the first who asks; later ones see nothing, so that no frame is ever sent twice."""

    def __init__(self, units, codec, fps, together):
        super().__init__()
        self.units, self.fps, self.together, self.shown = units, fps, together, False
        self.codec, _, self.sound = codec.partition("+")

    def do_create_element(self, url):
        chain = CHAINS[self.codec].format(fps=self.fps, together=self.together)
        sound = SOUNDS[self.sound]
        return Gst.parse_launch(f"( appsrc name=film is-live=true format=time caps={chain} name=pay0 pt=96 {sound} )")

    def do_configure(self, media):
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)  # what the factory was told: multicast groups
        self.at = 0
        if not self.shown:
            media.get_element().get_child_by_name("film").connect("need-data", self.need_data)
        self.shown = True

    def need_data(self, source, length):
        if self.at >= len(self.units):
            source.emit("end-of-stream")
            return
        step = Gst.SECOND // self.fps
        buffer = Gst.Buffer.new_wrapped(self.units[self.at])
        buffer.pts = buffer.dts = self.at * step
        buffer.duration = step
        self.at += 1
        source.emit("push-buffer", buffer)


def main(path, codec, fps, user, password, address, group, certificate=None):
    server = GstRtspServer.RTSPServer()
    server.set_address(address)
    server.set_service("0")
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    if certificate is not None:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(user, "media.factory.access", True)
    permissions.add_permission_for_role(user, "media.factory.construct", True)
    groups = GstRtspServer.RTSPAddressPool()
    groups.add_range(group[:-1] + "1", group[:-1] + "9", 5000, 5017, 1)
    units = read_film(path)
    for mount, together in PATHS.items():
        film = Film(units, codec, int(fps), together)
        film.set_permissions(permissions)
        film.set_address_pool(groups)
        server.get_mount_points().add_factory(mount, film)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
