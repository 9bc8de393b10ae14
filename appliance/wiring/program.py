"""What the log says about the program and its configuration when a box starts: hashes, and what was changed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from config.clock import Clock

PACKAGES: Final = ("appliance", "api", "retention", "recorder", "config")

IN_FORCE: Final = "in-force.json"
"""The configuration that the log was last told of, beside the log: so that only a change is told, and as one."""

_ROOT: Final = Path(__file__).resolve().parents[2]


def version() -> str:
    """The version of Custos; of a folder that was never installed, `0+source`."""
    try:
        return metadata.version("custos")
    except metadata.PackageNotFoundError:
        return "0+source"


def boot_fields(clock: Clock) -> dict[str, Any]:
    """What a `boot` leaf says: which start of the machine, which program, byte for byte."""
    return {
        "boot": clock.boot_id(),
        "program": version(),
        "program_sha256": program_sha256(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def program_sha256() -> str:
    """Over the source files of the five packages: each one's path, size and bytes, in order of the paths."""
    digest = hashlib.sha256()
    files = sorted(path for package in PACKAGES for path in (_ROOT / package).rglob("*.py"))
    for path in files:
        data = path.read_bytes()
        digest.update(f"{path.relative_to(_ROOT)} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def cfg_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a `cfg` leaf says: the hash of the configuration in force, and what differs; None: nothing does.

    Values are written as JSON text, for a leaf holds no fractions; cameras are left out, for each change of one is
    a leaf of its own, and their names are personal data.
    """
    old, new = _flat(_without_cameras(before)), _flat(_without_cameras(now))
    if old == new:
        return None
    text = json.dumps(_without_cameras(now), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    changed = {key: json.dumps(new[key], ensure_ascii=False) for key in new if old.get(key) != new[key]}
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "set": dict(sorted(changed.items())),
        "unset": sorted(set(old) - set(new)),
    }


def _without_cameras(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {section: values for section, values in settings.items() if section != "cameras"}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in settings.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return out
