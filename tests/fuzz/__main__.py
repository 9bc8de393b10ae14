"""Fuzzing with coverage (atheris): `python -m tests.fuzz TARGET [RUNS]`; without a target each in turn."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 1_000_000
INPUT_LIMIT_BYTES = 2000
MEMORY_LIMIT_MB = 600


def fuzz(name: str, runs: int) -> None:
    """One target, in this process; ends it."""
    import atheris

    with atheris.instrument_imports(include=["recorder.capture", "recorder.store.camsig"]):
        from tests.fuzz import targets

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(targets.SEEDS[name]):
            (Path(folder) / str(number)).write_bytes(seed)
        options = [f"-runs={runs}", f"-max_len={INPUT_LIMIT_BYTES}", f"-rss_limit_mb={MEMORY_LIMIT_MB}", "-timeout=5"]
        atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", folder], lambda data: targets.run(name, data))
        atheris.Fuzz()


def every(runs: int) -> int:
    """Each target in a process of its own; how many failed."""
    from tests.fuzz import targets

    failed = 0
    for name in targets.TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", name, str(runs)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        used_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(
            f"{name:>14}  {runs} inputs  {'ok' if ended.returncode == 0 else 'FAILED'}  at most {used_mb} MB",
            flush=True,
        )
        if ended.returncode:
            failed += 1
            print(ended.stdout[-2000:], ended.stderr[-6000:], sep="\n")
    return failed


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        fuzz(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS)
    else:
        sys.exit(bool(every(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)))
