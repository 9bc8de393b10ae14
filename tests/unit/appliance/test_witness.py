"""What a witness is told at its start: which logs it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.wiring.witness import LogsInvalid, LogsMissing, WitnessFacts, logs_of, page_of
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.errors import StorageError
from recorder.store.log.note import verifier_key
from tests.fakes.logs import BOX, ORIGIN, OTHER

FIRST, SECOND = (verifier_key(ORIGIN, key.public_key()) for key in (BOX, OTHER))
THIRD = verifier_key("custos/fedcba9876543210", BOX.public_key())
WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def test_logs_come_from_options_and_from_a_file(tmp_path: Path) -> None:
    """One that changed its key stands there with both; what is named twice is known once; comments are not read."""
    file = tmp_path / "logs"
    file.write_text(f"# the boxes of the north\n\n{THIRD}\n  {SECOND}  \n{FIRST}\n")

    known = logs_of([FIRST, FIRST], file)

    assert {origin: [key.text for key in keys] for origin, keys in known.items()} == {
        ORIGIN: [FIRST, SECOND],
        "custos/fedcba9876543210": [THIRD],
    }


@pytest.mark.parametrize("text", ["", "junk", FIRST[:-1], WITNESS, ORIGIN])
def test_what_is_no_key_of_a_log_is_named(tmp_path: Path, text: str) -> None:
    """Where it stands, and what should; a witness's key is none."""
    with pytest.raises(LogsInvalid, match="--log"):
        logs_of([text], None)
    if text:
        (tmp_path / "logs").write_text(f"{FIRST}\n{text}\n")
        with pytest.raises(LogsInvalid, match="logs, line 2"):
            logs_of([], tmp_path / "logs")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Not there, no text, far too large."""
    with pytest.raises(StorageError):
        logs_of([], tmp_path / "missing")
    for content in (b"\xff\xfe", b"#" * 1_100_000):
        (tmp_path / "logs").write_bytes(content)
        with pytest.raises(LogsInvalid):
            logs_of([], tmp_path / "logs")


def test_a_witness_of_nothing_is_not_started(tmp_path: Path) -> None:
    """It would refuse everybody, and nobody would know why."""
    (tmp_path / "logs").write_text("# none yet\n")
    with pytest.raises(LogsMissing):
        logs_of([], tmp_path / "logs")


def test_its_page_has_its_key(tmp_path: Path) -> None:
    """As boxes are told it."""
    key = parse_verifier_key(WITNESS, COSIGNATURE)

    assert WITNESS in page_of(WitnessFacts("http://127.0.0.1:8090", tmp_path, key, "00", (ORIGIN,)))
