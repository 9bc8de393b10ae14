"""What people write on the command line and what it answers them in: instants, languages, sizes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from config.errors import CustosError, ExitCode
from config.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, from_datetime, parse_us, to_datetime

_AGO = re.compile(r"(\d{1,5})([smhd])")
_AGO_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US}

EXIT_CODES: Mapping[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FINDINGS: "fsck or verify found something, or the state is not ok",
    ExitCode.USAGE: "wrong use of the command line",
    ExitCode.CONFIG: "the configuration is not right",
    ExitCode.DATA_DIR: "the data directory cannot be used",
    ExitCode.CATALOGUE: "the catalogue (index database) is damaged or does not answer",
    ExitCode.STORAGE: "the disk is full, read-only or failing",
    ExitCode.NOT_RUNNING: "no box is running, or it does not answer",
    ExitCode.REFUSED: "what was asked may not be done, or there is no such thing",
    ExitCode.CAMERA: "the camera cannot be recorded",
    ExitCode.BUG: "a fault in Custos itself",
}
"""What every exit code means; the README says the same."""

KEY_LIES: Final[Mapping[str, str]] = {"file": "in a file, software key 软件密钥", "token": "in a token 硬件令牌"}
"""Where a key lies, by the name that the box gives it."""


class InstantUnclear(CustosError):
    """That is no instant: write 2026-11-24T08:00:00Z, 2026-11-24T16:00 (local time of the box), 30m (ago) or now."""

    code = "instant_unclear"
    exit_code = ExitCode.USAGE


def language_of(environ: Mapping[str, str]) -> str:
    """``zh-CN`` where the environment asks for Chinese (POSIX: LC_ALL before LC_MESSAGES before LANG), else ``en``."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "zh-CN" if value.lower().startswith("zh") else "en"
    return "en"


def instant_us(text: str, now_us: int, zone: ZoneInfo) -> int:
    """The instant that somebody wrote: RFC 3339, a local time of the box, ``30m`` (ago), or ``now``.

    Raises:
        InstantUnclear: none of these.
    """
    if text == "now":
        return now_us
    if ago := _AGO.fullmatch(text):
        return now_us - int(ago[1]) * _AGO_US[ago[2]]
    try:
        return parse_us(text)
    except ValueError:
        return _local_us(text, zone)


def _local_us(text: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise InstantUnclear(f"{text!r}: {InstantUnclear.sentence()}") from err
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def local(rfc3339: str | None, zone: ZoneInfo) -> str:
    """An instant of an answer as people read it: local time of the box, whole seconds, with its offset."""
    return "-" if rfc3339 is None else f"{to_datetime(parse_us(rfc3339)).astimezone(zone):%Y-%m-%d %H:%M:%S%z}"


def size(count: float) -> str:
    """Bytes as people read them, in powers of 1000 like the makers of disks."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def count(number: int, noun: str) -> str:
    """How many of something, in English."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(seconds: float) -> str:
    """A length of time as people read it."""
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def printable(text: str) -> str:
    """A name that somebody else gave: what would make a terminal show something else is a question mark."""
    return "".join(one if one.isprintable() else "?" for one in text)


def exit_codes_text() -> str:
    """All exit codes on a line each, for ``--help``."""
    return "\n\n".join(f"{code.value}  {meaning}" for code, meaning in EXIT_CODES.items())
