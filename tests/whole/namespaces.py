"""Two hosts on this machine: network namespaces joined by a cable (veth), for what cannot be shown on loopback."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CAMERA_ADDRESS, BOX_ADDRESS = "10.213.77.2", "10.213.77.1"
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Hosts:
    """The names of the two namespaces."""

    camera: str
    box: str


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def missing() -> str:
    """Why there can be no namespaces here; empty where there can."""
    if shutil.which("ip") is None:
        return "needs iproute2"
    tried = subprocess.run(["ip", "netns", "add", f"custos-{os.getpid()}-t"], capture_output=True, check=False)
    if tried.returncode:
        return "needs the right to make network namespaces"
    _ip("netns", "del", f"custos-{os.getpid()}-t")
    return ""


@contextmanager
def hosts() -> Iterator[Hosts]:
    """A camera's host and a box's, joined by a cable; multicast goes over it."""
    names = Hosts(f"custos-{os.getpid()}-c", f"custos-{os.getpid()}-b")
    ends = ((names.camera, "c0", CAMERA_ADDRESS), (names.box, "b0", BOX_ADDRESS))
    for name, _, _ in ends:
        _ip("netns", "add", name)
    try:
        _ip("link", "add", "c0", "netns", names.camera, "type", "veth", "peer", "name", "b0", "netns", names.box)
        for name, device, address in ends:
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", device, "up")
            _ip("-n", name, "route", "add", "224.0.0.0/4", "dev", device)
        yield names
    finally:
        for name, _, _ in ends:
            _ip("netns", "del", name)


@contextmanager
def standing_on(host: str) -> Iterator[None]:
    """The calling thread's sockets, and those of the threads and processes that it starts, are made on that host."""
    home = Path("/proc/thread-self/ns/net").open("rb")  # noqa: SIM115 - it is what leads back
    with home:
        _move(Path(f"/run/netns/{host}"))
        try:
            yield
        finally:
            _set(home.fileno())


def _move(namespace: Path) -> None:
    with namespace.open("rb") as there:
        _set(there.fileno())


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
