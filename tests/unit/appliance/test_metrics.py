"""What a monitor reads from the box."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from appliance.health.facts import (
    AnchorFacts,
    CameraFacts,
    Facts,
    HoldFacts,
    HoldsFacts,
    ScrubFacts,
    VolumeScrub,
    WitnessFacts,
)
from appliance.health.metrics import exposition
from appliance.health.outcomes import Outcome
from recorder.capture.fleet import WorkerFacts
from recorder.store.records import VolumeState
from retention.forecast import Load, Room, outlook
from retention.reconcile import Because, Reconciliation

FACTS = Facts(
    cameras=[
        CameraFacts(
            "gate",
            "Gate",
            "recording",
            media_age_s=0.5,
            frames=250,
            bytes=9000,
            reconnects=2,
            days_forecast=41.5,
            gap_seconds={"unreachable": 12.5},
        ),
        CameraFacts("yard", "Yard", "retired", media_age_s=9e9, days_forecast=1),
    ],
    volumes=[VolumeState("main", "/data", 500, 1000, "ok")],
    left_behind={"main": 2},
    outcomes=[Outcome("sync", 5, 0.25), Outcome("sweep", failed_us=1, failures=3)],
    checkpoint_age_s=7.0,
    floor_days=30,
    log_size=99,
    started_us=1_000_000,
    now_us=61_000_000,
)


def scrape(facts: Facts) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition(lambda: facts)().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_monitor_scrapes() -> None:
    """Every number the operator was promised is there under its name, with the facts' value."""
    seen = scrape(FACTS)
    gate = (("camera", "gate"),)
    assert seen["custos_camera_media_age_seconds", gate] == 0.5
    assert seen["custos_camera_frames_total", gate] == 250
    assert seen["custos_camera_bytes_total", gate] == 9000
    assert seen["custos_camera_reconnects_total", gate] == 2
    assert seen["custos_camera_gap_seconds", (*gate, ("cause", "unreachable"))] == 12.5
    assert seen["custos_sync_latency_seconds", ()] == 0.25
    assert seen["custos_floor_margin_days", ()] == 11.5
    assert seen["custos_checkpoint_age_seconds", ()] == 7
    assert seen["custos_volume_free_bytes", (("volume", "main"),)] == 500
    assert seen["custos_volume_usable", (("volume", "main"),)] == 1
    assert seen["custos_volume_state", (("state", "ok"), ("volume", "main"))] == 1
    assert seen["custos_volume_state", (("state", "full"), ("volume", "main"))] == 0
    assert seen["custos_volume_left_behind_segments", (("volume", "main"),)] == 2
    assert seen["custos_breached_segments_total", ()] == 0
    assert seen["custos_duty_failures_total", (("duty", "sweep"),)] == 3
    assert seen["custos_up_seconds", ()] == 60
    assert seen["custos_state", (("state", "degraded"),)] == 1
    assert seen["custos_state", (("state", "ok"),)] == 0


def test_days_held_and_those_required_are_told_of_each_camera() -> None:
    """And the margin is that of the camera that is worst off: sixty days that fit are too few for ninety."""
    vault = replace(FACTS.cameras[0], id="vault", floor_days=90, target_days=91, days_held=12.0, days_forecast=60.0)
    seen = scrape(replace(FACTS, cameras=[*FACTS.cameras, vault]))

    days = [seen[f"custos_camera_days_{name}", (("camera", "vault"),)] for name in ("held", "required", "meant")]
    assert days == [12, 90, 91]
    assert seen["custos_floor_margin_days", ()] == -30


def test_camera_was_retired() -> None:
    """A camera that is not to be recorded neither lowers the margin nor looks like one that fell silent."""
    assert ("custos_camera_media_age_seconds", (("camera", "yard"),)) not in scrape(FACTS)


def test_nothing_is_known_yet() -> None:
    """Just after its start a box has no forecast and no checkpoint: it says nothing rather than nought."""
    seen = scrape(Facts([], [], [], None, 30))
    assert ("custos_floor_margin_days", ()) not in seen
    assert ("custos_checkpoint_age_seconds", ()) not in seen
    assert seen["custos_state", (("state", "ok"),)] == 1


def test_why_a_camera_is_not_recorded() -> None:
    """By the code of its problem, as the status has it; a capture process that was started again is counted."""
    gate = CameraFacts("gate", "Gate", "backing_off", problem_code="source_auth_refused", problem_text="No.")
    workers = [WorkerFacts(0, 1, 3, None, "")]
    seen = scrape(Facts([gate], [], [], None, 30, workers=workers))

    assert seen["custos_camera_problem", (("camera", "gate"), ("code", "source_auth_refused"))] == 1
    assert seen["custos_capture_restarts_total", (("process", "0"),)] == 3


def test_what_is_coming_is_scraped() -> None:
    """Days until the floor fails and until the disk is full, and nothing where nothing is to be seen; days held beside
    days required; how far a rate rose."""
    load = Load("gate", 10.0, 30, 31)
    coming = outlook([Room("main", 100, 1000, 0), Room("spare", 0, 0, 0, usable=False)], [load], 0)
    gate = CameraFacts("gate", "Gate", "recording", days_held=12.5, bytes_a_day=3.0, before_bytes_a_day=2.0)
    seen = scrape(replace(FACTS, outlook=coming, cameras=[gate]))
    main, spare, camera = (("volume", "main"),), (("volume", "spare"),), (("camera", "gate"),)

    assert seen["custos_volume_days_until_floor_fails", main] == 10
    assert seen["custos_volume_days_until_full", main] == 10
    assert ("custos_volume_days_until_floor_fails", spare) not in seen
    assert (seen["custos_camera_days_held", camera], seen["custos_camera_days_required", camera]) == (12.5, 30)
    assert seen["custos_camera_rate_rise_ratio", camera] == 1.5


def test_the_account_of_the_sweep_is_scraped() -> None:
    """What was due is what went and what did not, by reason; before the first sweep there is none."""
    because = (Because("storage_failed", 2, 20, True), Because("under_export", 1, 10))
    swept = Reconciliation(31_000_000, 10, 100, 7, 70, because, (Because("held", 4, 40),), True)
    seen = scrape(replace(FACTS, sweep=swept))
    missed = {labels: value for (name, labels), value in seen.items() if name == "custos_sweep_not_discarded_segments"}

    assert seen["custos_sweep_due_segments", ()] == seen["custos_sweep_discarded_segments", ()] + sum(missed.values())
    assert seen["custos_sweep_kept_bytes", (("reason", "held"),)] == 40
    assert seen["custos_sweep_age_seconds", ()] == 30
    assert ("custos_sweep_due_segments", ()) not in scrape(FACTS)


def test_witnesses_are_scraped() -> None:
    """How old each one's word is, and whether it contradicts; one that never spoke has no age."""
    witnesses = [WitnessFacts("north", cosigned_us=51_000_000), WitnessFacts("south", seen_size=9)]
    seen = scrape(replace(FACTS, anchors=AnchorFacts(is_configured=True, witnesses=witnesses)))
    north, south = (("witness", "north"),), (("witness", "south"),)

    assert seen["custos_witness_age_seconds", north] == 10
    assert ("custos_witness_age_seconds", south) not in seen
    assert seen["custos_witness_contradicts", north] == 0
    assert seen["custos_witness_contradicts", south] == 1


def test_monitor_sees_the_scrub() -> None:
    """How much was read again, how long ago the oldest check is, and how many segments are damaged."""
    volume = VolumeScrub("main", 1, 10, 2, 5000, 86400.5)
    found = scrape(replace(FACTS, scrub=ScrubFacts([volume], damaged_count=3)))
    main = (("volume", "main"),)

    assert found["custos_scrub_bytes_total", main] == 5000
    assert found["custos_scrub_passes_total", main] == 2
    assert found["custos_scrub_oldest_seconds", main] == 86400.5
    assert found["custos_segments_damaged", ()] == 3
    assert ("custos_scrub_oldest_seconds", main) not in scrape(
        replace(FACTS, scrub=ScrubFacts([replace(volume, oldest_age_s=None)]))
    )


def test_holds_are_scraped() -> None:
    """How many, how much they keep, what is damaged, and how far off their review dates are."""
    held = [HoldFacts(7, "c", 121_000_000, 3), HoldFacts(8, "c")]
    seen = scrape(replace(FACTS, holds=HoldsFacts(held, 4096)))

    assert (seen["custos_holds", ()], seen["custos_holds_bytes", ()]) == (2, 4096)
    assert seen["custos_hold_damaged_segments", (("hold", "7"),)] == 3
    assert seen["custos_hold_review_seconds", (("hold", "7"),)] == 60
    assert ("custos_hold_review_seconds", (("hold", "8"),)) not in seen
    assert ("custos_holds_bytes", ()) not in scrape(FACTS)
