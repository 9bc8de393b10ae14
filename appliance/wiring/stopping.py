"""The end of a stop that does not come to its end: after a named limit the box says so and goes.

A stop seals what is open, signs it and gives everything back; each step has a limit of its own, except for what the
kernel does. A disk that hangs keeps a thread in a system call that nothing ends, and the process behind it. Whoever
waits for that box, a person or a service manager, would have to kill it without a word. So the box leaves by itself:
nothing is lost that a power cut would not lose, and the next start finishes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

import structlog

from appliance.notify import Notifier
from appliance.supervisor import SERVER_STOP_S
from config.errors import ExitCode
from recorder.capture.fleet import STOP_EACH_S, STOP_TIMEOUT_S

AFTER_SEALING_S: Final = 7.0
"""For signing, and for giving back what is open; answers under way have `SERVER_STOP_S` of their own."""

log = structlog.get_logger("custos.box")


def limit_s(cameras: int) -> float:
    """How long a stop may take: 15 s, and 0.1 s for each camera."""
    return STOP_TIMEOUT_S + STOP_EACH_S * cameras + SERVER_STOP_S + AFTER_SEALING_S


class LastResort:
    """Ends the process once a stop has taken too long.

    Args:
        notifier: told as well.
        leave: what ends it; hands over no control again.
    """

    def __init__(self, notifier: Notifier, leave: Callable[[int], object] = os._exit) -> None:
        self._notifier = notifier
        self._leave = leave
        self._timer: threading.Timer | None = None

    def begin(self, after_s: float) -> None:
        """From now on so long."""
        self._timer = threading.Timer(after_s, self._give_up, [after_s])
        self._timer.daemon = True
        self._timer.start()

    def call_off(self) -> None:
        """The stop came to its end; harmless when it never began."""
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self, after_s: float) -> None:
        why = (
            f"gave up after {after_s:.0f} s: something does not answer, most likely a disk; "
            "what was open is finished at the next start"
        )
        log.error("the box could not be stopped in order", why=why)
        self._notifier.status(why)
        self._leave(ExitCode.STORAGE)
