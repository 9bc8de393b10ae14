"""What a camera tells over ONVIF, asked of a device on a real socket that checks by its own clock."""

from __future__ import annotations

import socket
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.times import HOUR_US, MINUTE_US, SECOND_US
from recorder.capture import soap
from recorder.capture.onvif import OnvifFacts, look
from recorder.errors import (
    SourceError,
    SourceFault,
    SourceInvalid,
    SourceNotFound,
    SourceRedirected,
    SourceRefusedUs,
    SourceUnreachable,
)
from tests.fakes.clock import FakeClock
from tests.fakes.onvif_device import (
    PASSWORD,
    USERNAME,
    HttpDigestDevice,
    OnvifDevice,
    Reply,
    envelope,
    served,
    time_answer,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = soap.from_datetime(NOON)
HALF_US = SECOND_US // 2
WRONG = "wrong-word"


def asked(device: OnvifDevice, username: str | None = USERNAME, password: str = PASSWORD) -> OnvifFacts:
    with served(device) as url:
        return look(url, username, SecretStr(password), device.clock)


@pytest.mark.parametrize("skew_s", [0, 3600, -3600])
def test_quirk_18_clock_an_hour_off(skew_s: int) -> None:
    """The time is asked first and without credentials, the rest signed by the camera's time, and the offset told."""
    device = OnvifDevice(FakeClock(), skew_s)
    facts = asked(device)

    assert [name for name, _ in device.asked] == ["time", "information"]
    assert "Security" not in device.asked[0][1]
    assert PASSWORD not in device.asked[1][1]
    assert facts == OnvifFacts(skew_s * SECOND_US + HALF_US, False, "Example", "E-1", "1.2.3", "S42")


def test_quirk_18_signed_by_our_clock_instead() -> None:
    """The device does refuse what is signed by a clock an hour off its own, with the right password."""
    device = OnvifDevice(FakeClock(), 3600)
    ours_us = device.clock.read().utc_us
    header = soap.security_header(USERNAME, SecretStr(PASSWORD), b"nonce", ours_us)
    assert device.answer(soap.information_request(header).decode(), "").status == 400
    ahead = soap.security_header(USERNAME, SecretStr(PASSWORD), b"nonce", ours_us + HOUR_US)
    assert device.answer(soap.information_request(ahead).decode(), "").status == 200
    assert device.answer(soap.time_request().decode(), "Digest x").status == 400


class LocalAsUtc(OnvifDevice):
    """Gives local time as UTC, and checks by true UTC or by what it gave."""

    def __init__(self, checks_local: bool, skew_s: int = 0) -> None:
        super().__init__(FakeClock(), skew_s)
        self.checks_local = checks_local

    def local(self) -> datetime:
        return self.now() + timedelta(hours=8)

    def time(self) -> Reply:
        return Reply(200, time_answer(self.local(), self.local()))

    def checked_by(self) -> datetime:
        return self.local() if self.checks_local else self.now()


@pytest.mark.parametrize("checks_local", [False, True])
@pytest.mark.parametrize("skew_s", [0, 90])
def test_local_time_as_utc(checks_local: bool, skew_s: int) -> None:
    """It is told, the offset is that of the time meant, and a login succeeds whichever of the two is checked."""
    facts = asked(LocalAsUtc(checks_local, skew_s))
    assert (facts.clock_offset_us, facts.local_as_utc) == (skew_s * SECOND_US + HALF_US, True)
    assert facts.model == "E-1"


def test_utc_as_local_time() -> None:
    """A device that gives UTC for both is right about UTC: what agrees with our clock is not corrected."""
    device = OnvifDevice(FakeClock())
    device.time = lambda: Reply(200, time_answer(device.now(), device.now()))  # type: ignore[method-assign]
    assert asked(device, None) == OnvifFacts(HALF_US, False)


def test_no_user_name() -> None:
    """The clock is all that is asked for."""
    device = OnvifDevice(FakeClock(), 60)
    assert asked(device, None) == OnvifFacts(60 * SECOND_US + HALF_US, False)
    assert [name for name, _ in device.asked] == ["time"]


@pytest.mark.parametrize(
    ("device", "attempts"),
    [(OnvifDevice(FakeClock()), 1), (HttpDigestDevice(FakeClock()), 2), (LocalAsUtc(True), 2)],
)
def test_password_is_wrong(device: OnvifDevice, attempts: int) -> None:
    """At most two attempts, so that no account is locked; the sentence and its causes do not hold the password."""
    with pytest.raises(SourceRefusedUs, match="signed by its own clock") as caught:
        asked(device, password=WRONG)
    assert [name for name, _ in device.asked] == ["time"] + ["information"] * attempts
    assert WRONG not in "".join(traceback.format_exception(caught.value))


def test_device_wants_http_digest() -> None:
    """A device without UsernameToken is asked again by HTTP digest."""
    assert asked(HttpDigestDevice(FakeClock(), 3600)).serial == "S42"


class Saying(OnvifDevice):
    """Says this to whatever it is asked."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(FakeClock())
        self.reply = reply

    def answer(self, body: str, authorization: str) -> Reply:
        return self.reply


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
FAULT = envelope("<s:Fault><s:Reason><s:Text>Out of\n\u009bmemory</s:Text></s:Reason></s:Fault>")


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(200, b"hello"), SourceInvalid, "does not speak ONVIF"),
        (Reply(200, b"<html/>"), SourceInvalid, "something else"),
        (Reply(200, time_answer(NOON, None)[:-9]), SourceInvalid, "does not speak ONVIF"),
        (Reply(200, time_answer(None, None)), SourceInvalid, "does not say"),
        (Reply(200, time_answer(None, NOON, "Mars/Olympus")), SourceInvalid, "does not say"),
        (Reply(200, time_answer(NOON.replace(year=1969), None)), SourceInvalid, "cannot be"),
        (Reply(200, time_answer(NOON, None).replace(b"Day>1<", b"Day>32<")), SourceInvalid, "cannot be"),
        (Reply(200, time_answer(NOON, None), (("Content-Encoding", "gzip"),)), None, ""),
        (Reply(200, BOMB), SourceInvalid, "was not read"),
        (Reply(200, BOMB.decode().encode("utf-16")), SourceInvalid, "does not speak ONVIF"),
        (Reply(200, bytes(10_000), is_endless=True), SourceInvalid, "more than any"),
        (Reply(401, b""), SourceRefusedUs, "refused"),
        (Reply(404, b""), SourceNotFound, "/onvif/device_service"),
        (Reply(302, b"", (("Location", "http://192.0.2.1/"),)), SourceRedirected, "not followed"),
        (Reply(503, b"busy"), SourceFault, "503"),
        (Reply(500, b"<x/>"), SourceFault, "500"),
        (Reply(500, FAULT), SourceFault, "Out of memory$"),
    ],
)  # fmt: skip
def test_device_answers_what_it_should_not(reply: Reply, kind: type[SourceError] | None, words: str) -> None:
    """Each is an error of its kind with a sentence; a wrong label on a right answer is none."""
    if kind is None:
        asked(Saying(reply), None)
        return
    with pytest.raises(SourceError, match=words) as caught:
        asked(Saying(reply), None)
    assert type(caught.value) is kind


def test_nobody_answers() -> None:
    """Nothing listens, or who listens says nothing: both end in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SourceUnreachable, match="in time"):
            look(f"http://127.0.0.1:{port}/", None, None, FakeClock(), patience_s=0.2)
    with pytest.raises(SourceUnreachable, match="No ONVIF service"):
        look(f"http://127.0.0.1:{port}/", None, None, FakeClock())


@pytest.mark.parametrize(
    "url", ["", "192.0.2.1", "rtsp://192.0.2.1/", "http:///x", "http://ann:hidden-word@127.0.0.1/", "http://[::1/", "http://127.0.0.1:x/"]
)  # fmt: skip
def test_address_is_none(url: str) -> None:
    """What is no address, or carries a password, is refused without being repeated or asked."""
    with pytest.raises(SourceInvalid, match="not the URL of an ONVIF service") as caught:
        look(url, None, None, FakeClock())
    assert "hidden-word" not in str(caught.value)


def test_digest_of_the_programmers_guide() -> None:
    """The example of the ONVIF Application Programmer's Guide."""
    nonce = soap.base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    digest = soap.password_digest(nonce, "2010-09-16T07:50:45Z", SecretStr("userpassword"))
    assert digest == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_user_name_has_signs_of_xml() -> None:
    """It stays a name: nothing in it becomes part of the document."""
    header = soap.security_header("<&>", SecretStr(""), b"n", 0)
    request = soap.ET.fromstring(soap.information_request(header))
    assert request.findtext(".//{*}Username") == "<&>"


@pytest.mark.parametrize(
    ("zone", "summer", "ahead_us"),
    [
        ("CST-8", "false", 8 * HOUR_US),
        ("CST-8:00:00", "false", 8 * HOUR_US),
        ("&lt;+0530&gt;-5:30", "false", 5 * HOUR_US + 30 * MINUTE_US),
        ("EST5EDT,M3.2.0,M11.1.0", "false", -5 * HOUR_US),
        ("EST5EDT,M3.2.0,M11.1.0", "true", -4 * HOUR_US),
        ("LHST-10:30LHDT-11,M10.1.0,M4.1.0", "1", 11 * HOUR_US),
        ("CST-8", "true", 8 * HOUR_US),
        ("UTC0", "false", 0),
    ],
)
def test_only_local_time_is_given(zone: str, summer: str, ahead_us: int) -> None:
    """The zone, in POSIX form, makes UTC of it."""
    found = soap.device_time(soap.opened(200, time_answer(None, NOON, zone, summer)))
    assert found == soap.DeviceTime(NOON_US - ahead_us)


@pytest.mark.parametrize(
    ("zone", "summer", "corrected_us"),
    [
        ("CST-8", "false", NOON_US - 8 * HOUR_US),
        ("GMT0BST,M3.5.0,M10.5.0", "true", None),
        ("UTC0", "false", None),
        ("XYZ99", "false", None),
        ("", "false", None),
    ],
)
def test_utc_and_local_time_are_the_same(zone: str, summer: str, corrected_us: int | None) -> None:
    """It is suspect only where the zone is off UTC all year."""
    found = soap.device_time(soap.opened(200, time_answer(NOON, NOON, zone, summer)))
    assert found == soap.DeviceTime(NOON_US, corrected_us)


def test_leap_second() -> None:
    """A second of 60 is a time."""
    at = time_answer(NOON, None).replace(b"Second>0<", b"Second>60<")
    assert soap.device_time(soap.opened(200, at)).said_us == NOON_US + 59 * SECOND_US


@given(st.integers(100, 599), st.binary() | st.text().map(envelope))
def test_answer_is_any_bytes(status: int, data: bytes) -> None:
    """Nothing is raised but what is declared."""
    try:
        document = soap.opened(status, data)
        for read in (soap.device_time, soap.device_information):
            with pytest.raises(SourceInvalid):
                read(document)
    except SourceError:
        return


@given(
    st.text(), st.text(alphabet="0123456789-"), st.sampled_from(["Year", "Month", "Day", "Hour", "Minute", "Second"])
)
def test_time_is_any_text(zone: str, value: str, name: str) -> None:
    """Any zone and any number give a time that can be signed with, or the declared error."""
    safe = soap.escape(zone.encode("ascii", "xmlcharrefreplace").decode())
    data = soap.re.sub(rf"{name}>\d+<", f"{name}>{value}<", time_answer(NOON, NOON, safe).decode())
    try:
        found = soap.device_time(soap.opened(200, data.encode()))
    except SourceInvalid:
        return
    for at_us in (found.said_us, found.corrected_us or 0):
        soap.security_header("", SecretStr(""), b"", at_us)
