"""`custos plan` as a person and as a script see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.errors import ExitCode
from recorder.store.places import Space
from tests.fakes.terminal import Run

SITE = ("plan", "--cameras", "64", "--bitrate", "4M", "--days", "30")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def test_a_site_is_planned_without_a_box(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made, no configuration is read, and the numbers stand with what they are for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "custos.toml").write_text("no = [toml")
    told = run(*SITE)

    assert told.code == 0
    assert "97.6 TB" in told.out
    assert "margin for rates above what was set, 10%" in told.out
    assert [path.name for path in tmp_path.iterdir()] == ["custos.toml"]


def test_a_site_is_planned_in_chinese(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, in the words of who asks."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    told = run(*SITE, "--disk", "8T")

    assert "64 台采集设备，每台 4 Mbit/s，留存 30 天" in told.out
    assert "8.0 TB 容量不足" in told.out
    assert "needed" not in told.out


def test_a_disk_that_is_too_small_is_a_finding(run: Run) -> None:
    """A script sees it by the exit code, a person is told how many days or cameras there would be room for."""
    told = run(*SITE, "--disk", "8T")
    body = json.loads(run(*SITE, "--disk", "8T", "--json").out)

    assert told.code == ExitCode.FINDINGS
    assert "could be kept for 0 days, or 5 of them for 30 days.\n" in told.out
    assert "beside the others" in run(*SITE, "--group", "3x800k", "--disk", "8T").out
    assert "against the law" in told.out
    assert body["disk"] == {"bytes": 8 * 10**12, "fits": False, "days": [0], "cameras": [5]}
    assert body["needed_bytes"] == sum(body["parts"].values())


def test_several_groups_share_a_disk(run: Run) -> None:
    """Each with its own days; beside those of `--cameras`."""
    told = run(*SITE, "--group", "20x4M@90", "--group", "3x800k", "--disk", "400T", "--json")
    body = json.loads(told.out)

    assert told.code == 0
    assert [one["days"] for one in body["groups"]] == [30, 90, 30]
    assert body["groups"][1]["days_stored"] == 92
    assert body["disk"]["fits"]


def test_what_is_free_of_a_disk_is_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder on it: what else lies there is not counted as room."""
    monkeypatch.setattr("recorder.store.places.space_of", lambda root: Space(99 * 10**12, 200 * 10**12))
    body = json.loads(run(*SITE, "--path", str(tmp_path), "--json").out)

    assert (body["disk"]["bytes"], body["disk"]["fits"]) == (99 * 10**12, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--cameras 64"),
        (("--cameras", "4"), "--cameras 64"),
        (("--bitrate", "4M"), "--cameras 64"),
        (("--cameras", "0", "--bitrate", "4M"), "20x4M@90"),
        (("--cameras", "4", "--bitrate", "4MB"), "such as 4M"),
        (("--cameras", "4", "--bitrate", "4M", "--days", "7"), "30 days at least"),
        (("--cameras", "4", "--bitrate", "4M", "--disk", "8"), ""),
        (("--cameras", "4", "--bitrate", "4M", "--disk", "8X"), "such as 8T"),
        (("--cameras", "4", "--bitrate", "4M", "--disk", "8T", "--path", "/"), "--disk or by --path"),
        (("--group", "4M"), "20x4M@90"),
    ],
)
def test_what_cannot_be_planned_is_said(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """Wrong use, with what to write instead; a disk of eight bytes is a disk, and too small."""
    told = run("plan", *arguments)

    assert told.code == (ExitCode.USAGE if words else ExitCode.FINDINGS)
    assert words in told.err


def test_a_folder_that_is_not_there_has_no_disk(run: Run, tmp_path: Path) -> None:
    """Said as what it is."""
    told = run(*SITE, "--path", str(tmp_path / "nowhere"))

    assert told.code == ExitCode.STORAGE
    assert "nowhere" in told.err
