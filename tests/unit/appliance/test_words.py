"""What people write as a time, and how numbers read."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from appliance.cli.words import EXIT_CODES, InstantUnclear, count, instant_us, language_of, local, size, span
from config.errors import ExitCode
from config.times import parse_us

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW_US = parse_us("2026-11-24T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-11-24T08:00:00Z"),
        ("30m", "2026-11-24T07:30:00Z"),
        ("2d", "2026-11-22T08:00:00Z"),
        ("2026-11-24T07:00:00Z", "2026-11-24T07:00:00Z"),
        ("2026-11-24T07:00:00+08:00", "2026-11-23T23:00:00Z"),
        ("2026-11-24T07:00", "2026-11-23T23:00:00Z"),
        ("2026-11-24", "2026-11-23T16:00:00Z"),
    ],
)
def test_instant_is_written(text: str, meant: str) -> None:
    """RFC 3339 means what it says, a time without an offset is local to the box, and 30m is half an hour ago."""
    assert instant_us(text, NOW_US, SHANGHAI) == parse_us(meant)


@pytest.mark.parametrize("text", ["", "yesterday", "30", "24/11/2026"])
def test_instant_is_unclear(text: str) -> None:
    """What is no instant is refused with the forms that are."""
    with pytest.raises(InstantUnclear, match="2026-11-24T08:00:00Z"):
        instant_us(text, NOW_US, SHANGHAI)


def test_language_is_chosen() -> None:
    """LC_ALL goes before LANG; anything but Chinese is answered in English."""
    assert language_of({"LANG": "zh_CN.UTF-8"}) == "zh-CN"
    assert language_of({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) == "en"
    assert language_of({}) == "en"


def test_answer_is_read() -> None:
    """Instants are shown in the box's time, sizes and spans in round numbers."""
    assert local("2026-11-24T08:00:00.5Z", SHANGHAI) == "2026-11-24 16:00:00+0800"
    assert local(None, SHANGHAI) == "-"
    assert [size(5), size(1500), size(2_000_000), size(3.2e12)] == ["5 B", "1.5 kB", "2.0 MB", "3.2 TB"]
    assert [span(61), span(90_000)] == ["0:01:01", "1 d 1:00:00"]


def test_one_is_not_many() -> None:
    """The status says "1 problem", not "1 problems"."""
    assert [count(number, "problem") for number in (0, 1, 2)] == ["0 problems", "1 problem", "2 problems"]


def test_exit_codes_are_told() -> None:
    """No exit code is without its meaning."""
    assert set(EXIT_CODES) == set(ExitCode)
