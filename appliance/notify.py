"""What a service manager is told (sd_notify(3)): that the box is ready, how it does, that it lives, that it stops.

The protocol is a datagram of `NAME=value` lines to the Unix socket that `NOTIFY_SOCKET` names; ten lines of our own are
less to keep than a library. A manager that cannot be reached stops nobody: it will notice by itself.

That the box lives is said only when it does (`Watchdog`): not by a timer beside the work, which would go on ticking
over a store in which nothing moves, but by a duty like all others, behind what must work for the box to be of use.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

SEND_S: Final = 1.0
"""A manager that does not read for so long is not waited for."""

ANSWERS_EACH: Final = 3
"""So many times within the manager's patience the box says that it lives: two may come late."""

log = structlog.get_logger("custos.notify")


class Notifier:
    """The way to the service manager; silent where there is none."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """`address`: of its socket, a path, or `@` and a name (abstract); `watchdog_s`: its patience, if it has any."""
        self._address = address
        self.watchdog_s = watchdog_s if address else None

    @staticmethod
    def taken_from(environ: MutableMapping[str, str]) -> Notifier:
        """As the environment says, and out of it: processes that the box starts have nothing to say.

        `WATCHDOG_PID` names who is meant (sd_watchdog_enabled(3)).
        """
        address = environ.pop("NOTIFY_SOCKET", None)
        patience, meant = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_meant = not meant or meant == str(os.getpid())
        watchdog_s = int(patience) / 1e6 if is_meant and patience.isdecimal() and int(patience) else None
        return Notifier(address, watchdog_s)

    def ready(self, status: str) -> None:
        """The box answers, and records as far as it can."""
        self._tell(f"READY=1\nSTATUS={status}")

    def stopping(self, status: str) -> None:
        """It was told to end, and is at it."""
        self._tell(f"STOPPING=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """Everything that `Watchdog` asks has answered."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        place = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.settimeout(SEND_S)
                sending.sendto(text.encode(), place)
        except OSError as err:
            log.warning("the service manager could not be told", why=err.strerror or type(err).__name__)


@dataclass(frozen=True)
class Watchdog:
    """Tells the manager that the box lives, behind everything that must work for that.

    What hangs keeps the answer back, and what raises: then the manager ends the box and starts it anew.
    """

    notifier: Notifier
    asked: Sequence[Callable[[], object]]

    def answer(self) -> None:
        """Ask all, then tell.

        Raises:
            CustosError: what one of them raises; nothing was told.
        """
        for one in self.asked:
            one()
        self.notifier.alive()

    def period_s(self) -> float:
        """How often."""
        return (self.notifier.watchdog_s or 0.0) / ANSWERS_EACH
