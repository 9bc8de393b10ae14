"""Authentication as cameras ask for it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from recorder.capture.rtsp.digest import Authenticator, Challenge, Outcome, parse_challenges

MD5 = 'Digest realm="cam", nonce="n1"'
SHA256 = 'Digest realm="cam", nonce="n2", algorithm=SHA-256, qop="auth,auth-int", opaque="o\\"p"'


def authenticator(user: str | None = "ann", password: str = "planted", basic: bool = False) -> Authenticator:
    return Authenticator(
        user, SecretStr(password), basic_allowed=basic, cnonce=lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    )


def fields(header: str | None) -> dict[str, str]:
    assert header is not None
    (found,) = parse_challenges([header])
    return dict(found.parameters)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_standard(algorithm: str, response: str) -> None:
    """RFC 7616, 3.9.1."""
    mine = authenticator("Mufasa", "Circle of Life")
    challenge = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert mine.challenged([challenge]) is Outcome.RETRY

    found = fields(mine.authorization("GET", "/dir/index.html"))
    assert (found["response"], found["nc"], found["qop"]) == (response, "00000001", "auth")
    assert found["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def test_a_camera_without_qop() -> None:
    """As RFC 2069 had it: no counter, and no algorithm told back where none was named."""
    mine = authenticator()
    mine.challenged([MD5])

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    found = fields(mine.authorization("DESCRIBE", "rtsp://192.0.2.1/a"))
    assert found["response"] == md5(f"{md5('ann:cam:planted')}:n1:{md5('DESCRIBE:rtsp://192.0.2.1/a')}")
    assert not {"nc", "cnonce", "qop", "algorithm"} & set(found)


@pytest.mark.parametrize(
    "headers", [[MD5, SHA256], [SHA256, MD5], [f"{MD5}, {SHA256}"], ['Basic realm="x"', MD5, SHA256], [SHA256]]
)
def test_sha_256_among_other_offers(headers: list[str]) -> None:
    """It is taken whatever the order; libav fails here (quirk 15)."""
    mine = authenticator()

    assert mine.challenged(headers) is Outcome.RETRY
    assert fields(mine.authorization("PLAY", "rtsp://192.0.2.1/"))["nonce"] == "n2"


def test_session_algorithms() -> None:
    """The key is made once from the first nonces; the counter goes on (RFC 7616, 3.4.2)."""
    mine = authenticator()
    mine.challenged(['Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"'])
    first, second = (fields(mine.authorization("PLAY", "rtsp://192.0.2.1/")) for _ in range(2))

    assert (first["nc"], second["nc"]) == ("00000001", "00000002")
    assert first["response"] != second["response"]
    assert first["algorithm"] == "MD5-sess"


def test_wrong_credentials() -> None:
    """They are tried once: a camera that renews its nonce each time does not get an account locked."""
    mine = authenticator()
    mine.accepted()  # OPTIONS went through without credentials, which says nothing of them

    assert mine.challenged([MD5]) is Outcome.RETRY
    assert mine.challenged([MD5.replace("n1", "n3")]) is Outcome.REFUSED
    assert mine.explanation() == ""


def test_a_nonce_that_has_grown_old() -> None:
    """Said by `stale`, or by a camera that took the credentials before."""
    mine = authenticator()
    mine.challenged([MD5])
    assert mine.challenged([MD5.replace("n1", "n3") + ", stale=TRUE"]) is Outcome.RETRY
    mine.accepted()

    assert mine.challenged([MD5.replace("n1", "n4")]) is Outcome.RETRY
    assert fields(mine.authorization("PLAY", "u"))["nonce"] == "n4"


def test_basic_alone() -> None:
    """Named as what is lacking where it is not allowed; used where it is."""
    refused, allowed = authenticator(), authenticator(basic=True)
    assert (refused.lacks_basic, allowed.uses_basic) == (False, False)

    assert refused.challenged(['Basic realm="cam"']) is Outcome.REFUSED
    assert (refused.lacks_basic, refused.uses_basic) == (True, False)
    assert refused.authorization("PLAY", "u") is None
    assert allowed.challenged(['Basic realm="cam"']) is Outcome.RETRY
    assert (allowed.lacks_basic, allowed.uses_basic) == (False, True)
    assert allowed.authorization("PLAY", "u") == "Basic YW5uOnBsYW50ZWQ="


def test_basic_among_digests() -> None:
    """It is not used, allowed or not, where the camera can do better."""
    mine = authenticator(basic=True)
    mine.challenged(['Basic realm="cam"', MD5])

    assert (mine.lacks_basic, mine.uses_basic) == (False, False)
    assert (mine.authorization("PLAY", "u") or "").startswith("Digest ")


@pytest.mark.parametrize(("user", "header"), [(None, 'Basic realm="cam"'), ("ann", "Negotiate")])
def test_another_reason_than_basic(user: str | None, header: str) -> None:
    """Without a user name, and with other offers, allowing basic would not help, and nobody says so."""
    mine = authenticator(user)
    mine.challenged([header])

    assert not mine.lacks_basic
    assert mine.explanation()


@pytest.mark.parametrize(
    "header", ['Digest realm="r", nonce="n", algorithm=SHA-512-256', "Negotiate", 'Digest realm="r"', ""]
)
def test_an_offer_that_nobody_here_can_take(header: str) -> None:
    """It is named, so that somebody can change it in the camera."""
    mine = authenticator()

    assert mine.challenged([header]) is Outcome.REFUSED
    assert (parse_challenges([header]) == ()) == (header == "")
    assert "offers" in mine.explanation()


def test_no_user_name() -> None:
    """The sentence says what is missing."""
    mine = authenticator(None)

    assert mine.challenged([MD5]) is Outcome.REFUSED
    assert "none are set" in mine.explanation()


def test_a_camera_without_authentication() -> None:
    """Nothing is sent."""
    assert authenticator().authorization("DESCRIBE", "u") is None


def test_names_with_quotes() -> None:
    """They are escaped, and cannot add parameters."""
    mine = authenticator('a"b\\')
    mine.challenged([MD5])

    assert fields(mine.authorization("PLAY", "u"))["username"] == 'a"b\\'


@given(st.lists(st.text(max_size=300), max_size=5))
def test_any_headers(headers: list[str]) -> None:
    """Nothing is raised; the password is nowhere but in what is computed from it."""
    mine = authenticator(password="planted-secret")
    mine.challenged(headers)

    assert "planted-secret" not in f"{mine!r}{mine.explanation()}{mine.authorization('PLAY', 'u')}"
    assert all(isinstance(one, Challenge) for one in parse_challenges(headers))


@given(st.integers(1, 3000))
def test_a_header_made_to_take_long(count: int) -> None:
    """Its length is bounded, and reading it takes time in proportion."""
    assert len(parse_challenges(["a " * count, 'Digest x="' + "\\" * count])) <= 16
