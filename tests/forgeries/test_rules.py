"""Discards by rules that were not the camera's: by who has the key and a program that nothing holds back. The three
verifiers agree, and say what is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from config.times import DAY_US
from recorder.store.fsck import check
from recorder.store.keeping import Rule, rules_hash
from recorder.store.ledger import Entry
from recorder.store.log.keys import load_key
from recorder.store.records import ManagedBy
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.export import Wanted, export
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.packages import leave_out, lines, put_claim, resign
from tests.forgeries.test_broken import Facts, facts_of, of, remade
from tests.forgeries.test_packages import SECOND, VERIFIERS, Honest, Verifier

NOT_ALL = "Not all rules that were in force at"
TOO_EARLY = ("discarded before its time", "until when it had to be kept")
"""As the scripts say it, and as `custos verify` does."""


def no_lie(rules: list[Rule]) -> dict[str, Any]:
    """What an honest box adds to its discard."""
    return {}


@dataclass(frozen=True)
class Told:
    """Footage of a camera, discarded by a program that asks nobody, as its log tells it."""

    before: tuple[int | None, ...] = ()
    """Floors that the camera was given before it recorded; None: as the box keeps all."""
    since: tuple[int | None, ...] = ()
    """And those that it was given afterwards."""
    days: int = 40
    """After how many it was discarded."""
    set_back_days: int = 0
    """The wall clock was so far back then: by it the footage was still to come."""
    later: tuple[int | None, ...] = ()
    """Floors that it was given after that."""
    lie: Callable[[list[Rule]], dict[str, Any]] = no_lie
    """What the discard says in another way than an honest one, of the camera's rules."""
    left_out: tuple[int, ...] = ()
    """Which of the camera's rules the package leaves out."""


def thirty(rules: list[Rule]) -> dict[str, Any]:
    """The floor that it names is thirty days; the rules are all there."""
    return {"floor_days": 30}


def without_the_last(rules: list[Rule]) -> dict[str, Any]:
    """It was asked by all rules but the last."""
    return {"floor_days": 30, "rules": rules_hash(rules[:-1])}


def as_before_rules(rules: list[Rule]) -> dict[str, Any]:
    """As a program tells it that knows of no rules."""
    return {"floor_days": 30, "rules": None}


def told(folder: Path, how: Told, monkeypatch: pytest.MonkeyPatch) -> Honest:
    """The package of it: its claim names thirty days, unless the program is honest."""
    monkeypatch.setattr("recorder.store.segments.may_go_us", lambda *arguments: 0)
    clock = FakeClock()
    store = new_store(folder, clock, "gate")
    lying(store, how)
    clock.advance(1)
    kept(store, how.before)
    begun_us = clock.read().utc_us
    record(store, clock, SECOND * 6)
    store.checkpoint()
    kept(store, how.since)
    end_us = clock.read().utc_us - 2_000_000
    clock.advance(how.days * 86_400)
    clock.utc_us -= how.set_back_days * DAY_US
    assert store.discard(["gate.main.1"], "target 31 days, floor 30 days").discarded == ("gate.main.1",)
    clock.utc_us += how.set_back_days * DAY_US
    kept(store, how.later)
    store.checkpoint()
    export(store, Wanted("gate", begun_us, end_us, "case 9"), folder / "package", clock, "0.0.0")
    key = load_key(store.layout.key)
    store.close()
    for place in sorted(rules_in(folder / "package", how.left_out), reverse=True):
        leave_out(folder / "package", place)
    if how.lie is not no_lie:
        claim = json.loads((folder / "package" / package.CLAIM).read_bytes())
        put_claim(folder / "package", claim | {"floor_days": 30})
    resign(folder / "package", key)
    return Honest(folder / "package", store.fingerprint, None, key)


def lying(store: Store, how: Told) -> None:
    append = store.ledger.append

    def said(connection: Connection, kind: str, fields: dict[str, Any]) -> Entry:
        if kind == "del":
            fields = {**fields, **how.lie(store.cameras.rules("gate"))}
        return append(connection, kind, {name: one for name, one in fields.items() if name != "rules" or one})

    store.ledger.append = said  # type: ignore[method-assign, assignment]


def kept(store: Store, floors: tuple[int | None, ...]) -> None:
    for floor_days in floors:
        store.cameras.change("gate", ManagedBy.API, {"floor_days": floor_days})


def rules_in(folder: Path, which: tuple[int, ...]) -> list[int]:
    """The lines of those of the camera's rules."""
    entries = [json.loads(line) for line in lines(folder / package.LEAVES)]
    found = [n for n, one in enumerate(entries) if (one["type"], one.get("op")) == ("camera", "rule")]
    return [found[one] for one in which]


UNLAWFUL: dict[str, tuple[Told, tuple[str, ...]]] = {
    "before the raised floor's time": (Told(since=(90,), lie=thirty), TOO_EARLY),
    "on the day before the raised floor's": (Told(since=(90,), days=90, lie=thirty), TOO_EARLY),
    "recorded under a floor that was lowered since": (Told(before=(90,), since=(None,), lie=thirty), TOO_EARLY),
    "raised and lowered before it was discarded": (Told(since=(90, None), lie=thirty), TOO_EARLY),
    "before its time by box time, by the wall it was to come": (Told(days=31, set_back_days=3653), TOO_EARLY),
    "by rules without the last": (Told(since=(90,), lie=without_the_last), (NOT_ALL,)),
    "by no rules at all": (Told(since=(90,), lie=as_before_rules), TOO_EARLY),
    "the rule that forbids it is left out": (Told(since=(90,), lie=thirty, left_out=(1,)), (NOT_ALL,)),
    "the first rule is left out": (Told(since=(45,), days=60, lie=thirty, left_out=(0,)), (NOT_ALL,)),
    "all rules are left out": (Told(lie=thirty, left_out=(0,)), (NOT_ALL,)),
}

LAWFUL: dict[str, Told] = {
    "by the only rule": Told(),
    "behind the raised floor's time": Told(since=(90,), days=91),
    "behind its time by box time, by the wall it was to come": Told(days=33, set_back_days=3653),
    "raised only afterwards": Told(later=(90,)),
    "recorded after it was lowered": Told(before=(90, None)),
    "by a program from before rules": Told(lie=as_before_rules, left_out=(0,)),
}


@pytest.mark.parametrize("name", UNLAWFUL)
def test_a_discard_that_the_cameras_rules_forbid_is_found(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its entry and the claim name thirty days: by each of the three, with what is wrong."""
    how, words = UNLAWFUL[name]
    made = told(tmp_path, how, monkeypatch)

    for verifier in VERIFIERS:
        good, said = verifier(made.folder, made.fingerprint)
        assert not good, verifier
        assert any(one in said for one in words), (verifier, said)


@pytest.mark.parametrize("name", LAWFUL)
def test_a_discard_that_the_cameras_rules_allow_is_good(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each of the three: otherwise what they find would prove nothing."""
    made = told(tmp_path, LAWFUL[name], monkeypatch)

    for verifier in VERIFIERS:
        good, said = verifier(made.folder, made.fingerprint)
        assert good, (verifier, said)


def test_a_program_that_lies_of_rules_in_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The discard says that it went by the first rule alone, and the package leaves the second out: that no package
    finds, as docs/attack-model.md says. Whoever has the log finds it (`custos fsck`): there the rule stands."""
    made = told(tmp_path, Told(since=(90,), lie=without_the_last, left_out=(1,)), monkeypatch)

    for verifier in VERIFIERS:
        good, said = verifier(made.folder, made.fingerprint)
        assert good, (verifier, said)
    store = Store.open(tmp_path / "data", FakeClock(), exclusive=False)
    found = [one.what for one in check(store) if one.invariant == 7]
    store.close()
    assert any("other rules" in one for one in found)
    assert any("before the floor" in one for one in found)


# the log made anew by who has its key


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """Items 1 to 3 were discarded lawfully, ninety-one days after they were recorded under a floor of ninety."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return told(tmp_path_factory.mktemp("plain"), Told(before=(90,), since=(None,), days=91), monkeypatch)


def rule(facts: Facts, place: int) -> dict[str, Any]:
    return [one for one in facts if (one["type"], one.get("op")) == ("camera", "rule")][place]


def another_camera(facts: Facts) -> None:
    at = next(n for n, one in enumerate(facts) if one["type"] == "seg")
    facts.insert(at, {**rule(facts, 1), "camera": "yard", "floor_days": 5000})


@dataclass(frozen=True)
class Edited:
    """An entry edited, and all of the log signed anew."""

    edit: Callable[[Facts], object]
    words: tuple[str, ...] = field(default=("cannot be read", "not of the form"))


EDITED: dict[str, Edited] = {
    "a floor lowered": Edited(lambda facts: rule(facts, 1).update(floor_days=30), (NOT_ALL,)),
    "a floor raised": Edited(lambda facts: rule(facts, 1).update(floor_days=120), (NOT_ALL, *TOO_EARLY)),
    "a rule that became another camera's": Edited(lambda facts: rule(facts, 1).update(camera="yard"), (NOT_ALL,)),
    "a rule that became another change": Edited(lambda facts: rule(facts, 1).update(op="changed"), (NOT_ALL,)),
    "a discard by other rules": Edited(lambda facts: of(facts, "del").update(rules="0" * 64), (NOT_ALL,)),
    "a discard whose rules are no hash": Edited(lambda facts: of(facts, "del").update(rules="none")),
    "a discard whose rules are nothing": Edited(lambda facts: of(facts, "del").update(rules=None)),
    "a rule without a floor": Edited(lambda facts: rule(facts, 1).pop("floor_days")),
    "a rule without a target": Edited(lambda facts: rule(facts, 1).pop("target_days")),
    "a floor that is a text": Edited(lambda facts: rule(facts, 1).update(floor_days="90")),
    "a floor of nothing": Edited(lambda facts: rule(facts, 1).update(floor_days=0)),
    "a floor below nothing": Edited(lambda facts: rule(facts, 1).update(floor_days=-90)),
    "a floor of ages": Edited(lambda facts: rule(facts, 1).update(floor_days=73_001)),
    "a target that is a truth": Edited(lambda facts: rule(facts, 1).update(target_days=True)),
}


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("name", EDITED)
def test_a_rule_that_was_edited_and_signed_anew(plain: Honest, tmp_path: Path, name: str, verifier: Verifier) -> None:
    """The discard binds by which rules it was asked; and an entry that no box writes is not judged by."""
    folder = plain.copy(tmp_path)
    facts = copy.deepcopy(facts_of(folder))
    EDITED[name].edit(facts)
    remade(folder, plain.key, facts)
    good, said = verifier(folder, plain.fingerprint)

    assert not good
    assert any(one in said for one in EDITED[name].words), said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_rule_of_another_camera_is_none_of_this_one(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """Its five thousand days count for nobody here; and where all others stay in their places, nothing is wrong."""
    folder = plain.copy(tmp_path)
    facts = copy.deepcopy(facts_of(folder))
    another_camera(facts)
    places = [Rule(at, one["floor_days"], one["target_days"]) for at, one in enumerate(facts) if is_mine(one)]
    at = next(n for n, one in enumerate(facts) if one["type"] == "del")
    facts[at]["rules"] = rules_hash([one for one in places if one.index < at])
    remade(folder, plain.key, facts)
    good, said = verifier(folder, plain.fingerprint)

    assert good, said


def is_mine(one: dict[str, Any]) -> bool:
    return (one["type"], one.get("op"), one.get("camera")) == ("camera", "rule", "gate")
