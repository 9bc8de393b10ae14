"""Frozen facts that the store hands out and takes in. Pure: no clock, no disk, no database.

Instants are microseconds since the epoch, UTC; intervals are half-open; hashes are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from config.keeping import Protection, Wish
from config.terms import AudioName, TransportName
from config.volumes import MAIN_VOLUME
from recorder.causes import Cause
from recorder.errors import StoreError

MAIN = "main"
"""The stream that is recorded; `sub` streams are for looking and watching, and come later."""


class MediaState(StrEnum):
    """Where the media of a segment stands on its way out."""

    PRESENT = "present"
    GOING = "going"
    GONE = "gone"


class CodecName(StrEnum):
    """Video codecs that can be stored."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"


class AudioCodec(StrEnum):
    """What sound is stored as."""

    AAC = "aac"
    OPUS = "opus"
    FLAC = "flac"
    """Telephone sound (G.711): its samples, not compressed."""


class CameraSignature(StrEnum):
    """Whose form the signatures have that a camera writes into its pictures (`camsig`)."""

    AXIS = "axis"
    """Axis Signed Video."""
    ONVIF = "onvif"
    """ONVIF Media Signing."""


class ManagedBy(StrEnum):
    """Who may change a camera: the configuration file, or people through the API and the command line."""

    FILE = "file"
    API = "api"


def stream_of(camera_id: str, kind: str = MAIN) -> str:
    """The name of a camera's stream: camera ids hold no dot, so the last dot parts the two."""
    return f"{camera_id}.{kind}"


def camera_of(stream_id: str) -> str:
    """The camera that a stream belongs to."""
    return stream_id.rpartition(".")[0]


def segment_id_of(stream_id: str, n: int) -> str:
    """A segment's public id, such as ``gate.main.17``: it can be told from the file and the leaf alone."""
    return f"{stream_id}.{n}"


@dataclass(frozen=True)
class Camera:
    """One device or channel in the registry. The password is never part of it."""

    id: str
    name: str
    url: str
    """Without user name or password."""
    username: str | None
    enabled: bool
    managed_by: ManagedBy
    registered_us: int
    retired_us: int | None
    leaf_hash: str
    """Of the registration leaf: what item 0 of its streams points back to."""
    password_file: str | None = None
    """Where a camera of the configuration file has its password; None: the store keeps it (`Cameras.password`)."""
    ca_file: str | None = None
    """Whom to believe about its certificate, of cameras of the configuration file; None: whom the system believes."""
    transport: TransportName = "tcp"
    """How its media comes: `tcp`, `udp`, `multicast`, or `libav`."""
    audio: AudioName = "off"
    """Whether its sound is recorded too: `off`, or `on`."""
    allow_basic: bool = False
    """Whether it may be shown the password readable, by basic authentication without TLS."""
    protection: Protection = Protection.ORDINARY
    """What the law sees in the place that it watches."""
    floor_days: int | None = None
    """What it was told of its keeping; None: as the box keeps all. What came of it its rules tell (`Rules`)."""
    target_days: int | None = None
    purpose: str | None = None
    volume: str | None = None
    """Where its footage goes before any other place; None: where most is free."""

    @property
    def wish(self) -> Wish:
        """What it was told of its keeping."""
        return Wish(self.protection, self.floor_days, self.target_days, self.purpose)

    @property
    def stream_id(self) -> str:
        """Its recorded stream."""
        return stream_of(self.id)


@dataclass(frozen=True)
class Head:
    """Where a stream's chain stands: what the next item must follow."""

    stream_id: str
    next_n: int
    prev: str
    """Leaf hash of the last item; of the camera's registration leaf when there is none."""
    t1_us: int
    """Where the last item ended: the next one starts exactly here."""


@dataclass(frozen=True)
class SegmentHeader:
    """What a segment file says of itself in its ``uuid`` box, so that the index can be made again from files."""

    box: str
    camera: str
    stream: str
    run: int
    """The item number of the run's first segment: it names the run within its stream."""
    n: int
    t0_us: int
    prev: str


@dataclass(frozen=True)
class AudioFacts:
    """The sound in a segment."""

    codec: AudioCodec
    rate_hz: int
    channels: int
    frames: int
    """0: the file has a track for it, and nothing came."""
    lost_packets: int | None = None
    """Missing on the way, or dropped because they cannot be stored; None: nobody can tell."""


@dataclass(frozen=True)
class SegmentFacts:
    """What the recording side knows when it cuts; bytes and hash it need not know: the part file does."""

    t1_us: int
    frames: int
    codec: CodecName
    width: int
    height: int
    lost_packets: int | None = None
    """None where the transport cannot tell (libav does not say)."""
    clock_offset_us: int | None = None
    """The camera's own clock against ours, where it told (sender reports)."""
    clock_drift_ppb: int | None = None
    """How fast that grows, in parts of a thousand million, by the reports of its session so far; None: not known."""
    audio: AudioFacts | None = None
    """None: its file has no track of sound."""
    camsig: tuple[CameraSignature, ...] | None = None
    """Whose signatures of the camera are in it, in order of their names; empty: none; None: nobody has looked."""


@dataclass(frozen=True)
class Segment:
    """One sealed file of a run."""

    stream_id: str
    n: int
    run: int
    t0_us: int
    t1_us: int
    prev: str
    leaf_index: int
    leaf_hash: str
    elapsed_us: int
    """Box time at which its leaf was written: monotonic time summed over all boots (docs/time.md)."""
    volume: str
    path: str
    """Relative to the volume."""
    bytes: int
    init_bytes: int
    """Where the first fragment starts: before it stand `ftyp`, `moov` and `uuid`."""
    init_sha256: str
    """Of `ftyp` and `moov`: equal in all segments of a run."""
    frames: int
    codec: CodecName
    width: int
    height: int
    lost_packets: int | None
    clock_offset_us: int | None
    sha256: str
    recovered: bool
    state: MediaState
    held: bool = False
    audio: AudioFacts | None = None
    clock_drift_ppb: int | None = None
    camsig: tuple[CameraSignature, ...] | None = None
    """As in `SegmentFacts`."""
    utc_offset_s: int | None = None
    """How far the box's local time was ahead of UTC at its end (`daycount`); None: as `Asia/Shanghai`, or not known."""

    @property
    def id(self) -> str:
        """Its public id."""
        return segment_id_of(self.stream_id, self.n)

    @property
    def duration_s(self) -> float:
        """Its length in seconds of UTC."""
        return (self.t1_us - self.t0_us) / 1e6


@dataclass(frozen=True)
class Gap:
    """A stretch in which a stream that should have been recorded was not.

    `t1_us` lies before `t0_us` only where the cause is `clock_step`: the clock was set back.
    """

    stream_id: str
    n: int
    t0_us: int
    t1_us: int
    prev: str
    leaf_index: int
    leaf_hash: str
    elapsed_us: int
    cause: Cause
    detail: str


Item = Segment | Gap


@dataclass(frozen=True)
class Signing:
    """How it stands with the signatures of a camera that signs, or once did."""

    kinds: tuple[CameraSignature, ...]
    """Whose, in the newest segment that had any."""
    signed_us: int
    """Where that segment ends."""
    unsigned_since_us: int | None = None
    """Where the first segment since then begins; None: there is none."""
    unsigned_us: int = 0
    """How much was recorded without any since then."""


class HoldBasis(StrEnum):
    """What a hold rests on: order 168 of Wuxi, order 799 of the State Council, or nobody but the site itself."""

    ORDER_168_29 = "order_168_29"
    ORDER_168_23 = "order_168_23"
    ORDER_799_20 = "order_799_20"
    ORDER_799_21 = "order_799_21"
    INTERNAL = "internal"

    def sentence(self, language: str = "en") -> str:
        """In words, in ``en`` or ``zh-CN``."""
        return _BASES[self][1 if language.startswith("zh") else 0]

    @property
    def needs_reference(self) -> bool:
        """Whether a letter comes with it, whose number belongs to the hold (order 168, article 24: 单位介绍信函)."""
        return self in (HoldBasis.ORDER_168_23, HoldBasis.ORDER_799_20)


_BASES: dict[HoldBasis, tuple[str, str]] = {
    HoldBasis.ORDER_168_29: (
        "evidence of an offence, to be preserved (Wuxi order 168, article 29)",
        "涉及违法犯罪证据的信息保全（无锡市政府令第168号第二十九条）",
    ),
    HoldBasis.ORDER_168_23: (
        "asked for by an authority (Wuxi order 168, article 23)",
        "有关机关依法查阅、调取、复制（无锡市政府令第168号第二十三条）",
    ),
    HoldBasis.ORDER_799_20: (
        "asked for by a state body (State Council order 799, article 20)",
        "国家机关依法查阅、调取（国务院令第799号第二十条）",
    ),
    HoldBasis.ORDER_799_21: (
        "asked for by a person concerned (State Council order 799, article 21)",
        "本人、近亲属或监护人查阅（国务院令第799号第二十一条）",
    ),
    HoldBasis.INTERNAL: ("an order of the site itself", "单位内部决定"),
}


@dataclass(frozen=True)
class HoldPlan:
    """A hold that is to be placed. Who, why and which papers stand in its side record, never in its leaf."""

    cameras: tuple[str, ...]
    t0_us: int
    t1_us: int
    """As asked for; what is protected begins and ends so much earlier and later:"""
    case: str
    reason: str
    padding_before_s: int = 0
    padding_after_s: int = 0
    basis: HoldBasis = HoldBasis.INTERNAL
    reference: str = ""
    """Number of the letter, or of whatever else it rests on."""
    placed_by: str = ""
    review_us: int | None = None
    """When somebody is to look whether it is still needed; None: nobody is reminded. It never ends by that."""


@dataclass(frozen=True)
class HoldReview:
    """A review date that was changed."""

    leaf_index: int
    changed_us: int
    review_us: int | None
    reason: str
    changed_by: str


@dataclass(frozen=True)
class HoldCheck:
    """A pass over the media of a hold, each file read and compared with its entry."""

    leaf_index: int
    checked_us: int
    segments: int
    bytes: int
    damaged: int
    """Not what was recorded, not to be read, or not there."""


@dataclass(frozen=True)
class Hold:
    """An order that named footage must not go, whatever its age, until it is released."""

    id: int
    cameras: tuple[str, ...]
    t0_us: int
    t1_us: int
    """What is protected: the interval that was asked for, with its padding."""
    case: str
    reason: str
    placed_us: int
    released_us: int | None
    release_reason: str | None
    asked_t0_us: int
    asked_t1_us: int
    padding_before_s: int = 0
    padding_after_s: int = 0
    basis: HoldBasis | None = None
    """None: of a hold from before there were bases."""
    reference: str = ""
    placed_by: str = ""
    review_us: int | None = None
    """As it was changed last."""
    released_by: tuple[str, ...] = ()
    """The two holders, by name; empty where it is not released, or the record was erased."""
    leaf_index: int = 0


class ViewKind(StrEnum):
    """How somebody was handed footage."""

    MEDIA = "media"
    """Bytes of a segment, all or some of them, with or without its sound."""
    PLAYLIST = "playlist"
    """What leads to them."""
    STILL = "still"
    """A picture of a camera, decoded."""


@dataclass(frozen=True)
class Asker:
    """Who is handed footage, and why: what stands in the side record of a view, and nowhere else."""

    who: str
    """`token`, or `this machine` where none is asked for: there are no accounts yet."""
    address: str
    """The network address at the other end of the connection."""
    forwarded: str = ""
    """For whom that says it asks (`X-Forwarded-For`); nobody vouches for it."""
    agent: str = ""
    """What program it says it is."""
    purpose: str = ""
    """As it was given; empty: it was not."""


@dataclass(frozen=True)
class View:
    """Footage that was handed out. `asker`: None once the record was erased."""

    id: int
    stream_id: str
    kind: ViewKind
    t0_us: int
    t1_us: int
    opened_us: int
    leaf_index: int
    asker: Asker | None
    erased_us: int | None


class Damage(StrEnum):
    """What can be wrong with a stored file (invariant 10)."""

    MISSING = "missing"
    """It is not there, and its volume is."""
    WRONG_SIZE = "wrong_size"
    """It has more or fewer bytes than were recorded."""
    UNREADABLE = "unreadable"
    """The disk does not give its bytes."""
    HASH_DIFFERS = "hash_differs"
    """Its bytes are others than were recorded."""


@dataclass(frozen=True)
class Checkable:
    """A stored file, and what its entry says that it hashes to."""

    stream_id: str
    n: int
    volume: str
    path: str
    """Relative to the volume."""
    bytes: int
    sha256: str
    sm3: str | None
    checked_elapsed_us: int | None
    """Box time at which it was last looked at; None: never since it was recorded."""

    @property
    def id(self) -> str:
        """Of its segment."""
        return segment_id_of(self.stream_id, self.n)


@dataclass(frozen=True)
class Checked:
    """A stored file that was looked at."""

    what: Checkable
    damage: Damage | None
    """None: it is right."""


@dataclass(frozen=True)
class Damaged:
    """A segment that was not right when it was last looked at, and is still kept."""

    segment_id: str
    damage: Damage
    leaf_index: int
    """Of the entry that says so."""
    t0_us: int
    t1_us: int


@dataclass(frozen=True)
class ScrubProgress:
    """How far the scrub of a volume is. A pass comes to its end when nothing is left that was not looked at in it."""

    volume: str
    begun_us: int
    """When its present pass began, by the wall clock."""
    begun_elapsed_us: int
    """And in box time."""
    bytes: int
    """Read in this pass."""
    passes: int
    """That came to their end."""
    total_bytes: int
    """Read since there was a scrub."""


@dataclass(frozen=True)
class Receipt:
    """That media was discarded, as the log tells it."""

    stream_id: str
    leaf_index: int
    """Of the entry that announced it, before anything went."""
    done_leaf: int | None
    """Of the one that reported it; None: it is still to be unlinked."""
    n0: int
    n1: int
    """The last item, included."""
    t0_us: int
    """Where the first item starts."""
    t1_us: int
    """Where the newest ends."""
    at_us: int
    """When it was announced."""
    done_us: int | None
    rule: str
    """By which it went, in words."""
    floor_days: int
    """For how many days all of it had to be kept."""
    bytes: int
    age_wall_us: int
    """Of the newest, by the wall clock."""
    age_elapsed_us: int
    """And in box time: how long the box has been running since it was written down."""
    holds: str
    """Hash over the holds that were in force."""
    rules: str | None
    """Likewise over the camera's rules; None: it was discarded before there were any."""
    zone: str | None
    """By whose midnights days were counted; None: the entry is an old one."""
    utc_offset_s: int | None


class ErasureRule(StrEnum):
    """Under which rule a side record is erased (PIPL article 47, paragraph 1, items 1 to 5)."""

    PURPOSE_OVER = "pipl-47-1"
    """Its purpose is achieved, cannot be achieved, or no longer needs it."""
    TIME_OVER = "pipl-47-2"
    """The time for which it was to be kept is over."""
    CONSENT_WITHDRAWN = "pipl-47-3"
    """The person has withdrawn consent."""
    UNLAWFUL = "pipl-47-4"
    """It was written down against the law, or an agreement."""
    OTHER_LAW = "pipl-47-5"
    """Another law or regulation says so."""


@dataclass(frozen=True)
class Erasure:
    """A side record that was erased."""

    leaf_index: int
    """Of the entry whose record it was."""
    kind: str
    """That entry's type."""
    erased_us: int
    audit_leaf: int
    """Of the entry that says so."""
    is_gone: bool
    """Whether no older page has it any more; else it stands in the write-ahead log until a reader has ended."""


class ExportState(StrEnum):
    """How far an evidence package is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


@dataclass(frozen=True)
class Export:
    """An evidence package that was asked for."""

    id: int
    stream_id: str
    t0_us: int
    t1_us: int
    case: str
    reason: str
    asked_us: int
    state: ExportState
    done_bytes: int
    total_bytes: int
    """0 while nobody knows."""
    problem_code: str | None
    """Of one that failed."""
    problem_text: str | None
    ended_us: int | None


class AnchorKind(StrEnum):
    """What somebody outside the box says of a checkpoint."""

    RFC3161 = "rfc3161"
    """That it existed at a time (a time-stamping authority)."""
    WITNESS = "witness"
    """That, at a time, it contradicted none that was seen before (a witness)."""


@dataclass(frozen=True)
class Outsider:
    """Who is asked."""

    kind: AnchorKind
    key: str | None = None
    """A witness's verifier key; None for authorities, of whom any may answer."""


AUTHORITIES = Outsider(AnchorKind.RFC3161)


@dataclass(frozen=True)
class Anchor:
    """A checkpoint that is to be stamped, or cosigned."""

    id: int
    size: int
    note: str
    by: Outsider = AUTHORITIES


@dataclass(frozen=True)
class KeptAnchor:
    """A checkpoint of which somebody outside said that it existed."""

    size: int
    body: bytes
    """The checkpoint's signed text: what was stamped."""
    token: bytes
    """The authority's answer, as it came (RFC 3161, DER); or the note with the witness's line."""
    leaf_index: int
    """Of the entry that binds the answer: what stands behind it was written later than the outsider's time."""
    by: Outsider = AUTHORITIES


@dataclass(frozen=True)
class AnchorState:
    """How it stands with the stamps or cosignatures of one outsider."""

    stamped_us: int | None
    """The newest, by the authority's or witness's time; None: there is none."""
    wanted_us: int | None
    """Since when the oldest one waits; None: none does."""
    waiting: int
    asked_us: int | None = None
    """When the last one was first wanted, had or not, by the box's clock; None: none was."""
    size: int = 0
    """Of the largest checkpoint that was stamped or cosigned."""


@dataclass(frozen=True)
class CheckpointRecord:
    """A signed size and root of the log, as the catalogue remembers it."""

    size: int
    root: str
    at_us: int


class Condition(StrEnum):
    """How it stands with a volume; the rule is `pressure.condition`."""

    OK = "ok"
    LOW = "low"
    """There is still time to act."""
    CRITICAL = "critical"
    """It will be full within hours; what may go goes now."""
    FULL = "full"
    """Only its reserve is left."""
    READ_ONLY = "read_only"
    IO_ERROR = "io_error"
    """It answered with an input/output error, or did within the last minute."""
    MISSING = "missing"
    """Nothing is mounted there."""
    FOREIGN = "foreign"
    """Another disk is."""


@dataclass(frozen=True)
class VolumeState:
    """One volume, as the kernel tells it."""

    name: str
    path: str
    free_bytes: int
    total_bytes: int
    state: str
    """A `Condition`."""
    is_written: bool = True
    """Whether new footage may go there: not to one that the settings do not name any more."""
    reserve_bytes: int = 0
    """What recording leaves free."""
    device: int | None = None
    """Of the file system, as the kernel numbers it: volumes of one share its space; None: it is not there."""
    why_code: str | None = None
    """What kept it from being made, or failed on it within the last minute; None: nothing."""
    why: str = ""
    """The same as a sentence."""


@dataclass(frozen=True)
class Breach:
    """Footage of one stream that was discarded below its floor, because a disk was full and its owner had said so."""

    leaf_index: int
    """Of the entry that admits it."""
    stream_id: str
    n0: int
    n1: int
    at_us: int
    floor_days: int
    """For how long it had to be kept."""
    short_us: int
    """By how much too early it went, of the newest of it."""
    bytes: int
    volume: str


@dataclass(frozen=True)
class Stuck:
    """A segment that is announced as discarded, and whose file is still there."""

    segment_id: str
    bytes: int
    error: StoreError
    """Why: of the file itself, of those before it, or of the signature that its entry has not got yet."""
    is_tried: bool = True
    """False: its disk is away, or too many on it failed before, and it was left for later."""
    volume: str = MAIN_VOLUME
    """On which it lies."""


@dataclass(frozen=True)
class Recorded:
    """What was recorded in a stretch of time."""

    bytes: int = 0
    length_us: int = 0


@dataclass(frozen=True)
class Sample:
    """Stretches of time of one length, at one distance."""

    every_us: int
    for_us: int


@dataclass(frozen=True)
class Reach:
    """How far back a stream's footage reaches without a hole, but for gaps that say why."""

    since_us: int
    leaf_index: int
    """Of the entry of the segment that starts there: by it the rules tell how long it stays."""


@dataclass(frozen=True)
class RecoveryReport:
    """What was found and finished at start."""

    recovered: tuple[str, ...] = ()
    """Ids of segments read back from what an earlier run left."""
    damaged: tuple[str, ...] = ()
    """Files that could not be read, kept under `spool/damaged`."""
    discards_finished: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    """Begun files that held no frame yet, and no evidence."""


@dataclass(frozen=True)
class Stock:
    """How much of an interval is here, and how much went."""

    segments: int = 0
    bytes: int = 0
    gone: int = 0
    """Segments whose media was discarded, or is going."""
    first_us: int | None = None
    """Where the first that is here ends."""


@dataclass(frozen=True)
class ReceiptSpan:
    """What of an interval one entry announced to go."""

    leaf_index: int
    stream_id: str
    first_n: int
    last_n: int
    segments: int
    t0_us: int
    t1_us: int


@dataclass(frozen=True)
class GapSum:
    """How much of a stream was not recorded."""

    lengths_us: Mapping[Cause, int] = field(default_factory=dict)
    """By cause."""
    next_n: int = 0
    """The items before this one are in it."""

    @property
    def seconds(self) -> dict[Cause, float]:
        """By cause."""
        return {cause: us / 1e6 for cause, us in self.lengths_us.items()}


@dataclass(frozen=True)
class Page:
    """A page of segments in item order, and where the next one goes on."""

    segments: tuple[Segment, ...]
    next_n: int | None = None
    """Ask for items after this number; None: that was the last page."""
