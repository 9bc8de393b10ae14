"""What a tree of processes costs, as Linux accounts for it, and what the machine is.

Processor time is user and system time of every process of the tree, and of those of its children that have ended.
Work that the kernel does on nobody's account (writing dirty pages back, interrupts) is not in it. Memory is the sum of
proportional set sizes: a page that N processes share counts a N-th for each, so that the sum is what the tree takes
away from the machine; resident sizes, summed, count shared pages again and again.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")

_STATE, _PARENT, _TIMES = 0, 1, slice(11, 15)
"""Fields of /proc/PID/stat behind the name: proc(5), 3, 4, and 14 to 17."""


@dataclass(frozen=True)
class Memory:
    """Of a tree."""

    pss_bytes: int
    rss_bytes: int


def tree(roots: Iterable[int]) -> set[int]:
    """The processes, and all that descend from them."""
    children: dict[int, list[int]] = {}
    for pid, fields in _every():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu_s(roots: Iterable[int]) -> float:
    """Seconds of processor time that the trees have used since they began."""
    wanted = tree(roots)
    return sum(sum(map(int, fields[_TIMES])) for pid, fields in _every() if pid in wanted) / _TICKS_PER_S


def memory(roots: Iterable[int]) -> Memory:
    """What the trees occupy now."""
    pss = rss = 0
    for pid in tree(roots):
        for name, size in _rollup(pid):
            pss += size if name == "Pss" else 0
            rss += size if name == "Rss" else 0
    return Memory(pss, rss)


def available_bytes() -> int:
    """Memory that the machine can still give without swapping."""
    lines = (_PROC / "meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def unread_bytes(port: int) -> int:
    """What programs connected to a local TCP port have received, and not read yet (proc_net_tcp)."""
    lines = (_PROC / "net" / "tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(int(one[4].partition(":")[2], 16) for one in fields if one[2].endswith(f":{port:04X}"))


def _every() -> Iterator[tuple[int, list[str]]]:
    """Every process of the machine, with its fields behind the name."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            yield int(entry.name), text.rpartition(")")[2].split()


def _rollup(pid: int) -> Iterator[tuple[str, int]]:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        yield name, int(rest.split()[0]) * 1024


# -- the machine


def machine() -> dict[str, str]:
    """What was measured on, as people ask for it."""
    return {
        "processor": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{_total_bytes() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Python": platform.python_version(),
        "PyAV": f"{version('av')} (libavformat {_libavformat()})",
        "ffmpeg": _ffmpeg(),
    }


def _cpu_model() -> str:
    lines = (_PROC / "cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unnamed")


def _total_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _libavformat() -> str:
    """Asked of another process: in this one, libav's pages would be shared with the recorders."""
    return _said(sys.executable, "-c", "import av; print(*av.library_versions['libavformat'], sep='.')")


def _ffmpeg() -> str:
    if shutil.which("ffmpeg") is None:
        return "not installed"
    words = _said("ffmpeg", "-version").split()
    return words[2] if len(words) > 2 else "unknown"


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip()
