"""What Prometheus scrapes, made from facts at the moment of scraping; every name begins with ``custos_``.

Own registry: two boxes in one process, as in tests, do not meet in it. Pure as far as a registry can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.health.facts import CameraFacts, Facts
from appliance.health.problems import problems_of, state_of
from recorder.store.pressure import WRITABLE
from recorder.store.records import Condition

STATES: Final = ("ok", "degraded", "failing")

_Gauge = Callable[[CameraFacts], float | None]

_CAMERA_GAUGES: Final[tuple[tuple[str, str, _Gauge], ...]] = (
    ("custos_camera_recording", "1 while the camera is recorded.", lambda one: float(one.state == "recording")),
    ("custos_camera_media_age_seconds", "Since the camera's last picture.", lambda one: one.media_age_s),
    ("custos_camera_bitrate_bits_per_second", "What the camera sends.", lambda one: one.bitrate_bps),
    (
        "custos_camera_days_held",
        "How far back its footage reaches without a hole; footage beyond one, such as under a hold, does not count.",
        lambda one: one.days_held,
    ),
    ("custos_camera_days_required", "Below this nothing of it is discarded.", lambda one: float(one.floor_days)),
    ("custos_camera_days_meant", "Days after which its footage goes.", lambda one: float(one.target_days)),
    ("custos_camera_held_bytes", "Of its footage that is under a hold.", lambda one: float(one.held_bytes)),
    ("custos_camera_bytes_a_day", "What it needs of the disk a day.", lambda one: one.bytes_a_day),
    (
        "custos_camera_days_forecast",
        "Days of footage that will fit at the present rates.",
        lambda one: one.days_forecast,
    ),
    (
        "custos_camera_rate_rise_ratio",
        "The rate of its last day to that of the week before, where it has risen.",
        lambda one: one.bytes_a_day / one.before_bytes_a_day if one.bytes_a_day and one.before_bytes_a_day else None,
    ),
    (
        "custos_camera_clock_offset_seconds",
        "How far the camera's clock is ahead of the box's, by its sender reports.",
        lambda one: one.clock_offset_s,
    ),
    (
        "custos_camera_clock_drift_ppm",
        "How fast the camera's clock runs away from the box's, in millionths.",
        lambda one: one.clock_drift_ppm,
    ),
    (
        "custos_camera_key_interval_seconds",
        "Between the camera's last two key pictures.",
        lambda one: one.key_interval_s,
    ),
)
_CAMERA_COUNTERS: Final[tuple[tuple[str, str, Callable[[CameraFacts], int | None]], ...]] = (
    ("custos_camera_frames", "Frames recorded since the box was started.", lambda one: one.frames),
    ("custos_camera_bytes", "Bytes of video received since the box was started.", lambda one: one.bytes),
    (
        "custos_camera_reconnects",
        "Connections that had to be made anew since the box was started.",
        lambda one: one.reconnects,
    ),
    (
        "custos_camera_lost_packets",
        "Packets lost on the way since the box was started; none where the transport cannot tell.",
        lambda one: one.lost_packets,
    ),
)


class BoxCollector(Collector):
    """Reads the facts once a scrape.

    Args:
        facts: gives them; must not walk tables, for it is called at every scrape.
    """

    def __init__(self, facts: Callable[[], Facts]) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        """All families, from one set of facts."""
        facts = self._facts()
        yield from _of_box(facts)
        yield from _of_log(facts)
        yield from _of_witnesses(facts)
        yield from _of_volumes(facts)
        yield from _of_scrub(facts)
        yield from _of_forecast(facts)
        yield from _of_sweep(facts)
        yield from _of_cameras(facts)
        yield from _of_holds(facts)
        yield from _of_duties(facts)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not ask the box."""
        return ()


def exposition(facts: Callable[[], Facts]) -> Callable[[], bytes]:
    """What answers a scrape, in the text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoxCollector(facts))
    return lambda: generate_latest(registry)


def _of_box(facts: Facts) -> Iterable[Metric]:
    now = state_of(problems_of(facts))
    state = GaugeMetricFamily("custos_state", "1 at the state that the box is in.", labels=["state"])
    for name in STATES:
        state.add_metric([name], float(name == now))
    yield state
    yield _gauge("custos_up_seconds", "Since the box was started.", (facts.now_us - facts.started_us) / 1e6)
    restarts = CounterMetricFamily(
        "custos_capture_restarts", "Capture processes that ended and were started again.", labels=["process"]
    )
    for one in facts.workers:
        restarts.add_metric([str(one.number)], one.restarts)
    yield restarts
    yield _gauge(
        "custos_floor_margin_days",
        "Days that fit beyond what the law demands, of the camera that has fewest; below 0 recording will stop.",
        floor_margin_days(facts),
    )


def _of_log(facts: Facts) -> Iterable[Metric]:
    yield _gauge("custos_log_leaves", "Leaves in the log.", facts.log_size)
    yield _gauge("custos_checkpoint_age_seconds", "Since the log was last signed.", facts.checkpoint_age_s)
    stamped_us = facts.anchors.stamped_us
    age_s = None if stamped_us is None else max(0, facts.now_us - stamped_us) / 1e6
    yield _gauge("custos_anchor_age_seconds", "Since an authority last stamped the log, by its time.", age_s)
    yield _gauge("custos_anchors_waiting", "Checkpoints that wait for their stamp.", facts.anchors.waiting)


def _of_witnesses(facts: Facts) -> Iterable[Metric]:
    cosigned = GaugeMetricFamily(
        "custos_witness_age_seconds", "Since a witness last cosigned the log, by its clock.", labels=["witness"]
    )
    contradicted = GaugeMetricFamily(
        "custos_witness_contradicts", "1 where a witness has seen another log than this one.", labels=["witness"]
    )
    for witness in facts.anchors.witnesses:
        if witness.cosigned_us is not None:
            cosigned.add_metric([witness.name], max(0, facts.now_us - witness.cosigned_us) / 1e6)
        contradicted.add_metric([witness.name], float(witness.seen_size is not None))
    yield from (cosigned, contradicted)


def _of_volumes(facts: Facts) -> Iterable[Metric]:
    free = GaugeMetricFamily("custos_volume_free_bytes", "Free on the volume.", labels=["volume"])
    total = GaugeMetricFamily("custos_volume_size_bytes", "Size of the volume.", labels=["volume"])
    usable = GaugeMetricFamily("custos_volume_usable", "1 while footage can be written there.", labels=["volume"])
    state = GaugeMetricFamily(
        "custos_volume_state", "1 at the state that the volume is in.", labels=["volume", "state"]
    )
    left = GaugeMetricFamily(
        "custos_volume_left_behind_segments",
        "Segments that may lie unfinished there since the volume failed or went away.",
        labels=["volume"],
    )
    for volume in facts.volumes:
        left.add_metric([volume.name], facts.left_behind.get(volume.name, 0))
        free.add_metric([volume.name], volume.free_bytes)
        total.add_metric([volume.name], volume.total_bytes)
        usable.add_metric([volume.name], float(volume.is_written and volume.state in WRITABLE))
        for name in Condition:
            state.add_metric([volume.name, name.value], float(volume.state == name))
    yield from (free, total, usable, state, left)
    broken = CounterMetricFamily(
        "custos_breached_segments", "Segments overwritten below their floor.", value=facts.breaches.count
    )
    yield broken


def _of_scrub(facts: Facts) -> Iterable[Metric]:
    read = CounterMetricFamily(
        "custos_scrub_bytes", "Stored bytes that were read again and compared with the log.", labels=["volume"]
    )
    passes = CounterMetricFamily("custos_scrub_passes", "Passes of the scrub over the volume.", labels=["volume"])
    oldest = GaugeMetricFamily(
        "custos_scrub_oldest_seconds",
        "Since the stored segment that was not looked at for longest was, in box time.",
        labels=["volume"],
    )
    for one in facts.scrub.volumes:
        read.add_metric([one.volume], one.total_bytes)
        passes.add_metric([one.volume], one.passes)
        if one.oldest_age_s is not None:
            oldest.add_metric([one.volume], one.oldest_age_s)
    yield from (read, passes, oldest)
    yield _gauge(
        "custos_segments_damaged", "Stored segments that are not what was recorded.", facts.scrub.damaged_count
    )


def _of_forecast(facts: Facts) -> Iterable[Metric]:
    """Days ahead, of which there are none where nothing is to be seen: an alarm on `< 30` is silent then."""
    floor = GaugeMetricFamily(
        "custos_volume_days_until_floor_fails",
        "Until the volume has no room for what must be kept; none: not to be seen.",
        labels=["volume"],
    )
    full = GaugeMetricFamily(
        "custos_volume_days_until_full",
        "Until the volume is full of footage that is younger than its target; none: not to be seen.",
        labels=["volume"],
    )
    for one in facts.outlook.measured.volumes if facts.outlook is not None else ():
        if one.days_to_floor is not None:
            floor.add_metric([one.name], one.days_to_floor)
        if one.days_to_full is not None:
            full.add_metric([one.name], one.days_to_full)
    yield from (floor, full)


def _of_sweep(facts: Facts) -> Iterable[Metric]:
    """The account of the last sweep: what should have gone is what went, and `custos_sweep_not_discarded`."""
    swept = facts.sweep
    if swept is None:
        return
    yield _gauge("custos_sweep_age_seconds", "Since the last sweep began.", max(0, facts.now_us - swept.at_us) / 1e6)
    yield _gauge("custos_sweep_due_segments", "What the last sweep should have discarded.", swept.should)
    yield _gauge("custos_sweep_due_bytes", "The same in bytes.", swept.should_bytes)
    yield _gauge("custos_sweep_discarded_segments", "What it discarded.", swept.did)
    yield _gauge("custos_sweep_discarded_bytes", "The same in bytes.", swept.bytes)
    for name, text, parts in (
        ("custos_sweep_not_discarded", "What it should have discarded and did not, by reason", swept.because),
        ("custos_sweep_kept", "What is past its target and rightly stays, by reason", swept.spared),
    ):
        count = GaugeMetricFamily(f"{name}_segments", f"{text}.", labels=["reason"])
        size = GaugeMetricFamily(f"{name}_bytes", f"{text}, in bytes.", labels=["reason"])
        for one in parts:
            count.add_metric([one.code], one.count)
            size.add_metric([one.code], one.bytes)
        yield from (count, size)


def floor_margin_days(facts: Facts) -> float | None:
    """By how many days the forecast of the worst camera is above the floor; None while no forecast is known."""
    fitting = [one for one in facts.cameras if one.days_forecast is not None and one.is_wanted]
    return min((one.days_forecast - one.floor_days for one in fitting if one.days_forecast is not None), default=None)


def _of_cameras(facts: Facts) -> Iterable[Metric]:
    for name, text, read in _CAMERA_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=["camera"])
        for one in facts.cameras:
            value = read(one) if one.is_wanted else None
            if value is not None:
                gauge.add_metric([one.id], value)
        yield gauge
    for name, text, count in _CAMERA_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=["camera"])
        for one in facts.cameras:
            number = count(one)
            if number is not None:
                counter.add_metric([one.id], number)
        yield counter
    problems = GaugeMetricFamily(
        "custos_camera_problem", "1 while this keeps the camera from being recorded.", labels=["camera", "code"]
    )
    for one in facts.cameras:
        if one.is_wanted and one.problem_code:
            problems.add_metric([one.id, one.problem_code], 1)
    yield problems
    gaps = GaugeMetricFamily("custos_camera_gap_seconds", "Not recorded, by cause.", labels=["camera", "cause"])
    for one in facts.cameras:
        for cause, seconds in sorted(one.gap_seconds.items()):
            gaps.add_metric([one.id, cause], seconds)
    yield gaps


def _of_holds(facts: Facts) -> Iterable[Metric]:
    yield _gauge("custos_holds", "Holds in force.", len(facts.holds.in_force))
    yield _gauge("custos_holds_bytes", "What they keep, each file once.", facts.holds.bytes)
    damaged = GaugeMetricFamily(
        "custos_hold_damaged_segments", "Held segments that are not as they were recorded.", labels=["hold"]
    )
    review = GaugeMetricFamily(
        "custos_hold_review_seconds", "Until the hold is to be reviewed; below 0 since.", labels=["hold"]
    )
    for hold in facts.holds.in_force:
        damaged.add_metric([str(hold.id)], hold.damaged)
        if hold.review_us is not None:
            review.add_metric([str(hold.id)], (hold.review_us - facts.now_us) / 1e6)
    yield from (damaged, review)


def _of_duties(facts: Facts) -> Iterable[Metric]:
    took = GaugeMetricFamily("custos_duty_seconds", "How long the duty took when it last went well.", labels=["duty"])
    failures = CounterMetricFamily("custos_duty_failures", "How often the duty failed.", labels=["duty"])
    for outcome in facts.outcomes:
        failures.add_metric([outcome.name], outcome.failures)
        if outcome.succeeded_us is not None:
            took.add_metric([outcome.name], outcome.took_s)
        if outcome.name == "sync" and outcome.succeeded_us is not None:
            yield _gauge("custos_sync_latency_seconds", "How long the last sync of footage took.", outcome.took_s)
    yield from (took, failures)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[])
    if value is not None:
        gauge.add_metric([], value)
    return gauge
