"""``custos fsck``, ``verify`` and ``log``: whether the record is as it must be. All of it reads only; what
``completeness`` needs signed, it has the box sign.

These open the data directory themselves, beside a running box: a proof that had to ask the box for its word would
prove little.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from appliance.cli.bar import bar
from appliance.cli.client import Box
from appliance.cli.footage import CameraArgument, EndOption, StartOption
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import KEY_LIES, count, instant_us, local, printable, span
from config.errors import ExitCode
from config.times import format_us
from config.verifier_keys import COSIGNATURE, parse_verifier_key

if TYPE_CHECKING:
    from recorder.store.fsck import Finding
    from recorder.store.log.leaves import Leaf
    from recorder.store.rebuild import RebuildReport
    from recorder.store.store import Store
    from retention.evidence.completeness import Judged
    from retention.evidence.reading import Verdict
    from retention.evidence.standing import Standing
    from retention.evidence.verification import Outside

REBUILDING: Final = "Reading the log 读取校验日志"
READING: Final = "Reading every stored byte 读取全部录像"

log_app = typer.Typer(help="The log: what was written down, and cannot be changed. 校验日志", no_args_is_help=True)


@contextlib.contextmanager
def reading(at: Desk) -> Iterator[Store]:
    """The store, opened beside whoever else has it."""
    from recorder.store.store import Store

    settings = at.settings
    store = Store.open(
        at.data_dir,
        at.clock,
        time_zone=settings.box.time_zone,
        keeping=settings.retention.defaults,
        exclusive=False,
        volumes=settings.wishes,
    )
    try:
        yield store
    finally:
        store.close()


def fsck(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First make the catalogue anew from media and log; the old one is kept.")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check files, index and log against each other; quick. Exit code 1 if anything is found. 快速检查"""
    from recorder.store.fsck import check

    at = desk(config, data_dir, as_json)
    report = _rebuilt(at) if rebuild else None
    with reading(at) as store:
        findings = check(store)
    _report(at, findings, report)


def _rebuilt(at: Desk) -> RebuildReport:
    from recorder.store.rebuild import rebuild

    with bar(at, REBUILDING) as progress:
        settings = at.settings
        report = rebuild(at.data_dir, at.clock, progress, key_url=settings.proof.key, volumes=settings.wishes)
    if not at.as_json:
        at.console.print(
            f"The catalogue was made anew from {report.entries} log entries: "
            f"{count(report.items, 'item')}. 索引库已由日志重建",
            markup=False,
        )
        if report.kept is not None:
            at.console.print(
                f"The old one is kept in {report.kept}; what is erased later stands in it still: destroy it when "
                "nobody needs it any more. 旧索引库已保留，不再需要时请销毁",
                markup=False,
            )
        for one in report.lost:
            at.console.print(f"Lost 丢失: {one}", markup=False)
    return report


def verify(
    package: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PACKAGE]", help="An evidence package (a folder, ZIP or tar); without it, this box.", exists=True
        ),
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help="Of the key that signed the package, from the papers.")
    ] = None,
    tsa_roots: Annotated[
        Path | None,
        typer.Option("--tsa-roots", help="Certificates (PEM) of the package's time-stamping authority, from itself."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", help="A witness's verifier key, from itself; may be given several times."),
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything fsck checks, and every stored byte against its hash; or an evidence package, which needs no box.

    Exit code 1 if anything is found. 全面校验，或校验证据包
    """
    from recorder.store.verify import verify as verify_all

    at = desk(config, data_dir, as_json)
    if package is not None:
        _verify_package(at, package, fingerprint, tsa_roots, _witness_keys(witness))
        return
    with reading(at) as store, bar(at, READING) as progress:
        findings = verify_all(store, progress)
    _report(at, findings)


def completeness(
    camera_id: CameraArgument,
    start: StartOption = "1d",
    end: EndOption = "5m",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether a minute is missing: every instant of an interval, proved by log and files. 完整性核查

    Exit code 1 if something is missing or was altered. What is not signed yet is signed first.
    """
    from recorder.errors import NotSignedYet
    from retention.evidence.standing import standing

    at = desk(config, data_dir, as_json)
    now_us = at.clock.read().utc_us
    start_us, end_us = instant_us(start, now_us, at.zone), instant_us(end, now_us, at.zone)
    with reading(at) as store, bar(at, READING) as progress:
        try:
            found = standing(store, camera_id, start_us, end_us, progress)
        except NotSignedYet:
            _sign(at)
            found = standing(store, camera_id, start_us, end_us, progress)
    body = {
        "complete": found.is_complete,
        "stretches": [_stretch(one) for one in found.judgement.stretches],
        "broken": list(found.judgement.broken),
        "problems": [{"file": one.file, "what": one.what} for one in found.problems],
    }
    if not at.answer(body):
        _show_standing(at, found)
    if not found.is_complete:
        raise typer.Exit(ExitCode.FINDINGS)


def _sign(at: Desk) -> None:
    """By the box, running or not: whoever reads beside it has no lock, and signs nothing."""
    with Box(at) as box:
        box.sign()


def _witness_keys(texts: Sequence[str] | None) -> list[str] | None:
    try:
        return [parse_verifier_key(one, COSIGNATURE).text for one in texts] if texts else None
    except ValueError as err:
        told = f"{err}: as `custos witness` shows it"
        raise typer.BadParameter(told, param_hint="--witness") from err


def _verify_package(
    at: Desk, package: Path, fingerprint: str | None, tsa_roots: Path | None, witnesses: Sequence[str] | None
) -> None:
    from recorder.store.files import translated
    from retention.evidence.reading import verify_package
    from retention.evidence.unpacking import verify_archive

    roots = None
    if tsa_roots is not None:
        with translated(tsa_roots):
            roots = tsa_roots.read_bytes()
    for number in (signal.SIGTERM, signal.SIGHUP):  # else what was unpacked would stay
        signal.signal(number, _end)
    with bar(at, READING) as progress:
        check = verify_archive if package.is_file() else verify_package
        verdict = check(package, fingerprint, progress, roots=roots, witnesses=witnesses)
    stretches = () if verdict.judgement is None else verdict.judgement.stretches
    if not at.answer(_told(verdict)):
        for one in verdict.objections:
            at.console.print(f"{printable(one.file)}: {one.what}", markup=False)
        for one in verdict.remarks:
            at.console.print(f"Remark 提示 {one.file}: {one.what}", markup=False)
        if stretches:
            at.console.print(_table(at, stretches))
        if verdict.is_good:
            _show_seen(at, verdict, tsa_roots is not None)
        if fingerprint is None:
            at.console.print("No fingerprint was given: it may be of one piece and another box's. 未给出指纹")
        at.console.print(
            "GOOD 校验通过" if verdict.is_good else f"NOT GOOD: {count(len(verdict.objections), 'problem')}. 未通过校验"
        )
    if not verdict.is_good:
        raise typer.Exit(ExitCode.FINDINGS)


def _told(verdict: Verdict) -> dict[str, Any]:
    stretches = () if verdict.judgement is None else verdict.judgement.stretches
    return {
        "good": verdict.is_good,
        "problems": [{"file": one.file, "what": one.what} for one in verdict.objections],
        "remarks": [{"file": one.file, "what": one.what} for one in verdict.remarks],
        "stretches": [_stretch(one) for one in stretches],
        "stamped": None if verdict.made_us is None else format_us(verdict.made_us),
        "anchored": verdict.is_anchored,
        "outsiders": [_outside(verdict, one) for one in verdict.outsiders],
    }


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _outside(verdict: Verdict, one: Outside) -> dict[str, object]:
    said = {"seen_before": one.before, "seen_recorded": one.recorded, "seen_whole": one.whole}
    times = {name: None if seen is None else format_us(seen.at_us) for name, seen in said.items()}
    return {"witness": one.witness, "believed": verdict.believes(one), **times}


def _show_seen(at: Desk, verdict: Verdict, has_roots: bool) -> None:
    """When somebody outside saw what, which is all that speaks against the owner of the key."""
    if verdict.made_us is not None:
        then = local(format_us(verdict.made_us), at.zone)
        at.console.print(f"By the authority's clock, this package was made before {then}. 证据包此时已存在")
    for one in verdict.outsiders:
        if verdict.believes(one):
            _show_outside(at, one)
        else:
            at.console.print(
                f"{_name(one)} cosigned it, and is not among those that were named. 该见证者未列入", markup=False
            )
    cosigned = {one.witness for one in verdict.outsiders}
    for key in sorted((verdict.believed or set()) - cosigned):
        at.console.print(f"Nothing in this package is cosigned by {key}. 无该见证者的签名", markup=False)
    if not verdict.is_anchored:
        at.console.print(
            "NOT ANCHORED: nobody outside is known by this package to have seen all of it; by the package alone, who "
            "has the recorder's key could have written it anew. 无外部时间戳或见证"
        )
    if not has_roots and (verdict.made_us is not None or None in cosigned):
        at.console.print(
            "The authority's certificates are those of the package: give its own. 请用 --tsa-roots 核对证书"
        )
    if verdict.believed is None and cosigned - {None}:
        at.console.print("The witnesses' keys are those of the package: give their own. 请用 --witness 核对公钥")


def _show_outside(at: Desk, one: Outside) -> None:
    by, told = f"By {'the authority' if one.witness is None else _name(one)}'s clock,", []
    if one.before is not None:
        told.append((one.before, "all of it was recorded later than", "均晚于此时录制"))
    if one.recorded is not None and one.recorded != one.whole:
        told.append((one.recorded, "nothing of it was recorded later than", "录像此时之前均已存在"))
    if one.whole is not None:
        told.append((one.whole, "nothing of it was recorded or discarded later than", "录像和删除记录此时之前均已存在"))
    for seen, what, chinese in told:
        at.console.print(f"{by} {what} {local(format_us(seen.at_us), at.zone)}. {chinese}", markup=False)


def _name(one: Outside) -> str:
    return "witness " + (one.witness or "").partition("+")[0]


def _stretch(one: Judged) -> dict[str, Any]:
    return {
        "standing": one.standing.value,
        "start": format_us(one.t0_us),
        "end": format_us(one.t1_us),
        "cause": None if one.cause is None else one.cause.value,
        "why": one.why or None,
    }


def _show_standing(at: Desk, found: Standing) -> None:
    for problem in found.problems:
        at.console.print(f"{problem.file}: {problem.what}", markup=False)
    for sentence in found.judgement.broken:
        at.console.print(sentence, markup=False)
    at.console.print(_table(at, found.judgement.stretches))
    at.console.print(
        "Complete: every instant is accounted for. 完整" if found.is_complete else "NOT complete: see above. 不完整"
    )


def _table(at: Desk, stretches: Sequence[Judged]) -> Table:
    table = Table("from", "to", "length", "what", "why", box=None)
    for one in stretches:
        why = one.cause.sentence() if one.cause is not None else ""
        said = f"{why} {one.why}".strip()
        length = span((one.t1_us - one.t0_us) / 1e6)
        words = WORDS[one.standing.value]
        table.add_row(local(format_us(one.t0_us), at.zone), local(format_us(one.t1_us), at.zone), length, words, said)
    return table


WORDS: Final = {
    "present_verified": "present, verified 存在且已校验",
    "gap_explained": "gap, explained 中断，有原因",
    "deleted_lawful": "deleted lawfully 依法删除",
    "breach": "BREACH: discarded too early, as admitted 违规提前删除，日志已载明",
    "missing_unexplained": "MISSING 缺失，无原因",
    "altered": "ALTERED 被改动",
}


@log_app.command("show")
def log_show(
    start: Annotated[int | None, typer.Option("--start", min=0, help="First leaf; the newest if left out.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many leaves.")] = 20,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leaves of the log, as they were written down. 查看校验日志"""
    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        size = store.log_size
        first = max(0, size - count) if start is None else start
        bodies = [_leaf(index, leaf) for index, leaf in store.leaves(first, min(size, first + count))]
        checkpoint = store.checkpoint_text()
    if at.answer({"size": size, "leaves": bodies, "checkpoint": checkpoint}):
        return
    for one in bodies:
        facts = json.dumps(one["fields"], ensure_ascii=False)
        at.console.print(f"{one['index']:>8}  {one['at']}  {one['type']:<8}  {facts}", markup=False)
    at.console.print(f"\n{size} leaves. The newest checkpoint:\n\n{checkpoint}", markup=False)


@log_app.command("key")
def log_key(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """The key that signs this log, as witnesses and other programs take it. 日志的验证公钥"""
    from recorder.store.log.note import verifier_key

    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        body = {
            "origin": store.origin,
            "key": verifier_key(store.origin, store.public_key),
            "fingerprint": store.fingerprint,
        }
    at.tell(body, f"verifier key 验证公钥  {body['key']}\nfingerprint 公钥指纹  {body['fingerprint']}")


@log_app.command("rotate-key")
def log_rotate_key(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the key that signs the log; the new one is made where [proof] key says. 更换日志签名密钥

    What the papers carry stays good.
    """
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = box.post("/api/v1/log/rotate-key", {})
    at.tell(
        body,
        f"Key {body['number']}, {KEY_LIES[body['kind']]}, signs the log from entry {body['leaf_index']} on.\n"
        f"  fingerprint 公钥指纹  {body['fingerprint']}\n"
        f"  before 原公钥指纹  {body['old_fingerprint']}\n"
        f"  first; it stays good on all papers 首个公钥指纹，验收文件继续有效  {body['first_fingerprint']}",
    )


def _leaf(index: int, leaf: Leaf) -> dict[str, Any]:
    return {
        "index": index,
        "type": leaf.type,
        "at": format_us(leaf.at_us),
        "elapsed_us": leaf.elapsed_us,
        "fields": dict(leaf.fields),
    }


def _report(at: Desk, findings: list[Finding], rebuilt: RebuildReport | None = None) -> None:
    from recorder.store.rebuild import summary

    more = {} if rebuilt is None else {"rebuilt": summary(rebuilt)}
    bodies = [{"invariant": one.invariant, "where": one.where, "what": one.what} for one in findings]
    if not at.answer({"findings": bodies, **more}):
        for one in findings:
            at.console.print(f"invariant {one.invariant}, {one.where}: {one.what}", markup=False)
        at.console.print(
            f"{count(len(findings), 'finding')}." if findings else "Nothing found: all is as it must be. 未发现异常"
        )
    if findings:
        raise typer.Exit(ExitCode.FINDINGS)
