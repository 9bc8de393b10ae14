"""Where a running box can be asked: a small file in its data directory, for commands on the same machine.

The file only says where to ask; that a box is there is told by its answer, and that none may be started beside it by
the lock on `box.json`. A file left by a power cut therefore does no harm.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Final

from recorder.store import files

NAME: Final = "running.json"


def write_running(data_dir: Path, url: str, pid: int) -> None:
    """Say where the box answers.

    Raises:
        StorageError: it cannot be written.
    """
    files.write_atomically(data_dir / NAME, json.dumps({"url": url, "pid": pid}).encode() + b"\n")


def remove_running(data_dir: Path) -> None:
    """The box answers no more."""
    files.remove(data_dir / NAME)


def running_url(data_dir: Path) -> str | None:
    """Where a box said that it answers; None: none did, or what it said cannot be read."""
    try:
        return str(json.loads((data_dir / NAME).read_bytes())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def box_id_of(data_dir: Path) -> str | None:
    """Which box lives here; None: none that can be read. An address may by now be another box's."""
    try:
        return str(json.loads((data_dir / "box.json").read_bytes())["box"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def url_of(host: str, port: int) -> str:
    """The URL under which this machine reaches a server on that address; a wildcard is reached by loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
