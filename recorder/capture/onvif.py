"""What a camera tells of itself over ONVIF: first its clock, then, signed by that clock, what it is.

A device refuses a request signed some seconds off its own clock as if the password were wrong. Signed by its own clock
the password is what was refused, and how far the clock is off is a fact that can be told.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import NamedTuple, NoReturn
from xml.etree.ElementTree import Element

import httpx
from pydantic import SecretStr

from config.clock import Clock, Reading
from recorder.capture import soap
from recorder.capture.rtsp.digest import Authenticator, Outcome
from recorder.errors import (
    SourceCertificate,
    SourceError,
    SourceInvalid,
    SourceRefusedUs,
    SourceUnreachable,
)

PATIENCE_S = 15.0
"""For everything, at most three questions: small cameras take a second or two for each."""

NONCE_BYTES = 16
"""As in the standard's examples; some devices have no room for more."""

_NO_ADDRESS = (
    "That is not the URL of an ONVIF service, such as http://192.0.2.10/onvif/device_service, without user name or "
    "password."
)
_REFUSED = (
    "The camera refused the user name or password over ONVIF, though signed by its own clock: check both; many cameras "
    "keep ONVIF users in a list of their own."
)


@dataclass(frozen=True)
class OnvifFacts:
    """What a camera told; names are None where it did not, or no user name was given to ask with."""

    clock_offset_us: int
    """How far the camera's clock is ahead of ours, to about a second."""
    local_as_utc: bool
    """Whether it gives local time as UTC; the offset is then that of the time it means."""
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None


class _Answer(NamedTuple):
    status: int
    challenges: list[str]
    data: bytes


def look(
    url: str, username: str | None, password: SecretStr | None, clock: Clock, *, patience_s: float = PATIENCE_S
) -> OnvifFacts:
    """Ask the device at that URL; blocks, at most `patience_s`.

    Raises:
        SourceError: one of its kinds.
    """
    try:
        device = _Device(httpx.URL(url), username, password or SecretStr(""), clock)
        return asyncio.run(device.facts(patience_s))
    except TimeoutError as err:
        raise SourceUnreachable("The camera did not answer over ONVIF in time: it may be overloaded.") from err
    except httpx.HTTPError as err:
        _raise_translated(err)
    except (httpx.InvalidURL, UnicodeError):
        raise SourceInvalid(_NO_ADDRESS) from None  # what they say repeats the URL


def _raise_translated(err: httpx.HTTPError) -> NoReturn:
    if "CERTIFICATE_VERIFY_FAILED" in str(err):
        raise SourceCertificate from err
    if isinstance(err, httpx.RemoteProtocolError | httpx.DecodingError):
        raise SourceInvalid("What answers at that address does not speak HTTP: check the port.") from err
    if isinstance(err, httpx.UnsupportedProtocol):
        raise SourceInvalid(_NO_ADDRESS) from err
    raise SourceUnreachable(
        "No ONVIF service answers at that address: check address and port, and that ONVIF is switched on in the camera."
    ) from err


class _Device:
    """One device, asked in order."""

    def __init__(self, url: httpx.URL, username: str | None, password: SecretStr, clock: Clock) -> None:
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise SourceInvalid(_NO_ADDRESS)  # httpx would send a user name in the URL in clear
        self._url = url
        self._username = username
        self._password = password
        self._clock = clock

    async def facts(self, patience_s: float) -> OnvifFacts:
        """The clock first; the rest only where there is a name to sign with."""
        # An environment's proxy is not for cameras, and would see what is sent to them.
        client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None)  # noqa: S113 - bounded below
        async with asyncio.timeout(patience_s), client:
            before = self._clock.read()
            time = soap.device_time(_opened(await self._post(client, soap.time_request())))
            after = self._clock.read()
            ours_us = (before.utc_us + after.utc_us) // 2
            utc_us = time.utc_us(ours_us)
            offset_us = utc_us + soap.HALF_SECOND_US - ours_us
            is_local = utc_us != time.said_us
            if self._username is None:
                return OnvifFacts(offset_us, is_local)
            signed = [utc_us, time.said_us] if is_local else [utc_us]
            found = await self._information(client, self._username, signed, after)
        return OnvifFacts(offset_us, is_local, found.manufacturer, found.model, found.firmware, found.serial)

    async def _information(
        self, client: httpx.AsyncClient, username: str, times_us: list[int], read: Reading
    ) -> soap.DeviceInformation:
        """Asked at most twice, for cameras lock an account after some failures.

        The second time by HTTP digest, which knows no clock, where the device offers it; else by the other time, where
        it is unclear by which of the two the device checks.
        """
        answer = await self._post(client, self._signed(username, times_us[0], read))
        if _is_refusal(answer):
            digest = self._authorization(username, answer.challenges)
            if digest is not None:
                answer = await self._post(client, soap.information_request(), {"Authorization": digest})
            elif len(times_us) > 1:
                answer = await self._post(client, self._signed(username, times_us[1], read))
        if _is_refusal(answer):
            raise SourceRefusedUs(_REFUSED)
        return soap.device_information(_opened(answer))

    def _signed(self, username: str, camera_us: int, read: Reading) -> bytes:
        """By the camera's clock as it is now; counted from when its answer was here, so never ahead of it."""
        created_us = camera_us + self._clock.read().mono_us - read.mono_us
        nonce = secrets.token_bytes(NONCE_BYTES)
        return soap.information_request(soap.security_header(username, self._password, nonce, created_us))

    def _authorization(self, username: str, challenges: list[str]) -> str | None:
        mine = Authenticator(username, self._password, basic_allowed=False, cnonce=lambda: secrets.token_hex(8))
        if mine.challenged(challenges) is Outcome.REFUSED:
            return None
        return mine.authorization("POST", self._url.raw_path.decode())

    async def _post(self, client: httpx.AsyncClient, body: bytes, more: dict[str, str] | None = None) -> _Answer:
        """The answer as it came, uncompressed: unpacking could make gigabytes of it."""
        headers = {"Content-Type": soap.CONTENT_TYPE, "Accept-Encoding": "identity"} | (more or {})
        async with client.stream("POST", self._url, content=body, headers=headers) as answer:
            data = bytearray()
            async for piece in answer.aiter_raw():
                data += piece
                if len(data) > soap.MESSAGE_LIMIT_BYTES:
                    raise SourceInvalid("What answers at that address sends more than any ONVIF device would.")
            return _Answer(answer.status_code, answer.headers.get_list("www-authenticate"), bytes(data))


def _opened(answer: _Answer) -> Element:
    return soap.opened(answer.status, answer.data)


def _is_refusal(answer: _Answer) -> bool:
    try:
        _opened(answer)
    except SourceRefusedUs:
        return True
    except SourceError:
        return False
    return False
