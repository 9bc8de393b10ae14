"""How long a camera's footage is to be kept: what the law wants, and what box and camera were told. Pure.

The least days are those of order 168 of Wuxi (article 28) and of order 799 of the State Council (article 17): thirty;
and of the targets of the Counter-Terrorism Law (article 32): ninety. Order 799 (article 17) wants footage deleted once
its purpose is achieved, so whoever keeps it for longer than floor and margin writes down what for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from config.errors import CustosError, ExitCode

DAYS_LIMIT = 36_500
"""A hundred years: a number with a digit too many is a slip."""

PURPOSE_LIMIT = 500
"""Characters: a sentence or two; papers belong into the archive."""


class Protection(StrEnum):
    """What the law sees in the place that a camera watches."""

    ORDINARY = "ordinary"
    COUNTER_TERRORISM = "counter_terrorism"

    @property
    def least_days(self) -> int:
        """Below this no floor goes."""
        return {Protection.ORDINARY: 30, Protection.COUNTER_TERRORISM: 90}[self]


class KeepingInvalid(CustosError):
    """Footage cannot be kept for so many days, and no more."""

    code = "keeping_invalid"
    exit_code = ExitCode.USAGE

    def __init__(self, setting: str, message: str) -> None:
        """`setting`: which of the two is to be changed, `floor_days` or `target_days`."""
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True)
class Defaults:
    """How the box keeps what nobody said anything else of (`[retention]`)."""

    floor_days: int = Protection.ORDINARY.least_days
    target_days: int = Protection.ORDINARY.least_days + 1
    margin_days: int = 1
    purpose: str | None = None


@dataclass(frozen=True)
class Wish:
    """What a camera was told of its keeping; None: as the box keeps all."""

    protection: Protection = Protection.ORDINARY
    floor_days: int | None = None
    target_days: int | None = None
    purpose: str | None = None
    """What its footage is kept for, for longer than the law wants."""


AS_THE_LAW = Defaults()
NOTHING_SAID = Wish()


@dataclass(frozen=True)
class Terms:
    """How long one camera's footage is kept from now on."""

    protection: Protection
    floor_days: int
    """Below this nothing goes."""
    target_days: int
    """Past this it goes."""
    margin_days: int
    """By which a target may lie above the floor without a purpose."""
    purpose: str | None = None

    @property
    def needs_purpose(self) -> bool:
        """Whether it is kept for longer than the law wants, and nobody wrote down what for."""
        return self.target_days > self.floor_days + self.margin_days and not (self.purpose or "").strip()


def terms_of(defaults: Defaults, wish: Wish) -> Terms:
    """What a camera's wish comes to beside the box's defaults: the higher floor of the box's and of its kind's, unless
    it has one of its own; and likewise a target as far above that as the box's lies above the box's floor.

    Raises:
        KeepingInvalid: a floor below what the law wants of its kind, or a target below its floor.
    """
    least = wish.protection.least_days
    floor = max(defaults.floor_days, least) if wish.floor_days is None else wish.floor_days
    above = defaults.target_days - defaults.floor_days
    target = floor + above if wish.target_days is None else wish.target_days
    if not least <= floor <= DAYS_LIMIT:
        said = f"Footage of the kind {wish.protection.value} must be kept for {least} days or more, not {floor}."
        raise KeepingInvalid("floor_days", said)
    if target < floor or target > DAYS_LIMIT + above:
        said = f"Footage that must be kept for {floor} days cannot be meant to go after {target}."
        raise KeepingInvalid("target_days", said)
    return Terms(wish.protection, floor, target, defaults.margin_days, wish.purpose or defaults.purpose)
