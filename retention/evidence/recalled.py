"""What a witness remembers of a log, asked for before an older copy of that log is put back.

It is shown the backup's checkpoint as the one that it saw last (C2SP tlog-witness, `add-checkpoint`). One that saw
another last says which, and nothing changes; one that saw this one cosigns it again, which it had done already.
"""

from __future__ import annotations

from config.verifier_keys import VerifierKey
from recorder.store.log.note import size_of
from retention.evidence.asking import AnswerTooLarge, Unanswered, posted
from retention.evidence.cosigning import Asked, Cosigned, WitnessContradicts, WitnessSilent, WitnessWrong, judged


def size_seen(url: str, key: VerifierKey, note: str) -> int:
    """How many entries of this log the witness has seen.

    Args:
        url: of the witness.
        key: its own.
        note: the backup's checkpoint.

    Raises:
        WitnessSilent, WitnessUnaware, WitnessRefused, WitnessWrong: nobody knows.
    """
    size = size_of(note)
    asked = Asked(size, (), note)
    try:
        address = url.rstrip("/") + "/add-checkpoint"
        reply = posted(address, asked.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    except Unanswered as err:
        raise WitnessSilent from err
    except AnswerTooLarge as err:
        raise WitnessWrong from err
    try:
        said = judged(reply.status, reply.content_type, reply.body, asked, key)
    except WitnessContradicts as err:
        return err.size
    return size if isinstance(said, Cosigned) else said.size
