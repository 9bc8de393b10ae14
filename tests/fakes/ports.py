"""A box as the interface sees it, over a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api.deps import Ports
from api.schemas import AdmissionOut, BoxStatus, ForecastOut, LogStatus, Readiness, RetentionStatus, Status
from config.times import format_us
from recorder.errors import StillUnavailable
from recorder.store.store import Store
from tests.fakes.clock import FakeClock


@dataclass(frozen=True)
class Still:
    """Obeys `api.deps.StillOut`."""

    jpeg: bytes
    age_s: float
    utc_us: int


def no_still(camera_id: str, max_age_s: float) -> Still:
    """Nothing is recorded here."""
    raise StillUnavailable


def ports_of(
    store: Store,
    clock: FakeClock,
    *,
    token_needed: bool = False,
    changed: Callable[[], None] = lambda: None,
    exported: Callable[[], None] = lambda: None,
    held: Callable[[], None] = lambda: None,
    still: Callable[[str, float], Still] = no_still,
    admit: Callable[[str, int | None, str], AdmissionOut | None] = lambda camera, bitrate_bps, language: None,
) -> Ports:
    """Ports whose status says little, and the truth."""

    def status(language: str) -> Status:
        now = format_us(clock.read().utc_us)
        return Status(
            box=BoxStatus(
                id=store.box_id, name=store.facts.name, program="0", started=now, now=now,
                time_zone="Asia/Shanghai", fingerprint=store.fingerprint, first_fingerprint=store.first_fingerprint,
            ),
            state="ok", problems=[], cameras=[], storage=[],
            log=LogStatus(origin=store.origin, size=store.log_size, root=None, checkpoint_at=None),
            retention=RetentionStatus(
                floor_days=30, target_days=31, when_full="stop", bytes_a_day=None, days_to_full=None
            ),
        )  # fmt: skip

    def forecast(language: str) -> ForecastOut:
        return ForecastOut(
            at=None, horizon_days=400, assumed_bitrate_bps=4_000_000, volumes=[], cameras=[], problems=[]
        )

    return Ports(
        store=store, clock=clock, status=status, forecast=forecast, admit=admit, metrics=lambda: b"custos_up 1\n",
        ready=lambda: Readiness(ready=True), cameras_changed=changed, exports_changed=exported, holds_changed=held,
        token_needed=token_needed, program="0", still=still,
    )  # fmt: skip
