"""What people are told days ahead, and what whoever adds a camera is."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from appliance.health.coming import NAMES_SHOWN, problems_ahead, warning_of
from appliance.health.facts import CameraFacts, Facts, HoldFacts, HoldsFacts
from appliance.health.problem import Weight
from appliance.health.problems import problems_of, state_of
from config.errors import CustosError
from config.times import parse_us
from recorder.errors import StorageFailed, VolumeForeign
from recorder.store.log.errors import TokenMissing
from retention.forecast import Admission, Load, Room, admission, outlook
from retention.reconcile import Because, Reconciliation

GB = 10**9
NOW_US = parse_us("2026-03-01T04:00:00Z")
SHANGHAI = ZoneInfo("Asia/Shanghai")
GATE = Load("gate", 10.0 * GB, 30, 31)
YARD = replace(GATE, camera="yard")


def facts(free_gb: float, *loads: Load, **more: object) -> Facts:
    """A box whose disk has so much free, at noon of the first of March in Shanghai."""
    room = Room("main", round(free_gb * GB), 10_000 * GB, 0)
    coming = outlook([room], loads, NOW_US)
    cameras = [
        CameraFacts(
            one.camera,
            one.camera.title(),
            "recording",
            held_bytes=one.held_bytes,
            bytes_a_day=one.bytes_a_day,
            before_bytes_a_day=one.before_bytes_a_day,
            days_to_floor=found.days_to_floor if (found := coming.measured.of(one.camera)) else None,
        )
        for one in loads
    ]
    return Facts(cameras, [], [], 1.0, 30, now_us=NOW_US, zone=SHANGHAI, outlook=coming, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("free_gb", "code", "weight", "words"),
    [
        (305, "floor_at_risk", Weight.NOTICE, ("2026-04-01 (in 30 days)", "2026-04-01（30 天后）")),
        (200, "floor_at_risk", Weight.DEGRADED, ("2026-03-21 (in 20 days)", "2026-03-21（20 天后）")),
        (65, "floor_fails_within_a_week", Weight.DEGRADED, ("2026-03-08 (in 6 days)", "2026-03-08（6 天后）")),
        (5, "floor_fails_within_a_day", Weight.DEGRADED, ("2026-03-02 (within a day)", "2026-03-02（一天内）")),
    ],
)
def test_the_floor_would_fail(free_gb: float, code: str, weight: Weight, words: tuple[str, str]) -> None:
    """Told days ahead, with the date and what to do; the code changes as the day comes near, and what is more than a
    month off changes no state (Frigate 4119, 2006, 8533, 2676)."""
    (problem,) = problems_ahead(facts(free_gb, GATE), chinese=False)
    (chinese,) = problems_ahead(facts(free_gb, GATE), chinese=True)

    assert (problem.code, problem.weight) == (code, weight)
    assert words[0] in problem.text
    assert "30 must be kept, of camera Gate first" in problem.text
    assert "Add a disk, or lower bit rates." in problem.text
    assert words[1] in chinese.text
    assert "请增加磁盘或降低码率。" in chinese.text


def test_nothing_is_told_where_nothing_is_to_be_seen() -> None:
    """A disk with room, a box that nobody has looked at yet, and one without cameras."""
    assert list(problems_ahead(facts(400, GATE), chinese=False)) == []
    assert list(problems_ahead(facts(0), chinese=False)) == []
    assert list(problems_ahead(replace(facts(1, GATE), outlook=None), chinese=False)) == []


def test_holds_take_the_room() -> None:
    """That they may be released is said where there are any, and how much that is."""
    (problem,) = problems_ahead(facts(200, replace(GATE, held_bytes=50 * GB)), chinese=False)
    assert "have" not in problem.text
    assert "whether holds can be released (50.0 GB are under holds)" in problem.text


def test_a_disk_fills_with_what_the_law_would_let_go() -> None:
    """The target is longer than there is room for: recording would stop though no floor fails, and that is said."""
    long = replace(GATE, target_days=90)
    (problem,) = problems_ahead(facts(25, replace(long, stock=(10.0 * GB,) * 60)), chinese=False)
    assert problem.code == "volume_will_be_full"
    assert "Lower target_days" in problem.text
    assert list(problems_ahead(facts(600, long), chinese=False)) == []  # in sixty days: nobody need act yet


@pytest.mark.parametrize(("free_gb", "target_days"), [(200, 31), (25, 90)], ids=["floor", "target"])
def test_a_box_that_overwrites_is_not_told_that_it_will_stop(free_gb: float, target_days: int) -> None:
    """Frigate 4119: recording goes on there, and footage goes before its time; in both languages."""
    load = replace(GATE, target_days=target_days, stock=(10.0 * GB,) * 60 if target_days > 31 else ())
    for chinese, stops, goes in ((False, "would stop", "overwritten before"), (True, "录像将停止", "被覆盖")):
        (stopping,) = problems_ahead(facts(free_gb, load), chinese)
        (going,) = problems_ahead(facts(free_gb, load, overwrite_asked=True), chinese)
        assert stops in stopping.text
        assert goes in going.text
        assert stops not in going.text


def test_a_hold_that_lies_ahead_fills_the_disk() -> None:
    """There is room for the days, and what is recorded from now on never goes: that is why, and what to look at. It
    keeps next to nothing yet, so that no size is told."""
    ahead = replace(GATE, held_bytes=10**6, held_ahead_days=4000)
    held = HoldsFacts([HoldFacts(7, "c")])
    (problem,) = problems_ahead(facts(1000, ahead, holds=held), chinese=False)
    (chinese,) = problems_ahead(facts(1000, ahead, holds=held), chinese=True)

    assert "holds keep what would have gone by then, and 30 days must be kept besides" in problem.text
    assert "whether holds can be released." in problem.text
    assert "证据保全使到期录像不能删除" in chinese.text
    assert "days of footage fit" not in problem.text


def test_a_camera_that_nobody_knows_yet_changes_no_state() -> None:
    """It is told with the rate that is assumed; a box that has just started is not degraded by a guess."""
    seen = facts(400, GATE, replace(YARD, bytes_a_day=43.2 * GB, is_assumed=True, is_new=True))
    (problem,) = problems_ahead(seen, chinese=False)
    assert problem.code == "floor_at_risk_assumed"
    assert "Yard; 4 Mbit/s each are assumed" in problem.text
    assert state_of([problem]) == "ok"


def test_cameras_of_the_last_week_are_named_as_the_cause() -> None:
    """Where the others alone would have room; a handful by name, of more how many."""
    new = [replace(GATE, camera=f"c{number}", is_new=True) for number in range(NAMES_SHOWN + 2)]
    (problem,) = problems_ahead(facts(400, GATE, *new), chinese=False)
    assert "Without the cameras of the last week it would not, or not so soon: C0, C1, C2, C3, C4 and 2 more." in (
        problem.text
    )
    (alone,) = problems_ahead(facts(200, *new[:1]), chinese=False)
    assert "last week" not in alone.text


def test_a_bit_rate_rose() -> None:
    """Told with both rates; where it breaks the floor with the date and as a degraded state."""
    rose = replace(GATE, bytes_a_day=10.8 * GB, before_bytes_a_day=5.4 * GB)
    (problem,) = problems_ahead(facts(400, rose), chinese=False)
    assert (problem.code, problem.weight, problem.camera) == ("camera_rate_rose", Weight.NOTICE, "gate")
    assert "from 0.50 to 1.00 Mbit/s" in problem.text
    found = {one.code: one for one in problems_ahead(facts(100, rose), chinese=True)}
    assert "2026-03-10" in found["camera_rate_rose"].text
    assert found["camera_rate_rose"].weight is Weight.DEGRADED


@pytest.mark.parametrize("error", [StorageFailed, VolumeForeign, TokenMissing], ids=lambda one: one.code)
def test_why_a_discard_failed_is_said_in_words(error: type[CustosError]) -> None:
    """Whatever it was: of an error of an error, and of a token that is away and signs nothing, there was the code."""
    stuck = Because(error.code, 3, 2 * GB, True, "gate.main.7")
    found = facts(400, GATE, sweep=Reconciliation(1, 3, 3 * GB, 0, 0, (stuck,), (), True))
    for language in ("en", "zh-CN"):
        (text,) = [one.text for one in problems_of(found, language) if one.code == "discards_failed"]
        assert error.code not in text
        assert (error.sentence() in text) is (language == "en")


def test_discards_that_fail_are_a_problem() -> None:
    """With how many, how much, one of them, and why; what a rule keeps is none."""
    stuck = Because("storage_failed", 3, 2 * GB, True, "gate.main.7")
    swept = Reconciliation(1, 4, 3 * GB, 1, GB, (stuck,), (Because("held", 9, 9),), True)
    for language, words in (("en", "3 segments past their time"), ("zh-CN", "3 个到期录像段无法删除")):
        (problem,) = [
            one for one in problems_of(facts(400, GATE, sweep=swept), language) if one.code == "discards_failed"
        ]
        assert words in problem.text
        assert "gate.main.7" in problem.text
    kept = replace(swept, because=(Because("under_export", 3, 1),))
    assert "discards_failed" not in [one.code for one in problems_of(facts(400, GATE, sweep=kept))]


def admitted(free_gb: float, *loads: Load, candidate: Load) -> Admission:
    return admission([Room("main", round(free_gb * GB), 10_000 * GB, 0)], loads, candidate, NOW_US)


def test_a_camera_fits_or_is_warned_of() -> None:
    """The one that breaks the floor is told as the one that does; with the rate that was counted with."""
    fits = admitted(700, GATE, candidate=YARD)
    assert warning_of(fits, "Yard", NOW_US, SHANGHAI, chinese=False) is None
    assert fits.stored_bytes == 320 * GB
    breaks = admitted(400, GATE, candidate=replace(YARD, is_assumed=True))
    text = warning_of(breaks, "Yard", NOW_US, SHANGHAI, chinese=False)
    assert text is not None
    assert "With camera Yard at 0.93 Mbit/s (assumed" in text
    assert "the floor would fail on 2026-03-21 (in 20 days)" in text
    assert "registered all the same" in text
    assert "估算值" in str(warning_of(breaks, "Yard", NOW_US, SHANGHAI, chinese=True))


def test_a_camera_that_is_not_to_blame_is_not_blamed() -> None:
    """The floor fails without it as well, and about as soon: that is said as it is."""
    tiny = replace(YARD, bytes_a_day=0.01 * GB)
    text = warning_of(admitted(100, GATE, candidate=tiny), "Yard", NOW_US, SHANGHAI, chinese=False)
    assert text is not None
    assert "and without it" in text


def test_a_camera_that_was_there_before_is_not_counted_twice() -> None:
    """Who changes it sees it as it will be."""
    found = admitted(400, GATE, YARD, candidate=replace(YARD, bytes_a_day=1.0 * GB))
    assert found.days_to_floor is None
