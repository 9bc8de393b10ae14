"""A box as the interface sees it, over a real store."""

from __future__ import annotations

from collections.abc import Callable

from api.deps import Ports
from api.schemas import BoxStatus, LogStatus, Readiness, RetentionStatus, Status
from config.times import format_us
from recorder.store.store import Store
from tests.fakes.clock import FakeClock


def ports_of(
    store: Store, clock: FakeClock, *, token_needed: bool = False, changed: Callable[[], None] = lambda: None
) -> Ports:
    """Ports whose status says little, and the truth."""

    def status(language: str) -> Status:
        now = format_us(clock.read().utc_us)
        return Status(
            box=BoxStatus(
                id=store.box_id, name=store.facts.name, program="0", started=now, now=now,
                time_zone="Asia/Shanghai", fingerprint=store.fingerprint,
            ),
            state="ok", problems=[], cameras=[], storage=[],
            log=LogStatus(origin=store.origin, size=store.log_size, root=None, checkpoint_at=None),
            retention=RetentionStatus(
                floor_days=30, target_days=31, when_full="stop", bytes_a_day=None, days_to_full=None
            ),
        )  # fmt: skip

    return Ports(
        store=store, clock=clock, status=status, metrics=lambda: b"custos_up 1\n",
        ready=lambda: Readiness(ready=True), cameras_changed=changed, token_needed=token_needed, program="0",
    )  # fmt: skip
