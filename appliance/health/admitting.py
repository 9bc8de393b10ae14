"""Whether there is room for a camera that was just added or changed: told to whoever did it, and never a reason to
refuse it. What is not recorded is lost for certain, and there are days in which somebody can act.
"""

from __future__ import annotations

from api.schemas import AdmissionOut
from appliance.health.report import Basis, admitted
from appliance.health.survey import Survey
from config.clock import Clock
from recorder.store.store import Store
from retention.forecast import ASSUMED_BITRATE_BPS, Load, admission, bytes_a_day


class Admissions:
    """Asks for one box."""

    def __init__(self, store: Store, survey: Survey, clock: Clock) -> None:
        self._store, self._survey, self._clock = store, survey, clock

    def of(self, camera_id: str, bitrate_bps: int | None, language: str) -> AdmissionOut | None:
        """What becomes of the box by a camera; None: it is not to be recorded.

        Args:
            camera_id: of the registry.
            bitrate_bps: what somebody says that it sends; None: as measured, or else assumed.
            language: ``en`` or ``zh-CN``.

        Raises:
            CameraUnknown: there is none of that id. CatalogueError: the store does not answer.
        """
        camera, now_us = self._store.cameras.get(camera_id), self._clock.read().utc_us
        if not camera.enabled or camera.retired_us is not None:
            return None
        if self._survey.outlook() is None:
            self._survey.look(self._store.cameras.all(), now_us)
        loads = self._survey.loads()
        known = next((one for one in loads if one.camera == camera_id), None)
        rate, basis = _rate(known, bitrate_bps)
        terms = self._store.cameras.keeping(camera_id)
        candidate = Load(
            camera=camera_id,
            bytes_a_day=rate,
            floor_days=terms.floor_days,
            target_days=terms.target_days,
            stock=() if known is None else known.stock,
            stock_floor_days=0 if known is None else known.stock_floor_days,
            stock_target_days=0 if known is None else known.stock_target_days,
            held_ahead_days=0 if known is None else known.held_ahead_days,
            is_assumed=basis == "assumed",
        )
        found = admission(self._survey.rooms(), loads, candidate, now_us)
        return admitted(found, camera.name, basis, now_us, self._store.zone, language)


def _rate(known: Load | None, bitrate_bps: int | None) -> tuple[float, Basis]:
    if bitrate_bps is not None:
        return bytes_a_day(bitrate_bps), "declared"
    if known is not None and known.bytes_a_day > 0 and not known.is_assumed:
        return known.bytes_a_day, "measured"
    return bytes_a_day(ASSUMED_BITRATE_BPS), "assumed"
