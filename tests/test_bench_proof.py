"""The bench of proof: that its log is a real one, that its hour is, and that the page says what was found.

Nothing is timed here; what proof costs is for `make bench` to say.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import handing, logs, proof
from bench.film import Scene
from bench.handing import Comparison, Took
from bench.logs import Cost, Figures
from config.clock import SystemClock
from recorder.store.fsck import check
from recorder.store.log.leaves import decode_leaf
from recorder.store.log.tiles import TileStore
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.records import Segment
from recorder.store.store import Store
from recorder.store.verify import verify

SMALL = Scene(width=320, height=180, gop_frames=5, frames=10, bits_per_s=1_000_000)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Store]:
    Store.create(tmp_path / "box", "bench", SystemClock(), "0")
    store = Store.open(tmp_path / "box", SystemClock())
    yield store
    store.close()


def test_generated_leaves_are_such_as_the_log_writes() -> None:
    """Canonical, of a segment, about as long as one, and no two alike."""
    made = logs.leaves(7, 300)

    found = [decode_leaf(body) for body in made]
    assert {leaf.type for leaf in found} == {"seg"}
    assert [leaf.fields["n"] for leaf in found] == [10**9 + n for n in range(7, 300)]
    assert len({leaf.fields["sha256"] for leaf in found}) == len({leaf.fields["prev"] for leaf in found}) == len(found)
    assert 500 < len(made[0]) < 800


def test_a_log_made_in_bulk_is_the_one_that_appending_would_make(box: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its root is that of its leaves, and the box goes on from there."""
    monkeypatch.setattr(logs, "BATCH", 512)
    told: list[int] = []
    logs.grow(box, 1300, told.append)

    signed = box.latest_checkpoint()
    assert signed is not None
    assert (told, signed.size) == ([512, 1024, 1300], 1301)
    tiles = TileStore(box.layout.log)
    assert root_of([leaf_hash(body) for body in tiles.read_entries(0, 1301, 1301)]).hex() == signed.root
    assert [leaf.type for _, leaf in box.leaves(1299, 1301)] == ["seg", "beat"]
    names = {str(one.relative_to(box.layout.log)) for one in box.layout.log.rglob("*") if one.is_file()}
    assert {one for one in names if ".p/" in one} == {"tile/entries/005.p/21", "tile/0/005.p/21", "tile/1/000.p/5"}


def test_everything_is_measured_and_the_log_stays_whole(
    box: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each figure is there, each proof has led to the root, and the log that was measured verifies."""
    for name, value in {"CAMERAS": 3, "PROOFS": 20, "CHECKPOINTS": 2, "APPENDED": 60, "SIGNED_EVERY": 20}.items():
        monkeypatch.setattr(logs, name, value)
    monkeypatch.setattr(logs, "TOGETHER", 10)
    monkeypatch.setattr(logs, "ALONE", 4)
    logs.grow(box, 600)
    found = logs.Measuring(box).run()

    assert found.leaves == 601
    assert (len(found.proofs_us), len(found.cold_us), len(found.checkpoints_us)) == (20, 5, 2)
    assert (found.proof.times, found.checkpoint.times, found.append.times, found.alone.times) == (20, 2, 60, 4)
    assert 0 < found.begin_bytes <= found.peak_bytes
    assert found.log_bytes > 600 * 600
    signed = box.latest_checkpoint()
    assert signed is not None
    assert box.ledger.tiles.frontier(signed.size).root().hex() == signed.root
    assert {one.invariant for one in check(box)} <= {5}  # the generated leaves have no rows


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """With how much it would take; and nothing is left."""
    with pytest.raises(proof.TooLittleDisk, match="GB"):
        proof.log_figures(10**12, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_hour_is_real_footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of a minute in one run, which verify; and each program goes over all of them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store, clock = handing.filmed(tmp_path / "box", 1, SMALL)
    media = [one for one in store.items("gate.main", 0, 2**62) if isinstance(one, Segment)]
    assert [one.frames for one in media] == [1500, 1500, 1500]
    assert len({one.run for one in media}) == 1
    assert verify(store) == []

    comparison = Comparison(store, clock, 1, tmp_path)
    for cold in (False, True):
        comparison.run(1, cold=cold)
    store.close()

    assert len(comparison.took) == 14
    assert {one.bytes for one in comparison.took} == {sum(one.bytes for one in media)}
    assert all(one.wall_s > 0 for one in comparison.took)
    assert not (tmp_path / "package").exists()
    lines = proof.ratios(comparison.took)
    assert [line.split(":")[0] for line in lines] == ["- warm"] * 5 + ["- cold"] * 5


def test_an_export_of_altered_footage_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured must have worked."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store, clock = handing.filmed(tmp_path / "box", 1, SMALL)
    media = [one for one in store.items("gate.main", 0, 2**62) if isinstance(one, Segment)]
    with store.media_path(media[1]).open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"x")

    with pytest.raises(AssertionError):
        Comparison(store, clock, 1, tmp_path).run(1, cold=False)
    store.close()


def figures(leaves: int) -> Figures:
    found = Figures(leaves, log_bytes=2_000_000_000, begin_bytes=80_000_000, peak_bytes=90_000_000)
    found.append, found.alone = Cost(2000, 1.0, 0.5), Cost(100, 1.0, 0.1)
    found.proof, found.checkpoint = Cost(4, 0.01, 0.008), Cost(2, 0.08, 0.02)
    found.proofs_us, found.cold_us, found.checkpoints_us = [2000, 3000, 3000, 4000], [9000], [30_000, 50_000]
    return found


def test_page_says_what_was_found() -> None:
    """A row for each size and program, ratios run by run, and the goals beside them."""
    kinds = (
        "sha256sum, all cores", "openssl dgst -sha256, all cores", "custos verify", "cp, then sha256sum",
        "cp, then openssl dgst", "cp, then sha256sum, then sync", "custos export",
    )  # fmt: skip
    took = [
        Took(f"{kind} ({state})", 10**9, 2.0 + at + run, 1.0)
        for run in range(2)
        for state in ("warm", "cold")
        for at, kind in enumerate(kinds)
    ]
    page = proof.page([figures(65_536), figures(33_000_000)], took, ["date: today", "the machine was shared"])

    for words in (
        "- date: today\n- the machine was shared\n",
        "| 33,000,000 | 2.0 GB | 2000/s (0.25 ms) | 100/s (1.00 ms) | 3.0 / 4.0 ms (2.00 ms) | 9.0 / 9.0 ms |"
        " 30.0 / 50.0 ms (10.00 ms) | 80 MB, 90 MB |",
        "| custos verify (warm) | 4.00 to 5.00 | 1.00 | 250 |",
        "- warm: custos verify as fast as sha256sum, all cores, times 0.50 to 0.60 (goal: 0.9 or more)",
        "- cold: custos export takes as long as cp, then sha256sum, times 1.50 to 1.60 (goal: 1.5)",
    ):
        assert words in page, page


def test_arguments_are_understood() -> None:
    """A million leaves, an hour; the whole thirty-three million when asked for."""
    assert (proof.arguments([]).leaves, proof.arguments([]).minutes) == (1_000_000, 60)
    assert proof.arguments(["--leaves", "33000000", "--only", "log"]).only == "log"
    assert shutil.which("sha256sum")
