"""What is said to an ONVIF device and what it answers (ONVIF Core Specification; WS-Security UsernameToken 1.1). Pure.

A signed request carries the time it was made (`Created`), and a device refuses one that is more than some seconds from
its own clock. So the order is: ask the time, which ONVIF lets everybody do without credentials; then sign by that time.

Answers come from whoever listens there: a document with a declaration of its own is refused before it is parsed (it
could define entities that unfold to gigabytes), sizes are bounded, and nothing is raised but a `SourceError`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from pydantic import SecretStr

from config.times import HOUR_US, MINUTE_US, SECOND_US, from_datetime, to_datetime
from recorder.errors import SourceFault, SourceInvalid, SourceNotFound, SourceRedirected, SourceRefusedUs

MESSAGE_LIMIT_BYTES = 64 * 1024
"""An answer; both that are asked for have one to two kilobytes."""

TEXT_LIMIT_CHARACTERS = 200
"""A name in an answer, as it is shown."""

HALF_SECOND_US = SECOND_US // 2
"""ONVIF tells whole seconds: half a second is lost on average."""

FIRST_YEAR, LAST_YEAR = 1970, 2999
"""What a clock can show: cameras without a battery begin at 1970, and arithmetic on times needs an end."""

ZONE_LIMIT_HOURS = 24
"""POSIX (IEEE 1003.1, 8.3) allows no more in a time zone."""

CONTENT_TYPE = "application/soap+xml; charset=utf-8"

_NO_TIME = "The camera gave a time over ONVIF that cannot be: set its clock."
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">{header}'
    '<s:Body><{name} xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_SECURITY = (
    '<s:Header><o:Security s:mustUnderstand="1" xmlns:o="{wss}wssecurity-secext-1.0.xsd"><o:UsernameToken>'
    "<o:Username>{username}</o:Username>"
    '<o:Password Type="{wss}username-token-profile-1.0#PasswordDigest">{digest}</o:Password>'
    '<o:Nonce EncodingType="{wss}soap-message-security-1.0#Base64Binary">{nonce}</o:Nonce>'
    '<u:Created xmlns:u="{wss}wssecurity-utility-1.0.xsd">{created}</u:Created>'
    "</o:UsernameToken></o:Security></s:Header>"
)

_REFUSALS = frozenset(
    {"NotAuthorized", "FailedAuthentication", "FailedCheck", "InvalidSecurity", "InvalidSecurityToken"}
)
"""Names of faults that are about who asks: ONVIF's own, and those of WS-Security (SOAP Message Security 1.1, 12)."""

_NAME = r"(?:<[^<>]{1,16}>|[A-Za-z]{3,16})"
_OFFSET = r"([+-]?)(\d{1,2})(?::(\d\d))?(?::\d\d)?"
_ZONE = re.compile(rf"\s*{_NAME}{_OFFSET}({_NAME}(?:{_OFFSET})?)?")


@dataclass(frozen=True)
class DeviceTime:
    """What a device says the time is."""

    said_us: int
    """UTC as it says."""
    corrected_us: int | None = None
    """UTC, should what it gave as UTC be local time: it gave the same for both, in a zone where they differ."""

    def utc_us(self, ours_us: int) -> int:
        """Which it means: of the two the one nearer to our clock, for a device may as well give UTC as local time."""
        if self.corrected_us is None or abs(self.said_us - ours_us) <= abs(self.corrected_us - ours_us):
            return self.said_us
        return self.corrected_us


@dataclass(frozen=True)
class DeviceInformation:
    """What a device says it is."""

    manufacturer: str | None
    model: str | None
    firmware: str | None
    serial: str | None


def time_request() -> bytes:
    """GetSystemDateAndTime (ONVIF Core, "Get system date and time"): without credentials, which some refuse here."""
    return _ENVELOPE.format(header="", name="GetSystemDateAndTime").encode()


def information_request(header: str = "") -> bytes:
    """GetDeviceInformation, behind `security_header` or nothing."""
    return _ENVELOPE.format(header=header, name="GetDeviceInformation").encode()


def security_header(username: str, password: SecretStr, nonce: bytes, created_us: int) -> str:
    """The UsernameToken of a request made at that time, by the clock of the device."""
    created = f"{to_datetime(created_us):%Y-%m-%dT%H:%M:%SZ}"
    return _SECURITY.format(
        wss=_WSS,
        username=escape(username),
        digest=password_digest(nonce, created, password),
        nonce=base64.b64encode(nonce).decode(),
        created=created,
    )


def password_digest(nonce: bytes, created: str, password: SecretStr) -> str:
    """Base64(SHA-1(nonce + created + password)) (UsernameToken Profile 1.1, 3.1)."""
    text = nonce + created.encode() + password.get_secret_value().encode()
    return base64.b64encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode()  # what the standard asks for


def opened(status: int, data: bytes) -> ET.Element:
    """The answer's document, if it is one and no fault.

    Raises:
        SourceError: refused, not found, redirected, a fault of the device's, or no SOAP.
    """
    _refuse_status(status)
    try:
        document = _parsed(data)
    except SourceInvalid:
        if status >= 400:
            raise SourceFault(f"The camera answered an ONVIF request with HTTP status {status}.") from None
        raise
    fault = document.find(".//{*}Fault")
    if fault is not None:
        _raise_fault(fault)
    if status >= 400:
        raise SourceFault(f"The camera answered an ONVIF request with HTTP status {status}.")
    return document


def device_time(document: ET.Element) -> DeviceTime:
    """The answer to `time_request`.

    Raises:
        SourceInvalid: it gives no time, or none that could be.
    """
    answer = document.find(".//{*}SystemDateAndTime")
    if answer is None:
        raise SourceInvalid("The camera answered the question for its time with something else: is that its ONVIF URL?")
    utc_us, local_us = (_instant(answer.find("{*}" + name)) for name in ("UTCDateTime", "LocalDateTime"))
    standard_us, now_us = _zone_us(answer)
    if utc_us is not None:
        # A zone that is off UTC only in summer proves nothing: many say "daylight saving" all year.
        is_suspect = utc_us == local_us and standard_us
        return DeviceTime(utc_us, utc_us - now_us if is_suspect and now_us is not None else None)
    if local_us is not None and now_us is not None:
        return DeviceTime(local_us - now_us)
    raise SourceInvalid("The camera does not say over ONVIF what time it has: set its clock, and its time zone.")


def device_information(document: ET.Element) -> DeviceInformation:
    """The answer to `information_request`.

    Raises:
        SourceInvalid: it is something else.
    """
    answer = document.find(".//{*}GetDeviceInformationResponse")
    if answer is None:
        raise SourceInvalid("The camera answered the question what it is with something else: is that its ONVIF URL?")
    manufacturer, model, firmware, serial = (
        _text(answer.find("{*}" + name)) for name in ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
    )
    return DeviceInformation(manufacturer, model, firmware, serial)


def _refuse_status(status: int) -> None:
    if status in (401, 403):
        raise SourceRefusedUs
    if status in (404, 405):
        raise SourceNotFound(
            "That address answers, but has no ONVIF service at that path: it is mostly /onvif/device_service."
        )
    if 300 <= status < 400:
        raise SourceRedirected(
            "The camera sends an ONVIF request to another address, which is not followed: give that address."
        )


def _parsed(data: bytes) -> ET.Element:
    """Read as UTF-8 whatever the document says, so that nothing hides from the search for declarations."""
    text = data.decode("utf-8-sig", "replace")
    if len(data) > MESSAGE_LIMIT_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceInvalid("What answers there sent a document that no ONVIF device sends, and it was not read.")
    try:
        return ET.fromstring(text)  # noqa: S314 - without declarations there are no entities to unfold
    except ET.ParseError as err:
        raise SourceInvalid("What answers at that address does not speak ONVIF: check the port and the path.") from err


def _raise_fault(fault: ET.Element) -> None:
    if _REFUSALS.intersection(_codes(fault)):
        raise SourceRefusedUs
    reason = _text(fault.find(".//{*}Text")) or _text(fault.find("{*}faultstring")) or "no reason given"
    raise SourceFault(f"The camera answered an ONVIF request with an error of its own: {reason}")


def _codes(fault: ET.Element) -> Iterator[str]:
    """Names of the fault and its kinds, without their prefixes (SOAP 1.2, 5.4.1; 1.1 has `faultcode`)."""
    for tag in ("Value", "faultcode"):
        for one in fault.findall(".//{*}" + tag):
            yield (one.text or "").rpartition(":")[2].strip()


def _instant(at: ET.Element | None) -> int | None:
    """A tt:DateTime; None where there is none, or an empty one."""
    if at is None or at.find(".//{*}Year") is None:
        return None
    year, month, day, hour, minute, second = (
        _number(at.find(".//{*}" + name)) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")
    )
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise SourceInvalid(_NO_TIME)
    try:
        # 60 and 61 are allowed for leap seconds, which no datetime knows.
        return from_datetime(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC))
    except ValueError:
        raise SourceInvalid(_NO_TIME) from None


def _number(at: ET.Element | None) -> int:
    text = "" if at is None else (at.text or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else -1


def _zone_us(answer: ET.Element) -> tuple[int | None, int | None]:
    """How far the zone is ahead of UTC, by its standard time and now; None: it is not said in POSIX form.

    POSIX counts westwards, so China is `CST-8`. Whether summer time is on, the answer says itself.
    """
    found = _ZONE.match(answer.findtext(".//{*}TZ") or "")
    if found is None:
        return None, None
    standard_us = _ahead_us(found[1], found[2], found[3])
    is_summer = (answer.findtext("{*}DaylightSavings") or "").strip() in ("true", "1")
    if standard_us is None or not (is_summer and found[4]):
        return standard_us, standard_us
    if found[6] is None:
        return standard_us, standard_us + HOUR_US
    return standard_us, _ahead_us(found[5], found[6], found[7])


def _ahead_us(sign: str, hours: str, minutes: str | None) -> int | None:
    if int(hours) > ZONE_LIMIT_HOURS:
        return None
    west_us = int(hours) * HOUR_US + int(minutes or 0) * MINUTE_US
    return west_us if sign == "-" else -west_us


def _text(at: ET.Element | None) -> str | None:
    """What can be shown of it on a line; None for nothing."""
    text = " ".join(("" if at is None else at.text or "").split())
    return "".join(one for one in text[:TEXT_LIMIT_CHARACTERS] if one.isprintable()) or None
