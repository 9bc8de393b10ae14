"""Release codes: two persons release a hold, and nobody else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.errors import (
    HolderInvalid,
    HolderUnknown,
    HoldReleased,
    ReleaseBySamePerson,
    ReleaseCodeNew,
    ReleaseCodesDamaged,
    ReleaseCodesExist,
    ReleaseCodesMissing,
    ReleaseRefused,
    ReleaseTooOften,
)
from recorder.store import codes
from recorder.store.codes import REST_US, WRONG_LIMIT, WRONG_SPAN_US, Credential
from recorder.store.fsck import check
from recorder.store.store import Store
from tests.fakes.box import credentials, hold, release
from tests.fakes.clock import FakeClock

CHEAP = 2
"""The cost of hashing that tests are made at; `test_codes_are_made_as_a_box_makes_them` takes the real one."""


def audits(store: Store, what: str) -> list[dict[str, object]]:
    leaves = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "audit"]
    return [dict(leaf.fields) for leaf in leaves if leaf.fields["what"] == what]


def wrong_times(store: Store, hold_id: int, times: int) -> None:
    one, other = credentials(store)
    for _ in range(times):
        with pytest.raises(ReleaseRefused):
            store.holds.release(hold_id, "r", one, Credential(other.holder, one.code))


def test_codes_are_made_as_a_box_makes_them(store: Store) -> None:
    """A hundred random bits each, none of which is kept: the file has salted hashes, and is its owner's alone."""
    store.layout.release_codes.unlink()
    issued = codes.make(store.layout, ("王小明", "李四"))
    kept = store.layout.release_codes.read_text()

    assert store.layout.release_codes.stat().st_mode & 0o777 == 0o600
    assert all(one["cost"] == 2**15 for one in json.loads(kept)["holders"])
    assert not any(one.code in kept or one.code.replace("-", "") in kept for one in issued)
    assert all(len(one.code.replace("-", "")) == 20 for one in issued)
    assert issued[0].code not in repr(issued)
    assert Credential("x", "planted").code not in repr(Credential("x", "planted"))


def test_two_persons_release_a_hold_and_the_log_binds_who_they_were(store: Store) -> None:
    """By what is kept of their codes, which genesis told; by name in the side record alone."""
    placed = hold(store, ["gate"], 0, 1)

    released = release(store, placed.id)

    (genesis,) = [leaf.fields for _, leaf in store.leaves(0, 1)]
    (leaf,) = [leaf.fields for _, leaf in store.leaves(0, store.log_size) if leaf.type == "release"]
    assert released.released_by == ("holder-1", "holder-2")
    assert leaf["by"] == genesis["release_codes"]
    assert "holder-1" not in json.dumps(dict(leaf))
    with pytest.raises(HoldReleased):
        release(store, placed.id)
    assert check(store) == []


def test_a_code_is_read_as_people_write_it(store: Store) -> None:
    """In small letters, with blanks, with the letter O for the digit; and names likewise."""
    one, other = credentials(store)
    placed = hold(store, ["gate"], 0, 1)
    sloppy = other.code.lower().replace("-", "  ").replace("0", "o").replace("1", "l")

    released = store.holds.release(placed.id, "r", one, Credential(" Holder-2 ", sloppy))

    assert released.released_us is not None


@pytest.mark.parametrize("second", ["holder-1", " HOLDER-1", "ｈｏｌｄｅｒ－１"])
def test_nobody_is_two_persons(store: Store, second: str) -> None:
    """The same holder twice, however the name is written; not even with the right code of the other."""
    one, other = credentials(store)
    placed = hold(store, ["gate"], 0, 1)

    with pytest.raises(ReleaseBySamePerson):
        store.holds.release(placed.id, "r", one, Credential(second, other.code))

    assert store.holds.get(placed.id).released_us is None


@pytest.mark.parametrize("which", ["first", "second", "both", "swapped", "name", "empty", "long"])
def test_wrong_codes_release_nothing_and_are_told_in_the_log(store: Store, which: str) -> None:
    """Whichever is wrong, the error is the same; an entry tells of it, and no entry or record has what was typed."""
    one, other = credentials(store)
    bad = {
        "first": (Credential(one.holder, "planted"), other),
        "second": (one, Credential(other.holder, "planted")),
        "both": (Credential(one.holder, "planted"), Credential(other.holder, "planted")),
        "swapped": (Credential(one.holder, other.code), Credential(other.holder, one.code)),
        "name": (one, Credential("planted", other.code)),
        "empty": (one, Credential(other.holder, "")),
        "long": (one, Credential(other.holder, other.code + " " * 500)),
    }[which]
    placed = hold(store, ["gate"], 0, 1)

    with pytest.raises(ReleaseRefused) as refused:
        store.holds.release(placed.id, "r", *bad)

    assert str(refused.value) == ReleaseRefused.sentence()
    assert [one["hold"] for one in audits(store, "release_refused")] == [placed.id]
    assert store.holds.get(placed.id).released_us is None
    store.close()
    assert b"planted" not in store.layout.catalogue.read_bytes()


def test_after_wrong_codes_none_is_looked_at_for_a_while(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Not even right ones, over restarts and whatever the wall clock is set to; what is not looked at is no entry."""
    placed = hold(store, ["gate"], 0, 1)
    wrong_times(store, placed.id, WRONG_LIMIT)
    clock.set_wall("2030-01-01T00:00:00Z")
    store.close()
    store = Store.open(tmp_path / "data", clock)

    with pytest.raises(ReleaseTooOften) as late:
        release(store, placed.id)
    assert late.value.retry_s == WRONG_SPAN_US // 10**6
    assert len(audits(store, "release_refused")) == WRONG_LIMIT
    clock.advance(late.value.retry_s)

    assert release(store, placed.id).released_us is not None


def test_a_code_is_renewed_with_the_others_word_and_rests(store: Store, clock: FakeClock) -> None:
    """It is told in the log, and releases nothing for seven days of running: nobody becomes two persons unseen."""
    one, other = credentials(store)
    placed = hold(store, ["gate"], 0, 1)
    with pytest.raises(ReleaseRefused):
        codes.renew(store.layout, other.holder, Credential(one.holder, other.code))
    new = codes.renew(store.layout, "HOLDER-2", one, "李四")
    both = (one, Credential(new.holder, new.code))

    with pytest.raises(ReleaseCodeNew):
        store.holds.release(placed.id, "r", *both)
    (told,) = audits(store, "release_code")
    assert (told["rests"], told["holder"]) == (True, store.holds.codes.holders()[1].id)
    clock.set_wall("2030-01-01T00:00:00Z")
    with pytest.raises(ReleaseCodeNew):
        store.holds.release(placed.id, "r", *both)
    clock.mono_us += REST_US
    wrong_times(store, placed.id, 1)

    assert store.holds.release(placed.id, "r", *both).released_by == ("holder-1", "李四")
    assert not store.holds.codes.tell()
    assert check(store) == []


def test_the_old_code_ends_when_it_is_renewed(store: Store) -> None:
    """Its holder of before releases nothing any more."""
    one, other = credentials(store)
    placed = hold(store, ["gate"], 0, 1)
    codes.renew(store.layout, other.holder, one)

    with pytest.raises(ReleaseRefused):
        store.holds.release(placed.id, "r", one, other)


def test_a_box_without_codes_keeps_its_holds_until_it_has_some(store: Store, clock: FakeClock) -> None:
    """A box from before there were any: its hold stays; codes that it gets then rest, for a hold is in force."""
    placed = hold(store, ["gate"], 0, 1)
    store.layout.release_codes.unlink()
    with pytest.raises(ReleaseCodesMissing):
        release(store, placed.id)
    first, second = (Credential(one.holder, one.code) for one in codes.make(store.layout, cost=CHEAP))

    with pytest.raises(ReleaseCodeNew):
        store.holds.release(placed.id, "r", first, second)
    assert store.holds.codes.resting_us() == REST_US
    assert len(audits(store, "release_code")) == 2
    clock.advance(REST_US / 1e6)

    assert store.holds.release(placed.id, "r", first, second).released_us is not None


def test_codes_that_somebody_put_there_are_seen(store: Store) -> None:
    """Who can write the file, and had it written anew, is told in the log by the next turn, and waits like others."""
    placed = hold(store, ["gate"], 0, 1)
    store.layout.release_codes.unlink()
    first, second = (Credential(one.holder, one.code) for one in codes.make(store.layout, cost=CHEAP))

    assert store.holds.codes.tell()
    assert not store.holds.codes.tell()
    with pytest.raises(ReleaseCodeNew):
        store.holds.release(placed.id, "r", first, second)


def test_codes_made_while_nothing_is_held_are_good_at_once(store: Store) -> None:
    """There was nothing that they could have released."""
    store.layout.release_codes.unlink()
    first, second = (Credential(one.holder, one.code) for one in codes.make(store.layout, cost=CHEAP))
    store.holds.codes.tell()
    placed = hold(store, ["gate"], 0, 1)

    assert store.holds.release(placed.id, "r", first, second).released_us is not None


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "A "), ("", "b"), ("a", "b" * 61), ("a\n", "b\x00")])
def test_holders_are_two_persons_with_names(store: Store, names: tuple[str, ...]) -> None:
    """Else nothing is made."""
    store.layout.release_codes.unlink()

    with pytest.raises(HolderInvalid):
        codes.make(store.layout, names, CHEAP)

    assert not store.layout.release_codes.exists()


def test_codes_that_are_there_are_not_made_anew(store: Store) -> None:
    """That would end both at once; renewing takes one, whose holder there must be, and the other's word."""
    one, _ = credentials(store)
    with pytest.raises(ReleaseCodesExist):
        codes.make(store.layout, cost=CHEAP)
    with pytest.raises(HolderUnknown):
        codes.renew(store.layout, "nobody", one)
    with pytest.raises(HolderInvalid):
        codes.renew(store.layout, "holder-2", one, "Holder-1")


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", '{"holders": []}', '{"holders": [1, 2]}', "open", "odd", "dear", "folder"]
)
def test_a_file_of_codes_that_is_none_releases_nothing(store: Store, body: str) -> None:
    """Damaged, readable for others, or of a cost that would never end."""
    path = store.layout.release_codes
    placed, kept = hold(store, ["gate"], 0, 1), json.loads(path.read_text())
    kept["holders"][0] |= {"odd": {"salt": "00"}, "dear": {"cost": 2**30}}.get(body, {})
    path.write_text(json.dumps(kept) if body in ("open", "odd", "dear") else body)
    if body == "open":
        path.chmod(0o644)
    if body == "folder":
        path.unlink()
        path.mkdir()

    with pytest.raises(ReleaseCodesDamaged):
        release(store, placed.id)

    assert store.holds.get(placed.id).released_us is None


def test_a_box_is_not_begun_for_holders_that_are_not_two(tmp_path: Path, clock: FakeClock) -> None:
    """Nothing is there afterwards, so the same command can be given again, and rightly."""
    with pytest.raises(HolderInvalid):
        Store.create(tmp_path / "data", "test", clock, "0", holders=("Li", " LI"))

    assert not (tmp_path / "data").exists()
