"""The command line: ``custos``. Every command answers people, or programs with ``--json``.

Commands ask the box by its HTTP interface (`appliance.cli.client`); proofs read the data directory themselves. An error
is one sentence on standard error and an exit code that scripts can rely on (`config.errors.ExitCode`).
"""

from __future__ import annotations

import io
import os
import sys

import structlog
import typer

from appliance.cli import (
    backup,
    box,
    cameras,
    exports,
    footage,
    forecast,
    holds,
    page,
    plan,
    proof,
    scrub,
    views,
    witness,
)
from appliance.cli.words import exit_codes_text, language_of
from config import logs
from config.errors import ConfigInvalid, CustosError, ExitCode

app = typer.Typer(
    name="custos",
    help="Custos records cameras so that the footage can stand as evidence. 可作证据的现场录像机",
    epilog=f"Exit codes 退出码:\n\n{exit_codes_text()}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(box.init)
app.command("run")(box.run)
app.command("status")(box.status)
app.command("forecast")(forecast.forecast)
app.command("plan")(plan.plan)
app.add_typer(cameras.app, name="camera")
app.command("segments")(footage.segments)
app.command("coverage")(footage.coverage)
app.command("receipts")(footage.receipts)
app.add_typer(holds.app, name="hold")
app.add_typer(exports.app, name="export")
app.command("views")(views.views)
app.command("erase-record")(views.erase_record)
app.command("verify")(proof.verify)
app.command("fsck")(proof.fsck)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("scrub")(scrub.scrub)
app.command("completeness")(proof.completeness)
proof.log_app.command("page")(page.log_page)
app.add_typer(proof.log_app, name="log")
app.command("witness")(witness.witness)
app.add_typer(box.config_app, name="config")
app.add_typer(box.token_app, name="token")
app.command("version")(box.version)


def main() -> None:
    """Run a command; whatever goes wrong ends in one sentence and an exit code, never in a stack trace."""
    logs.configure(level="WARNING")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows Latin letters alone is no fault either
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CustosError as err:
        _complain(err.message(language_of(os.environ)) if isinstance(err, ConfigInvalid) else str(err))
        sys.exit(err.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does: no fault, and nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except Exception as err:  # noqa: BLE001 - the top of the program: what nobody foresaw is a fault in Custos
        structlog.get_logger("custos.cli").debug("a fault in Custos", exc_info=err)
        _complain(
            f"This is a bug in Custos: {type(err).__name__}. `custos run --debug` logs its details; please report it."
        )
        sys.exit(ExitCode.BUG)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"custos: {logs.redact(sentence)}\n")
