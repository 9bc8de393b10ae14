"""The outcomes of the box's own duties, written by the supervisor and read by whoever tells how the box is doing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock


@dataclass(frozen=True)
class Outcome:
    """How a duty went lately."""

    name: str
    succeeded_us: int | None = None
    """When it last went well; None: never yet."""
    took_s: float = 0.0
    """How long it took then."""
    failed_us: int | None = None
    """Since when it has failed every time; None: the last time went well."""
    code: str = ""
    """What it failed by."""
    text: str = ""
    failures: int = 0
    """How often it has failed since the box was started."""


class Outcomes:
    """Remembers the last outcome of each duty. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._outcomes: dict[str, Outcome] = {}

    def succeeded(self, name: str, at_us: int, took_s: float) -> None:
        """A duty went well."""
        with self._lock:
            before = self._outcomes.get(name, Outcome(name))
            self._outcomes[name] = Outcome(name, at_us, took_s, failures=before.failures)

    def failed(self, name: str, at_us: int, code: str, text: str) -> bool:
        """A duty failed; true when that is news, that is, when the time before it did not fail by the same code."""
        with self._lock:
            before = self._outcomes.get(name, Outcome(name))
            is_news = before.failed_us is None or before.code != code
            since_us = at_us if before.failed_us is None else before.failed_us
            self._outcomes[name] = replace(
                before, failed_us=since_us, code=code, text=text, failures=before.failures + 1
            )
            return is_news

    def all(self) -> tuple[Outcome, ...]:
        """Every duty that has been tried, by name."""
        with self._lock:
            return tuple(self._outcomes[name] for name in sorted(self._outcomes))

    def of(self, name: str) -> Outcome:
        """One duty; all fields empty when it has not been tried."""
        with self._lock:
            return self._outcomes.get(name, Outcome(name))
