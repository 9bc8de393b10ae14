"""``custos log page``: a checkpoint on paper for the duty book, and what it says of the log when it is read back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.cli.client import refuse_standing
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.proof import reading
from appliance.wiring.program import version
from config.errors import CustosError, ExitCode
from config.times import to_datetime

if TYPE_CHECKING:
    from recorder.store.store import Store
    from retention.evidence.dutypage import Told

STANDARD_INPUT = "-"


class FileUnreadable(CustosError):
    """That file cannot be read."""

    code = "file_unreadable"
    exit_code = ExitCode.USAGE


def log_page(
    out: Annotated[
        Path | None, typer.Option("--out", help="The PDF to write; a name with the date if left out.")
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Read a page back: the text that a scanner gave, a picture or a PDF of the page; - is standard input.",
        ),
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """One page for the signed duty book: the newest checkpoint as text and QR code; or check one. 值班日志附页

    With --check, exit code 1 if the log is not the one that the page was printed from.
    """
    if out is not None and check is not None:
        raise typer.BadParameter("--out and --check are two different things: print a page, or check one.")
    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        if check is not None:
            _check(at, store, check)
        else:
            _print(at, store, out)


def _print(at: Desk, store: Store, out: Path | None) -> None:
    from recorder.store import files
    from recorder.store.log.keys import fingerprint
    from retention.evidence.dutypage import Facts, duty_page

    now_us = at.clock.read().utc_us
    note = store.checkpoint_text()
    checkpoint = store.keys.opened(note)
    remembered = store.latest_checkpoint()
    facts = Facts(
        box=store.box_id,
        name=store.facts.name,
        origin=store.origin,
        fingerprint=fingerprint(store.keys.at(checkpoint.size)[-1].key),
        first_fingerprint=store.first_fingerprint,
        note=note,
        size=checkpoint.size,
        # The box may have signed anew between the two readings: then the time is of another checkpoint.
        signed_us=remembered.at_us if remembered is not None and remembered.size == checkpoint.size else None,
        printed_us=now_us,
        program=version(),
    )
    target = out or Path(f"custos-{store.box_id}-{to_datetime(now_us).astimezone(at.zone):%Y%m%d-%H%M%S}.pdf")
    refuse_standing(target)
    files.write_atomically(target, duty_page(facts, at.zone))
    body = {"file": str(target), "origin": store.origin, "size": checkpoint.size, "fingerprint": store.fingerprint}
    at.tell(body, f"Print {target}, sign it, and keep it in the duty book. 请打印、签名并存入值班日志")


def _check(at: Desk, store: Store, name: str) -> None:
    from retention.evidence.dutypage import SENTENCES, Outcome, compare
    from retention.evidence.scanning import read_page

    note = read_page(_read(name))
    told = compare(note, store.checkpoint_text(), store.keys.opened, store.root_at)
    if not at.answer(_body(told)):
        at.console.print(SENTENCES[told.outcome], markup=False)
        if told.page is not None and told.now is not None:
            sizes = f"{told.page.size} 条 entries, 现在 now {told.now.size}"
            at.console.print(f"{told.page.origin}: 打印时 when printed {sizes}", markup=False)
    if told.outcome is not Outcome.UNCHANGED:
        raise typer.Exit(ExitCode.FINDINGS)


def _read(name: str) -> bytes:
    """A bounded piece of what was named: one byte more than may be, so that the rest is noticed."""
    from retention.evidence.scanning import INPUT_LIMIT_BYTES

    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(INPUT_LIMIT_BYTES + 1)
    try:
        with Path(name).open("rb") as stream:
            return stream.read(INPUT_LIMIT_BYTES + 1)
    except OSError as err:
        raise FileUnreadable(f"{FileUnreadable.sentence()} ({name}: {err.strerror})") from err


def _body(told: Told) -> dict[str, Any]:
    page, now = told.page, told.now
    return {
        "result": told.outcome.value,
        "page": None if page is None else {"origin": page.origin, "size": page.size, "root": page.root.hex()},
        "now": None if now is None else {"origin": now.origin, "size": now.size, "root": now.root.hex()},
    }
