"""A client's side of one RTSP session (RFC 2326) as a machine: messages and the time in, commands out. Pure.

    OPTIONS, DESCRIBE, SETUP (video), SETUP (sound, where wanted), PLAY; then keep-alives until TEARDOWN

One request is under way at a time. Sound that the camera refuses is left out; what else goes wrong about it
(`is_about_audio`) is an error, after which whoever connects should ask again without it. What a camera refuses else is
raised as the error that names it; what a camera does oddly but harmlessly is put up with. Requests are repeated with
credentials when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from config.times import SECOND_US
from recorder.capture.rtsp import messages, sdp
from recorder.capture.rtsp.audio import audio_track
from recorder.capture.rtsp.digest import Authenticator, Outcome
from recorder.capture.rtsp.messages import Message, Response, ServerRequest
from recorder.capture.rtsp.transport import AUDIO_CHANNEL, Transport, TransportReply, offer, parse_transport
from recorder.errors import (
    SourceBasicOnly,
    SourceBusy,
    SourceCodecUnknown,
    SourceEnded,
    SourceError,
    SourceFault,
    SourceInvalid,
    SourceNotFound,
    SourceRedirected,
    SourceRefusedUs,
    SourceSilent,
    SourceTimedUsOut,
    SourceTransportRefused,
    SourceWithoutVideo,
)

ANSWER_LIMIT_US = 10 * SECOND_US
"""For each answer up to PLAY. Afterwards answers are not waited for: some cameras give none to keep-alives."""

AUDIO_ANSWER_LIMIT_US = 3 * SECOND_US
"""For the answer about sound: the pictures wait for it."""

ANSWER_USUAL_US = 2 * SECOND_US
"""A keep-alive that is older and has no answer yet will have none."""

TIMEOUT_DEFAULT_S = 60
"""RFC 2326, 12.37: of a session whose camera names none."""

KEEP_ALIVE_MOST_S = 60
"""At least this often, however long the camera would wait: routers between forget connections."""

CHALLENGES_LIMIT = 4
"""401 answers to one request: the first asks, the next may name a new nonce; more is a camera that never agrees."""

VIDEO = ("H264", "H265", "JPEG")
"""Encodings that can be recorded (RFC 6184, RFC 7798, RFC 2435)."""


@dataclass(frozen=True)
class Send:
    """Bytes for the camera."""

    data: bytes


@dataclass(frozen=True)
class BindPorts:
    """A pair of UDP ports is needed: tell `ports_bound`."""


class AudioWish(StrEnum):
    """Whether sound is asked for."""

    NO = "no"
    YES = "yes"
    GIVEN_UP = "given_up"
    """It is wanted, but asking for it went wrong."""


@dataclass(frozen=True)
class AgreedTrack:
    """One track, and how it comes."""

    media: sdp.MediaDescription
    reply: TransportReply


@dataclass(frozen=True)
class Agreed:
    """What will come and how; some cameras send it before they say that they play."""

    media: sdp.MediaDescription
    reply: TransportReply
    left_out: tuple[str, ...]
    audio: AgreedTrack | None = None
    """Sound, where it was wanted and the camera agreed."""


@dataclass(frozen=True)
class Redirect:
    """Begin anew with this URL, of the same host."""

    url: str


Command = Send | BindPorts | Agreed | Redirect


class Phase(StrEnum):
    """How far a session is."""

    OPTIONS = "OPTIONS"
    DESCRIBE = "DESCRIBE"
    SETUP = "SETUP"
    SETUP_AUDIO = "SETUP of sound"
    PLAY = "PLAY"
    PLAYING = "playing"
    LEAVING = "leaving"


_REDIRECTED_NO_MORE = (Phase.SETUP_AUDIO, Phase.PLAYING, Phase.LEAVING)
"""Pictures come, or are about to: what the camera would have us ask elsewhere is no reason to leave them."""


@dataclass
class _Request:
    """The request under way."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    challenges: int = 0
    sent_us: int = 0
    cseq: int = 0


class Client:
    """One session. Times are monotonic microseconds."""

    def __init__(
        self,
        url: str,
        authenticator: Authenticator,
        transport: Transport,
        *,
        agent: str,
        audio: AudioWish = AudioWish.NO,
    ) -> None:
        """`url` without credentials."""
        self._url = url
        self._base = url
        self._aggregate = url
        self._authenticator = authenticator
        self._transport = transport
        self._agent = agent
        self._cseq = 0
        self._under_way: _Request | None = None
        self._session: str | None = None
        self._media: sdp.MediaDescription | None = None
        self._reply = TransportReply()
        self._audio_wish = audio
        self._audio: sdp.MediaDescription | None = None
        self._agreed_audio: AgreedTrack | None = None
        self._others: tuple[sdp.MediaDescription, ...] = ()
        self._keep_alives = ["OPTIONS"]
        self._keep_alive_us = 0
        self._playing_us = 0
        self._unanswered = 0
        self._refused = 0
        self.timeout_s = TIMEOUT_DEFAULT_S
        self.keep_alive_refused = ""
        """What the camera said to a keep-alive, when that was no."""
        self.phase = Phase.OPTIONS
        self.description = b""
        """The SDP as it came, for the camera's record."""

    @property
    def is_about_audio(self) -> bool:
        """Whether sound is, or has just been, asked for, so that a failure may be its fault."""
        asked = self._audio is not None and self._audio_wish is AudioWish.YES
        return asked and self.phase in (Phase.SETUP_AUDIO, Phase.PLAY)

    # -- events

    def start(self, now_us: int) -> list[Command]:
        """The connection stands."""
        return self._ask("OPTIONS", self._url, {}, now_us)

    def received(self, message: Message, now_us: int) -> list[Command]:
        """A message came.

        Raises:
            SourceError: the camera refuses, or says what makes no sense.
        """
        if isinstance(message, ServerRequest):
            return [Send(messages.answer(message))]
        asked = self._under_way
        if asked is None or message.headers.number("cseq") not in (None, asked.cseq):
            return []  # late, or to a request of an older session
        if 100 <= message.status < 200:
            return []
        self._under_way = None
        self._unanswered = 0
        if message.status == 401 and self.phase is not Phase.LEAVING:
            return self._challenged(asked, message, now_us)
        if message.status < 300:
            self._authenticator.accepted()
        if 300 <= message.status < 400 and self.phase not in _REDIRECTED_NO_MORE:
            return self._redirected(message)
        return self._answered(asked, message, now_us)

    def ports_bound(self, rtp_port: int, now_us: int) -> list[Command]:
        """UDP ports are there: `rtp_port`, even, and the one behind it."""
        if self.phase is Phase.SETUP_AUDIO:
            return self._set_up_audio(rtp_port, now_us)
        return self._set_up(rtp_port, now_us)

    def tick(self, now_us: int) -> list[Command]:
        """Time passed.

        Raises:
            SourceSilent: the camera does not answer.
        """
        if self.phase is Phase.PLAYING:
            return self._keep_alive(now_us) if now_us >= self._keep_alive_us else []
        limit_us = AUDIO_ANSWER_LIMIT_US if self.phase is Phase.SETUP_AUDIO else ANSWER_LIMIT_US
        if self._under_way is not None and now_us - self._under_way.sent_us > limit_us:
            raise SourceSilent(f"The camera accepted the connection, but does not answer {self._under_way.method}.")
        return []

    def leave(self, now_us: int) -> list[Command]:
        """Say goodbye, where there is something to end: a camera that is not told keeps the session for a minute."""
        if self._session is None or self.phase is Phase.LEAVING:
            return []
        self.phase = Phase.LEAVING
        return self._ask("TEARDOWN", self._aggregate, {}, now_us)

    def ended(self, now_us: int) -> SourceError:
        """The camera closed the connection: what that means."""
        if self.phase is not Phase.PLAYING:
            return SourceEnded(f"The camera closed the connection instead of answering {self.phase.value}.")
        lived_s = (now_us - self._playing_us) / SECOND_US
        if self.keep_alive_refused:
            return SourceTimedUsOut(f"{SourceTimedUsOut.sentence()} It said {self.keep_alive_refused}.")
        waited_us = now_us - self._under_way.sent_us if self._under_way else 0
        unanswered = self._unanswered or waited_us > ANSWER_USUAL_US
        if unanswered and 0.8 * self.timeout_s <= lived_s <= 1.5 * self.timeout_s:
            return SourceTimedUsOut(f"{SourceTimedUsOut.sentence()} It gave no answer to them.")
        return SourceEnded()

    # -- answers

    def _answered(self, asked: _Request, answer: Response, now_us: int) -> list[Command]:
        if self.phase is Phase.PLAYING:
            self._kept_alive(asked, answer)
            return []
        if self.phase is Phase.OPTIONS:
            return self._options(answer, now_us)
        if self.phase is Phase.LEAVING:
            return []
        if self.phase is Phase.SETUP_AUDIO:
            return self._has_set_up_audio(answer, now_us)
        if answer.status != 200:
            _refuse(asked.method, answer)
        if self.phase is Phase.DESCRIBE:
            return self._described(answer, now_us)
        if self.phase is Phase.SETUP:
            return self._has_set_up(answer, now_us)
        return self._plays(answer, now_us)

    def _options(self, answer: Response, now_us: int) -> list[Command]:
        """What the camera can do; one that refuses even this question may still do the rest."""
        if answer.status == 200:
            public = ",".join(answer.headers.every("public")).upper()
            offered = {word.strip() for word in public.split(",")}
            self._keep_alives = [one for one in ("GET_PARAMETER",) if one in offered] + ["OPTIONS"]
            if "SET_PARAMETER" in offered:
                self._keep_alives.append("SET_PARAMETER")
        self.phase = Phase.DESCRIBE
        return self._ask("DESCRIBE", self._url, {"Accept": "application/sdp"}, now_us)

    def _described(self, answer: Response, now_us: int) -> list[Command]:
        self.description = answer.body
        headers = answer.headers
        self._base = sdp.base_of(self._url, headers.first("content-base"), headers.first("content-location"))
        session = sdp.parse(answer.body, self._base)
        self._aggregate = session.control or self._base
        self._media = _choose(session)
        if self._audio_wish is not AudioWish.NO:
            self._audio = next((one for one in session.media if audio_track(one) is not None), None)
        self._others = tuple(one for one in session.media if one is not self._media)
        self.phase = Phase.SETUP
        return [BindPorts()] if self._transport is Transport.UDP else self._set_up(None, now_us)

    def _set_up(self, rtp_port: int | None, now_us: int) -> list[Command]:
        assert self._media is not None
        headers = {"Transport": offer(self._transport, rtp_port)}
        return self._ask("SETUP", self._media.control_url, headers, now_us)

    def _has_set_up(self, answer: Response, now_us: int) -> list[Command]:
        self._remember_session(answer)
        self._reply = parse_transport(answer.headers.first("transport"), self._transport)
        if self._audio is None or self._audio_wish is AudioWish.GIVEN_UP:
            return self._play(now_us)
        self.phase = Phase.SETUP_AUDIO
        return [BindPorts()] if self._transport is Transport.UDP else self._set_up_audio(None, now_us)

    def _set_up_audio(self, rtp_port: int | None, now_us: int) -> list[Command]:
        assert self._audio is not None
        headers = {"Transport": offer(self._transport, rtp_port, AUDIO_CHANNEL)}
        return self._ask("SETUP", self._audio.control_url, headers, now_us)

    def _has_set_up_audio(self, answer: Response, now_us: int) -> list[Command]:
        """A camera that refuses its sound is recorded without."""
        assert self._audio is not None
        if answer.status == 200:
            self._remember_session(answer)
            reply = parse_transport(answer.headers.first("transport"), self._transport, AUDIO_CHANNEL)
            if self._transport is Transport.TCP and reply.shares_channels_with(self._reply):
                raise SourceTransportRefused("The camera mixes sound and pictures.")
            self._agreed_audio = AgreedTrack(self._audio, reply)
        return self._play(now_us)

    def _play(self, now_us: int) -> list[Command]:
        assert self._media is not None
        self.phase = Phase.PLAY
        agreed = self._agreed_audio
        left_out = tuple(
            _words(one) + (", refused by the camera" if one is self._audio else "")
            for one in self._others
            if agreed is None or one is not agreed.media
        )
        play = self._ask("PLAY", self._aggregate, {"Range": "npt=0.000-"}, now_us)
        return [Agreed(self._media, self._reply, left_out, agreed), *play]

    def _plays(self, answer: Response, now_us: int) -> list[Command]:
        self._remember_session(answer)
        self.phase = Phase.PLAYING
        self._playing_us = now_us
        self._keep_alive_us = now_us + self._keep_alive_period_us()
        return []

    def _remember_session(self, answer: Response) -> None:
        """The id, which some cameras change from answer to answer, and its time-out (RFC 2326, 12.37)."""
        session, *parameters = (part.strip() for part in answer.headers.first("session").split(";"))
        self._session = session or self._session
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "timeout" and value.strip().isdecimal() and int(value.strip()[:9]) > 0:
                self.timeout_s = int(value.strip()[:9])

    # -- keep-alive

    def _keep_alive_period_us(self) -> int:
        return round(min(self.timeout_s / 2, KEEP_ALIVE_MOST_S) * SECOND_US)

    def _keep_alive(self, now_us: int) -> list[Command]:
        self._keep_alive_us = now_us + self._keep_alive_period_us()
        if self._under_way is not None:
            self._unanswered += 1
        return self._ask(self._keep_alives[0], self._aggregate, {}, now_us)

    def _kept_alive(self, asked: _Request, answer: Response) -> None:
        """A refusal is no end: the media may go on, and another method may be welcome."""
        if answer.status == 200:
            self.keep_alive_refused = ""
            self._refused = 0
            return
        self.keep_alive_refused = f"{answer.status} {answer.reason} to {asked.method}".strip()
        self._keep_alives = [*self._keep_alives[1:], self._keep_alives[0]]
        self._refused += 1
        if self._refused < len(self._keep_alives):  # each once at the next tick; then at the usual times again
            self._keep_alive_us = 0

    # -- asking

    def _ask(self, method: str, url: str, headers: Mapping[str, str], now_us: int) -> list[Command]:
        return self._send(_Request(method, url, dict(headers)), now_us)

    def _send(self, asked: _Request, now_us: int) -> list[Command]:
        self._cseq += 1
        asked.cseq, asked.sent_us = self._cseq, now_us
        self._under_way = asked
        headers = {"CSeq": str(self._cseq), "User-Agent": self._agent, **asked.headers}
        if self._session is not None:
            headers["Session"] = self._session
        authorization = self._authenticator.authorization(asked.method, asked.url)
        if authorization is not None:
            headers["Authorization"] = authorization
        return [Send(messages.request(asked.method, asked.url, headers))]

    def _challenged(self, asked: _Request, answer: Response, now_us: int) -> list[Command]:
        outcome = self._authenticator.challenged(answer.headers.every("www-authenticate"))
        asked.challenges += 1
        if outcome is Outcome.RETRY and asked.challenges < CHALLENGES_LIMIT:
            return self._send(asked, now_us)
        if self.phase is Phase.PLAYING:  # its media come: what it thinks of a keep-alive is no end
            self._kept_alive(asked, answer)
            return []
        if self._authenticator.lacks_basic:
            raise SourceBasicOnly()
        raise SourceRefusedUs(self._authenticator.explanation() or SourceRefusedUs.sentence())

    def _redirected(self, answer: Response) -> list[Command]:
        location = answer.headers.first("location")
        try:
            target = urljoin(self._url, location)
            here, there = urlsplit(self._url), urlsplit(target)
        except ValueError as err:
            raise SourceRedirected() from err
        secure = there.scheme == here.scheme or (here.scheme, there.scheme) == ("rtsp", "rtsps")
        if not location or there.hostname != here.hostname or not secure or "@" in there.netloc:
            raise SourceRedirected()
        return [Redirect(target)]


def _choose(session: sdp.SessionDescription) -> sdp.MediaDescription:
    """The first video track that can be recorded; JPEG, which costs ten times the room, where there is no other."""
    videos = [one for one in session.media if one.kind == "video"]
    usable = (one for one in videos if one.encoding in VIDEO)
    found = min(usable, key=lambda one: one.encoding == "JPEG", default=None)
    if found is not None:
        return found
    if not videos:
        raise SourceWithoutVideo()
    name = videos[0].encoding[:40] or "an unnamed codec"
    raise SourceCodecUnknown(f"The camera sends {name}, which cannot be recorded: set it to H.264 or H.265.")


def _words(media: sdp.MediaDescription) -> str:
    return f"{media.kind} ({media.encoding.lower()})" if media.encoding else media.kind


def _refuse(method: str, answer: Response) -> NoReturn:
    kind = _REFUSALS.get(answer.status)
    if kind is not None:
        raise kind()
    if answer.status == 400 and method == "DESCRIBE":
        raise SourceInvalid(f"The camera answered {method} with 400 {answer.reason}: check the path of the URL.")
    raise SourceFault(f"{SourceFault.sentence()} It said {answer.status} {answer.reason} to {method}.")


_REFUSALS: Mapping[int, type[SourceError]] = {
    403: SourceRefusedUs,
    404: SourceNotFound,
    453: SourceBusy,
    461: SourceTransportRefused,
    503: SourceBusy,
}
