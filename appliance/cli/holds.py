"""``custos hold``: footage that must not go."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from appliance.cli.client import Box
from appliance.cli.footage import EndOption, StartOption, interval
from appliance.cli.options import ConfigOption, DataDirOption, Desk, JsonOption, desk
from appliance.cli.words import count, instant_us, local, size
from config.times import format_us

app = typer.Typer(help="Holds: footage that must not go, whatever its age. 证据保全", no_args_is_help=True)

BASES: Final = ("order_168_29", "order_168_23", "order_799_20", "order_799_21", "internal")
"""What a hold may rest on, as `recorder.store.records.HoldBasis` has it: most commands do without the store."""

CODE_LINE_LIMIT: Final = 1024
"""Bytes of a line with a release code on standard input; what is longer is none."""

HoldId = Annotated[int, typer.Argument(metavar="ID", help="The hold's number.")]
ReviewOption = Annotated[
    str | None,
    typer.Option("--review", help="When to be reminded of it, such as 2027-03-01. It ends nothing. 复核日期"),
]
ByOption = Annotated[str, typer.Option("--by", help="Who does it; kept beside the log. 经办人")]
StdinOption = Annotated[
    bool, typer.Option("--codes-stdin", help="Read codes from standard input, one a line, instead of asking for them.")
]


@app.command("place")
def place(
    cameras: Annotated[list[str], typer.Argument(metavar="CAMERA…", help="One or more camera ids.")],
    start: StartOption,
    case: Annotated[str, typer.Option("--case", help="The case or order it belongs to.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    end: EndOption = "now",
    padding_before_s: Annotated[
        int | None, typer.Option("--padding-before", min=0, help="Seconds held before it; 300 if not given.")
    ] = None,
    padding_after_s: Annotated[
        int | None, typer.Option("--padding-after", min=0, help="Seconds held behind it; 300 if not given.")
    ] = None,
    basis: Annotated[str, typer.Option("--basis", help=f"What it rests on: {', '.join(BASES)}. 依据")] = "internal",
    reference: Annotated[str, typer.Option("--reference", help="Number of the letter. 介绍信或文书编号")] = "",
    by: ByOption = "",
    review_date: ReviewOption = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep this footage until the hold is released. An end that lies ahead holds what will be recorded. 设置保全"""
    if basis not in BASES:
        raise typer.BadParameter(f"--basis is one of {', '.join(BASES)}.")
    at = desk(config, data_dir, as_json)
    body: dict[str, Any] = {"cameras": cameras, **interval(at, start, end), "case": case, "reason": reason}
    body |= {"basis": basis, "reference": reference, "placed_by": by, "review": _instant(at, review_date)}
    padding = {"padding_before_s": padding_before_s, "padding_after_s": padding_after_s}
    body |= {name: value for name, value in padding.items() if value is not None}
    with Box(at) as box:
        hold = box.post("/api/v1/holds", body)
    if not at.answer(hold):
        for line in _of_new(at, hold):
            at.console.print(line, markup=False)


@app.command("list")
def list_holds(
    in_force: Annotated[
        bool, typer.Option("--in-force", help="Without those that were released. 仅列出有效保全")
    ] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """All holds, released ones too. 列出保全"""
    at = desk(config, data_dir, as_json)
    holds: list[dict[str, Any]] = []
    after: int | None = 0
    with Box(at) as box:
        while after is not None:
            body = box.get("/api/v1/holds", in_force="true" if in_force else None, after=after)
            holds, after = [*holds, *body["holds"]], body["next"]
    if not at.answer({"holds": holds}):
        _show(at, holds)


@app.command("show")
def show(
    hold_id: HoldId,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """One hold, what it covers now, and how its media is. 查看保全"""
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        hold = box.get(f"/api/v1/holds/{hold_id}")
    if not at.answer(hold):
        for line in _of_one(at, hold):
            at.console.print(line, markup=False)


@app.command("review")
def review(
    hold_id: HoldId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    date: Annotated[str | None, typer.Option("--date", help="The new date, such as 2027-03-01. 新的复核日期")] = None,
    none: Annotated[bool, typer.Option("--none", help="Remind nobody any more. 取消提醒")] = False,
    by: ByOption = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change when to be reminded of a hold; it stays in force whatever the date. 变更复核日期"""
    if none is (date is not None):
        raise typer.BadParameter("Either --date or --none is needed.")
    at = desk(config, data_dir, as_json)
    with Box(at) as box:
        body = {"review": _instant(at, date), "reason": reason, "by": by}
        hold = box.post(f"/api/v1/holds/{hold_id}/review", body)
    when = local(hold["review"], at.zone)
    at.tell(
        hold,
        _say(
            at,
            f"Hold {hold_id} is to be reviewed: {when}. It stays in force.",
            f"保全 {hold_id} 复核日期：{when}；保全继续有效。",
        ),
    )


@app.command("release")
def release(
    hold_id: HoldId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="A holder of a release code; given twice, for two persons. 解除码持有人"),
    ] = None,
    codes_stdin: StdinOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold, by two persons with a release code each; its footage falls back under the ordinary rules. 解除保全"""
    at = desk(config, data_dir, as_json)
    holders = by or _asked_holders(at, codes_stdin)
    if len(holders) != 2:
        raise typer.BadParameter("--by is given twice: two persons release a hold.")
    given = [{"holder": name, "code": _code(at, name, codes_stdin)} for name in holders]
    with Box(at) as box:
        hold = box.post(f"/api/v1/holds/{hold_id}/release", {"reason": reason, "by": given})
    at.tell(hold, _say(at, f"Hold {hold_id} is released.", f"保全 {hold_id} 已解除。"))


@app.command("codes")
def codes(
    renew: Annotated[
        str | None, typer.Option("--renew", help="The holder whose code is made anew; the other one vouches. 更换")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="With --renew: who holds it from now on, if another person.")
    ] = None,
    holders: Annotated[
        list[str] | None,
        typer.Option("--holder", help="Without --renew, given twice: who the two holders are. 持有人"),
    ] = None,
    codes_stdin: StdinOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the release codes of a box that has none, or renew one; each is shown this once. 解除码

    Done on the box itself, by who may write its data directory. While a hold is in force, new codes release nothing
    for seven days.
    """
    from appliance.cli.proof import reading
    from recorder.store import codes as kept
    from recorder.store.codes import Credential

    if (renew is not None and holders) or (renew is None and name is not None):
        raise typer.BadParameter("--holder is for a box without codes, --name for one that --renew gives anew.")
    at = desk(config, data_dir, as_json)
    with reading(at) as store:
        if renew is None:
            issued = kept.make(store.layout, holders or kept.DEFAULT_NAMES)
        else:
            other = kept.other_of(store.layout, renew)  # before anybody is asked for a code
            vouching = Credential(other, _code(at, other, codes_stdin))
            issued = (kept.renew(store.layout, renew, vouching, name),)
    if not at.answer({"release_codes": [{"holder": one.holder, "code": one.code} for one in issued]}):
        at.console.print("\n".join(codes_told(at, [(one.holder, one.code) for one in issued])), markup=False)


def codes_told(at: Desk, issued: list[tuple[str, str]]) -> list[str]:
    """Codes that were just made, shown this once."""
    head = _say(
        at,
        "Release codes, shown this once; each is for its holder alone, and both together release a hold:",
        "解除码，仅显示一次；由各持有人分别保管，两人共同使用方可解除保全：",
    )
    return [head, *(f"    {holder}  {code}" for holder, code in issued)]


def _asked_holders(at: Desk, from_stdin: bool) -> list[str]:
    if from_stdin:
        raise typer.BadParameter("--codes-stdin needs --by twice: who gives which code.")
    texts = (("First holder", "第一持有人"), ("Second holder", "第二持有人"))
    return [str(typer.prompt(_say(at, *text), err=True)) for text in texts]


def _code(at: Desk, holder: str, from_stdin: bool) -> str:
    """A code: never in argv, which everybody on the machine can read, and never shown while it is typed."""
    if from_stdin:
        return sys.stdin.buffer.readline(CODE_LINE_LIMIT).decode(errors="replace").strip()
    text = _say(at, f"Release code of {holder}", f"{holder} 的解除码")
    return str(typer.prompt(text, hide_input=True, err=True)).strip()


def _instant(at: Desk, text: str | None) -> str | None:
    return None if text is None else format_us(instant_us(text, at.clock.read().utc_us, at.zone))


def _say(at: Desk, english: str, chinese: str) -> str:
    return chinese if at.language.startswith("zh") else english


def _of_new(at: Desk, hold: dict[str, Any]) -> list[str]:
    """What whoever places a hold has to know at once."""
    covered, outlook, number = hold["covered"], hold["outlook"], hold["id"]
    first, last = local(hold["protected_start"], at.zone), local(hold["protected_end"], at.zone)
    lines = [
        _say(at, f"Hold {number} is in force: {first} to {last}.", f"保全 {number} 已生效：{first} 至 {last}。"),
        _covers(at, covered),
    ]
    if covered["already_gone"]:
        entries = ", ".join(str(one["entry"]) for one in outlook["receipts"])
        gone = count(covered["already_gone"], "segment")
        english = f"  Gone already, and not to be had back: {gone}; entries of the log: {entries}."
        lines.append(_say(at, english, f"  此前已删除、无法恢复：{covered['already_gone']} 段；日志条目：{entries}。"))
    if outlook["soon_segments"]:
        days, segments, when = outlook["soon_days"], outlook["soon_segments"], local(outlook["soon"], at.zone)
        english = f"  Would have gone within {days} days: {count(segments, 'segment')}, the first on {when}."
        lines.append(_say(at, english, f"  {days} 天内本将删除：{segments} 段，最早 {when}。"))
    everything = size(outlook["all_held_bytes"])
    lines.append(_say(at, f"  All holds together keep {everything}.", f"  全部有效保全共 {everything}。"))
    return [*lines, *_when_full(at, outlook)]


def _when_full(at: Desk, outlook: dict[str, Any]) -> list[str]:
    if outlook["floor_fails"] is None:
        return []
    when = local(outlook["floor_fails"], at.zone)
    then = _THEN[outlook["when_full"]][at.language.startswith("zh")]
    if outlook["floor_fails"] == outlook["floor_fails_without"]:
        english = f"  The disk will be full about {when}, with this hold or without; then {then}. Add disks."
        return [_say(at, english, f"  无论有无此保全，磁盘将于 {when} 前后写满，{then}：请增加磁盘。")]
    far = _say(at, "not within ten years", "十年内不会")
    without = far if outlook["floor_fails_without"] is None else local(outlook["floor_fails_without"], at.zone)
    english = f"  Because of it the disk will be full about {when} (without it: {without}); then {then}."
    return [_say(at, english, f"  因此保全，磁盘将于 {when} 前后写满，{then}（若无此保全：{without}）。")]


_THEN: Final = {
    "stop": ("recording stops", "届时停止录像"),
    "overwrite": (
        "the oldest footage that is under no hold is overwritten before its time",
        "届时未在保全中的最早录像将在到期前被覆盖",
    ),
}
"""What becomes of a full disk, by `[retention] when_full`."""


def _covers(at: Desk, covered: dict[str, Any], *, is_over: bool = False) -> str:
    segments, kept = covered["segments"], size(covered["bytes"])
    if is_over:  # it keeps nothing any more
        return _say(at, f"  There still: {count(segments, 'segment')}, {kept}.", f"  现存 {segments} 段，{kept}。")
    return _say(at, f"  It keeps {count(segments, 'segment')}, {kept}.", f"  保全 {segments} 段，{kept}。")


def _of_one(at: Desk, hold: dict[str, Any]) -> list[str]:
    """A hold as people read it; what is not known is left out."""
    held, checked = hold["held"], hold["held"]["checked"]
    padding = f"{hold['padding_before_s']} s / {hold['padding_after_s']} s"
    facts = [
        ("hold", "保全编号", str(hold["id"])),
        ("cameras", "采集设备", ", ".join(hold["cameras"])),
        ("asked for", "申请时段", f"{local(hold['start'], at.zone)} – {local(hold['end'], at.zone)}"),
        ("padding", "前后延展", padding),
        (
            "protected",
            "保全时段",
            f"{local(hold['protected_start'], at.zone)} – {local(hold['protected_end'], at.zone)}",
        ),
        ("basis", "依据", hold["basis_text"]),
        ("reference", "文书编号", hold["reference"]),
        ("case", "案件", hold["case"]),
        ("reason", "事由", hold["reason"]),
        ("placed", "设置", f"{local(hold['placed'], at.zone)} {hold['placed_by']}".strip()),
        ("review", "复核日期", "" if hold["review"] is None else local(hold["review"], at.zone)),
        ("released", "解除", "" if hold["released"] is None else local(hold["released"], at.zone)),
        ("released by", "解除人", ", ".join(hold["released_by"])),
        ("why", "解除事由", hold["release_reason"] or ""),
        ("media checked", "介质核验", "" if checked is None else local(checked["at"], at.zone)),
        ("damaged", "损坏", str(held["damaged"]) if checked or held["damaged"] else ""),
    ]
    lines = [f"{_say(at, english, chinese)}: {text}" for english, chinese, text in facts if text]
    changes = [
        f"  {local(one['at'], at.zone)} → {local(one['review'], at.zone)} {one['reason']}" for one in hold["reviews"]
    ]
    return [*lines, _covers(at, hold["covered"], is_over=hold["released"] is not None), *changes]


def _show(at: Desk, holds: list[dict[str, Any]]) -> None:
    table = Table("id", "cameras", "from", "to", "basis", "case", "reason", "review", "released", box=None)
    for one in holds:
        ends = local(one["start"], at.zone), local(one["end"], at.zone)
        dates = local(one.get("review"), at.zone), local(one.get("released"), at.zone)
        texts = (one["basis"] or "-", escape(one["case"]), escape(one["reason"]))
        table.add_row(str(one["id"]), ", ".join(one["cameras"]), *ends, *texts, *dates)
    at.console.print(table if holds else _say(at, "No hold was ever placed.", "没有保全。"))
