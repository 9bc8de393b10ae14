"""Carries out the rule of a witness: one request at a time, remembered before it is signed.

What is promised: a cosignature leaves only once the checkpoint is remembered durably. So two different checkpoints of
one size can never both have one, nor an older one behind a newer, whoever asks at the same time and whenever the power
fails. What fails between is remembered without a signature, and signed when it is asked for again.
"""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock

import structlog

from config.clock import Clock
from config.times import SECOND_US
from recorder.store.log.cosignature import cosign
from recorder.store.witnessed import Witnessed, WitnessRecord
from retention.evidence.witness import ASKING_LIMIT, SIGNING_LIMIT, TOO_MANY, Answer, Limiter, Logs, decide

NO_TIME = Answer(HTTPStatus.SERVICE_UNAVAILABLE, "The clock of this witness stands before 1970: it must be set.\n")

log = structlog.get_logger("custos.witness")


class Notary:
    """One witness at work. Thread-safe."""

    def __init__(self, record: WitnessRecord, logs: Logs, clock: Clock) -> None:
        self._record = record
        self._logs = logs
        self._clock = clock
        self._lock = Lock()
        self._asking, self._signing = Limiter(ASKING_LIMIT), Limiter(SIGNING_LIMIT)

    def admits(self, address: str) -> bool:
        """Whether somebody may ask once more now."""
        with self._lock:
            return self._asking.takes(address, self._clock.read().mono_us)

    def answer(self, body: bytes) -> Answer:
        """What to answer to a request to add a checkpoint.

        Raises:
            StorageError: it could not be remembered, so it was not cosigned.
        """
        with self._lock:
            last = {origin: seen.checkpoint for origin in self._logs if (seen := self._record.seen(origin))}
            decided = decide(body, self._logs, last)
            if isinstance(decided, Answer):
                log.info("not cosigned", status=int(decided.status), why=decided.body.strip())
                return decided
            now, shown = self._clock.read(), decided.checkpoint
            if now.utc_us < SECOND_US:
                return NO_TIME
            if shown != last.get(shown.origin):  # whoever repeats the last one, and anybody can, costs no write
                if not self._signing.takes(shown.origin, now.mono_us):
                    return TOO_MANY
                self._record.keep(shown.origin, Witnessed(decided.note))
            line = cosign(decided.note, self._record.name, self._record.key, now.utc_us // SECOND_US)
        log.info("cosigned", log=shown.origin, size=shown.size)
        return Answer(HTTPStatus.OK, line)
