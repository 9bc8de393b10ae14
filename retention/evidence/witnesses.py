"""Has checkpoints cosigned by witnesses outside the box: asks each, and keeps what is believed.

A witness remembers what it saw last of this log, and cosigns only what goes on from there. So it finds out, at the next
question, that the log was written anew or cut off: that is told louder than anything else (`WitnessContradicts`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from config.clock import Clock
from config.errors import CustosError
from config.times import MINUTE_US, SECOND_US
from config.verifier_keys import VerifierKey
from recorder.store.records import Anchor, AnchorKind, AnchorState, Outsider
from recorder.store.store import Store
from retention.evidence.asking import AnswerTooLarge, Unanswered, posted
from retention.evidence.cosigning import (
    Asked,
    Cosigned,
    SawLast,
    WitnessContradicts,
    WitnessSilent,
    WitnessWrong,
    judged,
)

QUESTIONS: Final = 3
"""For one checkpoint: what the witness saw last may be another size than was thought, and then nothing else changes."""

TURN: Final = 10
"""Checkpoints for one turn: while one is asked for a hold may want the next."""

log = structlog.get_logger("witnesses")


@dataclass
class Witness:
    """One witness of the box, as the box knows it. `run` belongs to one thread."""

    store: Store
    clock: Clock
    url: str
    key: VerifierKey
    every_minutes: int
    problem: CustosError | None = field(default=None, init=False)
    """Why the last turn did not get what was wanted."""
    _begun: bool = field(default=False, init=False)

    @property
    def outsider(self) -> Outsider:
        """Under which name the store keeps what it said."""
        return Outsider(AnchorKind.WITNESS, self.key.text)

    def state(self) -> AnchorState:
        """How it stands with its cosignatures."""
        return self.store.anchors.state(self.outsider)

    def want(self, reason: str) -> None:
        """Have the newest checkpoint cosigned at the next turn."""
        self.store.anchors.want(reason, self.outsider)

    def run(self) -> None:
        """Want what is due, and ask for what is wanted. What fails waits, and is asked for again."""
        state = self.state()
        if state.waiting or self._is_due(state):
            self.want("due")
        for _ in range(TURN):
            waiting = self.store.anchors.pending(1, self.outsider)
            if not waiting:
                break
            try:
                said = self._asked(waiting[0])
            except CustosError as err:
                self._failed(err, waiting[0])
                return
            self.store.anchors.keep(waiting[0], said.note.encode(), said.at_s * SECOND_US)
        self.problem = None

    def _is_due(self, state: AnchorState) -> bool:
        """At the first turn always: while a box is off, its disk may have been changed, or an older copy put back."""
        now_us, first = self.clock.read().utc_us, not self._begun
        self._begun = True
        return first or state.asked_us is None or abs(now_us - state.asked_us) >= self.every_minutes * MINUTE_US

    def _asked(self, anchor: Anchor) -> Cosigned:
        """Begin with what it cosigned last; where it saw another size last, go on from that.

        Raises:
            WitnessError: one of its kinds. LogError: the log is damaged, so there is nothing to show.
        """
        old = min(self.state().size, anchor.size)
        for _ in range(QUESTIONS):
            asked = Asked(old, self.store.consistency(old, anchor.note), anchor.note)
            said = self._answer(asked)
            if isinstance(said, Cosigned):
                return said
            if said.size < old:
                log.warning("a witness has forgotten what it cosigned", witness=self.key.name, had=old, has=said.size)
            old = said.size
        raise WitnessWrong(f"{WitnessWrong.sentence()} (it says another size each time)")

    def _answer(self, asked: Asked) -> Cosigned | SawLast:
        try:
            url = self.url.rstrip("/") + "/add-checkpoint"
            reply = posted(url, asked.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        except Unanswered as err:
            raise WitnessSilent from err
        except AnswerTooLarge as err:
            raise WitnessWrong from err
        return judged(reply.status, reply.content_type, reply.body, asked, self.key)

    def _failed(self, err: CustosError, anchor: Anchor) -> None:
        """Into the log once per kind; that the log was rewritten or cut off is an entry of it, so that it stays.

        What contradicts is told until the witness cosigns again: it must not become quiet by keeping the witness away.
        """
        before = self.problem
        if isinstance(before, WitnessContradicts) and not isinstance(err, WitnessContradicts):
            return
        self.problem = err
        if type(err) is not type(before):
            log.warning("a checkpoint was not cosigned", witness=self.key.name, code=err.code, why=str(err))
            if isinstance(err, WitnessContradicts):
                fields = {"what": err.code, "witness": self.key.text, "size": anchor.size, "seen": err.size}
                self.store.note("finding", fields)
