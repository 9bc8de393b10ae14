"""What can happen to what is kept, in any order: nothing goes early, nothing stays late, nothing is unexplained.

What must still be there is worked out here anew, from what was asked and what the clocks did, not by the product's
rules. In CI some ten thousand steps, always the same; `make soak` (CUSTOS_LONG=1) goes a million, always others.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, create_engine

from config.clock import Reading
from config.errors import CustosError
from config.keeping import Defaults, Protection
from config.times import DAY_US, HOUR_US, SECOND_US, format_us, parse_us
from config.volumes import VolumeWish
from recorder.causes import Cause
from recorder.errors import DataDirReadOnly, PurposeMissing, RuleInvalid, StorageError, StorageFailed, StorageFull
from recorder.errors import StorageReadOnly as ReadOnly
from recorder.store import database, fsck
from recorder.store.database import Database
from recorder.store.fsck import check, holds_have_names, names_have_holds
from recorder.store.parts import REST_US
from recorder.store.records import ExportState, ManagedBy
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.reconcile import Reconciliation
from retention.sweep import sweep
from tests.fakes import tiny
from tests.fakes.box import hold, new_store, release
from tests.fakes.clock import START, FakeClock
from tests.fakes.disk import Disk, Mode, Weather
from tests.fakes.power import PowerCut

LONG = bool(os.environ.get("CUSTOS_LONG"))
SHRINK = bool(os.environ.get("CUSTOS_SHRINK"))
"""Look for the shortest way to what was found, which takes minutes: for who mends it."""
SHARES = 4
"""The steps are shared by so many tests, so that two processors have something to do."""
STEPS = int(os.environ.get("CUSTOS_STEPS") or (1_000_000 if LONG else 10_000)) // SHARES
STEPS_AT_ONCE = 80
"""Of one box: its log stays short, and looking at all of it cheap."""
STEPS_AT_LENGTH = 120
"""Of a box of the last share in the soak: it has more behind it, is hit more often, and costs more."""
LOOKS_EVERY = 40
"""Steps after which `fsck` looks at everything; it does so after every start too. The rest is looked at each time."""
CAMERAS_LIMIT = 4
ENTRIES_KNOWN = 4096
OTHER = "other"
"""A disk beside that of the data directory: the only one that goes."""
SECOND_NAMES = 12
"""The invariant that speaks of them."""
BASE_DAYS = Defaults()
EIGHT_HOURS_US = 8 * HOUR_US
"""The box's zone is that of Shanghai, all the year."""

BY_WEATHER: dict[Weather, tuple[type[CustosError], ...]] = {
    Weather.WELL: (),
    Weather.RESERVE_LEFT: (StorageFull,),
    Weather.FULL: (StorageFull,),
    Weather.READ_ONLY: (ReadOnly, DataDirReadOnly),
}
BY_CODE = {errno.ENOSPC: StorageFull, errno.EIO: StorageFailed, errno.EROFS: ReadOnly}


@dataclass
class Footage:
    """A segment that was recorded."""

    camera: str
    t0_us: int
    t1_us: int
    seen_us: int
    """Monotonic time that had passed by then, over all boots."""
    ruled: int
    """How many rules of its camera stood in the log then."""
    path: str
    bytes: int
    volume: str
    is_there: bool = True


@dataclass
class Wish:
    """What a camera was told of its keeping."""

    protection: Protection = Protection.ORDINARY
    floor_days: int | None = None
    target_days: int | None = None
    purpose: str | None = None


class Told(NamedTuple):
    """A rule as it stands in the log."""

    floor_days: int
    target_days: int
    margin_days: int = 1
    protection: str = "ordinary"
    has_purpose: bool = False


@dataclass
class Span:
    """What a hold or an export names."""

    cameras: tuple[str, ...]
    t0_us: int
    t1_us: int


@dataclass
class World:
    """What must be so, by what happened."""

    rules: dict[str, list[Told]] = field(default_factory=dict)
    """Of each camera, all that ever came into force."""
    wishes: dict[str, Wish] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    footage: dict[tuple[str, int], Footage] = field(default_factory=dict)
    holds: dict[int, Span] = field(default_factory=dict)
    exports: dict[int, Span] = field(default_factory=dict)
    defaults: Defaults = BASE_DAYS

    def terms(self, camera: str) -> Told:
        """What a camera's wish comes to; a target that lies below a floor that was raised is lifted."""
        wish, base = self.wishes[camera], self.defaults
        floor = wish.floor_days or max(base.floor_days, 90 if wish.protection is Protection.COUNTER_TERRORISM else 30)
        target = floor + base.target_days - base.floor_days
        if wish.target_days is not None and wish.target_days >= floor:
            target = wish.target_days
        return Told(floor, target, base.margin_days, wish.protection.value, wish.purpose is not None)

    def floor_days(self, one: Footage) -> int:
        """The longest of the rule that one was recorded under, and of all since."""
        return max(told.floor_days for told in self.rules[one.camera][max(one.ruled - 1, 0) :])

    def goes_us(self, one: Footage, days: int) -> int:
        """The first day does not count, and the last one is to be over, in Shanghai."""
        return ((one.t1_us - 1 + EIGHT_HOURS_US) // DAY_US + 1 + days) * DAY_US - EIGHT_HOURS_US

    def reached_us(self, one: Footage, wall_us: int, passed_us: int) -> int:
        """The instant that has come for one by both clocks; if the wall says that its end has not, by the other."""
        by_box_us = one.t1_us + passed_us
        return min(wall_us, by_box_us) if one.t1_us <= wall_us else by_box_us - DAY_US - 2 * HOUR_US

    def kept_by(self, camera: str, one: Footage, now: Reading, seen_us: int) -> str:
        """Why this footage must be there; empty: it need not."""
        for hold_id, span in self.holds.items():
            if camera in span.cameras and span.t0_us < one.t1_us and span.t1_us > one.t0_us:
                return f"hold {hold_id}"
        for export_id, span in self.exports.items():
            if camera in span.cameras and span.t0_us - HOUR_US < one.t1_us and span.t1_us + HOUR_US > one.t0_us:
                return f"export {export_id}"
        earliest_us = self.goes_us(one, self.floor_days(one))
        if self.reached_us(one, now.utc_us, seen_us - one.seen_us) < earliest_us:
            return f"the floor of {self.floor_days(one)} days, up to {format_us(earliest_us)}"
        return ""


class Keeping(RuleBasedStateMachine):
    """A box, its clocks, its disk, its power, and the people who use it. One rule for each thing that can happen."""

    disk: ClassVar[Disk]
    """Under all boxes."""
    template: ClassVar[Path]
    steps: ClassVar[int] = 0
    faults: ClassVar[int] = 0
    """Errors and cuts that came."""

    @initialize()
    def a_box_is_made(self) -> None:
        self.disk.mend()
        self.root = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copytree(self.template / "data", self.root / "data")
        self.clock, self.boots, self.world = FakeClock(), 1, World()
        self.clock.advance(1)
        self.began = self.clock.read()
        self.is_away = False
        os.mkdir(self._other)  # noqa: PTH102 - past the disk, which may fail
        self.store = Store.open(self.root / "data", self.clock, volumes=self._wishes)
        self.store.disks.make()
        self.reader: sqlite3.Connection | None = None
        self.world.rules = {"gate": [Told(30, 31)], "yard": [Told(30, 31)]}
        self.world.wishes = {"gate": Wish(), "yard": Wish()}
        self.is_new_box = True

    @property
    def _other(self) -> Path:
        """Where the other disk is mounted."""
        return self.root / OTHER

    @property
    def _wishes(self) -> list[VolumeWish]:
        return [VolumeWish("main"), VolumeWish(OTHER, self._other)]

    # -- recording

    @rule(data=st.data(), count=st.integers(1, 3), cause=st.sampled_from([Cause.NO_MEDIA, Cause.UNREACHABLE]))
    def a_camera_is_recorded(self, data: st.DataObject, count: int, cause: Cause) -> None:
        live = self._live()
        if live:
            stream_id = f"{data.draw(st.sampled_from(live))}.main"
            self._do(lambda: self._record(stream_id, count, cause))

    def _record(self, stream_id: str, count: int, cause: Cause) -> None:
        self.store.resume(stream_id)
        self.store.commit_gap_until_now(stream_id, cause)
        tiny.record(self.store, self.clock, stream_id, count)

    @rule(data=st.data(), cause=st.sampled_from([Cause.STALLED, Cause.AUTH_REFUSED]))
    def a_camera_is_dark(self, data: st.DataObject, cause: Cause) -> None:
        live = self._live()
        if live:
            stream_id = f"{data.draw(st.sampled_from(live))}.main"
            self.clock.advance(60)
            self._do(lambda: self.store.commit_gap_until_now(stream_id, cause, "dark"))

    # -- time

    @rule(hours=st.one_of(st.integers(0, 30), st.integers(24 * 25, 24 * 45), st.integers(24 * 60, 24 * 100)))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours * 3600)
        self._do(lambda: None)

    @rule(
        step_us=st.one_of(
            st.integers(-6, 6).map(lambda hours: hours * HOUR_US),
            st.sampled_from([-3653 * DAY_US, 3653 * DAY_US, 400 * DAY_US, -40 * DAY_US]),
        )
    )
    def somebody_sets_the_clock(self, step_us: int) -> None:
        self.clock.utc_us = max(DAY_US, self.clock.utc_us + step_us)
        self._do(lambda: None)

    @rule(is_1970=st.booleans())
    def the_clock_is_lost_or_put_right(self, is_1970: bool) -> None:
        true_us = parse_us(START) + self.clock.mono_total
        self.clock.utc_us = DAY_US if is_1970 else true_us
        self._do(lambda: self.store.note("clock", {"what": "step"}))

    # -- how it is kept

    @rule(
        data=st.data(),
        protection=st.sampled_from([Protection.ORDINARY, Protection.ORDINARY, Protection.COUNTER_TERRORISM]),
        floor=st.sampled_from([None, 30, 35, 60, 90, 120]),
        above=st.sampled_from([None, 0, 1, 1, 20]),
        purpose=st.sampled_from([None, None, "a trial"]),
    )
    def a_rule_is_told(
        self, data: st.DataObject, protection: Protection, floor: int | None, above: int | None, purpose: str | None
    ) -> None:
        live = self._live()
        if not live:
            return
        camera = data.draw(st.sampled_from(live))
        before = self.world.wishes[camera]
        wish = Wish(protection, floor, purpose=purpose)
        self.world.wishes[camera] = wish
        if above is not None:
            wish.target_days = self.world.terms(camera).floor_days + above
        self.world.wishes[camera] = before
        is_refused = (floor is not None and floor < protection.least_days) or (
            wish.target_days is not None and above > self.world.defaults.margin_days and purpose is None
        )
        is_refused &= wish != before  # what stands already is not told anew, though the box would not take it now
        try:
            self._do(lambda: self.store.cameras.change(camera, ManagedBy.API, vars(wish)), wishes={camera: wish})
        except (RuleInvalid, PurposeMissing):
            assert is_refused
        else:
            assert not is_refused or self.was_hit

    @rule(protection=st.sampled_from(list(Protection)), data=st.data())
    def a_camera_is_added(self, protection: Protection, data: st.DataObject) -> None:
        if len(self.world.wishes) >= CAMERAS_LIMIT:
            return
        camera = f"camera{len(self.world.wishes)}"
        add = self.store.cameras.add
        url = "rtsp://127.0.0.1:554/main"
        pin = OTHER if len(self.world.wishes) % 2 else "main"
        wishes = {camera: Wish(protection)}
        self._do(lambda: add(camera, camera, url, protection=protection, volume=pin), wishes=wishes)

    @rule(data=st.data())
    def a_camera_is_retired(self, data: st.DataObject) -> None:
        live = self._live()
        if len(live) < 2:
            return
        camera = data.draw(st.sampled_from(live))
        self._do(lambda: self._retire(camera))

    def _retire(self, camera: str) -> None:
        self.store.cameras.retire(camera, ManagedBy.API)
        self.store.tell_retired(f"{camera}.main")

    # -- people

    @rule(
        data=st.data(),
        others=st.booleans(),
        more_us=st.sampled_from([0, 1, 3 * HOUR_US, 400 * DAY_US]),
        padding_s=st.sampled_from([0, 0, 3, 86_400]),
    )
    def a_hold_is_placed(self, data: st.DataObject, others: bool, more_us: int, padding_s: int) -> None:
        span = self._span(data, more_us)
        if span is not None:
            cameras = tuple(sorted(self.world.rules)) if others else span.cameras
            padding = {"padding_before_s": padding_s, "padding_after_s": padding_s}
            padded = Span(cameras, span.t0_us - padding_s * SECOND_US, span.t1_us + padding_s * SECOND_US)
            self._do(lambda: hold(self.store, cameras, span.t0_us, span.t1_us, **padding), hold=padded)

    @precondition(lambda self: self.world.holds)
    @rule(data=st.data())
    def a_hold_is_released(self, data: st.DataObject) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.world.holds)))
        self._do(lambda: release(self.store, hold_id), released=hold_id)

    @rule(data=st.data())
    def an_export_is_asked_for(self, data: st.DataObject) -> None:
        span = self._span(data, 0)
        if span is not None:
            stream_id = f"{span.cameras[0]}.main"
            ask = self.store.exports.ask
            self._do(lambda: ask(stream_id, span.t0_us, span.t1_us, "case", "reason"), export=span)

    @precondition(lambda self: self.world.exports)
    @rule(state=st.sampled_from([ExportState.DONE, ExportState.CANCELLED, ExportState.FAILED]))
    def an_export_is_made(self, state: ExportState) -> None:
        number = min(self.world.exports)
        self._do(lambda: self._make(number, state), ended=number)

    def _make(self, number: int, state: ExportState) -> None:
        if self.store.exports.progress(number, 1, 2):
            self.store.exports.end(number, state)

    # -- what the box does by itself

    @rule()
    def the_sweep_comes(self) -> None:
        report = self._do(lambda: sweep(self.store, self.clock))
        if report is not None and not self.was_hit:
            self._nothing_is_kept_too_long(report)

    @rule()
    def somebody_asks_to_discard_everything(self) -> None:
        everything = [f"{stream_id}.{n}" for stream_id, n in self.world.footage]
        self._do(lambda: self.store.discard(everything, "everything"))

    @rule(anew=st.booleans())
    def held_media_gets_its_names(self, anew: bool) -> None:
        if self.disk.weather is Weather.WELL:
            self._do(lambda: self._held_media_has_its_names(anew=anew))

    def _held_media_has_its_names(self, *, anew: bool) -> None:
        self.store.held.bring_in_line(anew=anew)
        with self.store.database.read() as connection:
            assert [*holds_have_names(self.store, connection), *names_have_holds(self.store, connection)] == []

    @rule()
    def the_log_is_signed(self) -> None:
        self._do(self.store.checkpoint)

    @rule()
    def what_was_written_is_made_durable(self) -> None:
        self._do(self.store.sync)

    # -- what befalls it

    @rule(weather=st.sampled_from([Weather.WELL, Weather.WELL, *Weather]))
    def the_disk_changes(self, weather: Weather) -> None:
        self.disk.weather = weather
        self._do(lambda: None)

    @rule(
        number=st.integers(0, 60),
        mode=st.sampled_from(["failed", "failed but written"]),
        code=st.sampled_from(sorted(BY_CODE)),
    )
    def a_write_is_going_to_fail(self, number: int, mode: Mode, code: int) -> None:
        self.disk.fail(number, mode, code)
        self.code = code
        self._do(lambda: None)

    @rule(number=st.integers(0, 60))
    def the_power_is_going_to_fail(self, number: int) -> None:
        self.disk.cut_before(number)
        self._do(lambda: None)

    @precondition(lambda self: not self.is_away)
    @rule()
    def a_disk_is_unplugged(self) -> None:
        self.is_away = True
        os.rename(self._other, self.root / "elsewhere")  # noqa: PTH104 - past the disk, which may fail
        os.mkdir(self._other)  # noqa: PTH102
        self._do(lambda: None)

    @precondition(lambda self: self.is_away)
    @rule()
    def the_disk_is_back(self) -> None:
        self._plug_in()
        self._do(self.store.tend)
        if self.was_hit:  # it is looked after every two seconds
            self.disk.mend()
            self._do(self.store.tend)

    def _plug_in(self) -> None:
        assert not any(self._other.iterdir()), "something was written where no disk was"
        os.rmdir(self._other)  # noqa: PTH106
        os.rename(self.root / "elsewhere", self._other)  # noqa: PTH104
        self.is_away = False

    @rule(is_reboot=st.booleans(), days=st.sampled_from([None, (30, 31, 1), (40, 41, 1), (30, 35, 5), (35, 35, 0)]))
    def the_box_starts_anew(self, is_reboot: bool, days: tuple[int, int, int] | None) -> None:
        if days is not None:
            self.world.defaults = Defaults(*days)
        self.disk.mend()
        self._start(is_reboot=is_reboot)
        self._do(lambda: None)

    def _start(self, *, is_reboot: bool) -> None:
        """As the box does."""
        self._stop()
        if is_reboot:
            self.boots += 1
            self.clock.reboot(f"boot-{self.boots}")
        self.store = Store.open(self.root / "data", self.clock, keeping=self.world.defaults, volumes=self._wishes)
        self.store.recover()
        self.store.note("boot", {"program": "test"})
        self._compare()
        ruled = self._ruled()
        self.store.cameras.bring_rules_in_force()
        for camera in set(ruled) - self._retired():
            if ruled[camera][-1] != self.world.terms(camera):
                self.world.rules[camera].append(self.world.terms(camera))
        self.store.checkpoint()
        self._held_media_has_its_names(anew=True)
        self.is_new_box = True

    # -- carrying out, and looking at what came of it

    def _do(self, act: Callable[[], Any], **intent: Any) -> Any:
        """Do one thing. It may fail as disk and power are told to, and only so."""
        kind = type(self)
        kind.steps += 1
        self.was_hit, answer, self.began = False, None, self.clock.read()
        try:
            answer = act()
        except PowerCut:
            self.was_hit = True
            self._learn(**intent)
            self.disk.mend()
            self._start(is_reboot=True)
        except StorageError as err:
            self.was_hit = True
            self._is_as_told(err)
        else:
            self.was_hit = self.disk.has_failed
        self._learn(**intent)
        if self.disk.has_failed:
            self.disk.forget_failure()
        kind.faults += self.was_hit
        if self.was_hit:
            self.clock.advance(REST_US / 1e6)  # so long a disk that failed is left alone
        self._compare()
        if self.is_new_box or kind.steps % LOOKS_EVERY == 0:
            # Of second names `_held_media_has_its_names` speaks: one that a fault kept from being made is made later.
            found = [one for one in check(self.store) if one.invariant != SECOND_NAMES]
            assert [one for one in found if not self.is_away or one.where != f"volume {OTHER}"] == []
            self.is_new_box = False
        return answer

    def _is_as_told(self, err: StorageError) -> None:
        expected = BY_WEATHER[self.disk.weather]
        if self.disk.has_failed:
            expected = (*expected, BY_CODE[self.code])
        assert isinstance(err, expected), f"{err!r} while the disk is {self.disk.weather.value}"

    def _learn(
        self,
        wishes: dict[str, Wish] | None = None,
        hold: Span | None = None,
        released: int | None = None,
        export: Span | None = None,
        ended: int | None = None,
    ) -> None:
        """What was asked is so, unless it failed: then it may be, or not, and nothing else."""
        world = self.world
        for camera, wish in (wishes or {}).items():
            self._learn_rule(camera, wish)
        if hold is not None:
            self._learn_span("holds", "released_us IS NULL", world.holds, hold)
        if export is not None:
            self._learn_span("exports", "state IN ('queued', 'running')", world.exports, export)
        for number, spans, table, is_on in (
            (released, world.holds, "holds", "released_us IS NULL"),
            (ended, world.exports, "exports", "state IN ('queued', 'running')"),
        ):
            if number in spans:
                still = self._rows(f"SELECT id FROM {table} WHERE id = {number} AND {is_on}")
                assert not still or self.was_hit
                if not still:
                    del spans[number]

    def _learn_rule(self, camera: str, wish: Wish) -> None:
        known = self.world.rules.get(camera, [])
        told = self._rows(f"SELECT protection, floor_days, target_days, purpose FROM cameras WHERE id = '{camera}'")
        if told != [(wish.protection.value, wish.floor_days, wish.target_days, wish.purpose)]:
            assert self.was_hit
            return
        self.world.wishes[camera] = wish
        terms = self.world.terms(camera)
        self.world.rules[camera] = known if known and known[-1] == terms else [*known, terms]

    def _learn_span(self, table: str, is_on: str, spans: dict[int, Span], span: Span) -> None:
        rows = self._rows(f"SELECT id, t0_us, t1_us FROM {table} WHERE {is_on} ORDER BY id")
        new = [row for row in rows if row[0] not in spans]
        assert [row[1:] for row in new] == [(span.t0_us, span.t1_us)] or (self.was_hit and not new)
        spans.update({row[0]: span for row in new})

    def _compare(self) -> None:
        """Rows, files and what must be so: invariants 1 to 4, 7 and 8, by other means than `fsck`'s."""
        assert self._ruled() == self.world.rules
        now, seen_us = self.clock.read(), self.clock.mono_total
        there, ends = set[tuple[str, str]](), dict[str, tuple[int, str, int]]()
        known = set[tuple[str, int]]()
        signed = int(self.store.checkpoint_text().split("\n")[1])
        for row in self._rows(_ITEMS):
            stream_id, n, kind, t0_us, t1_us, prev, leaf_hash, path, size, state, del_leaf, done_leaf, cause, volume = (
                row
            )
            if stream_id in ends:
                assert (n, prev, t0_us) == ends[stream_id]
            assert t1_us > t0_us or cause == "clock_step"
            ends[stream_id] = (n + 1, leaf_hash, t1_us)
            if kind == "gap":
                continue
            key, camera = (stream_id, n), stream_id.partition(".")[0]
            known.add(key)
            one = self.world.footage.get(key)
            if one is None:
                ruled = len(self.world.rules[camera])
                one = self.world.footage[key] = Footage(camera, t0_us, t1_us, seen_us, ruled, path, size, volume)
            assert (one.t0_us, one.t1_us, one.path, one.bytes, one.volume) == (t0_us, t1_us, path, size, volume)
            if state == "present":
                assert one.is_there
                there.add((volume, path))
            elif one.is_there:
                # Where the clock has reached the end of footage meanwhile, it had no date when it went (ADR 31).
                kept_by = [self.world.kept_by(camera, one, at, seen_us) for at in (self.began, now)]
                assert not all(kept_by), f"{key} is {state}, though it is kept by {kept_by}"
                one.is_there = False
            assert (state == "present") == (del_leaf is None)
            is_hidden = self.is_away and volume == OTHER
            is_signed = state == "present" or del_leaf < signed
            assert is_signed or is_hidden or (self._folder(volume) / path).exists(), "unlinked, and nobody signed why"
            assert (state == "gone") == (done_leaf is not None)
        assert known == set(self.world.footage)
        for stream_id, next_n, prev, t1_us in self._rows("SELECT id, next_n, prev, t1_us FROM streams"):
            assert ends.get(stream_id, (next_n, prev, t1_us)) == (next_n, prev, t1_us)
        self._files_are(there)

    def _folder(self, volume: str) -> Path:
        return self._other if volume == OTHER else self.root / "data" / "media" / "main"

    def _files_are(self, there: set[tuple[str, str]]) -> None:
        """What is there has its file, of its size; what else lies there is going, about to get its row, or left behind
        on a disk that was away."""
        here = ["main"] if self.is_away else ["main", OTHER]
        found = {(name, path): size for name in here for path, size in _media(self._folder(name)).items()}
        sizes = {(one.volume, one.path): one.bytes for one in self.world.footage.values()}
        wanted = {key for key in there if key[0] in here}
        assert {key: found.get(key) for key in wanted} == {key: sizes[key] for key in wanted}
        going = set(self._rows("SELECT volume, path FROM items WHERE state = 'going'"))
        left = set(self._rows("SELECT volume, path FROM left_behind"))
        unknown = set(found) - there - going - left
        heads = {f"{n}-" for (n,) in self._rows("SELECT next_n FROM streams")}
        assert all(Path(path).name.startswith(tuple(heads)) for _, path in unknown), unknown

    def _nothing_is_kept_too_long(self, report: Reconciliation) -> None:
        """By the clocks that the box has, all that is past its target is gone."""
        away = {"volume_away", "volume_missing"} if self.is_away else set()
        refused = {kind.code for kind in BY_WEATHER[self.disk.weather]}
        assert {one.code for one in report.because} <= {"under_export", *away, *refused}
        assert report.should == report.did + sum(one.count for one in report.because)
        now, world = self.clock.read(), self.world
        elapsed_us = self.store.elapsed_us()
        for stream_id, n, leaf_us in self._rows("SELECT stream_id, n, elapsed_us FROM items WHERE kind = 'segment'"):
            one = world.footage[stream_id, n]
            days = max(world.rules[one.camera][-1].target_days, world.floor_days(one))
            is_due = world.reached_us(one, now.utc_us, elapsed_us - leaf_us) >= world.goes_us(one, days)
            if one.is_there and is_due and not (self.is_away and one.volume == OTHER):
                assert world.kept_by(one.camera, one, now, self.clock.mono_total)

    # -- asking

    def _live(self) -> list[str]:
        return sorted(set(self.world.rules) - self._retired())

    def _retired(self) -> set[str]:
        return {name for (name,) in self._rows("SELECT id FROM cameras WHERE retired_us IS NOT NULL")}

    def _ruled(self) -> dict[str, list[Told]]:
        out: dict[str, list[Told]] = {}
        for camera, *days, protection, record in self._rows(_RULES):
            out.setdefault(camera, []).append(Told(*days, protection, record is not None))
        return out

    def _rows(self, query: str) -> list[Any]:
        """By SQLite itself: nothing of the product lies between."""
        if self.reader is None:
            self.reader = sqlite3.connect(f"file:{self.root}/data/catalogue.sqlite?mode=ro", uri=True)
        return self.reader.execute(query).fetchall()

    def _stop(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        self.store.close()

    def _span(self, data: st.DataObject, more_us: int) -> Span | None:
        if not self.world.footage:
            return None
        one = self.world.footage[data.draw(st.sampled_from(sorted(self.world.footage)))]
        return Span((one.camera,), one.t0_us, one.t1_us + more_us)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.disk.mend()
            if self.is_away:
                self._plug_in()
            try:
                self._start(is_reboot=True)
                self.store.tend()
                self._compare()
                assert verify(self.store) == []
            finally:
                self._stop()
                shutil.rmtree(self.root)


def _media(folder: Path) -> dict[str, int]:
    """Files of footage under their own names, and their sizes. After every step: by the quickest way there is."""
    found = {}
    for at, folders, names in os.walk(folder):
        if at == str(folder):
            folders[:] = [name for name in folders if name not in ("hold", "spool")]
        for name in names:
            if name.endswith(".mp4"):
                path = os.path.join(at, name)  # noqa: PTH118
                found[path[len(str(folder)) + 1 :]] = os.stat(path).st_size  # noqa: PTH116
    return found


_ITEMS = """SELECT stream_id, n, kind, t0_us, t1_us, prev, leaf_hash, path, bytes, state, del_leaf, done_leaf, cause,
    volume FROM items ORDER BY stream_id, n"""

_RULES = "SELECT camera_id, floor_days, target_days, margin_days, protection, record FROM rules ORDER BY leaf_index"


class _Engines:
    """Makes engines that share what SQLAlchemy made of each query: else every start of a box costs hundreds of them."""

    def __init__(self) -> None:
        self._first: Engine | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Engine:
        engine = create_engine(*arguments, **named)
        if self._first is None:
            engine.connect().close()  # by which it learns what it speaks to
            self._first = engine
        engine.dialect, engine._compiled_cache = self._first.dialect, self._first._compiled_cache
        return engine


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Boxes in memory, where there is room for them: what lasts is another test's matter."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        root = Path(folder)
        store = new_store(root / "template", FakeClock(), "gate", "yard")
        for camera, volume in (("gate", "main"), ("yard", OTHER)):
            store.cameras.change(camera, ManagedBy.API, {"volume": volume})
        store.close()
        patch.setattr(Database, "prepare", lambda itself: None)  # the template has this program's schema
        patch.setattr(database, "create_engine", _Engines())
        # What an entry says does not change, and `fsck` reads all of them again and again.
        patch.setattr(fsck, "decode_leaf", lru_cache(maxsize=ENTRIES_KNOWN)(fsck.decode_leaf))
        Keeping.template, Keeping.disk = root / "template", Disk(patch, root)
        yield Keeping.disk


@pytest.mark.timeout(0)
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_nothing_is_lost_kept_or_left_unexplained(disk: Disk, share: int) -> None:
    """Every step, every order: invariants 1 to 9 hold, and what is there is what must be."""
    began_s = time.process_time()
    at_once = STEPS_AT_LENGTH if LONG and share == SHARES - 1 else STEPS_AT_ONCE
    Keeping.steps = Keeping.faults = turn = 0
    while Keeping.steps < STEPS:
        number = secrets.randbits(32) if LONG else share * 1000 + turn
        if LONG:
            print(f"share {share}: {Keeping.steps} steps, then seed {number}")
        machine = seed(number)(type("Keeping", (Keeping,), {"steps": 0, "faults": 0}))
        boxes = min(200, -(-(STEPS - Keeping.steps) // at_once))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=boxes,
                stateful_step_count=at_once,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
            ),
        )
        Keeping.steps, Keeping.faults, turn = Keeping.steps + machine.steps, Keeping.faults + machine.faults, turn + 1
    took_s = time.process_time() - began_s
    print(f"{Keeping.steps} steps, {Keeping.faults} of them hit by a fault; {took_s:.0f} s of processor time")
    assert Keeping.faults > Keeping.steps // 100
