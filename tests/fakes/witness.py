"""A witness on loopback: the real rule and the real memory behind a small server, honest or not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.clock import Clock
from config.verifier_keys import ED25519, VerifierKey
from recorder.store.log.cosignature import witness_key
from recorder.store.store import Store
from recorder.store.witnessed import WitnessRecord
from retention.evidence.cosigning import Asked, read_request
from retention.evidence.notary import Notary
from retention.evidence.witness import Answer, Logs
from tests.fakes.serving import Quiet, answering


@dataclass
class FakeWitness:
    """What it does when it is asked."""

    url: str
    key: VerifierKey
    notary: Notary
    asked: list[Asked] = field(default_factory=list)
    is_silent: bool = False
    answers: list[Answer] = field(default_factory=list)
    """Instead of an honest answer, one a request; then it is honest again."""


def log_key(store: Store) -> VerifierKey:
    """The key of a box's log, as a witness is told it."""
    return VerifierKey(store.origin, ED25519, store.public_key.public_bytes_raw())


def logs(*stores: Store) -> Logs:
    """These boxes are known."""
    return {one.origin: [log_key(one)] for one in stores}


@contextlib.contextmanager
def witness(folder: Path, known: Logs, clock: Clock, name: str = "witness.example/north") -> Iterator[FakeWitness]:
    """One that lives for as long as this does, and remembers in its folder."""
    over = threading.Event()
    record = WitnessRecord.open(folder, name)

    class Handler(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/add-checkpoint"
            made.asked.append(read_request(body))
            if made.is_silent:
                over.wait(30)
                return
            answer = made.answers.pop(0) if made.answers else made.notary.answer(body)
            data = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked has had enough
                self.wfile.write(data)

    with contextlib.closing(record), answering(Handler, over) as url:
        made = FakeWitness(url, witness_key(record.name, record.key.public_key()), Notary(record, known, clock))
        yield made


def sizes(asked: Sequence[Asked]) -> list[tuple[int, int]]:
    """From where to where each request led."""
    return [(one.old, one.size) for one in asked]
