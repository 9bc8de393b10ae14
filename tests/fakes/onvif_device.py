"""An ONVIF device on loopback that checks what it is asked as a real one does: by its own clock.

A test overrides what its device does differently; what reaches it is kept in `asked`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from config.clock import Clock
from config.times import SECOND_US, to_datetime
from tests.fakes.serving import Quiet, answering

PATH = "/onvif/device_service"
USERNAME, PASSWORD = "ann", "planted-word"
WINDOW_S = 5
REALM, NONCE = "onvif", "a-nonce"

ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema" '
    'xmlns:ter="http://www.onvif.org/ver10/error"><s:Body>{}</s:Body></s:Envelope>'
)
NOT_AUTHORIZED = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en">Sender not authorized</s:Text></s:Reason></s:Fault>'
)


@dataclass(frozen=True)
class Reply:
    """What goes out, as it is."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    is_endless: bool = False
    """Whether the body is sent again and again, as long as anybody reads."""


def envelope(inner: str) -> bytes:
    return ENVELOPE.format(inner).encode()


def moment(name: str, at: datetime) -> str:
    """A tt:DateTime."""
    return (
        f"<tt:{name}><tt:Time><tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute>"
        f"<tt:Second>{at.second}</tt:Second></tt:Time><tt:Date><tt:Year>{at.year}</tt:Year>"
        f"<tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date></tt:{name}>"
    )


def time_answer(utc: datetime | None, local: datetime | None, zone: str = "CST-8", summer: str = "false") -> bytes:
    """GetSystemDateAndTimeResponse."""
    return envelope(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
        f"<tt:DaylightSavings>{summer}</tt:DaylightSavings><tt:TimeZone><tt:TZ>{zone}</tt:TZ></tt:TimeZone>"
        f"{moment('UTCDateTime', utc) if utc else ''}{moment('LocalDateTime', local) if local else ''}"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def information_answer() -> bytes:
    return envelope(
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>Example</tds:Manufacturer><tds:Model>E-1</tds:Model>"
        "<tds:FirmwareVersion>1.2.3</tds:FirmwareVersion><tds:SerialNumber>S42</tds:SerialNumber>"
        "<tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>"
    )


class OnvifDevice:
    """A device of UTC+8 whose clock is `skew_s` ahead."""

    def __init__(self, clock: Clock, skew_s: int = 0) -> None:
        self.clock = clock
        self.skew_s = skew_s
        self.asked: list[tuple[str, str]] = []
        """Name and body of every request."""

    def now(self) -> datetime:
        """UTC, by its clock."""
        return to_datetime(self.clock.read().utc_us + self.skew_s * SECOND_US)

    def answer(self, body: str, authorization: str) -> Reply:
        """To one request."""
        if "GetSystemDateAndTime" in body:
            self.asked.append(("time", body))
            return self.time() if "Security" not in body and not authorization else self.refusal()
        self.asked.append(("information", body))
        return Reply(200, information_answer()) if self.lets_in(body, authorization) else self.refusal()

    def time(self) -> Reply:
        return Reply(200, time_answer(self.now(), self.now() + timedelta(hours=8)))

    def refusal(self) -> Reply:
        return Reply(400, envelope(NOT_AUTHORIZED))

    def lets_in(self, body: str, authorization: str) -> bool:
        """Whether the token is right, and made within its window."""
        created = datetime.strptime(_between(body, "Created"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs((self.checked_by() - created).total_seconds()) > WINDOW_S:
            return False
        text = base64.b64decode(_between(body, "Nonce")) + _between(body, "Created").encode() + PASSWORD.encode()
        wanted = base64.b64encode(hashlib.sha1(text).digest()).decode()
        return (_between(body, "Username"), _between(body, "Password")) == (USERNAME, wanted)

    def checked_by(self) -> datetime:
        """The clock that tokens are held against."""
        return self.now()


class HttpDigestDevice(OnvifDevice):
    """Knows no UsernameToken, but HTTP digest (RFC 7616)."""

    def refusal(self) -> Reply:
        return Reply(401, b"", (("WWW-Authenticate", f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"'),))

    def lets_in(self, body: str, authorization: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', authorization))
        key, asked = _md5(f"{USERNAME}:{REALM}:{PASSWORD}"), _md5(f"POST:{PATH}")
        middle = f"{NONCE}:{given.get('nc')}:{given.get('cnonce')}:auth"
        return given.get("response") == _md5(f"{key}:{middle}:{asked}")


@contextlib.contextmanager
def served(device: OnvifDevice) -> Iterator[str]:
    """The device's URL, as long as it stands there."""

    class Handler(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            reply = device.answer(body, self.headers.get("Authorization", ""))
            # Who asked may have gone away in the middle of it.
            with contextlib.suppress(ConnectionError):
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                while reply.is_endless:
                    self.wfile.write(reply.body)

    with answering(Handler) as url:
        yield f"{url}{PATH}"


def _between(body: str, name: str) -> str:
    found = re.search(rf"<\w+:{name}\b[^>]*>([^<]*)<", body)
    return found[1] if found else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
