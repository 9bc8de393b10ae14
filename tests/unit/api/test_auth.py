"""Who may ask."""

import pytest

from api.auth import check, is_loopback
from api.errors import STATUS, HostRefused, OriginRefused, TokenNeeded, TokenWrong, status_of
from config.errors import CustosError
from recorder.errors import BelowFloor, CameraUnknown, MediaGone, SourceSilent, StorageFull


def ask(
    method: str = "GET", path: str = "/api/v1/status", host: str = "127.0.0.1:8080", origin: str | None = None,
    authorization: str | None = None, *, token_needed: bool = False,
) -> None:  # fmt: skip
    check(method, path, host, origin, authorization, token_needed=token_needed, matches=lambda token: token == "right")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9:80", "localhost:8080", "[::1]:8080", "LOCALHOST"])
def test_on_loopback_the_token_may_be_left_out(host: str) -> None:
    """Under every name of this machine."""
    ask(host=host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "[", "localhost.evil"])
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    """A name of the attacker's that resolves to 127.0.0.1 opens nothing (DNS rebinding)."""
    with pytest.raises(HostRefused):
        ask(host=host)


def test_elsewhere_the_token_is_needed_for_all_but_healthz() -> None:
    """A health check of a container needs no secret."""
    ask(path="/healthz", host="box.example", token_needed=True)
    ask(host="box.example", authorization="Bearer right", token_needed=True)
    for path in ("/", "/readyz", "/metrics", "/openapi.json", "/api/v1/cameras", "/healthz/x"):
        with pytest.raises(TokenNeeded):
            ask(path=path, host="box.example", token_needed=True)


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic right", "right", "Bearer ", "", "Bearer"])
def test_a_wrong_token_is_refused_on_loopback_too(authorization: str) -> None:
    """Who sends one means it."""
    with pytest.raises(TokenWrong):
        ask(authorization=authorization)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://["])
def test_another_sites_page_changes_nothing(origin: str) -> None:
    """It may look, as a link may; it may not post."""
    ask("GET", origin=origin)
    with pytest.raises(OriginRefused):
        ask("POST", origin=origin)
    ask("POST", origin="http://127.0.0.1:8080")


def test_loopback_is_addresses_and_one_name() -> None:
    """And nothing that merely looks like it."""
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::ffff:192.0.2.1")


@pytest.mark.parametrize(
    ("error", "status"),
    [(CameraUnknown, 404), (MediaGone, 410), (BelowFloor, 409), (StorageFull, 503), (SourceSilent, 502)],
)
def test_the_nearest_base_decides_the_status(error: type[CustosError], status: int) -> None:
    """One table for all our errors."""
    assert status_of(error) == status


def test_what_nobody_foresaw_has_no_status() -> None:
    """Then it is a bug, and is answered as one."""
    assert status_of(CustosError) is None
    assert all(400 <= status < 600 for status in STATUS.values())
