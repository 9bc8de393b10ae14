"""What was measured, as a page for people: one table of ratios, and what must be known to read it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from bench.run import Idle, Measured

BASE = "ffmpeg"
"""Everything is compared with it: it needs no introduction."""

DASH = "–"

HEADS = {"bursts": "packets in bursts", "frames": "whole frames"}


def page(
    measured: Sequence[Measured],
    idle: Sequence[Idle],
    skipped: Sequence[str],
    about: Mapping[str, str],
    machine: Mapping[str, str],
    *,
    date: str,
    window_s: float,
    segment_s: float,
) -> str:
    """The whole of `RESULTS.md`."""
    parts = [
        "# What recording costs",
        "Written by `make bench`. Every camera sends 1080p25 of 4 Mbit/s over RTSP/TCP from the same machine. "
        f"Figures are for each camera, in brackets against {BASE} in the same run: below 1 is less.",
        "\n".join([f"- date: {date}", *(f"- {name}: {value}" for name, value in machine.items())]),
        table(measured, idle),
        "\n".join(_notes(measured, idle, about, window_s, segment_s)),
    ]
    if skipped:
        parts.append("\n".join(["Not measured:", "", *(f"- {one}" for one in skipped)]))
    return "\n\n".join(parts) + "\n"


def table(measured: Sequence[Measured], idle: Sequence[Idle]) -> str:
    """A row for each recorder and number of cameras."""
    modes = [mode for mode in HEADS if any(one.mode == mode for one in measured)]
    heads = ["cameras", "recorder", *(f"CPU of a core, {HEADS[mode]}" for mode in modes)]
    heads += ["memory (PSS)", "resident (RSS)", "lost frames", "commit p50 / p99"]
    rows = [_row(cameras, recorder, measured, idle, modes) for cameras, recorder in _subjects(measured)]
    rule = ["--:", "---", *["--:"] * (len(heads) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


def _subjects(measured: Sequence[Measured]) -> list[tuple[int, str]]:
    return list(dict.fromkeys((one.cameras, one.recorder) for one in sorted(measured, key=lambda one: one.cameras)))


def _row(
    cameras: int, recorder: str, measured: Sequence[Measured], idle: Sequence[Idle], modes: Sequence[str]
) -> list[str]:
    here = {(one.recorder, one.mode): one for one in measured if one.cameras == cameras}
    mine = [one for mode in modes if (one := here.get((recorder, mode))) is not None]
    base = here.get((BASE, mine[0].mode))
    at_rest = {one.recorder: one.memory for one in idle}

    def pss(one: Measured) -> float:
        rest = at_rest.get(one.recorder)
        return (one.memory.pss_bytes - (rest.pss_bytes if rest else 0)) / one.cameras / 1e6

    def rss(one: Measured) -> float:
        rest = at_rest.get(one.recorder)
        return (one.memory.rss_bytes - (rest.rss_bytes if rest else 0)) / one.cameras / 1e6

    cells = [str(cameras), recorder]
    for mode in modes:
        one, other = here.get((recorder, mode)), here.get((BASE, mode))
        cells.append(_cell(percent, one, other, "{:.2f} %"))
    cells += [_cell(take, mine[0], base, "{:.1f} MB") for take in (pss, rss)]
    return [*cells, _lost(mine), _latency(mine)]


def percent(one: Measured) -> float:
    """Of a core, for each camera."""
    return one.cpu * 100 / one.cameras


def _cell(take: Callable[[Measured], float], one: Measured | None, base: Measured | None, form: str) -> str:
    if one is None:
        return DASH
    against = take(base) if base else 0
    return form.format(take(one)) + (f" ({take(one) / against:.2f}×)" if against else "")


def _lost(mine: Sequence[Measured]) -> str:
    """Of all that were due, both ways of arriving together."""
    lost, due = sum(one.lost for one in mine), sum(one.sent + one.dropped for one in mine)
    return f"{lost} of {due}" if lost else "0"


def _latency(mine: Sequence[Measured]) -> str:
    commits = sorted(took for one in mine for took in one.commits_us)
    if not commits:
        return DASH
    return f"{quantile(commits, 0.5) / 1000:.0f} / {quantile(commits, 0.99) / 1000:.0f} ms"


def quantile(values: Sequence[int], share: float) -> int:
    """The least of the sorted values that so large a share of them does not exceed."""
    return values[max(math.ceil(len(values) * share) - 1, 0)]


def _notes(
    measured: Sequence[Measured],
    idle: Sequence[Idle],
    about: Mapping[str, str],
    window_s: float,
    segment_s: float,
) -> list[str]:
    notes = ["How to read it:", ""]
    recorders = dict.fromkeys(one.recorder for one in measured)
    notes += [f"- {name}: {about[name]}." for name in recorders if name in about]
    notes += [
        f"- CPU is user and system time of the recorder's whole process tree within a window of {window_s:g} s, "
        "begun when all cameras had been recorded for some seconds: neither starting nor stopping is in it. Segments "
        f"are {segment_s:g} s long, and each camera's ends once within the window"
        + ("." if window_s == segment_s else f", so that cutting counts {segment_s / window_s:.1f}-fold.")
    ]
    notes += [
        "- Memory is taken at the window's end, less what the recorder takes without cameras: "
        + ", ".join(f"{one.recorder} {one.memory.pss_bytes / 1e6:.0f} MB (CPU {one.cpu * 100:.2f} %)" for one in idle)
        + "."
    ] * bool(idle)
    notes += [
        "- Lost are frames that were due to a connected recorder and are not stored after its orderly end. A commit "
        "is the time from a segment's end to its entry in the log; who keeps no log has none.",
        *_cameras(measured),
    ]
    return notes


def _cameras(measured: Sequence[Measured]) -> list[str]:
    """What the simulation itself cost, which is in no other figure, and how well it kept its times."""
    lines = []
    for cameras, mode in dict.fromkeys((one.cameras, one.mode) for one in measured):
        mine = [one for one in measured if (one.cameras, one.mode) == (cameras, mode)]
        told = ", ".join(
            f"{one.cameras_cpu * 100:.0f} % of a core beside {one.recorder} (latest {one.late_us / 1000:.0f} ms)"
            for one in mine
        )
        lines.append(f"- The cameras themselves, {cameras}, {HEADS[mode]}: {told}.")
    return lines
