"""What the log is told about the program and its configuration, and where a running box is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.wiring.program import boot_fields, cfg_fields, program_sha256
from appliance.wiring.running import box_id_of, remove_running, running_url, url_of, write_running
from tests.fakes.clock import FakeClock

BEFORE = {"box": {"name": "a"}, "recording": {"segment_s": 60, "loss_bound_s": 2.0}, "cameras": []}


def test_configuration_stays() -> None:
    """A box that is started again with the same configuration writes nothing about it."""
    assert cfg_fields(BEFORE, BEFORE) is None


def test_setting_is_changed() -> None:
    """Only what differs is written, with fractions as text, for a leaf holds whole numbers only."""
    now = {**BEFORE, "recording": {"segment_s": 60, "loss_bound_s": 0.5}}
    fields = cfg_fields(BEFORE, now)
    assert fields is not None
    assert fields["set"] == {"recording.loss_bound_s": "0.5"}
    assert fields["unset"] == []
    assert fields["sha256"] != (cfg_fields({}, BEFORE) or {})["sha256"]


def test_box_is_new() -> None:
    """A box that never ran writes its whole configuration."""
    assert set((cfg_fields({}, BEFORE) or {})["set"]) == {"box.name", "recording.segment_s", "recording.loss_bound_s"}


def test_camera_of_the_file_is_renamed() -> None:
    """Names of cameras are personal data, and have no place in a leaf that is never deleted."""
    assert cfg_fields(BEFORE, {**BEFORE, "cameras": [{"id": "gate", "name": "Ann's door"}]}) is None


def test_box_boots() -> None:
    """The log says which program ran, to the byte."""
    fields = boot_fields(FakeClock(boot="boot-7"))
    assert fields["boot"] == "boot-7"
    assert fields["program_sha256"] == program_sha256()
    assert len(program_sha256()) == 64


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_box_is_reached(host: str, url: str) -> None:
    """Whatever it listens on, a box is reached from its own machine."""
    assert url_of(host, 80) == url


def test_box_says_where_it_is(tmp_path: Path) -> None:
    """The address stands in the data directory while the box runs, and something unreadable counts as none."""
    assert running_url(tmp_path) is None
    write_running(tmp_path, "http://127.0.0.1:80", 7)
    assert running_url(tmp_path) == "http://127.0.0.1:80"
    remove_running(tmp_path)
    assert running_url(tmp_path) is None
    (tmp_path / "running.json").write_text("[1]")
    assert running_url(tmp_path) is None


def test_box_is_told_from_others(tmp_path: Path) -> None:
    """The id of the box that lives in a directory, and none where none does."""
    assert box_id_of(tmp_path) is None
    (tmp_path / "box.json").write_text('{"box": "b7"}')
    assert box_id_of(tmp_path) == "b7"
