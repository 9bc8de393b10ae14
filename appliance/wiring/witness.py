"""Puts a witness together, and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.witness import create_witness
from appliance.health.outcomes import Outcomes
from appliance.supervisor import Parts, listen, supervise
from appliance.wiring.running import url_of
from config.clock import Clock
from config.errors import CustosError, ExitCode
from config.verifier_keys import ED25519, VerifierKey, parse_verifier_key
from recorder.store import files
from recorder.store.log.cosignature import witness_key
from recorder.store.log.keys import fingerprint
from recorder.store.witnessed import WitnessRecord
from retention.evidence.notary import Notary

CONNECTIONS: Final = 100
"""At the same time; past it the server answers 503 at once, so that nobody can fill its memory."""

LOGS_LIMIT_BYTES: Final = 1024 * 1024
"""A list of logs of more than this is another file."""


class LogsInvalid(CustosError):
    """A log that a witness may cosign is named by its verifier key, name+hash+key, as `custos log key` shows it."""

    code = "logs_invalid"
    exit_code = ExitCode.CONFIG


class LogsMissing(CustosError):
    """The witness knows no log: name at least one with --log, or a file of them with --logs."""

    code = "logs_missing"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class WitnessFacts:
    """What a witness tells on the terminal once it answers."""

    url: str
    folder: Path
    key: VerifierKey
    fingerprint: str
    logs: tuple[str, ...]


def run_witness(
    folder: Path,
    name: str | None,
    address: tuple[str, int],
    logs: Mapping[str, Sequence[VerifierKey]],
    clock: Clock,
    up: Callable[[WitnessFacts], None],
) -> None:
    """Run a witness until SIGTERM or SIGINT.

    Raises:
        AddressNotFree: before anything is touched. StoreError: the folder cannot be used.
    """
    with listen(*address, port_name="--port", host_name="--host") as listener:
        record = WitnessRecord.open(folder, name)
        try:
            public = record.key.public_key()
            url = url_of(address[0], listener.getsockname()[1])
            key = witness_key(record.name, public)
            facts = WitnessFacts(url, folder.absolute(), key, fingerprint(public), tuple(logs))
            parts = Parts(
                duties=(),
                companions=(),
                app=lambda: create_witness(Notary(record, logs, clock), page_of(facts)),
                listener=listener,
                listening=lambda: up(facts),
                stop_recording=lambda: None,
                outcomes=Outcomes(),
                clock=clock,
                connections=CONNECTIONS,
            )
            asyncio.run(supervise(parts, asyncio.Event()))
        finally:
            record.close()


def page_of(facts: WitnessFacts) -> str:
    """What a witness says of itself."""
    return f"A witness of transparency logs (C2SP tlog-witness).\n\n{facts.key.text}\n"


def logs_of(keys: Sequence[str], file: Path | None) -> dict[str, list[VerifierKey]]:
    """The logs that are known, by origin: a log whose key was changed stands there with both.

    Args:
        keys: verifier keys.
        file: more of them, one a line; what follows `#` at the beginning of a line is not read.

    Raises:
        LogsInvalid: one is none. LogsMissing: there is none. StorageError: the file cannot be read.
    """
    known: dict[str, list[VerifierKey]] = {}
    for where, text in [*(("--log", key) for key in keys), *(_lines(file) if file else ())]:
        try:
            key = parse_verifier_key(text.strip(), ED25519)
        except ValueError as err:
            raise LogsInvalid(f"{where}: {err}. {LogsInvalid.sentence()}") from err
        known.setdefault(key.name, [])
        if key not in known[key.name]:
            known[key.name].append(key)
    if not known:
        raise LogsMissing
    return known


def _lines(file: Path) -> list[tuple[str, str]]:
    with files.translated(file), file.open("rb") as stream:
        data = stream.read(LOGS_LIMIT_BYTES + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as err:
        raise LogsInvalid(f"{file} is not UTF-8 text. {LogsInvalid.sentence()}") from err
    if len(data) > LOGS_LIMIT_BYTES:
        raise LogsInvalid(f"{file} is larger than 1 MB. {LogsInvalid.sentence()}")
    lines = enumerate(text.splitlines(), 1)
    return [(f"{file.name}, line {n}", line) for n, line in lines if line.strip() and not line.startswith("#")]
