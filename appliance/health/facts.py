"""What is known of the box at one moment, as values: from these alone its state is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from zoneinfo import ZoneInfo

from appliance.health.outcomes import Outcome
from config.keeping import Protection
from recorder.capture.fleet import WorkerFacts
from recorder.store.overwriting import BreachCount
from recorder.store.records import CheckpointRecord, Damaged, Signing, VolumeState
from retention.forecast import Outlook
from retention.reconcile import Reconciliation

UTC: Final = ZoneInfo("UTC")

CameraState = Literal["recording", "connecting", "backing_off", "disabled", "retired", "stopped"]
AudioStateName = Literal["none", "awaited", "recorded", "silent"]


@dataclass(frozen=True)
class CameraFacts:
    """What is known of a camera."""

    id: str
    name: str
    state: CameraState
    """As the session has it, or as the registry does: `disabled`, `retired`."""
    media_age_s: float | None = None
    """Since the last picture; None: none since the box was started."""
    wanted_age_s: float = 0.0
    """Since recording it was last begun."""
    problem_code: str | None = None
    problem_text: str | None = None
    since_us: int | None = None
    """Since when it has been in this state."""
    last_media_us: int | None = None
    bitrate_bps: float | None = None
    frames: int = 0
    """Since the box was started, as all counts here."""
    bytes: int = 0
    reconnects: int = 0
    lost_packets: int | None = None
    """None: what reads the camera cannot tell."""
    clock_offset_s: float | None = None
    """How far the camera's clock is ahead of the box's; None: it did not tell."""
    clock_drift_ppm: float | None = None
    """How fast that grows; None: not watched for long enough."""
    key_interval_s: float | None = None
    """Between its last two key pictures."""
    stamps_stand_still: bool = False
    """All its pictures have one time stamp."""
    left_out: Sequence[str] = ()
    """Tracks that are not recorded, in words."""
    audio: AudioStateName = "none"
    """How it stands with its sound."""
    audio_wanted: bool = False
    password_in_clear: bool = False
    """Whether its password last went over the network readable."""
    days_held: float | None = None
    """How far back footage reaches without a hole: gaps are none, discarded footage is. No further than its target."""
    held_bytes: int = 0
    """Of its footage that is under a hold."""
    bytes_a_day: float | None = None
    """At the rate of its last day; None: not known yet."""
    days_forecast: float | None = None
    """How many days will fit at the present rates; None: not known yet."""
    days_to_floor: float | None = None
    """Until there is no room any more for the days required of it; None: not to be seen."""
    before_bytes_a_day: float | None = None
    """Where its rate has risen: what it was in the week before."""
    gap_seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds not recorded since it was registered, by cause."""
    signing: Signing | None = None
    """How it stands with its signatures; None: it has never signed."""
    floor_days: int = Protection.ORDINARY.least_days
    """For how long its footage must be kept from now on."""
    target_days: int = Protection.ORDINARY.least_days + 1
    """And after which it goes."""
    needs_purpose: bool = False
    """Whether that is longer than the law wants, and nobody wrote down what for."""

    @property
    def is_wanted(self) -> bool:
        """Whether it should be recorded."""
        return self.state not in ("disabled", "retired")


@dataclass(frozen=True)
class WitnessFacts:
    """A witness, and how it stands with its cosignatures."""

    name: str
    cosigned_us: int | None = None
    """When it cosigned last, by its clock; None: never yet."""
    cosigned_size: int = 0
    """Leaves of the largest checkpoint that it cosigned."""
    wanted_us: int | None = None
    """Since when a checkpoint waits for it; None: none does."""
    problem_code: str | None = None
    """Why the last turn did not get what was wanted."""
    problem_text: str = ""
    seen_size: int | None = None
    """Where it contradicts this log: how many leaves it has seen."""


@dataclass(frozen=True)
class AnchorFacts:
    """Who outside the box vouches for its log."""

    is_configured: bool = False
    stamped_us: int | None = None
    """The newest stamp, by the authority's time; None: there is none yet."""
    wanted_us: int | None = None
    """Since when the oldest checkpoint waits for its stamp; None: none does."""
    waiting: int = 0
    problem_code: str | None = None
    """Why the last turn did not get all that was wanted."""
    problem_text: str = ""
    witnesses: Sequence[WitnessFacts] = ()


@dataclass(frozen=True)
class Sm2Facts:
    """How it stands with the second signature."""

    is_configured: bool = False
    fingerprint: str | None = None
    """Of the SM2 key that the log binds; None: none was ever made."""
    problem_code: str | None = None
    """Why the last checkpoint was not signed with it; None: it was, or none was wanted."""
    problem_text: str = ""


@dataclass(frozen=True)
class KeyFacts:
    """The key that signs the log."""

    fingerprint: str = ""
    first_fingerprint: str = ""
    """Of the key that the box was made with: the one on the papers."""
    kind: Literal["file", "token"] = "file"
    is_as_told: bool = True
    """Whether it lies where `[proof] key` says."""


@dataclass(frozen=True)
class VolumeScrub:
    """How far the scrub of a volume is."""

    volume: str
    begun_us: int
    """When its present pass began."""
    bytes: int
    """Read in this pass."""
    passes: int
    """That came to their end."""
    total_bytes: int
    """Read since there was a scrub."""
    oldest_age_s: float | None = None
    """Since what was not looked at for longest was, in box time; None: nothing is stored, or some never was."""


@dataclass(frozen=True)
class ScrubFacts:
    """What reading stored footage again came to."""

    volumes: Sequence[VolumeScrub] = ()
    damaged_count: int = 0
    """Segments that are kept and are not right."""
    damaged: Sequence[Damaged] = ()
    """The first of them."""


@dataclass(frozen=True)
class HoldFacts:
    """A hold in force."""

    id: int
    case: str
    review_us: int | None = None
    damaged: int = 0
    """Segments of it that are not as they were recorded."""


@dataclass(frozen=True)
class HoldsFacts:
    """How it stands with the holds, and with who may release them."""

    in_force: Sequence[HoldFacts] = ()
    bytes: int | None = None
    """What they keep, each file once; None: not counted yet."""
    damaged: int = 0
    """Segments under any of them that are not as they were recorded, each once."""
    codes: Literal["ok", "missing", "damaged"] = "ok"
    codes_rest_days: int = 0
    """For so many days a code that was made anew releases nothing yet."""


@dataclass(frozen=True)
class Facts:
    """All that the judgement is made from."""

    cameras: Sequence[CameraFacts]
    volumes: Sequence[VolumeState]
    outcomes: Sequence[Outcome]
    checkpoint_age_s: float | None
    floor_days: int
    workers: Sequence[WorkerFacts] = ()
    """The capture processes."""
    overwrite_asked: bool = False
    """`[retention] when_full = "overwrite"` is configured."""
    breaches: BreachCount = field(default_factory=BreachCount)
    """What a full disk has taken below its floor so far."""
    target_days: int = 0
    now_us: int = 0
    started_us: int = 0
    log_size: int = 0
    checkpoint: CheckpointRecord | None = None
    anchors: AnchorFacts = AnchorFacts()
    sm2: Sm2Facts = Sm2Facts()
    key: KeyFacts = KeyFacts()
    scrub: ScrubFacts = ScrubFacts()
    holds: HoldsFacts = HoldsFacts()
    bytes_a_day: float | None = None
    """What all cameras together need; None while that is not known."""
    days_to_full: float | None = None
    outlook: Outlook | None = None
    """What is coming, as of the last look; None: nobody has looked yet."""
    sweep: Reconciliation | None = None
    """What the last sweep came to; None: there was none yet."""
    zone: ZoneInfo = UTC
    """Whose dates people are told."""
    left_behind: Mapping[str, int] = field(default_factory=dict)
    """By volume, how many segments may lie unfinished there; where none does, nothing."""
