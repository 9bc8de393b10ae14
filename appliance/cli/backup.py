"""``custos backup`` and ``custos restore``: a copy of all but footage, and the way back from it.

Both work on the data directory itself, as the proofs do: a box that is to be restored cannot answer, and what a backup
holds (the key of the log) no interface over a network should hand out.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.cli.client import Box
from appliance.cli.options import DEFAULT_CONFIG, ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import count, local, size
from appliance.wiring.program import version as program_version
from config.errors import CustosError
from config.verifier_keys import COSIGNATURE, parse_verifier_key

if TYPE_CHECKING:
    from recorder.store.backup import BackupReport
    from recorder.store.restore import RestoreReport
    from recorder.store.rollback import Known


def backup(
    target: Annotated[Path, typer.Argument(help="A folder that is not there yet, best on another disk.")],
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave private keys and passwords out. 不含私钥和口令")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy keys, catalogue, log and configuration, while the box runs; no footage. 备份

    The copy holds the box's SECRET key: keep it as safe as the box. 备份内含私钥，须妥善保管
    """
    from recorder.store.backup import make_backup
    from recorder.store.store import Store

    # Long by its options.
    at = desk(config, data_dir, as_json)
    with contextlib.suppress(CustosError), Box(at) as box:
        # What is not signed yet is, by the box itself. Where it asks for its token, the last checkpoint does: a minute.
        box.sign()
    settings = at.settings
    store = Store.open(
        at.data_dir,
        at.clock,
        time_zone=settings.box.time_zone,
        keeping=settings.retention.defaults,
        exclusive=False,
        key_url=settings.proof.key,
    )
    chosen = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    try:
        made = make_backup(
            store,
            target,
            at.clock.read().utc_us,
            program_version(),
            configuration=chosen,
            with_keys=not without_keys,
        )
    finally:
        store.close()
    _show_backup(at, made)


def _show_backup(at: Desk, made: BackupReport) -> None:
    facts = made.facts
    body = {
        "folder": str(made.folder),
        "box": facts.box,
        "size": facts.size,
        "root": facts.root,
        "made": facts.made,
        "with_keys": facts.with_keys,
        "files": made.files,
        "bytes": made.bytes,
    }
    secret = (
        "SECRET 机密: the key of the log and passwords lie in it, readable; who has it signs as this box.\n"
        "  Keep it locked away, or encrypted. 内含私钥和口令，请加密或锁存"
        if facts.with_keys
        else "It was made without keys: keep the key of the log elsewhere, or nothing can go on from it. 不含私钥"
    )
    how_much = f"{count(made.files, 'file')}, {size(made.bytes)}"
    at.tell(
        body,
        f"A backup as of entry {facts.size} was made in {made.folder} ({how_much}). 已备份\n"
        f"  {secret}\n"
        "  Footage and packages are not in it. 不含录像和证据包",
    )


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder of the backup.", exists=True)],
    data_dir: Annotated[Path, typer.Argument(help="Where the box is to live.")],
    accept_rollback: Annotated[
        str | None,
        typer.Option(
            "--accept-rollback", metavar="REASON", help="Take entries back, and have the log say why. 接受回退"
        ),
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help="Of the log's first key, from the papers. 首个公钥指纹")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back. Refused, with numbers, where more of the log is known than the backup has. 恢复

    What stood there is kept in spool/replaced; nothing is thrown away. The next start says in the log that it was done.
    """
    from recorder.store.restore import Accepted
    from recorder.store.restore import restore as put_back

    if accept_rollback is not None and not accept_rollback.strip():
        raise typer.BadParameter("say why", param_hint="--accept-rollback")
    at = desk(config, data_dir, as_json)
    who = _who(at.environ)
    known, silent = _witnesses(at, source)
    report = put_back(
        source,
        at.data_dir,
        at.clock,
        fingerprint=fingerprint,
        accepted=None if accept_rollback is None else Accepted(who, accept_rollback.strip()),
        by=who,
        also=known,
        volumes=at.settings.wishes,
    )
    _show_restored(at, source, report, silent)


def _who(environ: Mapping[str, str]) -> str:
    """Whose command this is, as the system knows it."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    by = environ.get("SUDO_USER")
    return f"{name}, for {by}" if by else name


def _witnesses(at: Desk, source: Path) -> tuple[list[Known], list[str]]:
    """What those of the configuration have seen of the log, and sentences about those that could not be asked."""
    from recorder.store.backup import DATA
    from recorder.store.files import translated
    from recorder.store.rollback import Known
    from retention.evidence.recalled import size_seen

    note_path = source / DATA / "log" / "checkpoint"
    if not at.settings.proof.witnesses or not note_path.is_file():
        return [], []
    with translated(note_path):
        note = note_path.read_text(encoding="utf-8", errors="replace")
    known, silent = [], []
    for one in at.settings.proof.witnesses:
        key = parse_verifier_key(one.key, COSIGNATURE)
        try:
            known.append(Known(f"Witness {key.name}", size_seen(one.url, key, note)))
        except CustosError as err:
            silent.append(f"Witness {key.name} could not be asked what it has seen: {err}")
    return known, silent


def _show_restored(at: Desk, source: Path, report: RestoreReport, silent: list[str]) -> None:
    facts, taken_back = report.facts, report.found.size(report.entries) - report.entries
    body: dict[str, Any] = {
        "data_dir": str(at.data_dir.absolute()),
        "box": facts.box,
        "entries": report.entries,
        "made": facts.made,
        "taken_back": taken_back,
        "newer_segments": report.found.segments,
        "set_aside": report.aside,
        "missing_media": report.missing,
        "replaced": None if report.replaced is None else str(report.replaced),
        "has_key": report.has_key,
        "remarks": silent,
    }
    place = at.data_dir.absolute()
    told = [f"The backup of {local(facts.made, at.zone)} was put back in {place}: {report.entries} entries. 已恢复"]
    if taken_back or report.found.segments:
        told.append(
            f"It takes {taken_back} known entries back, and knows nothing of "
            f"{count(report.found.segments, 'newer segment')}; the log will say so. 已回退，将记入日志\n"
            "  Holds placed and floors raised since the backup are gone with it: do so again, before the next sweep. "
            "备份之后的证据保全和留存期须重新设定"
        )
    if report.aside:
        told.append(
            f"{count(report.aside, 'media file')} that it cannot go on from: in `replaced` of the volume. 已另存"
        )
    if report.missing:
        told.append(f"Of {count(report.missing, 'segment')} the media is not here; `custos fsck` names each. 录像缺失")
    if report.replaced is not None:
        told.append(f"What stood there lies in {report.replaced}, keys too. 原有文件（含密钥）")
    if not report.has_key:
        told.append("NO KEY: put the key of the log at keys/log.ed25519 (mode 0600) before the start. 缺少私钥")
    told.append(f"The configuration, if there was one, lies in {source / 'configuration'}. 配置文件")
    at.tell(body, "\n".join([*told, *silent]))
