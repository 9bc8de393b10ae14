"""The client's side of a session, message by message."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.times import SECOND_US
from recorder.capture.rtsp.client import (
    ANSWER_LIMIT_US,
    AUDIO_ANSWER_LIMIT_US,
    CHALLENGES_LIMIT,
    Agreed,
    AudioWish,
    BindPorts,
    Client,
    Command,
    Phase,
    Redirect,
    Send,
)
from recorder.capture.rtsp.digest import Authenticator
from recorder.capture.rtsp.messages import Headers, Response, ServerRequest
from recorder.capture.rtsp.transport import Transport
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

URL = "rtsp://192.0.2.1:554/live"
SDP = b"v=0\nm=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:track2\n"


class Talk:
    """A client and a camera that answers what it is told to."""

    def __init__(
        self,
        transport: Transport = Transport.TCP,
        user: str | None = "ann",
        public: str = "OPTIONS, GET_PARAMETER",
        audio: AudioWish = AudioWish.NO,
        basic: bool = False,
    ) -> None:
        mine = Authenticator(user, SecretStr("planted"), basic_allowed=basic, cnonce=lambda: "c")
        self.client = Client(URL, mine, transport, agent="Custos", audio=audio)
        self.public = public
        self.now_us = 0
        self.last = self.sent(self.client.start(0))[0]

    @staticmethod
    def sent(commands: Sequence[Command]) -> list[str]:
        return [one.data.decode() for one in commands if isinstance(one, Send)]

    @property
    def method(self) -> str:
        return self.last.split(" ")[0]

    def cseq(self) -> str:
        return self.last.split("CSeq: ")[1].split("\r\n")[0]

    def answer(self, status: int = 200, body: bytes = b"", reason: str = "R", **headers: str) -> list[Command]:
        items = [("cseq", self.cseq()), *((name.replace("_", "-"), value) for name, value in headers.items())]
        commands = self.client.received(Response(status, reason, Headers(tuple(items)), body), self.now_us)
        self.last = (self.sent(commands) or [self.last])[-1]
        return commands

    def pass_s(self, seconds: float) -> list[str]:
        self.now_us += round(seconds * SECOND_US)
        told = self.sent(self.client.tick(self.now_us))
        self.last = (told or [self.last])[-1]
        return told

    def up_to(self, method: str) -> "Talk":
        """Good answers until that is asked."""
        good: dict[str, dict[str, object]] = {
            "OPTIONS": {"public": self.public},
            "DESCRIBE": {"body": SDP},
            "SETUP": {"session": "77;timeout=20", "transport": "RTP/AVP/TCP;interleaved=0-1"},
            "PLAY": {},
        }
        while self.client.phase is not Phase.PLAYING and self.method != method:
            self.answer(**good[self.method])  # type: ignore[arg-type]  # of the table above
        return self


def test_a_camera_without_surprises() -> None:
    """OPTIONS, DESCRIBE, SETUP of the video track, PLAY of the whole; other tracks are named."""
    talk = Talk()
    asked = [talk.last.split("\r\n")[0]]
    talk.answer(public="OPTIONS")
    asked.append(talk.last.split("\r\n")[0])
    talk.answer(body=SDP, content_base=URL + "/")
    asked.append(talk.last.split("\r\n")[0])
    agreed = talk.answer(session="77 ; timeout=20", transport="RTP/AVP/TCP;interleaved=4-5")[0]
    asked.append(talk.last.split("\r\n")[0])

    assert isinstance(agreed, Agreed)
    assert (agreed.media.encoding, agreed.reply.rtp_channel, agreed.left_out) == ("H264", 4, ("audio (pcmu)",))
    assert "Session: 77\r\n" in talk.last
    assert talk.answer() == []
    assert talk.client.phase is Phase.PLAYING
    assert talk.client.timeout_s == 20
    assert asked == [
        f"OPTIONS {URL} RTSP/1.0",
        f"DESCRIBE {URL} RTSP/1.0",
        f"SETUP {URL}/track2 RTSP/1.0",
        f"PLAY {URL}/ RTSP/1.0",
    ]


def test_sound_is_asked_for_behind_the_pictures() -> None:
    """In the same session, on channels of its own; PLAY is for both. What the camera agrees to comes as one."""
    talk = Talk(audio=AudioWish.YES).up_to("SETUP")
    talk.answer(session="77", transport="RTP/AVP/TCP;interleaved=0-1")
    assert talk.method == "SETUP"
    assert "interleaved=2-3\r\n" in talk.last
    assert "Session: 77\r\n" in talk.last
    assert talk.client.is_about_audio
    agreed = talk.answer(transport="RTP/AVP/TCP;interleaved=6-7;ssrc=0000000A")[0]

    assert isinstance(agreed, Agreed)
    assert agreed.audio is not None
    assert (agreed.media.encoding, agreed.audio.media.encoding, agreed.left_out) == ("H264", "PCMU", ())
    assert (agreed.reply.rtp_channel, agreed.audio.reply.rtp_channel, agreed.audio.reply.ssrc) == (0, 6, 10)
    assert talk.last.startswith(f"PLAY {URL} ")
    assert talk.client.is_about_audio
    talk.answer()
    assert not talk.client.is_about_audio


def test_a_camera_that_says_nothing_of_channels_agrees_to_those_of_each() -> None:
    """Sound is on those that it was asked for on."""
    talk = Talk(audio=AudioWish.YES).up_to("SETUP")
    talk.answer(session="77")
    agreed = talk.answer()[0]

    assert isinstance(agreed, Agreed)
    assert agreed.audio is not None
    assert (agreed.audio.reply.rtp_channel, agreed.audio.reply.rtcp_channel) == (2, 3)


def test_sound_over_udp_has_ports_of_its_own() -> None:
    """A pair each."""
    talk = Talk(Transport.UDP, audio=AudioWish.YES)
    talk.answer(public="OPTIONS")
    assert talk.answer(body=SDP) == [BindPorts()]
    talk.last = talk.sent(talk.client.ports_bound(6000, 0))[0]
    assert talk.answer(session="7", transport="RTP/AVP;unicast;client_port=6000-6001;server_port=9000-9001") == [
        BindPorts()
    ]
    talk.last = talk.sent(talk.client.ports_bound(6002, 0))[0]
    assert "client_port=6002-6003" in talk.last
    agreed = talk.answer(transport="RTP/AVP;unicast;client_port=6002-6003;server_port=9002-9003")[0]

    assert isinstance(agreed, Agreed)
    assert agreed.audio is not None
    assert (agreed.reply.server_port, agreed.audio.reply.server_port) == (9000, 9002)


@pytest.mark.parametrize("status", [302, 404, 454, 461, 500])
def test_sound_that_is_refused_is_left_out(status: int) -> None:
    """And the pictures are played, under the number of the session they have."""
    talk = Talk(audio=AudioWish.YES).up_to("SETUP")
    talk.answer(session="77")
    agreed = talk.answer(status, session="88", location=f"{URL}2")[0]

    assert isinstance(agreed, Agreed)
    assert (agreed.audio, agreed.left_out) == (None, ("audio (pcmu), refused by the camera",))
    assert talk.method == "PLAY"
    assert "Session: 77\r\n" in talk.last


def test_no_answer_about_sound_is_waited_for_three_seconds() -> None:
    """The pictures wait for it; whoever connects then asks again without."""
    talk = Talk(audio=AudioWish.YES).up_to("SETUP")
    talk.answer(session="77")
    assert talk.pass_s(AUDIO_ANSWER_LIMIT_US / SECOND_US) == []
    with pytest.raises(SourceSilent, match="SETUP"):
        talk.pass_s(0.1)
    assert talk.client.is_about_audio


def test_sound_on_the_channels_of_the_pictures() -> None:
    """Nobody could tell them apart."""
    talk = Talk(audio=AudioWish.YES).up_to("SETUP")
    talk.answer(session="77")
    with pytest.raises(SourceTransportRefused):
        talk.answer(transport="RTP/AVP/TCP;interleaved=1-2")


def test_sound_that_was_given_up_is_not_asked_for_but_named() -> None:
    """As what it is: refused."""
    talk = Talk(audio=AudioWish.GIVEN_UP).up_to("SETUP")
    agreed = talk.answer(session="77")[0]

    assert isinstance(agreed, Agreed)
    assert (agreed.audio, agreed.left_out) == (None, ("audio (pcmu), refused by the camera",))
    assert not talk.client.is_about_audio


def test_a_camera_that_asks_who_we_are() -> None:
    """The same request is sent again with credentials, later ones with them at once; the password is in none."""
    talk = Talk().up_to("DESCRIBE")
    talk.answer(401, www_authenticate='Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"')
    assert talk.method == "DESCRIBE"
    talk.answer(body=SDP)

    assert 'nonce="n"' in talk.last
    assert "planted" not in talk.last


def test_a_camera_that_refuses_the_password() -> None:
    """It is an error of its own, whatever the camera's words."""
    talk = Talk().up_to("DESCRIBE")
    talk.answer(401, www_authenticate='Digest realm="r", nonce="n"')
    with pytest.raises(SourceRefusedUs):
        talk.answer(401, www_authenticate='Digest realm="r", nonce="n"')


def test_a_camera_that_offers_basic_alone() -> None:
    """Not allowed, nothing is shown to it, and the sentence says what to do; allowed, the request is repeated."""
    talk = Talk().up_to("DESCRIBE")
    with pytest.raises(SourceBasicOnly) as raised:
        talk.answer(401, www_authenticate='Basic realm="r"')
    assert all(word in str(raised.value) for word in ("rtsps", "digest", "`allow_basic`"))
    assert "Authorization" not in talk.last

    talk = Talk(basic=True).up_to("DESCRIBE")
    talk.answer(401, www_authenticate='Basic realm="r"')
    assert talk.method == "DESCRIBE"
    assert "Authorization: Basic YW5uOnBsYW50ZWQ=\r\n" in talk.last
    with pytest.raises(SourceRefusedUs) as refused:
        talk.answer(401, www_authenticate='Basic realm="r"')
    assert type(refused.value) is SourceRefusedUs  # it was wrong, not forbidden


def test_a_camera_that_never_finds_a_nonce_fresh() -> None:
    """The number of tries is bounded."""
    talk = Talk().up_to("DESCRIBE")
    for count in range(CHALLENGES_LIMIT - 1):
        talk.answer(401, www_authenticate=f'Digest realm="r", nonce="n{count}", stale=true')
    with pytest.raises(SourceRefusedUs):
        talk.answer(401, www_authenticate='Digest realm="r", nonce="last", stale=true')


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("DESCRIBE", 400, SourceInvalid),
        ("DESCRIBE", 403, SourceRefusedUs),
        ("DESCRIBE", 404, SourceNotFound),
        ("DESCRIBE", 500, SourceFault),
        ("SETUP", 453, SourceBusy),
        ("SETUP", 461, SourceTransportRefused),
        ("SETUP", 500, SourceFault),
        ("PLAY", 503, SourceBusy),
        ("PLAY", 455, SourceFault),
    ],
)
def test_a_refusal(method: str, status: int, error: type[SourceError]) -> None:
    """Each has its name, so that the sentence can say what to do."""
    talk = Talk().up_to(method)
    with pytest.raises(error) as raised:
        talk.answer(status, reason="Because")

    assert error is not SourceFault or (str(status) in str(raised.value) and "Because" in str(raised.value))


def test_options_that_are_refused() -> None:
    """The rest may work all the same."""
    talk = Talk()
    talk.answer(501)

    assert talk.method == "DESCRIBE"


@pytest.mark.parametrize(
    ("sdp", "error"),
    [
        (b"m=audio 0 RTP/AVP 0\n", SourceWithoutVideo),
        (b"m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n", SourceCodecUnknown),
        (b"m=video 0 RTP/AVP 99\n", SourceCodecUnknown),
    ],
)
def test_a_stream_that_cannot_be_recorded(sdp: bytes, error: type[SourceError]) -> None:
    """The sentence names the codec."""
    talk = Talk().up_to("DESCRIBE")
    with pytest.raises(error):
        talk.answer(body=sdp)


@pytest.mark.parametrize("first", [True, False])
def test_jpeg_beside_another_video(first: bool) -> None:
    """The other is taken, in whichever order they stand; JPEG alone is taken too."""
    jpeg, other = b"m=video 0 RTP/AVP 26\n", b"m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\n"
    talk = Talk().up_to("DESCRIBE")
    talk.answer(body=jpeg + other if first else other + jpeg)
    (agreed,) = [one for one in talk.answer(transport="RTP/AVP/TCP;interleaved=0-1") if isinstance(one, Agreed)]
    assert (agreed.media.encoding, agreed.left_out) == ("H265", ("video (jpeg)",))

    talk = Talk().up_to("DESCRIBE")
    talk.answer(body=jpeg)
    (agreed,) = [one for one in talk.answer(transport="RTP/AVP/TCP;interleaved=0-1") if isinstance(one, Agreed)]
    assert agreed.media.encoding == "JPEG"


def test_answers_that_are_not_ours() -> None:
    """Late ones, provisional ones and those of an older session are passed over; a missing CSeq is forgiven."""
    talk = Talk()
    client = talk.client

    assert client.received(Response(404, "", Headers((("cseq", "99"),))), 0) == []
    assert client.received(Response(100, "", Headers((("cseq", "1"),))), 0) == []
    assert client.received(Response(200, "", Headers()), 0) != []


def test_the_camera_asks_something() -> None:
    """It is answered in any phase."""
    talk = Talk()
    (told,) = talk.client.received(ServerRequest("OPTIONS", Headers((("cseq", "5"),))), 0)

    assert isinstance(told, Send)
    assert b"CSeq: 5" in told.data


def test_a_session_id_that_changes() -> None:
    """The newest counts (quirk 17)."""
    talk = Talk().up_to("PLAY")
    talk.answer(session="88")

    assert "Session: 88\r\n" in talk.pass_s(10)[0]


def test_keep_alive_at_half_the_time_out() -> None:
    """By GET_PARAMETER where it is offered, else by OPTIONS."""
    for public, method in (("OPTIONS, GET_PARAMETER", "GET_PARAMETER"), ("DESCRIBE", "OPTIONS")):
        talk = Talk(public=public).up_to("playing")
        assert talk.pass_s(9.9) == []
        assert talk.pass_s(0.1)[0].startswith(method)
        talk.answer()
        assert talk.pass_s(9.9) == []
        assert talk.pass_s(0.1)[0].startswith(method)


@pytest.mark.parametrize("status", [302, 400, 401, 405, 454, 501, 551])
def test_a_keep_alive_that_is_refused(status: int) -> None:
    """The session goes on; other methods are tried, each once, and then at the usual times (quirk 10)."""
    talk = Talk(public="GET_PARAMETER,SET_PARAMETER").up_to("playing")
    talk.pass_s(10)
    tried = [talk.method]
    for _ in range(2):
        talk.answer(status)
        talk.pass_s(0.1)
        tried.append(talk.method)
    talk.answer(status)

    assert tried == ["GET_PARAMETER", "OPTIONS", "SET_PARAMETER"]
    assert talk.pass_s(1) == []
    assert talk.client.phase is Phase.PLAYING
    assert isinstance(talk.client.ended(talk.now_us), SourceTimedUsOut)
    assert str(status) in str(talk.client.ended(talk.now_us))


def test_a_keep_alive_that_is_welcome_by_another_name() -> None:
    """It is used from then on, and nothing is complained of."""
    talk = Talk().up_to("playing")
    talk.pass_s(10)
    talk.answer(454)
    assert talk.pass_s(0.1)[0].startswith("OPTIONS")
    talk.answer(200)

    assert talk.pass_s(10)[0].startswith("OPTIONS")
    assert isinstance(talk.client.ended(talk.now_us), SourceEnded)


def test_a_session_that_dies_with_its_time_out() -> None:
    """Keep-alives that get no answer, and an end when the time is up: that is the cause."""
    talk = Talk().up_to("playing")
    for _ in range(3):
        talk.pass_s(7)
    talk.pass_s(1)

    assert isinstance(talk.client.ended(talk.now_us), SourceTimedUsOut)


def test_a_camera_that_answers_no_keep_alive_and_goes_on() -> None:
    """Nothing is wrong with that."""
    talk = Talk().up_to("playing")
    for _ in range(20):
        talk.pass_s(10)

    assert isinstance(talk.client.ended(talk.now_us), SourceEnded)


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_camera_that_stops_answering(method: str) -> None:
    """The sentence says at which request."""
    talk = Talk().up_to(method)
    talk.now_us += ANSWER_LIMIT_US
    talk.client.tick(talk.now_us)
    talk.now_us += 1
    with pytest.raises(SourceSilent, match=method):
        talk.client.tick(talk.now_us)


def test_a_connection_that_closes_before_the_stream() -> None:
    """The sentence says instead of what."""
    assert "DESCRIBE" in str(Talk().up_to("DESCRIBE").client.ended(0))


def test_goodbye() -> None:
    """TEARDOWN of the session, once, and only where there is one."""
    assert Talk().client.leave(0) == []
    talk = Talk().up_to("playing")
    (told,) = talk.sent(talk.client.leave(0))

    assert told.startswith(f"TEARDOWN {URL} ")
    assert talk.client.leave(0) == []


def test_a_redirection() -> None:
    """Followed on the same host only: elsewhere nobody was entitled to send us, and our credentials with us."""
    talk = Talk().up_to("DESCRIBE")
    assert talk.answer(302, location="rtsp://192.0.2.1:8554/other") == [Redirect("rtsp://192.0.2.1:8554/other")]
    for location in ("rtsp://198.51.100.1/live", "http://192.0.2.1/", "", "rtsp://ann:x@192.0.2.1/live"):
        with pytest.raises(SourceRedirected):
            Talk().up_to("DESCRIBE").answer(302, location=location)


def test_udp_ports() -> None:
    """They are asked for once the track is known, and told to the camera."""
    talk = Talk(Transport.UDP).up_to("DESCRIBE")
    assert talk.answer(body=SDP) == [BindPorts()]
    (told,) = talk.sent(talk.client.ports_bound(6000, 0))

    assert "client_port=6000-6001" in told


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([100, 200, 301, 401, 404, 454, 500]),
        st.dictionaries(
            st.sampled_from(["session", "transport", "www-authenticate", "content-base", "location", "public"]),
            st.text(max_size=60),
            max_size=4,
        ),
        st.binary(max_size=80),
        st.integers(0, 70),
    ),
    max_size=30,
)


@given(ANSWERS, st.sampled_from(list(Transport)))
def test_any_answers(answers: list[tuple[int, dict[str, str], bytes, int]], transport: Transport) -> None:
    """Commands, or an error of the declared kind; never a request with a line break of the camera's making."""
    talk = Talk(transport)
    try:
        for status, headers, body, seconds in answers:
            talk.now_us += seconds * SECOND_US
            items = tuple(headers.items())
            told = talk.client.received(
                Response(status, "", Headers(items), b"m=video 0 RTP/AVP 96\n" + body), talk.now_us
            )
            told += talk.client.ports_bound(6000, talk.now_us) if BindPorts() in told else []
            told += talk.client.tick(talk.now_us)
            for text in talk.sent(told):
                assert text.endswith("\r\n\r\n")
                assert "\n" not in text.replace("\r\n", "")
    except SourceError:
        return
