"""Part files without a database, and the ids of what becomes of them."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.errors import SegmentUnknown, VolumeMissing
from recorder.store.layout import Layout
from recorder.store.log.sm3 import sm3
from recorder.store.parts import PartFile, Parts
from recorder.store.records import SegmentHeader
from recorder.store.segments import parse_segment_id
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock

HEADER = SegmentHeader("0" * 16, "gate", "gate.main", 0, 0, 1_772_323_200_000_000, "ab" * 32)


def test_a_part_lies_where_its_segment_will(tmp_path: Path) -> None:
    """Begun by who has no database; finished, it tells size and hash of what was appended."""
    store = new_store(tmp_path, FakeClock(), "gate")
    parts = Parts(store.layout)
    part = parts.begin(HEADER)
    part.append(b"abc")
    finished = part.finish()

    assert part.path == parts.part_place(HEADER)
    assert part.path.read_bytes() == b"abc"
    assert (finished.header, finished.bytes, finished.sha256[:8]) == (HEADER, 3, "ba7816bf")
    assert parts.place(HEADER).name == "0-20260301T000000.000Z.mp4"
    with pytest.raises(AssertionError):
        part.append(b"more")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20), max_size=12), st.lists(st.integers(1, 60), min_size=300, max_size=300))
def test_every_piece_is_written_however_little_the_kernel_takes(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], takes: list[int]
) -> None:
    """On a nearly full disk it takes fewer bytes than it was offered, and may stop within a piece."""
    path, taken, whole = tmp_path_factory.mktemp("part") / "x.part", iter(takes), os.writev

    def little(handle: int, offered: Sequence[bytes | memoryview]) -> int:
        return whole(handle, [b"".join(offered)[: next(taken)]])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", little)
        part = PartFile(HEADER, path)
        part.append(*pieces)
        finished = part.finish()

    assert path.read_bytes() == b"".join(pieces)
    assert finished.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert finished.bytes == path.stat().st_size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=12))
def test_both_hashes_are_of_all_that_was_appended(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    """However it came in pieces; and without being told to there is the one alone."""
    folder = tmp_path_factory.mktemp("part")
    both, one = PartFile(HEADER, folder / "x.part", with_sm3=True), PartFile(HEADER, folder / "y.part")
    both.append(*pieces)
    one.append(*pieces)
    found, alone = both.finish(), one.finish()

    assert found.sm3 == sm3(both.path.read_bytes()).hexdigest()
    assert found.sha256 == alone.sha256
    assert alone.sm3 is None


def test_more_pieces_than_one_call_takes_are_written(tmp_path: Path) -> None:
    """Linux takes 1024 at once."""
    pieces = [bytes([n % 256]) for n in range(2500)]
    part = PartFile(HEADER, tmp_path / "x.part")
    part.append(*pieces)
    part.close()

    assert part.path.read_bytes() == b"".join(pieces)


def test_nothing_is_begun_where_the_volume_is_missing(tmp_path: Path) -> None:
    """An empty mount point is not written to, nor one of another box's disks."""
    layout = Layout(tmp_path)
    with pytest.raises(VolumeMissing):
        Parts(layout).begin(HEADER)
    layout.volume().mkdir(parents=True)
    layout.volume_file().write_text('{"volume": "other"}')
    with pytest.raises(VolumeMissing):
        Parts(layout).begin(HEADER)
    assert PartFile(HEADER, tmp_path / "x.part").sha256().startswith("e3b0c442")


@pytest.mark.parametrize("text", ["", "gate.main", "gate.main.-1", "gate.main.1e3", "gate.main." + "9" * 16, ".7"])
def test_what_is_no_id_of_a_segment(text: str) -> None:
    """It is refused before anything is looked for."""
    with pytest.raises(SegmentUnknown):
        parse_segment_id(text)
