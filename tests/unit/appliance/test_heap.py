"""The C library's heap, in a process of its own: what it was told stays told."""

import subprocess
import sys

import pytest

from appliance.wiring import heap

PROGRAM = """
import ctypes, gc, threading, pathlib
from appliance.wiring.heap import give_back, share_arenas

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

assert share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def fill():
    blocks = [ctypes.c_void_p(libc.malloc(100_000)) for _ in range(600)]
    for block in blocks:
        ctypes.memset(block, 1, 100_000)
    kept = libc.malloc(100)  # at the end: so that the heap cannot simply shrink
    for block in blocks:
        libc.free(block)

threads = [threading.Thread(target=fill) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
before = resident()
given = give_back()
print(given, before - resident())
"""


def test_what_is_free_goes_back_to_the_system() -> None:
    """Of all threads' pools, not only where the heap happens to end."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    given, less = done.stdout.split()
    assert given == "True"
    assert int(less) > 5_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """musl has no arenas; nothing is called that it does not have."""
    monkeypatch.setattr(heap, "_libc", object())
    assert not heap.share_arenas()
    assert not heap.give_back()
