"""Has checkpoints stamped by an authority outside the box: asks, and keeps what is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import structlog

from config.clock import Clock
from config.errors import CustosError
from config.times import MINUTE_US
from recorder.store import files
from recorder.store.log.note import body_of
from recorder.store.store import Store
from retention.evidence.asking import AnswerTooLarge, Unanswered, posted
from retention.evidence.timestamp import AuthoritySilent, AuthorityWrong, Stamp, judged, question, roots_of

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
"""RFC 3161, 3.4."""

log = structlog.get_logger("anchors")


@dataclass(frozen=True)
class Authorities:
    """Who is asked, in this order, and who is believed."""

    urls: Sequence[str]
    roots_file: Path | None
    every_minutes: int


@dataclass
class Anchorer:
    """The anchoring of one box. `run` belongs to one thread."""

    store: Store
    clock: Clock
    authorities: Authorities
    problem: CustosError | None = field(default=None, init=False)
    """Why the last turn did not get all that was wanted."""

    def run(self) -> None:
        """Want what is due; ask for all that is wanted, oldest first, until one is refused."""
        if not self.authorities.urls:
            return
        if self._is_due():
            self.store.anchors.want("hourly")
        while waiting := self.store.anchors.pending():
            for anchor in waiting:
                try:
                    stamp, roots = self._stamped(body_of(anchor.note).encode())
                except CustosError as err:
                    log.warning("a checkpoint could not be stamped", size=anchor.size, code=err.code, reason=str(err))
                    self.problem = err
                    return
                self.store.anchors.keep(anchor, stamp.token, stamp.at_us, roots)
        self.problem = None

    def _is_due(self) -> bool:
        state = self.store.anchors.state()
        now_us = self.clock.read().utc_us
        last_us = max(state.stamped_us or 0, state.wanted_us or 0)
        return abs(now_us - last_us) >= self.authorities.every_minutes * MINUTE_US

    def certificates(self) -> bytes | None:
        """By which stamps are believed (PEM); None: there is no authority.

        Raises:
            StorageError: the file cannot be read.
        """
        path = self.authorities.roots_file
        if not self.authorities.urls or path is None:
            return None
        with files.translated(path):
            return path.read_bytes()

    def stamp(self, text: bytes) -> bytes:
        """The stamp of something that is handed out.

        Raises:
            AuthorityError: none could be had. StorageError: the file of certificates cannot be read.
        """
        return self._stamped(text)[0].token

    def _stamped(self, body: bytes) -> tuple[Stamp, bytes]:
        """By the first authority that can be believed; and the certificates (PEM) by which it is.

        Raises:
            AuthorityError: why the last one could not. StorageError: the file of roots cannot be read.
        """
        pem = self.certificates()
        assert pem is not None
        roots = roots_of(pem)
        failed = CustosError()
        for url in self.authorities.urls:
            asked = question(body)
            try:
                return judged(_answer(url, asked.as_bytes()), asked, body, roots), pem
            except CustosError as err:
                failed = err
        raise failed


def _answer(url: str, query: bytes) -> bytes:
    """Ask over HTTP.

    Raises:
        AuthoritySilent: nobody answers in time. AuthorityWrong: somebody does, but not with a stamp.
    """
    try:
        reply = posted(url, query, {"Content-Type": _QUERY, "Accept": _REPLY})
    except Unanswered as err:
        raise AuthoritySilent from err
    except AnswerTooLarge as err:
        raise AuthorityWrong from err
    if reply.status != HTTPStatus.OK:
        raise AuthorityWrong(f"{AuthorityWrong.sentence()} (it answered {reply.status})")
    return reply.body
