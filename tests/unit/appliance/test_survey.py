"""What the box remembers of its footage: how much of which day, and what is asked of the store for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.health.admitting import Admissions
from appliance.health.survey import DAYS_A_LOOK, SAMPLE, Meter, Survey
from config.times import DAY_US, HOUR_US, parse_us
from recorder.store.records import ManagedBy, Recorded, Sample
from retention.forecast import ASSUMED_BITRATE_BPS, Room, bytes_a_day
from tests.fakes.box import hold, new_store, record, release, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

NOW_US = parse_us("2026-03-20T10:30:00Z")


@dataclass
class Footage:
    """Obeys what a meter asks of a store: a camera recorded all the time, by day at its own rate."""

    rates: dict[int, int] = field(default_factory=dict)
    """Bytes an hour by day; 100 else."""
    until_us: int = NOW_US
    asked: list[tuple[int, int]] = field(default_factory=list)

    def rate(self, day: int) -> int:
        return self.rates.get(day, 100)

    def hourly(self, stream_id: str, start_us: int, end_us: int) -> dict[int, Recorded]:
        self.asked.append((start_us, end_us))
        return {
            hour: Recorded(self.rate(hour // 24), min(HOUR_US, self.until_us - hour * HOUR_US))
            for hour in range(start_us // HOUR_US, end_us // HOUR_US)
            if hour * HOUR_US < self.until_us
        }

    def recorded(self, stream_id: str, start_us: int, end_us: int, sample: Sample | None = None) -> Recorded:
        assert sample is not None
        self.asked.append((start_us, end_us))
        share = sample.for_us / sample.every_us
        return Recorded(round(24 * self.rate(start_us // DAY_US) * share), round(DAY_US * share))


def known(meter: Meter, footage: Footage, days: int, now_us: int = NOW_US) -> Meter:
    """With so many past days read."""
    meter.read_hours(footage, "gate.main", now_us)  # type: ignore[arg-type]
    for day, _ in zip(meter.missing_days(now_us - 60 * DAY_US, now_us), range(days), strict=False):
        meter.read_day(footage, "gate.main", day)  # type: ignore[arg-type]
    return meter


def test_the_last_day_is_read_once_and_then_its_last_hours() -> None:
    """A minute later only what may still grow is asked for again."""
    meter, footage = Meter(), Footage()
    known(meter, footage, 0)
    known(meter, footage, 0, NOW_US + 60_000_000)
    first, second = footage.asked

    assert first[1] - first[0] == 24 * HOUR_US
    assert second[1] - second[0] == 2 * HOUR_US
    assert meter.last_day().bytes == 24 * 100


def test_past_days_are_sampled_the_newest_first_and_each_once() -> None:
    """A day that is not over is none; what lies before the oldest footage is forgotten."""
    meter, footage = Meter(), Footage()
    known(meter, footage, 5)
    days = [start // DAY_US for start, _ in footage.asked[1:]]
    today = NOW_US // DAY_US

    assert days == [today - ago for ago in range(1, 6)]
    assert list(meter.missing_days(NOW_US - 7 * DAY_US, NOW_US)) == [today - 6, today - 7]
    assert list(meter.missing_days(NOW_US - 2 * DAY_US, NOW_US)) == []
    assert SAMPLE.every_us % SAMPLE.for_us == 0
    assert DAYS_A_LOOK > 256


def test_what_is_not_known_counts_at_the_present_rate() -> None:
    """And what is known as it was; a hold takes its share out, for it will not go."""
    today = NOW_US // DAY_US
    footage = Footage({today - ago: 50 for ago in range(2, 40)})
    meter = known(Meter(), footage, 5)
    since_us = (today - 9) * DAY_US
    stock = meter.stock(since_us, NOW_US, [((today - 3) * DAY_US, (today - 3) * DAY_US + DAY_US // 2)])

    rate = meter.rate()
    assert rate is not None
    assert stock[0] == pytest.approx(rate * 10.5 / 24)
    assert stock[1] == pytest.approx(2400, rel=0.01)
    assert stock[2] == pytest.approx(1200, rel=0.01)
    assert stock[3] == pytest.approx(600, rel=0.01)
    assert stock[6:] == [pytest.approx(rate)] * 4
    assert len(stock) == 10


def test_the_week_before_is_that_before_the_last_day() -> None:
    """Today and yesterday are not compared with themselves."""
    today = NOW_US // DAY_US
    footage = Footage({today: 300, today - 1: 300})
    meter = known(Meter(), footage, 20)
    week = meter.week_before(NOW_US)

    assert week.length_us == pytest.approx(7 * DAY_US)
    assert week.bytes == pytest.approx(7 * 2400, rel=0.01)


def test_a_camera_that_was_off_for_a_day_has_the_rate_of_before() -> None:
    """Its footage is still to be paid for when it comes back."""
    footage = Footage(until_us=NOW_US - 2 * DAY_US)
    meter = known(Meter(), footage, 5)

    assert meter.last_day().length_us == 0
    assert meter.rate() == pytest.approx(2400, rel=0.01)


def test_a_clock_that_is_set_back_forgets_what_lies_ahead() -> None:
    """What was read there will be recorded anew."""
    meter, footage = Meter(), Footage()
    known(meter, footage, 3)
    known(meter, footage, 0, NOW_US - 3 * DAY_US)

    assert footage.asked[-1][1] - footage.asked[-1][0] == 24 * HOUR_US


def test_held_bytes_are_told_and_holds_that_overlap_count_once(tmp_path: Path) -> None:
    """Bytes under holds; a hold that was released is forgotten."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    found = segments(store, clock)
    survey = Survey(store)
    hold(store, ["gate", "yard"], found[0].t0_us, found[1].t1_us)
    second = hold(store, ["gate"], found[1].t0_us, found[2].t1_us)
    survey.look(store.cameras.all(), clock.utc_us)
    assert survey.of("gate").held_bytes == sum(one.bytes for one in found)
    assert survey.of("yard").held_bytes == 0
    release(store, second.id)
    survey.look(store.cameras.all(), clock.utc_us)
    assert survey.of("gate").held_bytes == sum(one.bytes for one in found[:2])


@dataclass
class Counted:
    """Obeys what counting held footage asks of a store: a byte a second."""

    asked: list[tuple[int, int]] = field(default_factory=list)

    def present_bytes(self, stream_id: str, start_us: int, end_us: int) -> int:
        self.asked.append((start_us, end_us))
        return (end_us - start_us) // 1_000_000


def test_a_long_hold_is_counted_in_steps_and_then_never_again() -> None:
    """A month at a time; of what is past nothing is asked twice, and of what goes on only the last hours."""
    store = Counted()
    survey = Survey(store)  # type: ignore[arg-type]
    held = [(NOW_US - 100 * DAY_US, NOW_US + DAY_US)]
    sizes = []
    for _ in range(6):
        survey._steps = 1
        sizes.append(survey._held_bytes("gate.main", held, NOW_US))

    assert sizes == sorted(sizes)
    assert sizes[-1] == sizes[-2] == 100 * 86_400
    assert max(end - start for start, end in store.asked) == 31 * DAY_US
    assert store.asked[-1][1] - store.asked[-1][0] <= 2 * HOUR_US
    assert survey._held_bytes("gate.main", [(held[0][0], held[0][0] + DAY_US)], NOW_US) <= 86_400
    assert survey._held_bytes("gate.main", [], NOW_US) == 0


def test_a_camera_without_footage_counts_at_an_assumed_rate(tmp_path: Path) -> None:
    """So that no camera is added in silence; one that is switched off counts nothing."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    store.cameras.change("yard", ManagedBy.API, {"enabled": False})
    survey = Survey(store)
    assert survey.outlook() is None
    survey.look(store.cameras.all(), clock.utc_us)
    gate, yard = survey.loads()

    assert (gate.bytes_a_day, gate.is_assumed, gate.is_new) == (bytes_a_day(ASSUMED_BITRATE_BPS), True, True)
    assert (yard.bytes_a_day, yard.is_assumed, yard.is_new) == (0, False, False)
    outlook = survey.outlook()
    assert outlook is not None
    assert [one.camera for one in outlook.measured.cameras] == ["yard"]


def test_who_adds_a_camera_is_told_whether_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what somebody declares, by what was measured, or by an assumption that is named; nothing is said of a camera
    that is not recorded."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    clock.advance(1)
    record(store, clock, SECOND * 90)
    monkeypatch.setattr(Survey, "rooms", lambda survey: [Room("main", 5 * 10**12, 10**13, 0)])
    admissions = Admissions(store, Survey(store), clock)

    measured = admissions.of("gate", None, "en")
    declared = admissions.of("yard", 1_000_000_000, "en")
    assumed = admissions.of("yard", None, "zh-CN")
    assert measured is not None
    assert declared is not None
    assert assumed is not None
    assert [one.basis for one in (measured, declared, assumed)] == ["measured", "declared", "assumed"]
    assert assumed.bitrate_bps == ASSUMED_BITRATE_BPS
    assert (measured.floor_fails_on, measured.warning) == (None, None)
    assert declared.floor_fails_on is not None
    assert declared.floor_fails_without_on is None
    assert "1000 Mbit/s" in str(declared.warning)
    store.cameras.change("yard", ManagedBy.API, {"enabled": False})
    assert admissions.of("yard", None, "en") is None
