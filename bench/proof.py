"""``python -m bench.proof``: what the log costs at any size, and what verifying and exporting cost.

Thirty-three million leaves (`--leaves 33000000`: 256 streams, ninety days) take some minutes to make, and 22 GB of
disk; by default there are a million. Every figure is shown beside that of a small log, so that what grows is seen. The
page is `bench/PROOF.md`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.film import Scene
from bench.handing import Comparison, Took, filmed
from bench.logs import APPENDED, CAMERAS, CHECKPOINTS, PROOFS, SIGNED_EVERY, TOGETHER, Cost, Figures, grow, measured
from bench.measure import machine
from bench.site import ROOT
from bench.table import quantile
from config.clock import SystemClock
from recorder.store.store import Store

SMALL = 65_536
"""Leaves of the log beside which the large one is shown."""

LEAF_BYTES = 680
"""Of a generated leaf with its share of the hash tiles."""

GOALS = {"append_per_s": 1000, "proof_ms": 5, "checkpoint_ms": 50, "verify": 0.9, "export": 1.5}


class TooLittleDisk(Exception):
    """What was asked for does not fit here."""


def log_figures(count: int, data_dir: Path | None) -> Figures:
    """Make a log of so many leaves, measure it, and remove it.

    Raises:
        TooLittleDisk: it would not fit.
    """
    folder = Path(tempfile.mkdtemp(prefix="custos-bench-", dir=data_dir))
    try:
        need, free = count * LEAF_BYTES * 6 // 5, shutil.disk_usage(folder).free
        if need > free:
            raise TooLittleDisk(f"{count} leaves need {need / 1e9:.0f} GB, and {free / 1e9:.0f} are free (--data-dir).")
        return measured(made(folder / "box", count))
    finally:
        shutil.rmtree(folder)


def made(box: Path, count: int) -> Path:
    """A box whose log has so many leaves."""
    begun_s = time.monotonic()
    Store.create(box, "bench", SystemClock(), "0")
    store = Store.open(box, SystemClock())
    try:
        grow(store, count, lambda size: say(f"{size} leaves") if size % (1 << 20) == 0 else None)
    finally:
        store.close()
    say(f"{count} leaves were made in {time.monotonic() - begun_s:.0f} s")
    return box


def handing_figures(minutes: int, times: int, data_dir: Path | None, scene: Scene | None = None) -> list[Took]:
    """Verification and export of so many minutes, warm and cold."""
    folder = Path(tempfile.mkdtemp(prefix="custos-bench-", dir=data_dir))
    try:
        say(f"filming {minutes} minutes")
        store, clock = filmed(folder / "box", minutes, scene or Scene())
        comparison = Comparison(store, clock, minutes, folder)
        for cold in (False, True):
            say(f"{times} times each, {'cold' if cold else 'warm'}")
            comparison.run(times, cold=cold)
        store.close()
        return comparison.took
    finally:
        shutil.rmtree(folder)


# -- the page


def page(logs: Sequence[Figures], took: Sequence[Took], about: Sequence[str]) -> str:
    """The whole of `PROOF.md`."""
    parts = ["# What proof costs", "Written by `make bench`.", "\n".join(f"- {one}" for one in about)]
    if logs:
        parts += ["## The log", log_table(logs), LOG_NOTES]
    if took:
        parts += ["## Verifying and exporting", took_table(took), "\n".join(ratios(took)), TOOK_NOTES]
    return "\n\n".join(parts) + "\n"


LOG_NOTES = f"""How to read it:

- Times are of the clock, as median / the highest of a hundred; in brackets what it takes of a processor. The goals, at
  thirty-three million: {GOALS["append_per_s"]} leaves a second, {GOALS["proof_ms"]} ms, {GOALS["checkpoint_ms"]} ms.
- Appending is {APPENDED} leaves through the real ledger, {TOGETHER} in a transaction: SQLite with every commit synced,
  and each {SIGNED_EVERY} of them signed, which writes and syncs their tiles. One in a transaction waits for the disk
  each time: a box of {CAMERAS} cameras writes about five a second.
- A proof is a leaf and its path, for one of {PROOFS} numbers drawn by lot; cold means that the kernel had forgotten the
  tiles. A checkpoint signs what {CAMERAS} cameras write down in a minute ({CHECKPOINTS} of them).
- Memory is the measuring process, when the store was open, and at most."""

TOOK_NOTES = """How to read it:

- One camera, 1080p25 of 4 Mbit/s, and a segment at either end. The range is over the runs, which follow each other
  at once. Warm means that the kernel has the footage in memory, cold that it has not.
- An export writes the footage twice, as originals and as films of them, makes every file durable, and makes the proof;
  `cp` writes it once. `custos verify` checks the log and the catalogue too.
- Debian 12's `sha256sum` does not use a processor's instructions for SHA-256; Python and `openssl` do."""


def log_table(logs: Sequence[Figures]) -> str:
    """A row for each size."""
    heads = ["leaves", "on disk", "append", "one a transaction", "proof", "cold", "checkpoint", "memory, at most"]
    rows = [
        [
            f"{one.leaves:,}",
            f"{one.log_bytes / 1e9:.1f} GB",
            f"{one.append.times / one.append.wall_s:.0f}/s ({_cpu_ms(one.append)})",
            f"{one.alone.times / one.alone.wall_s:.0f}/s ({_cpu_ms(one.alone)})",
            f"{_spread_ms(one.proofs_us)} ({_cpu_ms(one.proof)})",
            _spread_ms(one.cold_us),
            f"{_spread_ms(one.checkpoints_us)} ({_cpu_ms(one.checkpoint)})",
            f"{one.begin_bytes / 1e6:.0f} MB, {one.peak_bytes / 1e6:.0f} MB",
        ]
        for one in logs
    ]
    return _table(heads, rows)


def took_table(took: Sequence[Took]) -> str:
    """A row for each program."""
    heads = ["program", "seconds", "of a processor", "MB/s at best"]
    rows = []
    for what in dict.fromkeys(one.what for one in took):
        mine = [one for one in took if one.what == what]
        best = min(one.wall_s for one in mine)
        rows.append([what, _range([one.wall_s for one in mine]), _range([one.cpu_s for one in mine]),
                     f"{mine[0].bytes / best / 1e6:.0f}"])  # fmt: skip
    return _table(heads, rows)


def ratios(took: Sequence[Took]) -> list[str]:
    """Run by run, what the goals are about."""
    lines = []
    for state in ("warm", "cold"):
        for ours, theirs in (
            ("custos verify", "sha256sum, all cores"),
            ("custos verify", "openssl dgst -sha256, all cores"),
            ("custos export", "cp, then sha256sum"),
            ("custos export", "cp, then sha256sum, then sync"),
            ("custos export", "cp, then openssl dgst"),
        ):
            pairs = list(zip(_walls(took, f"{ours} ({state})"), _walls(took, f"{theirs} ({state})"), strict=True))
            if ours == "custos verify":
                said = (
                    f"as fast as {theirs}, times {_range([b / a for a, b in pairs])} (goal: {GOALS['verify']} or more)"
                )
            else:
                said = f"takes as long as {theirs}, times {_range([a / b for a, b in pairs])} (goal: {GOALS['export']})"
            lines.append(f"- {state}: {ours} {said}")
    return lines


def _walls(took: Sequence[Took], what: str) -> list[float]:
    return [one.wall_s for one in took if one.what == what]


def _cpu_ms(cost: Cost) -> str:
    return f"{cost.cpu_s * 1000 / cost.times:.2f} ms"


def _spread_ms(took_us: Sequence[int]) -> str:
    ordered = sorted(took_us)
    return f"{quantile(ordered, 0.5) / 1000:.1f} / {quantile(ordered, 0.99) / 1000:.1f} ms"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["--:"] * len(heads), *rows))


def say(what: str) -> None:
    """To whoever waits."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {what}\n")


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.proof", description="What proof costs on this machine.")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="of the large log (default 1000000)")
    parser.add_argument("--minutes", type=int, default=60, help="of footage (default 60)")
    parser.add_argument("--times", type=int, default=3, help="how often each program runs (default 3)")
    parser.add_argument("--only", choices=["log", "handing"], help="one of the two")
    parser.add_argument("--box", type=Path, help="measure the log of this box, which `made` has made, and keep it")
    parser.add_argument("--data-dir", type=Path, help="where it all goes meanwhile (default: the system's folder)")
    parser.add_argument("--note", default="", help="what else the reader must know, such as what else the machine did")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "PROOF.md", help="where the page goes")
    return parser.parse_args(told)


def main() -> None:
    """Measure, print, write."""
    asked = arguments()
    logs: list[Figures] = []
    took: list[Took] = []
    if asked.only != "handing":
        logs = [log_figures(SMALL, asked.data_dir)]
        logs.append(log_figures(asked.leaves, asked.data_dir) if asked.box is None else measured(asked.box))
    if asked.only != "log":
        took = handing_figures(asked.minutes, asked.times, asked.data_dir)
    facts = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **machine()}
    about = [f"{name}: {value}" for name, value in facts.items()] + ([asked.note] if asked.note else [])
    text = page(logs, took, about)
    asked.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
