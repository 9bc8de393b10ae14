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
    ("custos_camera_days_held", "Between the camera's oldest footage and now.", lambda one: one.days_held),
    (
        "custos_camera_days_forecast",
        "Days of footage that will fit at the present rate.",
        lambda one: one.days_forecast,
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
        yield from _of_cameras(facts)
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
    for volume in facts.volumes:
        free.add_metric([volume.name], volume.free_bytes)
        total.add_metric([volume.name], volume.total_bytes)
        usable.add_metric([volume.name], float(volume.is_written and volume.state in WRITABLE))
        for name in Condition:
            state.add_metric([volume.name, name.value], float(volume.state == name))
    yield from (free, total, usable, state)
    broken = CounterMetricFamily(
        "custos_breached_segments", "Segments overwritten below their floor.", value=facts.breaches.count
    )
    yield broken


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
