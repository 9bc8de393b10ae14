"""A stop that does not come to its end is ended, in words."""

from __future__ import annotations

import threading

from appliance.notify import Notifier
from appliance.wiring.stopping import LastResort, limit_s
from config.errors import ExitCode


class Hearing(Notifier):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def status(self, status: str) -> None:
        self.heard.append(status)


def test_a_stop_that_takes_too_long() -> None:
    """The box says how long it waited, what it takes for the reason, what becomes of what was open; then it goes."""
    left = threading.Event()
    codes: list[int] = []
    manager = Hearing()
    LastResort(manager, lambda code: (codes.append(code), left.set())).begin(0.0)

    assert left.wait(10)
    assert codes == [ExitCode.STORAGE]
    (said,) = manager.heard
    assert "gave up after 0 s" in said
    assert "a disk" in said
    assert "next start" in said


def test_a_stop_that_comes_to_its_end() -> None:
    """Then nothing ends the process; nor where nobody began to wait."""
    codes: list[int] = []
    resort = LastResort(Hearing(), codes.append)
    resort.call_off()
    resort.begin(60)
    timer = resort._timer
    resort.call_off()
    assert timer is not None
    timer.join(10)

    assert not timer.is_alive()
    assert codes == []


def test_how_long_a_stop_may_take() -> None:
    """Fifteen seconds, and more with many cameras; below what the service's unit gives it."""
    assert (limit_s(0), limit_s(100)) == (15.0, 25.0)
