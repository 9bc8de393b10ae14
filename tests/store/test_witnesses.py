"""Witnesses of a box: a real one on loopback, up, down, refusing, lying, forgetting; and attacks by who has the key."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from config.verifier_keys import COSIGNATURE, VerifierKey
from recorder.store import tables
from recorder.store.anchors import file_name
from recorder.store.fsck import check
from recorder.store.log.cosignature import cosign, cosigned_at_s
from recorder.store.log.keys import load_key
from recorder.store.log.note import Checkpoint, open_checkpoint, read_body, sign_checkpoint
from recorder.store.log.tiles import TileStore
from recorder.store.records import AnchorKind, Outsider
from recorder.store.store import Store
from retention.evidence import asking
from retention.evidence.cosigning import (
    SIZE_TYPE,
    WitnessAhead,
    WitnessForked,
    WitnessRefused,
    WitnessSilent,
    WitnessUnaware,
    WitnessWrong,
)
from retention.evidence.witness import Answer
from retention.evidence.witnesses import Witness
from tests.fakes.box import new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.logs import OTHER
from tests.fakes.witness import FakeWitness, logs, sizes, witness


@pytest.fixture
def there(store: Store, clock: FakeClock, tmp_path: Path) -> Iterator[FakeWitness]:
    """A witness that knows this box."""
    with witness(tmp_path / "witness", logs(store), clock) as made:
        yield made


def of(store: Store, clock: FakeClock, there: FakeWitness) -> Witness:
    return Witness(store, clock, there.url, there.key, 10)


def kept(store: Store) -> list[Path]:
    return sorted((store.layout.log / "anchors").glob("*.note"), key=lambda path: int(path.name.split(".")[0]))


def grow(store: Store, clock: FakeClock, minutes: float = 11) -> int:
    """Record some more, let time pass, sign."""
    record(store, clock, SECOND * 2)
    clock.advance(minutes * 60)
    return store.checkpoint().size


def test_the_newest_checkpoint_is_cosigned_every_ten_minutes(
    store: Store, clock: FakeClock, there: FakeWitness
) -> None:
    """Not more often; each goes on from the one before; the note is kept, bound by a leaf, and verifies."""
    mine = of(store, clock, there)
    mine.run()
    mine.run()
    first = mine.state().size
    store.checkpoint()
    clock.advance(599)
    mine.run()
    clock.advance(2)
    second = store.checkpoint().size
    mine.run()

    assert mine.problem is None
    assert sizes(there.asked) == [(0, first), (first, second)]
    assert [path.name for path in kept(store)] == [f"{one}.{there.key.id.hex()}.note" for one in (first, second)]
    leaves = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "anchor"]
    assert [(leaf.fields["kind"], leaf.fields["size"], leaf.fields["witness"]) for leaf in leaves] == [
        ("witness", first, there.key.text),
        ("witness", second, there.key.text),
    ]
    for path in kept(store):
        note = path.read_text()
        assert open_checkpoint(note, store.origin, store.public_key).size == int(path.name.split(".")[0])
        assert cosigned_at_s(note, there.key) > 0
    store.checkpoint()
    assert check(store) == []


def test_the_documented_recipe_verifies_a_cosignature(
    store: Store, clock: FakeClock, there: FakeWitness, tmp_path: Path
) -> None:
    """With a shell, xxd and openssl alone; and not under another key, nor of a note that was changed."""
    of(store, clock, there).run()
    text = (Path(__file__).parents[2] / "docs" / "proof.md").read_text()
    recipe = re.search(r"in `key`:\n\n((?:    .*\n)+)", text)
    assert recipe
    changed, size = tmp_path / "changed", kept(store)[0].name.split(".")[0]
    changed.write_text(kept(store)[0].read_text().replace(f"\n{size}\n", "\n4711\n"))
    other = VerifierKey("w", COSIGNATURE, bytes(range(32))).text

    def verdict(note: Path, key: str) -> int:
        script = f"set -eu\nnote={note}\nkey='{key}'\n{recipe[1]}"
        return subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, capture_output=True, timeout=20, check=False
        ).returncode

    assert verdict(kept(store)[0], there.key.text) == 0
    assert changed.read_text() != kept(store)[0].read_text()
    assert verdict(changed, there.key.text) != 0
    assert verdict(kept(store)[0], other) != 0


def test_a_hold_is_cosigned_at_once(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """What is wanted for a reason does not wait until it is due."""
    mine = of(store, clock, there)
    mine.run()
    store.checkpoint()
    mine.want("hold")
    mine.run()

    assert len(kept(store)) == 2


def test_a_checkpoint_that_is_wanted_while_another_is_asked_for(
    store: Store, clock: FakeClock, there: FakeWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are had, in one turn: a hold that was placed meanwhile is not lost behind the answer."""
    mine = of(store, clock, there)
    honest = there.notary.answer

    def answer(body: bytes) -> Answer:
        if len(there.asked) == 1:
            store.checkpoint()
            mine.want("hold")
        return honest(body)

    monkeypatch.setattr(there.notary, "answer", answer)
    mine.run()

    assert len(kept(store)) == 2
    assert mine.state().waiting == 0
    assert check(store) == []


def test_a_witness_that_was_down_skips_nothing(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """What waits is one checkpoint, the newest, which speaks for all before; recording goes on meanwhile."""
    mine = of(store, clock, there)
    mine.run()
    before = mine.state().size
    there.answers = [Answer(503, "")] * 12
    first_us = None
    for _ in range(12):
        newest = grow(store, clock)
        first_us = first_us or clock.read().utc_us
        mine.run()
        assert isinstance(mine.problem, WitnessRefused)
        assert mine.state().waiting == 1
    assert mine.state().wanted_us == first_us
    mine.run()

    assert mine.problem is None
    assert mine.state().waiting == 0
    assert sizes(there.asked)[-1] == (before, newest)
    assert len(kept(store)) == 2


def test_a_witness_that_does_not_answer(
    store: Store, clock: FakeClock, there: FakeWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for within a bound, and named; one that nobody listens at too, and an address that is none."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.3)
    there.is_silent = True
    mine = of(store, clock, there)
    mine.run()
    assert isinstance(mine.problem, WitnessSilent)
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:99999"):
        mine = Witness(store, clock, url, there.key, 10)
        mine.run()
        assert isinstance(mine.problem, WitnessSilent), url
    assert mine.state().waiting == 1


def test_a_witness_that_does_not_know_this_box(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Neither its name nor its key: the sentence says what to give it."""
    with witness(tmp_path / "w", {"custos/other": []}, clock) as stranger:
        mine = of(store, clock, stranger)
        mine.run()
        assert isinstance(mine.problem, WitnessUnaware)
        assert "custos log key" in str(mine.problem)
    with witness(tmp_path / "x", {store.origin: []}, clock) as wrong_key:
        mine = of(store, clock, wrong_key)
        mine.run()
        assert isinstance(mine.problem, WitnessUnaware)
    assert kept(store) == []


def test_a_witness_that_lies(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """A line of another key, over another checkpoint, junk, too much, another size each time: nothing is kept."""
    note = store.checkpoint_text()
    other = sign_checkpoint(Checkpoint(store.origin, 3, bytes(32)), OTHER)
    mine = of(store, clock, there)
    for answer in (
        Answer(200, cosign(note, there.key.name, OTHER, 1_790_000_000)),
        Answer(200, cosign(other, there.key.name, OTHER, 1_790_000_000)),
        Answer(200, "junk\n"),
        Answer(200, ""),
        Answer(200, "x" * 300_000),
        Answer(409, "junk\n", SIZE_TYPE),
        Answer(409, "0\n", SIZE_TYPE),
    ):
        there.answers = [answer]
        mine.run()
        assert isinstance(mine.problem, WitnessWrong), answer
    there.answers = [Answer(409, f"{size}\n", SIZE_TYPE) for size in (1, 2, 1, 2)]
    mine.run()
    assert isinstance(mine.problem, WitnessWrong)

    assert len(there.answers) == 1  # it was asked three times, and no more
    assert kept(store) == []
    assert mine.state().waiting == 1


def test_a_cosignature_that_was_lost_on_the_way(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """The witness cosigned, and the box never heard: it is asked again, from where the witness says it stands."""
    mine = of(store, clock, there)
    mine.run()
    first = mine.state().size
    newest = grow(store, clock)
    mine.want("due")
    mine._asked(store.anchors.pending(1, mine.outsider)[0])  # and the power fails before it is kept
    last = grow(store, clock)
    mine.run()

    assert sizes(there.asked) == [(0, first), (first, newest), (first, last), (newest, last)]
    assert mine.problem is None
    assert mine.state().size == last


def test_a_witness_that_forgot(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Its folder was lost and it was made anew with the old key: it is asked from the beginning, and cosigns."""
    folder = tmp_path / "witness"
    with witness(folder, logs(store), clock) as there:
        shutil.copytree(folder, tmp_path / "empty")
        of(store, clock, there).run()
    first = store.anchors.state(Outsider(AnchorKind.WITNESS, there.key.text)).size
    newest = grow(store, clock)
    with witness(tmp_path / "empty", logs(store), clock) as again:
        mine = of(store, clock, again)
        mine.run()

    assert again.key == there.key
    assert sizes(again.asked) == [(first, newest), (0, newest)]
    assert mine.problem is None


def test_a_contradiction_does_not_become_quiet_with_the_witness(
    store: Store, clock: FakeClock, there: FakeWitness
) -> None:
    """Whoever keeps the witness away afterwards hides nothing; it is over once the witness cosigns again."""
    there.answers = [Answer(409, "4711\n", SIZE_TYPE), Answer(503, "")]
    mine = of(store, clock, there)
    for _ in range(2):
        mine.run()
        assert isinstance(mine.problem, WitnessAhead)
        assert mine.problem.size == 4711
    mine.run()

    assert mine.problem is None
    findings = [leaf.fields["seen"] for _, leaf in store.leaves(0, store.log_size) if leaf.type == "finding"]
    assert findings == [4711]


def test_two_witnesses_are_kept_apart(store: Store, clock: FakeClock, there: FakeWitness, tmp_path: Path) -> None:
    """One that fails keeps nothing from the other; each has its own file of the same checkpoint."""
    with witness(tmp_path / "south", logs(store), clock, "witness.example/south") as south:
        both = [of(store, clock, one) for one in (there, south)]
        there.answers = [Answer(503, "")]
        for one in both:
            one.run()
        assert isinstance(both[0].problem, WitnessRefused)
        assert both[1].problem is None
        both[0].run()

    assert len({path.name.split(".")[0] for path in kept(store)}) <= 2
    assert {path.name.split(".")[1] for path in kept(store)} == {there.key.id.hex(), south.key.id.hex()}
    store.checkpoint()
    assert check(store) == []


def test_a_log_that_does_not_hash_to_its_checkpoint_is_not_shown(
    store: Store, clock: FakeClock, there: FakeWitness
) -> None:
    """A damaged tile is this box's own trouble, and told as that; the witness is not asked."""
    tile = next(iter(sorted((store.layout.log / "tile" / "0").rglob("*"), key=lambda path: -len(path.parts))))
    data = bytearray(tile.read_bytes())
    data[5] ^= 1
    tile.write_bytes(bytes(data))
    mine = of(store, clock, there)
    mine.run()

    assert mine.problem is not None
    assert mine.problem.code == "proof_invalid"
    assert there.asked == []


# -- the owner, with root and the key


def rewritten(store: Store, before: bytes, after: bytes) -> None:
    """Yesterday is written anew in every leaf, the tree is built anew from them, and signed with the box's own key."""
    assert len(before) == len(after)
    with store.database.read() as connection:
        bodies = [body for _, body in store.ledger.bodies(connection, 0, store.log_size)]
    assert any(before in body for body in bodies)
    for path in (store.layout.log / "tile").iterdir():
        shutil.rmtree(path)
    TileStore(store.layout.log).append(0, [body.replace(before, after) for body in bodies])
    root = store.ledger.tiles.frontier(len(bodies)).root()
    store.ledger.checkpoint_path.write_text(
        sign_checkpoint(Checkpoint(store.origin, len(bodies), root), load_key(store.layout.key))
    )


def test_yesterday_rewritten_and_signed_anew_is_refused(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """At once, while it is as long as it was; and when it has grown. The status, the log and fsck say so."""
    mine = of(store, clock, there)
    mine.run()
    store.checkpoint()
    rewritten(store, b"gate", b"gaol")
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE log_state SET checkpoint_size = size")
    mine.want("hold")
    mine.run()

    assert isinstance(mine.problem, WitnessForked)
    assert len(kept(store)) == 1
    findings = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "finding"]
    assert [one["what"] for one in findings] == ["witness_forked"]
    assert findings[0]["witness"] == there.key.text
    assert any(one.invariant == 9 and "written anew" in one.what for one in check(store))
    for _ in range(3):
        grow(store, clock)
        mine.run()
        assert isinstance(mine.problem, WitnessForked)
    findings = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "finding"]
    assert len(findings) == 1  # told once, not once a minute


def test_a_tail_that_was_cut_off_is_caught(store: Store, clock: FakeClock, there: FakeWitness, tmp_path: Path) -> None:
    """The owner puts yesterday's data directory back, as if the disk had failed: shorter than the witness saw."""
    mine = of(store, clock, there)
    mine.run()
    saved = tmp_path / "saved"
    shutil.copytree(store.layout.root, saved)
    grow(store, clock)
    mine.run()
    assert mine.problem is None
    anchors = store.layout.log / "anchors"
    store.close()

    old = Store.open(saved, clock)
    old.checkpoint()  # as a box does when it begins
    mine = of(old, clock, there)
    mine.run()
    assert isinstance(mine.problem, WitnessAhead)
    assert mine.problem.size > old.latest_checkpoint().size  # type: ignore[union-attr]
    shutil.copytree(anchors, old.layout.log / "anchors", dirs_exist_ok=True)
    assert any(one.invariant == 9 and "cut off" in one.what for one in check(old))

    # Having recorded for some time it is longer than what the witness saw, and another log all the same.
    for _ in range(6):
        grow(old, clock)
        mine.run()
    assert isinstance(mine.problem, WitnessForked)
    old.close()


def key_of(store: Store, path: Path) -> Ed25519PrivateKey:
    """What a new box takes for its own: the key of this one."""
    path.parent.mkdir()
    shutil.copy(store.layout.key, path)
    shutil.copy(store.layout.public_key, path.with_name(store.layout.public_key.name))
    return load_key(path)


def test_a_second_clean_log_is_caught_by_its_origin_and_by_its_key(
    store: Store, clock: FakeClock, there: FakeWitness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new box has another name, which the witness does not know; under the old name it has another key; and with the
    old name and the old key it is another history."""
    of(store, clock, there).run()
    clean = new_store(tmp_path / "clean", clock, "gate")
    mine = of(clean, clock, there)
    mine.run()
    assert isinstance(mine.problem, WitnessUnaware)
    assert clean.fingerprint != store.fingerprint
    clean.close()

    monkeypatch.setattr("recorder.store.making.secrets.token_hex", lambda count: store.box_id)
    named = new_store(tmp_path / "named", clock, "gate")
    assert named.origin == store.origin
    named.checkpoint()
    mine = of(named, clock, there)
    mine.run()
    assert isinstance(mine.problem, WitnessUnaware)
    named.close()

    monkeypatch.setattr("recorder.store.keyring.create_key", partial(key_of, store))
    keyed = new_store(tmp_path / "keyed", clock, "gate")
    assert keyed.fingerprint == store.fingerprint
    keyed.checkpoint()
    mine = of(keyed, clock, there)
    mine.run()
    assert isinstance(mine.problem, WitnessAhead | WitnessForked)
    while keyed.log_size < store.log_size + 10:
        keyed.checkpoint()
    mine.run()
    assert isinstance(mine.problem, WitnessForked)
    assert kept(keyed) == []
    keyed.close()


def test_of_a_fork_shown_to_two_verifiers_one_has_no_cosignature(
    store: Store, clock: FakeClock, there: FakeWitness, tmp_path: Path
) -> None:
    """The owner keeps two logs with one key, and shows each to whom it suits: both are signed, one is cosigned."""
    of(store, clock, there).run()
    shutil.copytree(store.layout.root, tmp_path / "second")
    second = Store.open(tmp_path / "second", clock)
    grow(store, clock)
    record(second, clock, SECOND * 2)
    second.checkpoint()
    one, other = of(store, clock, there), of(second, clock, there)
    for mine in (one, other):
        mine.want("export")
        mine.run()

    assert one.problem is None
    assert isinstance(other.problem, WitnessForked | WitnessAhead)
    for shown in (store, second):
        open_checkpoint(shown.checkpoint_text(), shown.origin, shown.public_key)  # the box's signature is no help
    newest = [max(int(path.name.split(".")[0]) for path in kept(shown)) for shown in (store, second)]
    assert newest[0] == one.state().size
    assert newest[1] < newest[0]
    second.close()


def test_rows_that_were_removed_do_not_hide_an_anchor(store: Store, clock: FakeClock, there: FakeWitness) -> None:
    """The note lies there still, and contradicts; a note that was changed is not what its leaf says."""
    of(store, clock, there).run()
    store.checkpoint()
    path = kept(store)[0]
    good = path.read_text()
    assert check(store) == []
    path.write_text(good.replace("\n\n", "\n\n— somebody AAAAAAAA\n"))
    assert [(one.invariant, one.where) for one in check(store)] == [(9, path.name)]
    path.write_text("junk")
    assert {(one.invariant, one.where) for one in check(store)} == {(9, path.name)}
    path.unlink()
    assert [(one.invariant, one.where) for one in check(store)] == [(9, path.name)]
    path.write_text(good)
    said = read_body(good.split("\n\n")[0] + "\n")
    with closing(sqlite3.connect(store.layout.catalogue)) as connection, connection:
        connection.execute("DELETE FROM anchors")
    path.with_name(f"{said.size}.00000000.note").write_text(good.replace(f"\n{said.size}\n", f"\n{said.size + 999}\n"))
    assert any("cut off" in one.what for one in check(store))
    assert file_name(7, Outsider(AnchorKind.RFC3161)) == "7.tsr"


def test_a_cosignature_that_a_power_cut_left_without_its_row_is_no_finding(
    store: Store, clock: FakeClock, there: FakeWitness
) -> None:
    """Its file was there, its row not yet; after the start a newer checkpoint waits in its place."""
    of(store, clock, there).run()
    assert len(kept(store)) == 1
    grow(store, clock)
    waiting = {"size": store.log_size, "note": store.checkpoint_text(), "token": None, "leaf_index": None}
    with store.database.write() as connection:
        connection.execute(update(tables.anchors).values(**waiting))

    assert check(store) == []
