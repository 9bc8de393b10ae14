"""What a witness remembers, on a real disk: at its first start, when it is damaged, and when the power fails."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from recorder.errors import StorageFull
from recorder.store import files
from recorder.store.log.cosignature import cosigned_at_s, witness_key
from recorder.store.log.errors import KeyFileInvalid, KeyFileOpen
from recorder.store.log.keys import load_key
from recorder.store.log.note import sign_checkpoint
from recorder.store.witnessed import (
    KEY,
    NAME_PREFIX,
    STATE,
    Witnessed,
    WitnessInUse,
    WitnessNameInvalid,
    WitnessNameOther,
    WitnessRecord,
    WitnessStateInvalid,
)
from retention.evidence.notary import NO_TIME, Notary
from retention.evidence.witness import SIGNING_LIMIT, TOO_MANY, Answer
from tests.fakes.clock import FakeClock
from tests.fakes.logs import BOX, ORIGIN, Log, known
from tests.fakes.power import Power, PowerCut

NAME = "witness.example/north"
LOG, FORK = Log(parts_at=5), Log("forked", parts_at=5)


def notary(record: WitnessRecord) -> Notary:
    return Notary(record, known(BOX), FakeClock())


def test_the_first_start_makes_name_key_and_memory(tmp_path: Path) -> None:
    """The key for nobody else to read; and the next start finds them again."""
    folder = tmp_path / "made" / "here"
    first = WitnessRecord.open(folder)
    first.close()
    again = WitnessRecord.open(folder)
    again.close()

    assert first.name == again.name
    assert first.name.startswith(NAME_PREFIX)
    assert again.key.private_bytes_raw() == first.key.private_bytes_raw()
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600


def test_it_is_named_once(tmp_path: Path) -> None:
    """Under another name its key would be another witness's."""
    WitnessRecord.open(tmp_path / "w", NAME).close()

    WitnessRecord.open(tmp_path / "w", NAME).close()
    with pytest.raises(WitnessNameOther, match="north"):
        WitnessRecord.open(tmp_path / "w", "witness.example/south")
    for name in ("", "two words", "one+two", "x" * 201, "见证者", 'a"b', "a\\b", "a\n"):
        with pytest.raises(WitnessNameInvalid):
            WitnessRecord.open(tmp_path / "other", name)


def test_two_on_one_folder_are_refused(tmp_path: Path) -> None:
    """They would not know of each other's word; after the first has ended the next may."""
    one = WitnessRecord.open(tmp_path, NAME)
    with pytest.raises(WitnessInUse):
        WitnessRecord.open(tmp_path, NAME)
    one.close()
    one.close()
    WitnessRecord.open(tmp_path, NAME).close()


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    """After the next start, byte for byte."""
    note = sign_checkpoint(LOG.at(7), BOX)
    record = WitnessRecord.open(tmp_path, NAME)
    record.keep(ORIGIN, Witnessed(note))
    record.close()

    again = WitnessRecord.open(tmp_path, NAME)
    again.close()
    assert again.seen(ORIGIN) == Witnessed(note)
    assert again.seen("custos/other") is None


def test_a_key_without_a_memory_is_refused(tmp_path: Path) -> None:
    """It would cosign what contradicts its own word: nothing is begun anew over it."""
    WitnessRecord.open(tmp_path, NAME).close()
    (tmp_path / STATE).unlink()

    with pytest.raises(WitnessStateInvalid):
        WitnessRecord.open(tmp_path, NAME)
    assert not (tmp_path / STATE).exists()


def test_a_memory_without_a_key(tmp_path: Path) -> None:
    """Of one that never signed it is made anew; of one that did it must come back from a backup."""
    record = WitnessRecord.open(tmp_path, NAME)
    record.close()
    (tmp_path / KEY).unlink()
    record = WitnessRecord.open(tmp_path, NAME)
    record.keep(ORIGIN, Witnessed(sign_checkpoint(LOG.at(7), BOX)))
    record.close()
    (tmp_path / KEY).unlink()

    with pytest.raises(KeyFileInvalid):
        WitnessRecord.open(tmp_path, NAME)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace(f'"{ORIGIN}": ', '"custos/other": '),
        lambda text: text.replace("\\n7\\n", "\\nseven\\n"),
        lambda text: json.dumps({"format": 1, "name": NAME}),
    ],
)
def test_a_damaged_memory_is_refused(tmp_path: Path, damage: object) -> None:
    """Cut off, empty, another's, of another version: nothing is guessed."""
    record = WitnessRecord.open(tmp_path, NAME)
    record.keep(ORIGIN, Witnessed(sign_checkpoint(LOG.at(7), BOX)))
    record.close()
    assert callable(damage)
    before = (tmp_path / STATE).read_text()
    (tmp_path / STATE).write_text(damage(before))
    assert (tmp_path / STATE).read_text() != before

    with pytest.raises(WitnessStateInvalid):
        WitnessRecord.open(tmp_path, NAME)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """As that of a box is."""
    WitnessRecord.open(tmp_path, NAME).close()
    (tmp_path / KEY).chmod(0o644)

    with pytest.raises(KeyFileOpen):
        WitnessRecord.open(tmp_path, NAME)


def answers(record: WitnessRecord, *requests: bytes) -> list[Answer]:
    desk = notary(record)
    return [desk.answer(one) for one in requests]


def test_what_is_cosigned_is_remembered(tmp_path: Path) -> None:
    """The line verifies under the witness's key, and after a restart the log goes on from there only."""
    record = WitnessRecord.open(tmp_path, NAME)
    (first,) = answers(record, LOG.request(0, 7))
    key = witness_key(NAME, record.key.public_key())
    record.close()
    record = WitnessRecord.open(tmp_path, NAME)
    behind = answers(record, FORK.request(0, 7), FORK.request(7, 7), FORK.request(7, 9), LOG.request(7, 9))
    record.close()

    assert first.status == 200
    assert cosigned_at_s(sign_checkpoint(LOG.at(7), BOX) + first.body, key) > 0
    assert [one.status for one in behind] == [409, 409, 422, 200]


def test_a_disk_that_takes_no_writes_keeps_it_from_signing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when it does again, whatever is asked first is cosigned: nothing had left."""
    record = WitnessRecord.open(tmp_path, NAME)
    answers(record, LOG.request(0, 5))

    def full(*arguments: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", full)
        with pytest.raises(StorageFull):
            answers(record, LOG.request(5, 7))
    assert [one.status for one in answers(record, FORK.request(5, 7), LOG.request(5, 7))] == [200, 409]
    record.close()


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
@pytest.mark.parametrize("step", range(4))
def test_power_fails_while_it_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, lost: bool) -> None:
    """Between any two calls, whether the disk had what was not made durable or not: of two forks one alone has a line.

    The owner shows one fork; the power fails; the owner shows the other, then the first again.
    """
    folder = tmp_path / "witness"
    record = WitnessRecord.open(folder, NAME)
    left = answers(record, LOG.request(0, 5))
    before = tmp_path / "before"
    shutil.copytree(folder, before)
    power = Power(monkeypatch)
    power.fail_before(step)

    with pytest.raises(PowerCut):
        answers(record, LOG.request(5, 7))
    record.close()
    power.fail_before(None)
    if lost:
        shutil.copy(before / STATE, folder / STATE)
    record = WitnessRecord.open(folder, NAME)
    behind = answers(record, FORK.request(5, 7), FORK.request(7, 7), LOG.request(7, 7), LOG.request(5, 7))
    record.close()

    remembered = step == 3 and not lost  # then the first fork is asked for again, and has its line
    assert [one.status for one in left] == [200]
    assert [one.status for one in behind] == ([409, 409, 200, 409] if remembered else [200, 200, 409, 409])


def test_the_power_test_knows_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is written and synced, the name changed, the folder synced; the signature leaves behind the last."""
    record = WitnessRecord.open(tmp_path, NAME)
    power = Power(monkeypatch)
    power.fail_before(None)

    assert [one.status for one in answers(record, LOG.request(0, 5))] == [200]
    assert power.calls == ["writev", "fsync", "rename", "fsync"]
    record.close()


def test_what_is_read_at_a_start_is_durable_before_it_is_built_upon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process killed between name and sync leaves a memory that a later power cut may take back.

    The last checkpoint is cosigned again without a write, so what is read must be on the disk by then.
    """
    record = WitnessRecord.open(tmp_path, NAME)
    answers(record, LOG.request(0, 5))
    record.close()
    power = Power(monkeypatch)
    power.fail_before(None)

    record = WitnessRecord.open(tmp_path, NAME)
    assert power.calls == ["fsync"]
    assert [one.status for one in answers(record, LOG.request(5, 5))] == [200]
    record.close()


@pytest.mark.parametrize("step", range(14))
def test_power_fails_at_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Wherever it does, the next start makes what is missing, and one key for good."""
    folder = tmp_path / "witness"
    power = Power(monkeypatch)
    power.fail_before(step)
    with pytest.raises(PowerCut):
        WitnessRecord.open(folder, NAME)
    power.fail_before(None)

    again = WitnessRecord.open(folder, NAME)
    again.close()
    assert load_key(folder / KEY).private_bytes_raw() == again.key.private_bytes_raw()


def test_requests_that_come_together_are_served_one_by_one(tmp_path: Path) -> None:
    """Sixteen at once, half for each fork: all lines that left are of one."""
    record = WitnessRecord.open(tmp_path, NAME)
    desk, found = notary(record), []
    ready = threading.Barrier(16)

    def ask(forked: bool) -> None:
        request = (FORK if forked else LOG).request(0, 9)
        ready.wait(10)
        found.append((forked, desk.answer(request).status))

    threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    record.close()

    assert len(found) == 16
    assert [status for _, status in found].count(200) == 1


def test_a_witness_whose_clock_stands_before_1970(tmp_path: Path) -> None:
    """No time can be told of what it saw: it signs nothing, and remembers nothing."""
    clock = FakeClock()
    record = WitnessRecord.open(tmp_path, NAME)
    desk = Notary(record, known(BOX), clock)
    clock.set_wall("1969-12-31T23:00:00Z")
    before = (tmp_path / STATE).read_bytes()

    assert desk.answer(LOG.request(0, 1)) is NO_TIME
    assert (tmp_path / STATE).read_bytes() == before
    clock.set_wall("2026-03-01T00:00:00Z")
    assert desk.answer(LOG.request(0, 1)).status == 200
    record.close()


def test_one_log_cannot_have_cosignatures_without_end(tmp_path: Path) -> None:
    """Past the limit it is told to wait, and nothing is written; a minute later it may."""
    clock = FakeClock()
    record = WitnessRecord.open(tmp_path, NAME)
    desk = Notary(record, known(BOX), clock)
    first = [desk.answer(LOG.request(number, number + 1)).status for number in range(SIGNING_LIMIT)]
    before = (tmp_path / STATE).read_bytes()
    more = desk.answer(LOG.request(SIGNING_LIMIT, SIGNING_LIMIT + 1))
    kept = (tmp_path / STATE).read_bytes()
    again = desk.answer(LOG.request(SIGNING_LIMIT, SIGNING_LIMIT))
    clock.advance(60)
    later = desk.answer(LOG.request(SIGNING_LIMIT, SIGNING_LIMIT + 1))
    record.close()

    assert first == [200] * SIGNING_LIMIT
    assert more is TOO_MANY
    assert kept == before
    assert again.status == 200  # the last one may be had again: it costs no write
    assert later.status == 200
