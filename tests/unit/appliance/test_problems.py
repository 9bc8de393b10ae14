"""What the box calls a problem, how much it weighs, and in which words it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.health.facts import (
    AnchorFacts,
    CameraFacts,
    Facts,
    HoldFacts,
    HoldsFacts,
    KeyFacts,
    ScrubFacts,
    Sm2Facts,
    WitnessFacts,
)
from appliance.health.outcomes import Outcome, Outcomes
from appliance.health.problems import (
    CHINESE,
    DAMAGES,
    MEDIA_LATE_S,
    UNSIGNED_TOLD_US,
    Weight,
    codes_to_translate,
    problems_of,
    state_of,
)
from config.times import DAY_US
from recorder.capture.fleet import WorkerFacts
from recorder.errors import SourceBasicOnly, StorageDenied, StorageError, StorageReadOnly, VolumeNotEmpty
from recorder.store.log.errors import TokenMissing
from recorder.store.overwriting import BreachCount
from recorder.store.records import CameraSignature, Damage, Damaged, Signing, VolumeState

GATE = CameraFacts("gate", "Gate", "recording", 0.2, 100.0, None, None, days_held=3, days_forecast=90)
DISK = VolumeState("v0", "/data/media/v0", 50, 100, "ok")
ANCHORED = AnchorFacts(is_configured=True, stamped_us=1)
WELL = Facts([GATE], [DISK], [Outcome("beat", 1), Outcome("sync", 1, 0.01)], 12.0, 30, anchors=ANCHORED)


def codes(facts: Facts) -> list[str]:
    return [problem.code for problem in problems_of(facts)]


def test_all_is_well() -> None:
    """A box that records, signs and syncs has no problem."""
    assert problems_of(WELL) == []
    assert state_of([]) == "ok"


def test_the_settings_name_another_key_than_the_log_is_signed_with() -> None:
    """Nothing is put in force by a setting alone: what to run is said, in both languages."""
    facts = replace(WELL, key=KeyFacts("ff", "ff", "file", is_as_told=False))
    assert codes(facts) == ["key_not_rotated"]
    for language in ("en", "zh-CN"):
        assert "custos log rotate-key" in problems_of(facts, language)[0].text


def test_stored_footage_is_damaged() -> None:
    """The alarm names the first segments and what is wrong with them, in both languages."""
    assert set(DAMAGES) == {one.value for one in Damage}
    one = Damaged("gate.main.7", Damage.UNREADABLE, 99, 0, 1)
    facts = replace(WELL, scrub=ScrubFacts((), damaged_count=5, damaged=[one]))
    assert codes(facts) == ["segments_damaged"]
    assert state_of(problems_of(facts)) == "degraded"
    english, chinese = (problems_of(facts, language)[0].text for language in ("en", "zh-CN"))
    for text in (english, chinese):
        assert "gate.main.7" in text
        assert "5" in text
        assert "…" in text
    assert DAMAGES["unreadable"][0] in english
    assert DAMAGES["unreadable"][1] in chinese


def test_the_token_with_the_key_is_away() -> None:
    """The log is not signed: nothing weighs more, and both languages say why and that it goes on by itself."""
    failed = Outcome("beat", 1, 0.0, 2, TokenMissing.code, TokenMissing.sentence())
    problems = problems_of(replace(WELL, outcomes=[failed]))
    assert state_of(problems) == "failing"
    assert TokenMissing.sentence() in problems[0].text
    assert "请插入硬件令牌" in problems_of(replace(WELL, outcomes=[failed]), "zh-CN")[0].text


@pytest.mark.parametrize("state", ["full", "read_only", "io_error", "missing", "foreign"])
def test_disk_takes_nothing(state: str) -> None:
    """A disk that takes no footage is the heaviest of problems, named by its own name and the volume's path (Frigate
    2790)."""
    problems = problems_of(replace(WELL, volumes=[replace(DISK, state=state)]))
    assert [problem.code for problem in problems] == [f"volume_{state}"]
    assert "/data/media/v0" in problems[0].text
    assert state_of(problems) == "failing"


@pytest.mark.parametrize(
    ("state", "kind", "chinese"),
    [("missing", VolumeNotEmpty, "请指定空目录"), ("io_error", StorageDenied, "属主和权限")],
)
def test_a_volume_that_cannot_be_used_says_why(state: str, kind: type[StorageError], chinese: str) -> None:
    """A new one that cannot be made, or one that this user may not write to: nothing is missing there, or broken."""
    disk = replace(DISK, state=state, why_code=kind.code, why=f"{kind.sentence()} (/data/media/v0)")
    facts = replace(WELL, volumes=[disk])

    assert codes(facts) == [f"volume_{state}"]
    assert kind.sentence() in problems_of(facts)[0].text
    assert "mount its disk" not in problems_of(facts)[0].text
    assert chinese in problems_of(facts, "zh-CN")[0].text
    takes_nothing = replace(disk, why_code=StorageReadOnly.code, why=StorageReadOnly.sentence())
    for language in ("en", "zh-CN"):
        assert "ReadWritePaths" in problems_of(replace(WELL, volumes=[takes_nothing]), language)[0].text


def test_disk_is_almost_full() -> None:
    """A warning comes before recording stops."""
    problems = problems_of(replace(WELL, volumes=[replace(DISK, state="low")]))
    assert state_of(problems) == "degraded"


@pytest.mark.parametrize("state", ["full", "read_only", "io_error", "missing", "foreign"])
def test_one_of_two_disks_takes_nothing(state: str) -> None:
    """Recording goes on to the other, and both languages say where; what does not record any more fails nothing."""
    facts = replace(WELL, volumes=[replace(DISK, state=state), replace(DISK, name="v1")])
    english, chinese = problems_of(facts), problems_of(facts, "zh-CN")
    assert [one.code for one in english] == [f"volume_{state}"]
    assert "Recording goes on to v1" in english[0].text
    assert "录像改存至 v1" in chinese[0].text
    assert state_of(english) == "degraded"


def test_a_disk_that_is_only_read_may_be_full() -> None:
    """The settings do not name it any more: that it is full is as it should be; that it is away is not."""
    old = replace(DISK, name="old", is_written=False)
    assert codes(replace(WELL, volumes=[DISK, replace(old, state="full")])) == []
    (told,) = problems_of(replace(WELL, volumes=[DISK, replace(old, state="missing")]))
    assert (told.code, told.weight) == ("volume_missing", Weight.DEGRADED)
    assert "Nothing new goes there" in told.text


@pytest.mark.parametrize(("minutes", "state"), [(5, "failing"), (90, "degraded"), (8 * 1440, "ok")])
def test_footage_was_overwritten_below_its_floor(minutes: int, state: str) -> None:
    """An alarm for the first hour, a problem for a week: how much, how much too early, and when last."""
    breaches = BreachCount(7, 3_000_000_000, 1_772_323_200_000_000, 2 * 86_400_000_000)
    facts = replace(WELL, now_us=1_772_323_200_000_000 + minutes * 60_000_000, breaches=breaches)
    found = [one for one in problems_of(facts) if one.code == "floor_breached"]
    assert state_of(found) == state
    for language, words in (("en", ("7 segments (3.0 GB)", "2.0 days too early")), ("zh-CN", ("7 段", "2.0 天"))):
        text = "".join(one.text for one in problems_of(facts, language) if one.code == "floor_breached")
        assert all(word in text for word in words) or state == "ok"


@pytest.mark.parametrize(
    ("offset_s", "words"), [(90.4, ("90 s ahead", "快 90 秒")), (-3600.0, ("3600 s behind", "慢 3600 秒"))]
)
def test_camera_has_another_time(offset_s: float, words: tuple[str, str]) -> None:
    """It is worth a look, and changes no state: the record goes by the box's own clock."""
    facts = replace(WELL, cameras=[replace(GATE, clock_offset_s=offset_s)])
    problems = problems_of(facts)

    assert [problem.code for problem in problems] == ["camera_clock_off"]
    assert words[0] in problems[0].text
    assert words[1] in problems_of(facts, "zh-CN")[0].text
    assert state_of(problems) == "ok"


def test_camera_stopped_signing() -> None:
    """It is told in both languages, since when; a camera that signs, never did, or was cut off just before, is none."""
    signs = Signing((CameraSignature.ONVIF,), 1_772_323_200_000_000)
    stopped = replace(signs, unsigned_since_us=1_772_323_260_000_000, unsigned_us=UNSIGNED_TOLD_US)
    facts = replace(WELL, cameras=[replace(GATE, signing=stopped)])
    problems = problems_of(facts)

    assert [problem.code for problem in problems] == ["camera_signatures_stopped"]
    assert "removed on the way or switched off" in problems[0].text
    assert "since 2026-03-01 00:01 UTC" in problems[0].text
    assert "签名在途中被去除，或已被关闭" in problems_of(facts, "zh-CN")[0].text
    assert state_of(problems) == "ok"
    for well in (None, signs, replace(stopped, unsigned_us=UNSIGNED_TOLD_US - 1)):
        assert codes(replace(WELL, cameras=[replace(GATE, signing=well)])) == []


def test_camera_has_no_time_of_its_own() -> None:
    """It is recorded by the time of arrival, and that is told."""
    facts = replace(WELL, cameras=[replace(GATE, stamps_stand_still=True)])
    assert codes(facts) == ["camera_stamps_still"]
    assert "时间戳" in problems_of(facts, "zh-CN")[0].text
    assert state_of(problems_of(facts)) == "ok"


def test_a_password_goes_over_the_network_readable() -> None:
    """Somebody allowed it; it is told all the same for as long as it is done, and changes no state."""
    facts = replace(WELL, cameras=[replace(GATE, password_in_clear=True)])
    assert codes(facts) == ["camera_password_in_clear"]
    assert "allow_basic" in problems_of(facts)[0].text
    assert "明文" in problems_of(facts, "zh-CN")[0].text
    assert state_of(problems_of(facts)) == "ok"
    assert codes(replace(facts, cameras=[replace(facts.cameras[0], state="disabled")])) == []


def test_camera_sends_no_sound() -> None:
    """Where it is asked for and the pictures are recorded, that is told, and is no more than worth a look."""
    for audio in ("none", "silent"):
        facts = replace(WELL, cameras=[replace(GATE, audio_wanted=True, audio=audio)])
        assert codes(facts) == ["camera_without_sound"]
        assert "声音" in problems_of(facts, "zh-CN")[0].text
        assert state_of(problems_of(facts)) == "ok"
    for audio in ("awaited", "recorded"):
        assert codes(replace(WELL, cameras=[replace(GATE, audio_wanted=True, audio=audio)])) == []
    assert codes(replace(WELL, cameras=[replace(GATE, audio="none")])) == []
    connecting = replace(GATE, audio_wanted=True, state="connecting")
    assert "camera_without_sound" not in codes(replace(WELL, cameras=[connecting]))


def test_camera_is_a_little_off() -> None:
    """The way of a report, and a network's moods, are no wrong clock."""
    assert codes(replace(WELL, cameras=[replace(GATE, clock_offset_s=-2.0)])) == []


def test_camera_has_a_reason() -> None:
    """A camera that cannot be recorded is named together with why, in the language asked for."""
    facts = replace(
        WELL,
        cameras=[replace(GATE, state="backing_off", problem_code="source_auth_refused", problem_text="No entry.")],
    )
    (english,) = problems_of(facts)
    (chinese,) = problems_of(facts, "zh-CN")
    assert english.camera == chinese.camera == "gate"
    assert english.text == "Camera Gate is not recorded: No entry."
    assert chinese.text.startswith("采集设备“Gate”未在录像：采集设备拒绝了用户名或密码")
    assert state_of([english]) == "degraded"


def test_camera_falls_silent() -> None:
    """A picture may be late for a moment; a camera silent for longer is a problem even without a reason (MediaMTX 4067;
    reolinkproxy 24)."""
    assert codes(replace(WELL, cameras=[replace(GATE, media_age_s=MEDIA_LATE_S)])) == []
    assert codes(replace(WELL, cameras=[replace(GATE, media_age_s=MEDIA_LATE_S + 1)])) == ["camera_silent"]


def test_camera_was_just_added() -> None:
    """A camera that never sent a picture is given the same time, counted from when it was begun."""
    assert codes(replace(WELL, cameras=[replace(GATE, media_age_s=None, wanted_age_s=3)])) == []
    assert codes(replace(WELL, cameras=[replace(GATE, media_age_s=None, wanted_age_s=30)])) == ["camera_silent"]


def test_log_goes_unsigned() -> None:
    """A log without a checkpoint for minutes fails the box: its footage could not be proved."""
    problems = problems_of(replace(WELL, checkpoint_age_s=600.0))
    assert [problem.code for problem in problems] == ["checkpoint_late"]
    assert "10 minutes" in problems[0].text
    assert state_of(problems) == "failing"


def test_duty_fails() -> None:
    """A duty that fails is a problem until it goes well again; an unknown one is told by its name."""
    outcomes = [Outcome("sweep", failed_us=5, code="bug", text="broken."), Outcome("tidying", failed_us=5, text="odd.")]
    problems = problems_of(replace(WELL, outcomes=outcomes))
    assert [problem.code for problem in problems] == ["sweep_failed", "tidying_failed"]
    assert "“tidying” failed: odd." in problems[1].text
    assert state_of(problems) == "degraded"


@pytest.mark.parametrize(
    ("duty", "words"),
    [
        ("scrub", ("could not be checked", "无法巡检")),
        ("holds", ("stays protected", "保全仍然有效")),
        ("volumes", ("What lies on them is kept", "其中的录像不受影响")),
        ("watchdog", ("starts the box anew", "将被重新启动")),
    ],
)
def test_a_duty_of_keeping_fails(duty: str, words: tuple[str, str]) -> None:
    """What becomes of the footage meanwhile, in both languages, and why."""
    facts = replace(WELL, outcomes=[Outcome(duty, failed_us=5, code="duty_hangs", text="It hangs.")])
    english, chinese = problems_of(facts), problems_of(facts, "zh-CN")

    assert [one.code for one in (*english, *chinese)] == [f"{duty}_failed"] * 2
    assert words[0] in english[0].text
    assert "It hangs." in english[0].text
    assert words[1] in chinese[0].text


def test_disk_is_slow() -> None:
    """A sync that takes seconds breaks the promise on power cuts, and is told."""
    assert codes(replace(WELL, outcomes=[Outcome("sync", 1, 2.5)])) == ["sync_slow"]


def test_footage_is_kept_for_longer_than_the_law_wants() -> None:
    """Without a purpose that is told of the camera, with the clause and what to do; with one, it is not."""
    gate = replace(GATE, target_days=60, needs_purpose=True)
    for language, words in (("en", ("Gate", "60", "799", "article 17")), ("zh-CN", ("Gate", "60", "第十七条"))):
        (problem,) = problems_of(replace(WELL, cameras=[gate]), language)
        assert (problem.code, problem.camera) == ("purpose_missing", "gate")
        assert all(word in problem.text for word in ("purpose", *words))
    assert codes(replace(WELL, cameras=[replace(gate, needs_purpose=False)])) == []


@given(st.permutations(["missing", "read_only", "full"]))
def test_heaviest_comes_first(states: list[str]) -> None:
    """However volumes are ordered, what fails the box stands before what degrades it."""
    volumes = [replace(DISK, name=state, state=state, is_written=state != "missing") for state in states]
    found = problems_of(replace(WELL, volumes=volumes))
    assert [one.weight for one in found] == [Weight.FAILING] * 2 + [Weight.DEGRADED]
    assert found[-1].code == "volume_missing"


def test_what_to_do_about_basic_alone_is_told_in_both_languages() -> None:
    """Each of the three ways out."""
    for sentence in (SourceBasicOnly.sentence(), CHINESE[SourceBasicOnly.code]):
        assert all(word in sentence for word in ("rtsps", "digest", "allow_basic"))


def test_every_reason_has_its_chinese() -> None:
    """Nothing that can stop a camera or a disk is told in English only."""
    assert codes_to_translate() <= set(CHINESE)


def test_outcome_is_remembered() -> None:
    """A failure is news once per kind, keeps its beginning while it lasts, and ends with the first success."""
    outcomes = Outcomes()
    assert outcomes.failed("beat", 10, "storage_full", "full")
    assert not outcomes.failed("beat", 20, "storage_full", "full")
    assert outcomes.failed("beat", 30, "storage_failed", "broken")
    assert outcomes.of("beat") == Outcome("beat", None, 0.0, 10, "storage_failed", "broken", 3)
    outcomes.succeeded("beat", 40, 0.5)
    assert outcomes.all() == (Outcome("beat", 40, 0.5, failures=3),)
    assert outcomes.failed("beat", 50, "storage_failed", "broken")


def test_quirk_9_key_pictures_are_rare() -> None:
    """More than four seconds between them is told, with what to set; it changes no state."""
    facts = replace(WELL, cameras=[replace(GATE, key_interval_s=10.0)])
    problems = problems_of(facts)

    assert [problem.code for problem in problems] == ["camera_keys_rare"]
    assert "10 s" in problems[0].text
    assert "关键帧间隔" in problems_of(facts, "zh-CN")[0].text
    assert state_of(problems) == "ok"
    assert codes(replace(WELL, cameras=[replace(GATE, key_interval_s=4.0)])) == []


def test_a_capture_process_ended() -> None:
    """For an hour the box is degraded and says how it ended; then it is only counted."""
    ended = WorkerFacts(0, 12, 2, 1_000_000, "killed by signal 9")
    facts = replace(WELL, workers=[ended], now_us=2_000_000)

    assert codes(facts) == ["capture_restarted"]
    assert "killed by signal 9" in problems_of(facts)[0].text
    assert "12 台" in problems_of(facts, "zh-CN")[0].text
    assert codes(replace(facts, now_us=3_700_000_000)) == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_nobody_vouches_for_the_log(language: str) -> None:
    """Said loudly, in both languages, and no state of the box: it records as it should."""
    found = problems_of(replace(WELL, anchors=AnchorFacts()), language)

    assert [one.code for one in found] == ["not_anchored"]
    assert state_of(found) == "ok"
    assert ("NOT ANCHORED" in found[0].text) is (language == "en")


@pytest.mark.parametrize(("language", "why"), [("en", "It is lost."), ("zh-CN", "日志所绑定的 SM2 密钥不存在")])
def test_the_second_signature_cannot_be_made(language: str, why: str) -> None:
    """Told with its reason, and no failing box: the first signature is made; where none is wanted nothing is told."""
    failing = Sm2Facts(is_configured=True, problem_code="sm2_key_lost", problem_text="It is lost.")
    (found,) = problems_of(replace(WELL, sm2=failing), language)

    assert found.code == "sm2_unsigned"
    assert why in found.text
    assert "Ed25519" in found.text
    assert state_of([found]) == "degraded"
    assert problems_of(replace(WELL, sm2=replace(failing, is_configured=False)), language) == []
    assert problems_of(replace(WELL, sm2=Sm2Facts(is_configured=True, fingerprint="ab")), language) == []


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        ("witness_silent", "It is silent.", "见证服务没有应答"),
        ("witness_unaware", "Give it the key.", "见证服务不认识本机日志"),
        ("witness_wrong", "It is another key.", "不是由配置中的公钥签署"),
        ("proof_invalid", "The log is damaged.", "请运行 custos fsck"),
    ],
)
def test_a_witness_that_does_not_do_its_work(code: str, english: str, chinese: str) -> None:
    """Told by its name once a checkpoint has waited for ten minutes, and why, in both languages."""
    one = WitnessFacts("north", wanted_us=0, problem_code=code, problem_text=english)
    waiting = replace(WELL, anchors=replace(ANCHORED, witnesses=[one, WitnessFacts("south", cosigned_us=5)]))

    assert problems_of(replace(waiting, now_us=599_000_000)) == []
    (told,) = problems_of(replace(waiting, now_us=601_000_000))
    assert (told.code, state_of([told])) == ("witness_late", "degraded")
    assert "north" in told.text
    assert english in told.text
    assert chinese in problems_of(replace(waiting, now_us=601_000_000), "zh-CN")[0].text


@pytest.mark.parametrize(("code", "why"), [("witness_ahead", "末尾被截断"), ("witness_forked", "日志被重写")])
def test_a_witness_that_contradicts_is_the_loudest(code: str, why: str) -> None:
    """At once, before all else, in both languages, with both sizes: the record cannot be proved any more."""
    one = WitnessFacts("north", wanted_us=0, problem_code=code, problem_text="It saw more.", seen_size=4711)
    facts = replace(WELL, anchors=replace(ANCHORED, witnesses=[one]), now_us=1, log_size=42)

    (told,) = problems_of(facts)
    assert (told.code, state_of([told])) == (code, "failing")
    assert "REWRITTEN OR CUT OFF: It saw more." in told.text
    (chinese,) = problems_of(facts, "zh-CN")
    assert "已被重写或截断" in chinese.text
    assert why in chinese.text
    for text in (told.text, chinese.text):
        assert "4711" in text
        assert "42" in text
        assert "north" in text


def test_an_authority_that_does_not_do_its_work() -> None:
    """Told once a checkpoint has waited for ten minutes, with how many do, and why."""
    waiting = replace(ANCHORED, wanted_us=0, waiting=3, problem_code="tsa_silent", problem_text="It is silent.")

    assert problems_of(replace(WELL, anchors=waiting, now_us=599_000_000)) == []
    late = replace(WELL, anchors=waiting, now_us=601_000_000)
    assert [one.code for one in problems_of(late)] == ["anchor_late"]
    assert state_of(problems_of(late)) == "degraded"
    assert "time stamp: 3." in problems_of(late)[0].text
    assert "It is silent." in problems_of(late)[0].text
    assert "时间戳服务没有应答" in problems_of(late, "zh-CN")[0].text


@pytest.mark.parametrize(
    ("days", "expected", "state", "when"),
    [
        (31, [], "ok", ("", "")),
        (30, ["hold_review_due"], "ok", ("within 30 days", "在 30 天内")),
        (1, ["hold_review_due"], "ok", ("within a day", "在 1 天内")),
        (0, ["hold_review_over"], "degraded", ("is over since today", "已到")),
        (-1, ["hold_review_over"], "degraded", ("was a day ago", "已过 1 天")),
        (-400, ["hold_review_over"], "degraded", ("was 400 days ago", "已过 400 天")),
    ],
)
def test_a_hold_is_to_be_reviewed(days: int, expected: list[str], state: str, when: tuple[str, str]) -> None:
    """Told from thirty days before, and heavier once the date is over; both languages say when, and that it stays."""
    now_us = 1000 * DAY_US
    facts = replace(WELL, now_us=now_us, holds=HoldsFacts([HoldFacts(7, "2026-114", now_us + days * DAY_US)]))
    problems = problems_of(facts)

    assert ([one.code for one in problems], state_of(problems)) == (expected, state)
    for one in (*problems, *problems_of(facts, "zh-CN")):
        assert "2026-114" in one.text
        assert "stays in force" in one.text or "继续有效" in one.text
        assert any(word in one.text for word in when)


def test_held_media_is_damaged() -> None:
    """An alarm that says how much, and that nothing was removed."""
    facts = replace(WELL, holds=HoldsFacts([HoldFacts(7, "c", None, 2), HoldFacts(8, "c")]))

    assert codes(facts) == ["hold_media_damaged"]
    assert "Nothing was removed" in problems_of(facts)[0].text
    assert "未删除" in problems_of(facts, "zh-CN")[0].text


def test_nobody_can_release_a_hold_or_somebody_wants_to_alone() -> None:
    """No codes, codes that cannot be read, and one that was made anew: each with what to do, and no worse."""
    for kind in ("missing", "damaged"):
        facts = replace(WELL, holds=HoldsFacts(codes=kind))
        assert (codes(facts), state_of(problems_of(facts))) == ([f"release_codes_{kind}"], "ok")
        assert "解除码" in problems_of(facts, "zh-CN")[0].text
    facts = replace(WELL, holds=HoldsFacts(codes_rest_days=6))
    assert codes(facts) == ["release_code_new"]
    assert "6" in problems_of(facts, "zh-CN")[0].text
