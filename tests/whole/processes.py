"""What a process and all its descendants hold: memory, descriptors, threads; from Linux's /proc."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Census:
    """A tree of processes at one moment."""

    processes: tuple[tuple[int, int], ...]
    """Each as its id and when it began, because ids come again."""
    memory: Mapping[int, int]
    """Bytes of each process: anonymous memory, proportionally where it is shared. What is mapped from files belongs to
    others too, and comes and goes with them."""
    resident_bytes: int
    descriptors: Mapping[str, int]
    """By what they are: `socket`, `pipe`, `anon_inode`, or the suffix of a file."""
    threads: int
    cpu_s: float

    @property
    def memory_bytes(self) -> int:
        """Of all."""
        return sum(self.memory.values())


def census(root: int) -> Census:
    """Of that process and all that descend from it; one that ends meanwhile counts for nothing."""
    found = [one for pid in tree(root) if (one := _count(pid)) is not None]
    return Census(
        processes=tuple(process for one in found for process in one.processes),
        memory={pid: size for one in found for pid, size in one.memory.items()},
        resident_bytes=sum(one.resident_bytes for one in found),
        descriptors=dict(sum((Counter(one.descriptors) for one in found), Counter())),
        threads=sum(one.threads for one in found),
        cpu_s=sum(one.cpu_s for one in found),
    )


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(path.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(path.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def lives(process: tuple[int, int]) -> bool:
    """Whether that very process is there still; one that has ended and was not waited for is not."""
    fields = _fields(process[0])
    return bool(fields) and int(fields[19]) == process[1] and fields[0] != "Z"


def _count(pid: int) -> Census | None:
    fields = _fields(pid)
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        descriptors = _descriptors(pid)
    except OSError:
        return None
    if not fields:
        return None
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return Census(
        processes=((pid, int(fields[19])),),
        memory={pid: kilobytes["Pss_Anon"] * 1024},
        resident_bytes=kilobytes["Rss"] * 1024,
        descriptors=descriptors,
        threads=int(fields[17]),
        cpu_s=(int(fields[11]) + int(fields[12])) / TICKS_A_SECOND,
    )


def _descriptors(pid: int) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(path.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        kind = re.match(r"[a-z_]+(?=:)", target)  # `socket:[4711]`, and so on
        name = kind[0] if kind else Path(target).suffix or Path(target).name
        found[name] = found.get(name, 0) + 1
    return found


def _fields(pid: int) -> list[str]:
    """Of proc(5) `stat`, from the state on: the name before it may hold blanks and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
