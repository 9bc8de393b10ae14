"""A witness is asked what it has seen of a log, before an older copy of that log is put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from retention.evidence.cosigning import WitnessError, WitnessSilent, WitnessUnaware
from retention.evidence.recalled import size_seen
from retention.evidence.witnesses import Witness
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.witness import logs, witness


def test_what_a_witness_has_seen(tmp_path: Path) -> None:
    """More than the backup has, as much, less, or nothing; asking changes none of it."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    notes = [store.checkpoint_text()]
    with witness(tmp_path / "witness", logs(store), clock) as outside:
        assert size_seen(outside.url, outside.key, notes[0]) == 0
        here = Witness(store, clock, outside.url, outside.key, 10)
        for _ in range(2):
            store.checkpoint()
            here.want("due")
            here.run()
            notes.append(store.checkpoint_text())
        store.checkpoint()
        notes.append(store.checkpoint_text())
        sizes = [int(note.split("\n")[1]) for note in notes]

        assert [size_seen(outside.url, outside.key, note) for note in notes] == [sizes[2]] * 4
        here.want("due")
        here.run()
        assert here.problem is None
        assert here.state().size == sizes[3]
    store.close()


def test_a_witness_that_cannot_say(tmp_path: Path) -> None:
    """One that does not know the log, none at all, and what is no checkpoint: an error, never a number."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    with witness(tmp_path / "witness", {}, clock) as outside:
        with pytest.raises(WitnessUnaware):
            size_seen(outside.url, outside.key, store.checkpoint_text())
        with pytest.raises(WitnessError):
            size_seen(outside.url, outside.key, "no checkpoint")
    with pytest.raises(WitnessSilent):
        size_seen("http://127.0.0.1:9", outside.key, store.checkpoint_text())
    store.close()
