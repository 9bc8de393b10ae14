"""Views written down: one for a viewing, durable before anything is handed out, bounded, and shown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import event

from config.times import SECOND_US, format_us
from recorder.errors import StorageFull, TooManyViews, ViewUnknown
from recorder.store import viewing
from recorder.store.fsck import check
from recorder.store.log.leaves import Leaf
from recorder.store.records import Asker, View, ViewKind
from recorder.store.store import Store
from recorder.store.verify import verify
from recorder.store.viewing import LASTS_US, SLOT_US
from tests.fakes.box import filled, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

OFFICER = Asker("token", "192.0.2.7", agent="player/1", purpose="Theft at the gate")


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    return filled(tmp_path, clock, "gate", "yard", seconds=8)


def leaves(store: Store) -> list[Leaf]:
    return [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "view"]


def every(store: Store) -> list[View]:
    return store.views.page(0, 2**60, 10_000)


def test_a_players_many_requests_are_one_view(store: Store, clock: FakeClock) -> None:
    """All segments of ten minutes, each asked for again and again: one entry, without a word of who."""
    for _ in range(3):
        for one in segments(store, clock):
            store.views.note("gate.main", ViewKind.MEDIA, one.t0_us, one.t1_us, OFFICER)
        clock.advance(60)

    (leaf,) = leaves(store)
    first = segments(store, clock)[0].t0_us // SLOT_US * SLOT_US
    assert leaf.fields["t0"] == format_us(first)
    assert leaf.fields["t1"] == format_us(first + SLOT_US)
    assert (leaf.fields["stream"], leaf.fields["kind"]) == ("gate.main", "media")
    assert set(leaf.fields) == {"view", "stream", "kind", "t0", "t1", "record"}
    assert not any(text in str(leaf) for text in ("192.0.2.7", "player", "Theft", "token"))
    (shown,) = every(store)
    assert (shown.id, shown.asker, shown.erased_us) == (leaf.fields["view"], OFFICER, None)
    assert check(store) == []


def test_another_asker_stream_kind_purpose_or_hour_is_another_view(store: Store, clock: FakeClock) -> None:
    """Whatever makes it a viewing of its own."""
    at_us = clock.read().utc_us
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    store.views.note("yard.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    store.views.note("gate.main", ViewKind.STILL, at_us, at_us + 1, OFFICER)
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, Asker("token", "192.0.2.8"))
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, Asker("token", "192.0.2.7", agent="player/1"))
    clock.advance(LASTS_US / SECOND_US)
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)

    assert [one.id for one in every(store)] == [1, 2, 3, 4, 5, 6]


def test_requests_at_once_are_one_view(store: Store, clock: FakeClock) -> None:
    """A player opens six connections; only one of them writes."""
    at_us, ready = clock.read().utc_us, threading.Barrier(6)

    def ask() -> None:
        ready.wait(10)
        store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)

    askers = [threading.Thread(target=ask) for _ in range(6)]
    for one in askers:
        one.start()
    for one in askers:
        one.join(30)

    assert len(leaves(store)) == 1


def test_what_cannot_be_written_down_is_refused_and_asked_for_again(store: Store, clock: FakeClock) -> None:
    """A full disk: the asker is refused, nothing is taken for written, and the next try writes it."""

    def full(*_: object) -> None:
        raise StorageFull

    at_us = clock.read().utc_us
    event.listen(store.database._writer, "commit", full)
    with pytest.raises(StorageFull):
        store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    event.remove(store.database._writer, "commit", full)
    assert leaves(store) == []

    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    assert len(leaves(store)) == 1
    assert check(store) == []


def test_a_flood_is_refused_and_recording_and_views_under_way_go_on(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes his name with each request gets as far as the limit, and one further each second."""
    at_us = clock.read().utc_us
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    monkeypatch.setattr(store.views._viewing, "_left", 5)

    def flood() -> None:
        for name in range(1000):
            store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, Asker("token", str(name)))

    with pytest.raises(TooManyViews):
        flood()
    assert len(leaves(store)) == 6
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, OFFICER)
    record(store, clock, SECOND * 2)
    clock.advance(viewing.REFILL_US / SECOND_US)
    store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, Asker("token", "late"))
    assert len(leaves(store)) == 7


def test_views_are_paged_and_filtered(store: Store, clock: FakeClock) -> None:
    """By when they were, by stream, and by what they show; a page never shifts, also where the clock was set back."""
    begun_us = clock.read().utc_us
    for number in range(7):
        stream = "yard.main" if number % 2 else "gate.main"
        store.views.note(stream, ViewKind.MEDIA, begun_us - number * SLOT_US, begun_us - number * SLOT_US + 1, OFFICER)
        if number == 3:
            clock.set_wall(format_us(begun_us - 10 * SECOND_US))
        clock.advance(1)

    def numbers(**more: int | str) -> list[int]:
        return [one.id for one in store.views.page(0, 2**60, 3, **more)]  # type: ignore[arg-type]

    assert [numbers(), numbers(after=7), numbers(after=3)] == [[5, 6, 7], [1, 2, 3], [4]]
    assert numbers(stream_id="yard.main") == [6, 2, 4]
    assert numbers(showing_us=begun_us - 2 * SLOT_US) == [3]
    assert [one.id for one in store.views.page(begun_us, begun_us + 2 * SECOND_US, 10)] == [1, 2]
    with pytest.raises(ViewUnknown):
        numbers(after=99)


def test_what_a_view_says_of_itself_is_held_to_its_leaf(store: Store, clock: FakeClock) -> None:
    """A row that was edited, a record that was, and a row that is gone: each is found."""
    at_us = clock.read().utc_us
    for address in ("a", "b", "c", "d"):
        store.views.note("gate.main", ViewKind.MEDIA, at_us, at_us + 1, Asker("token", address))
    assert verify(store) == []
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE views SET kind = 'still' WHERE id = 1")
        connection.exec_driver_sql("DELETE FROM views WHERE id = 2")
        chosen = "WHERE hash = (SELECT record FROM views WHERE id = {})"
        connection.exec_driver_sql(f"UPDATE records SET body = replace(body, '\"c\"', '\"e\"') {chosen.format(3)}")
        connection.exec_driver_sql(f"DELETE FROM records {chosen.format(4)}")

    found = [(one.invariant, one.where.partition(" ")[0], one.what) for one in check(store)]
    assert [one[0] for one in found] == [5, 5, 11, 11], found
    assert "differs" in found[0][2]
    assert "no row" in found[1][2]
    assert "not the one" in found[2][2]
    assert "not there" in found[3][2]
