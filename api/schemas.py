"""Bodies in and out. Times are RFC 3339 in UTC; intervals are half-open; sizes are bytes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from config.keeping import DAYS_LIMIT, PURPOSE_LIMIT, Protection
from config.settings import URL_LIMIT, URL_SCHEMES
from config.terms import AudioName, TransportName
from config.times import format_us
from recorder.store.codes import CODE_LIMIT
from recorder.store.records import Damaged, ErasureRule, HoldBasis
from retention.evidence.holds import CAMERA_LIMIT, NAME_LIMIT, PADDING_LIMIT_S, PADDING_S, TEXT_LIMIT

LOCAL_SCHEMES = frozenset({"file", "v4l2"})
"""Only the configuration file names what lies on the machine itself: nobody reads its files by way of the network."""


def _camera_url(url: str) -> str:
    """Of the network, and with a host; what is wrong with it is said without showing it: a password may be in it."""
    wrong = PydanticCustomError("camera_url", "an address such as rtsp://192.0.2.10/stream1")
    try:
        parts = urlsplit(url)
        known = parts.scheme in URL_SCHEMES and parts.scheme not in LOCAL_SCHEMES
        if not known or not parts.hostname or parts.port == 0:
            raise wrong
    except ValueError as err:
        raise wrong from err
    return url


CameraUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=URL_LIMIT,
        description="Of its stream, without user name and password.",
        examples=["rtsp://192.0.2.10/stream1"],
    ),
    AfterValidator(_camera_url),
]

Instant = Annotated[
    str,
    Field(
        title="Instant",
        description="RFC 3339, UTC.",
        examples=["2026-11-24T08:00:00.000000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
CameraId = Annotated[
    str, Field(title="Camera id", description="Small letters, digits, '-' and '_'.", examples=["gate"])
]


TEXT_LIMIT_BODY = 4096
"""Characters of a text that has no tighter limit of its own."""


class Body(BaseModel):
    """Closed: a key that nobody reads is refused rather than ignored. No text is longer than any field needs, nor has
    half a character (a lone surrogate), which neither catalogue nor log could write down.
    """

    model_config = ConfigDict(extra="forbid", str_max_length=TEXT_LIMIT_BODY)


TransportOut = Annotated[
    TransportName,
    Field(
        description="How media comes. libav: let it read the URL, as it does for all that is not RTSP.",
        examples=["tcp"],
    ),
]


AudioOut = Annotated[
    AudioName,
    Field(description="Whether sound is recorded too; off unless somebody asked for it.", examples=["off"]),
]


ProtectionIn = Annotated[
    Protection,
    Field(
        description="What the law sees in the place that it watches: `counter_terrorism` wants ninety days "
        "(Counter-Terrorism Law, article 32).",
        examples=["counter_terrorism"],
    ),
]
FloorDays = Annotated[
    int,
    Field(
        ge=Protection.ORDINARY.least_days,
        le=DAYS_LIMIT,
        description="For how many days its footage must be kept; null: as the box keeps all, and as its protection "
        "wants. What is recorded already never has to be kept for less than it had to.",
        examples=[90],
    ),
]
TargetDays = Annotated[
    int,
    Field(
        ge=Protection.ORDINARY.least_days,
        le=DAYS_LIMIT,
        description="After how many it goes; null: as far above the floor as with all.",
        examples=[91],
    ),
]
Purpose = Annotated[
    str,
    Field(
        min_length=1,
        max_length=PURPOSE_LIMIT,
        description="What it is kept for, for longer than floor and margin (State Council order 799, article 17).",
        examples=["Building site, contract 7"],
    ),
]

AllowBasic = Annotated[
    bool,
    Field(
        description="Whether the password may go over the network readable (basic authentication without TLS), where "
        "the camera offers nothing better."
    ),
]


Bitrate = Annotated[
    int,
    Field(
        ge=10_000,
        le=1_000_000_000,
        description="What it is set to send, in bits a second, for the forecast in the answer. Not kept: what it sends "
        "is measured.",
        examples=[4_000_000],
    ),
]


VolumeName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
        description="The volume that its footage goes to as long as that takes it; null: where most is free.",
        examples=["disk2"],
    ),
]


class CameraNew(Body):
    """A camera to be registered."""

    id: CameraId
    name: Annotated[str, Field(min_length=1, max_length=200, description="For people.", examples=["Gate"])]
    url: CameraUrl
    username: Annotated[str | None, Field(max_length=200, examples=["viewer"])] = None
    password: Annotated[SecretStr | None, Field(description="Never shown again.", examples=["…"])] = None
    transport: TransportOut = "tcp"
    audio: AudioOut = "off"
    allow_basic: AllowBasic = False
    protection: ProtectionIn = Protection.ORDINARY
    floor_days: FloorDays | None = None
    target_days: TargetDays | None = None
    purpose: Purpose | None = None
    bitrate_bps: Bitrate | None = None
    volume: VolumeName | None = None


class CameraChange(Body):
    """What is to be changed; what is left out stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=200, examples=["North gate"])] = None
    url: CameraUrl | None = None
    username: Annotated[str | None, Field(max_length=200, examples=["viewer"])] = None
    password: Annotated[SecretStr | None, Field(examples=["…"])] = None
    transport: TransportOut | None = None
    audio: AudioOut | None = None
    allow_basic: AllowBasic | None = None
    protection: ProtectionIn | None = None
    floor_days: FloorDays | None = None
    target_days: TargetDays | None = None
    purpose: Purpose | None = None
    bitrate_bps: Bitrate | None = None
    volume: VolumeName | None = None
    enabled: Annotated[bool | None, Field(description="False: not recorded, and the record says so.")] = None


LocalDate = Annotated[str, Field(title="Date", description="Of the box's local time.", examples=["2026-12-24"])]


class AdmissionOut(BaseModel):
    """What becomes of the box by this camera, as it is now."""

    basis: Annotated[
        Literal["measured", "declared", "assumed"],
        Field(description="measured: by its footage; declared: by `bitrate_bps`; assumed: nobody knows yet."),
    ]
    bitrate_bps: Annotated[int, Field(description="What is counted with.")]
    bytes_a_day: int
    stored_bytes: Annotated[int, Field(description="What lies there of it, once its target is reached.")]
    full_on: Annotated[LocalDate | None, Field(description="When a volume is full with it; null: not to be seen.")]
    floor_fails_on: Annotated[
        LocalDate | None,
        Field(description="When there is no room for what must be kept, with it; null: not to be seen."),
    ]
    floor_fails_without_on: Annotated[LocalDate | None, Field(description="The same without it.")]
    warning: Annotated[str | None, Field(description="In words, with what to do; null: there is room for it.")]


class CameraOut(BaseModel):
    """A camera of the registry."""

    id: CameraId
    name: str
    url: str
    username: str | None
    transport: TransportOut
    audio: AudioOut
    allow_basic: AllowBasic
    enabled: bool
    managed_by: Annotated[Literal["file", "api"], Field(description="file: change it in the configuration file.")]
    registered: Instant
    retired: Instant | None
    protection: ProtectionIn
    floor_days: Annotated[int, Field(description="For how many days its footage must be kept from now on.")]
    target_days: Annotated[int, Field(description="After which it goes.")]
    purpose: Annotated[str | None, Field(description="What it is kept for, for longer than the law wants.")]
    volume: VolumeName | None
    admission: Annotated[
        AdmissionOut | None, Field(description="Where it was just added or changed, and is recorded: does it fit?")
    ] = None


class CameraList(BaseModel):
    """Every camera ever registered, retired ones too."""

    cameras: list[CameraOut]


class SegmentAudioOut(BaseModel):
    """The sound in a stored file."""

    codec: Annotated[Literal["aac", "opus", "flac"], Field(description="flac: telephone sound, its samples as sent.")]
    rate_hz: Annotated[int, Field(description="Samples a second.")]
    channels: int
    frames: int
    lost_packets: Annotated[int | None, Field(description="Missing, or dropped; null: nobody can tell.")]


class SegmentOut(BaseModel):
    """One stored file."""

    id: Annotated[str, Field(examples=["gate.main.17"])]
    camera: CameraId
    run: Annotated[int, Field(description="Number of the run's first item: segments of a run are one time line.")]
    n: Annotated[int, Field(description="Its number among the stream's items, gaps included.")]
    start: Instant
    end: Instant
    bytes: int
    frames: int
    codec: Literal["h264", "h265", "mjpeg"]
    width: int
    height: int
    audio: Annotated[SegmentAudioOut | None, Field(description="null: it has no track of sound.")]
    clock_offset_s: Annotated[
        float | None, Field(description="How far the camera's clock was ahead of the box's; null: it did not tell.")
    ]
    clock_drift_ppm: Annotated[
        float | None,
        Field(description="How fast that grew, in millionths, since its session began; null: not known."),
    ]
    camsig: Annotated[
        list[Literal["axis", "onvif"]] | None,
        Field(description="Whose signatures of the camera are in it, unchecked; empty: none; null: nobody looked."),
    ]
    sha256: Annotated[str, Field(description="Of the file, as the log has it.")]
    state: Annotated[Literal["present", "gone"], Field(description="gone: discarded; its log entries remain.")]
    held: bool


class SegmentPage(BaseModel):
    """A page of segments; `next` goes on, null ends."""

    segments: list[SegmentOut]
    next: Annotated[str | None, Field(description="Give it as `after` for the next page.")]


class ReceiptOut(BaseModel):
    """A deletion receipt: media was discarded, and two entries of the log say so."""

    entry: Annotated[int, Field(description="Index of the entry that announced it, before anything went.")]
    done_entry: Annotated[
        int | None, Field(description="Of the one that reported it; null: the media is still to be unlinked.")
    ]
    first: Annotated[int, Field(description="Number of the first segment.")]
    last: Annotated[int, Field(description="And of the last one, included: all between them went.")]
    start: Instant
    end: Annotated[Instant, Field(description="Where the newest of them ended.")]
    at: Annotated[Instant, Field(description="When it was announced.")]
    done_at: Instant | None
    rule: Annotated[str, Field(description="By which it went.", examples=["target 31 days, floor 30 days"])]
    floor_days: Annotated[int, Field(description="For how many days all of it had to be kept.")]
    age_wall_s: Annotated[float, Field(description="How old the newest was then, by the wall clock.")]
    age_elapsed_s: Annotated[
        float, Field(description="And by box time: for how long the box ran since it was written down.")
    ]
    bytes: int
    holds: Annotated[str, Field(description="SHA-256 over the holds that were in force.")]
    rules: Annotated[
        str | None, Field(description="Likewise over the camera's rules; null: discarded before there were any.")
    ]
    zone: Annotated[str | None, Field(description="By whose midnights days were counted; null: an older entry.")]
    utc_offset_s: int | None


class ReceiptPage(BaseModel):
    """A page of deletion receipts, the newest first."""

    receipts: list[ReceiptOut]
    next: Annotated[int | None, Field(description="`after` of the next page; null: this was the last one.")]


class StretchOut(BaseModel):
    """A part of the asked interval."""

    kind: Annotated[
        Literal["recorded", "gap", "discarded", "unknown"],
        Field(description="unknown: not written down yet, or before the camera was registered."),
    ]
    start: Instant
    end: Instant
    cause: Annotated[str | None, Field(description="Of a gap.")] = None
    sentence: Annotated[str | None, Field(description="The cause in words.")] = None
    detail: str | None = None


class CoverageOut(BaseModel):
    """The asked interval, tiled exactly."""

    items: list[StretchOut]
    recorded_s: float
    gap_s: float


Padding = Annotated[
    int, Field(ge=0, le=PADDING_LIMIT_S, description="Seconds that are protected besides.", examples=[PADDING_S])
]
Review = Annotated[
    Instant,
    Field(
        description="When somebody is to look whether the hold is still needed: reminded of thirty, seven and one day "
        "before, and then daily. It ends nothing.",
        examples=["2027-03-01T00:00:00Z"],
    ),
]


class HoldNew(Body):
    """Footage that must not go."""

    cameras: Annotated[list[str], Field(min_length=1, max_length=CAMERA_LIMIT, examples=[["gate"]])]
    start: Instant
    end: Annotated[Instant, Field(description="May lie ahead: what will be recorded until then is held too.")]
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["Theft at the gate"])]
    case: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["2026-114"])]
    padding_before_s: Padding = PADDING_S
    padding_after_s: Padding = PADDING_S
    basis: Annotated[HoldBasis, Field(description="What it rests on.", examples=["order_168_29"])] = HoldBasis.INTERNAL
    reference: Annotated[
        str,
        Field(
            max_length=NAME_LIMIT, description="Number of the letter; an authority's request has one.", examples=["12"]
        ),
    ] = ""
    placed_by: Annotated[
        str, Field(max_length=NAME_LIMIT, description="Who places it; never part of the log.", examples=["Li"])
    ] = ""
    review: Review | None = None


class HoldReviewNew(Body):
    """Another review date."""

    review: Annotated[Review | None, Field(description="null: nobody is reminded any more.")]
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["The trial goes on"])]
    by: Annotated[str, Field(max_length=NAME_LIMIT, description="Who changes it.", examples=["Li"])] = ""


class CredentialIn(Body):
    """What one holder of a release code gives."""

    holder: Annotated[str, Field(max_length=NAME_LIMIT, examples=["holder-1"])]
    code: Annotated[SecretStr, Field(max_length=CODE_LIMIT, examples=["…"])]


class HoldRelease(Body):
    """Why a hold ends, and the two persons who end it."""

    reason: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["Case closed"])]
    by: Annotated[
        list[CredentialIn],
        Field(
            min_length=2,
            max_length=2,
            description="Two different holders, each with the release code of his own.",
            examples=[[{"holder": "holder-1", "code": "…"}, {"holder": "holder-2", "code": "…"}]],
        ),
    ]


class CoveredOut(BaseModel):
    """What a hold covers at this moment."""

    segments: int
    bytes: int
    already_gone: Annotated[int, Field(description="Segments discarded before the hold was placed.")]


class GoneOut(BaseModel):
    """What of a hold's interval one entry of the log announced to go."""

    entry: Annotated[int, Field(description="Its index in the log.")]
    camera: CameraId
    first_n: Annotated[int, Field(description="Of items.")]
    last_n: int
    segments: int
    start: Instant
    end: Instant


class OutlookOut(BaseModel):
    """What comes of a hold, by what was known when it was placed."""

    receipts: Annotated[list[GoneOut], Field(description="What had gone already, the first hundred entries.")]
    soon_days: Annotated[int, Field(description="Within so many days,")]
    soon_segments: Annotated[int, Field(description="so many segments would have gone by the rules,")]
    soon_bytes: int
    soon: Annotated[Instant | None, Field(description="the first of them then; null: none.")]
    all_held_bytes: Annotated[int, Field(description="What all holds in force keep, each file once.")]
    floor_fails: Annotated[
        Instant | None,
        Field(
            description="About when the disk is full and nothing on it may go, by the rates of the last day; what "
            "then, says `when_full`. null: not within ten years."
        ),
    ]
    floor_fails_without: Annotated[Instant | None, Field(description="When that would be without this hold.")]
    when_full: Annotated[
        Literal["stop", "overwrite"],
        Field(description="stop: recording stops; overwrite: the oldest under no hold goes, below its floor."),
    ]


class CheckOut(BaseModel):
    """A pass over the media of a hold, each file read and compared with its entry in the log."""

    at: Instant
    entry: Annotated[int, Field(description="In the log.")]
    segments: int
    bytes: int
    damaged: int


class HeldOut(BaseModel):
    """How it stands with the media of a hold."""

    is_linked: Annotated[bool, Field(description="Whether all of it had its second name under `hold/`.")]
    is_checking: Annotated[bool, Field(description="Whether it is being read now.")]
    damaged: Annotated[int, Field(description="Segments that are not as they were recorded, or not there.")]
    checked: Annotated[CheckOut | None, Field(description="The last pass that ended; null: none has yet.")]


class ReviewOut(BaseModel):
    """A review date that was changed."""

    at: Instant
    entry: int
    review: Instant | None
    reason: str
    by: str


class HoldOut(BaseModel):
    """A hold."""

    id: int
    cameras: list[str]
    start: Annotated[Instant, Field(description="As it was asked for.")]
    end: Instant
    protected_start: Annotated[Instant, Field(description="With its padding: this decides, and stands in the log.")]
    protected_end: Instant
    padding_before_s: int
    padding_after_s: int
    basis: Annotated[HoldBasis | None, Field(description="null: placed before there were any.")]
    basis_text: Annotated[str, Field(description="In words.")]
    reference: str
    case: str
    reason: str
    placed: Instant
    placed_by: str
    review: Instant | None
    released: Instant | None
    release_reason: str | None
    released_by: Annotated[list[str], Field(description="The two holders; empty while it is in force.")]
    covered: CoveredOut | None = None
    outlook: Annotated[OutlookOut | None, Field(description="Answered when it is placed.")] = None
    held: HeldOut | None = None
    reviews: Annotated[list[ReviewOut] | None, Field(description="How its review date was changed.")] = None


class BreachOut(BaseModel):
    """Footage that was discarded below its floor, because its disk was full."""

    entry: Annotated[int, Field(description="Index of the entry of the log that admits it.")]
    stream: str
    first: Annotated[int, Field(description="Number of the first item.")]
    last: Annotated[int, Field(description="Of the last one.")]
    at: Instant
    floor_days: Annotated[int, Field(description="For how many days it had to be kept.")]
    too_early_s: Annotated[float, Field(description="By how much too early the newest of it went.")]
    bytes: int
    volume: str


class BreachList(BaseModel):
    """A page of breaches, the newest first, and all together."""

    breaches: list[BreachOut]
    segments: Annotated[int, Field(description="So many segments, ever.")]
    bytes: int
    next: Annotated[int | None, Field(description="`after` of the next page; null: this was the last one.")]


class HoldList(BaseModel):
    """A page of every hold ever placed, or of those in force."""

    holds: list[HoldOut]
    next: Annotated[int | None, Field(description="`after` of the next page; null: this was the last one.")]


class ExportNew(Body):
    """Footage that is to be handed out as evidence."""

    camera: Annotated[str, Field(examples=["gate"])]
    start: Instant
    end: Instant
    case: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["2026-114"])]
    reason: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["Letter of the police of 24 November"])]


class ExportOut(BaseModel):
    """An evidence package that was asked for."""

    id: int
    camera: str
    start: Instant
    end: Instant
    case: str
    reason: str
    asked: Instant
    state: Annotated[str, Field(description="`queued`, `running`, `done`, `failed`, `cancelled` or `removed`.")]
    done_bytes: int
    total_bytes: Annotated[int, Field(description="0 while nobody knows.")]
    folder: Annotated[str | None, Field(description="Where the package lies on the box, once it is done.")]
    problem_code: str | None
    problem_text: str | None
    ended: Instant | None


class ExportList(BaseModel):
    """Every export ever asked for."""

    exports: list[ExportOut]


class ViewOut(BaseModel):
    """Footage that somebody was handed."""

    id: int
    camera: str
    kind: Annotated[str, Field(description="`media`, `playlist` (what leads to it) or `still`.")]
    start: Annotated[Instant, Field(description="Of the footage: whole ten minutes, of which it was some or all.")]
    end: Instant
    at: Annotated[
        Instant, Field(description="When it was written down, before the first byte; it goes on for an hour.")
    ]
    entry: Annotated[int, Field(description="Index of its entry in the log.")]
    who: Annotated[str | None, Field(description="`token` or `this machine`; null, as all that follows: erased.")]
    address: Annotated[str | None, Field(description="At the other end of the connection.")]
    forwarded: Annotated[str | None, Field(description="For whom that says it asks; nobody vouches for it.")]
    agent: Annotated[str | None, Field(description="The program that it says it is.")]
    purpose: Annotated[str | None, Field(description="As it was given; empty: it was not.")]
    erased: Annotated[Instant | None, Field(description="When its side record was erased; null: it is there.")]


class ViewPage(BaseModel):
    """A page of views."""

    views: list[ViewOut]
    next: Annotated[int | None, Field(description="`after` of the next page; null: this was the last one.")]


class RecordErase(Body):
    """Why a side record is erased (PIPL, article 47)."""

    rule: Annotated[
        ErasureRule,
        Field(
            description="`pipl-47-1` purpose over, `-2` time over, `-3` consent withdrawn, `-4` unlawful, `-5` other.",
            examples=["pipl-47-2"],
        ),
    ]
    reason: Annotated[
        str, Field(min_length=1, max_length=TEXT_LIMIT, examples=["Kept for three years; decided by the owner"])
    ]


class ErasedOut(BaseModel):
    """A side record that was erased."""

    entry: Annotated[int, Field(description="Index of the entry whose record it was; the entry stays.")]
    kind: str
    erased: Instant
    audit_entry: Annotated[int, Field(description="Index of the entry that says so.")]
    gone: Annotated[
        bool, Field(description="False: a reader of the catalogue still needs older pages; they go at a later beat.")
    ]


class ProblemOut(BaseModel):
    """What is wrong, and what to do."""

    code: Annotated[str, Field(examples=["source_unreachable"])]
    text: str
    camera: str | None = None


class BoxStatus(BaseModel):
    """The box itself."""

    id: str
    name: str
    program: str
    started: Instant
    now: Instant
    time_zone: str
    fingerprint: Annotated[str, Field(description="SHA-256 of the public key that signs the log now.")]
    first_fingerprint: Annotated[
        str, Field(description="Of the log's first key: what the papers carry; it stays good whatever key follows.")
    ] = ""


class CameraStatus(BaseModel):
    """A camera, as of now."""

    id: CameraId
    name: str
    state: Literal["recording", "connecting", "backing_off", "disabled", "retired", "stopped"]
    since: Instant | None
    last_media_at: Instant | None
    bitrate_bps: int | None
    days_held: Annotated[
        float | None,
        Field(
            description="How far back its footage reaches without a hole: a gap says why, and is none; what was "
            "discarded is one, so that footage which only a hold keeps does not count. No further than its target."
        ),
    ]
    held_bytes: Annotated[int, Field(description="Of its footage that is under a hold.")] = 0
    days_fit: Annotated[
        float | None, Field(description="For how many days there is room at the present rates; null: not known yet.")
    ] = None
    floor_fails_on: Annotated[
        LocalDate | None, Field(description="When there is no room for the days required of it; null: not to be seen.")
    ] = None
    bytes_a_day_before: Annotated[
        float | None, Field(description="Where its rate has risen: what it was in the week before.")
    ] = None
    bytes_a_day: Annotated[float | None, Field(description="What it needs of the disk a day; null: not known yet.")]
    days_required: Annotated[int, Field(description="Below this nothing of it is discarded.")]
    days_meant: Annotated[int, Field(description="Past this its footage goes.")]
    left_out: Annotated[list[str], Field(description="Tracks that are not recorded.")] = []
    audio: Annotated[
        Literal["none", "awaited", "recorded", "silent"],
        Field(description="Its sound. none: not asked for, or the camera has none; silent: it sends none."),
    ] = "none"
    lost_packets: Annotated[
        int | None, Field(description="Lost on the way since the box was started; null: nobody can tell.")
    ] = None
    clock_offset_s: Annotated[
        float | None, Field(description="How far the camera's clock is ahead of the box's; null: it did not tell.")
    ] = None
    clock_drift_ppm: Annotated[
        float | None, Field(description="How fast that grows, in millionths; null: not watched for long enough.")
    ] = None
    key_interval_s: Annotated[
        float | None, Field(description="Seconds between the camera's last two key pictures; null: not known yet.")
    ] = None
    signed_by: Annotated[
        list[Literal["axis", "onvif"]],
        Field(description="Whose form the signatures have that it writes into its pictures, or last wrote."),
    ] = []
    signed_until: Annotated[
        Instant | None, Field(description="Where its newest segment with signatures ends; null: it has never signed.")
    ] = None
    unsigned_since: Annotated[
        Instant | None, Field(description="Since when it does not sign any more; null: it does, or never did.")
    ] = None


class VolumeStatus(BaseModel):
    """A volume."""

    name: str
    state: Annotated[
        str, Field(description="ok, low, critical, full, read_only, io_error, missing, or foreign: another disk.")
    ]
    free_bytes: int
    total_bytes: int
    reserve_bytes: Annotated[int, Field(description="What recording leaves free.")]
    is_written: Annotated[bool, Field(description="False: the settings do not name it any more; it is only read.")]
    full_on: Annotated[
        LocalDate | None, Field(description="When it is full though all goes that is past its target; null: not seen.")
    ] = None
    floor_fails_on: Annotated[
        LocalDate | None, Field(description="When it has no room for what must be kept; null: not to be seen.")
    ] = None
    left_behind: Annotated[
        int,
        Field(
            description="Segments that may lie unfinished there since it failed or went away, one a camera at most: "
            "looked for when it takes writes again, and put away with a finding."
        ),
    ] = 0


class SweepReasonOut(BaseModel):
    """Segments that did not go, for one reason."""

    code: Annotated[
        str,
        Field(
            description="`held`, `clocks_disagree`; `under_hold`, `under_export`, `rules_changed`, `below_floor`; "
            "`storage_failed` and its like."
        ),
    ]
    count: int
    bytes: int
    failed: Annotated[bool, Field(description="Whether the disk failed: it is tried again, and somebody should look.")]


class SweepOut(BaseModel):
    """What the last sweep came to: what should have gone is what went and what `because` counts."""

    at: Instant
    should: int
    should_bytes: int
    discarded: int
    bytes: Annotated[int, Field(description="Of those that were discarded.")]
    because: Annotated[list[SweepReasonOut], Field(description="Why the rest was not.")]
    kept: Annotated[list[SweepReasonOut], Field(description="What is past its target and rightly stays.")]
    complete: Annotated[bool, Field(description="False: it ended at a limit, and the next one goes on.")]
    overwritten: Annotated[
        int, Field(description="What a full disk took below the floor, as its owner wished; not among `discarded`.")
    ]
    overwritten_bytes: int


class VolumeForecastOut(BaseModel):
    """What becomes of a volume."""

    name: str
    bytes_a_day: float
    days_to_full: float | None
    full_on: LocalDate | None
    days_to_floor: float | None
    floor_fails_on: LocalDate | None
    first_camera: Annotated[CameraId | None, Field(description="Whose footage is the first to fall short.")]


class CameraForecastOut(BaseModel):
    """What becomes of a camera's footage."""

    id: CameraId
    bytes_a_day: float
    assumed: Annotated[bool, Field(description="Whether nothing of it was measured yet.")]
    bytes_a_day_before: Annotated[float | None, Field(description="Where its rate has risen: what it was.")]
    held_bytes: int
    days_required: int
    days_fit: Annotated[float | None, Field(description="For how many there is room; null: it is not recorded.")]
    full_on: LocalDate | None
    floor_fails_on: LocalDate | None


class ForecastOut(BaseModel):
    """What is coming at the present rates. Null dates: not within `horizon_days`."""

    at: Annotated[Instant | None, Field(description="When it was made, at most a minute ago; null: not yet.")]
    horizon_days: int
    assumed_bitrate_bps: Annotated[int, Field(description="Of cameras that nothing is known of yet.")]
    volumes: list[VolumeForecastOut]
    cameras: list[CameraForecastOut]
    problems: Annotated[list[ProblemOut], Field(description="What people are told of it, with what to do.")]


class WitnessStatus(BaseModel):
    """A witness of the log."""

    name: str
    cosigned_at: Annotated[Instant | None, Field(description="Its newest cosignature, by its clock; null: none yet.")]
    cosigned_size: Annotated[int, Field(description="Leaves of the checkpoint that it cosigned last.")]


class LogStatus(BaseModel):
    """The log."""

    origin: str
    size: int
    root: str | None
    checkpoint_at: Instant | None
    anchored_at: Annotated[
        Instant | None, Field(description="The newest stamp of an authority, by its time; null: there is none.")
    ] = None
    anchors_waiting: Annotated[int, Field(description="Checkpoints that wait for their stamp.")] = 0
    sm2_fingerprint: Annotated[
        str | None, Field(description="SHA-256 of the SM2 key that the log binds; null: it binds none.")
    ] = None
    witnesses: list[WitnessStatus] = []
    key_kind: Annotated[
        Literal["file", "token"], Field(description="Where the key lies: in a file (software), or in a token.")
    ] = "file"


class KeyRotated(BaseModel):
    """A new key that signs the log."""

    number: Annotated[int, Field(description="1 for the one after the first.")]
    leaf_index: Annotated[int, Field(description="Trees that hold this leaf are signed with it.")]
    kind: Literal["file", "token"]
    fingerprint: str
    old_fingerprint: str
    first_fingerprint: Annotated[str, Field(description="What the papers carry stays good.")]


class RetentionStatus(BaseModel):
    """How long footage is kept."""

    floor_days: int
    target_days: int
    when_full: Literal["stop", "overwrite"]
    bytes_a_day: float | None
    days_to_full: float | None
    sweep: Annotated[SweepOut | None, Field(description="The last one; null: there was none since the start.")] = None


class VolumeScrubStatus(BaseModel):
    """How far the scrub of a volume is."""

    volume: str
    begun: Annotated[Instant, Field(description="When its present pass began.")]
    bytes: Annotated[int, Field(description="Read in this pass.")]
    passes: Annotated[int, Field(description="That came to their end.")]
    total_bytes: Annotated[int, Field(description="Read since there was a scrub.")]
    oldest_age_s: Annotated[
        float | None,
        Field(
            description="Since what was not looked at for longest was, while the box ran; null: nothing is stored, or "
            "some of it never was."
        ),
    ]
    stored_bytes: Annotated[int | None, Field(description="All that is stored there; null: not asked for.")] = None


class DamagedOut(BaseModel):
    """A stored segment that is not what was recorded. It is kept as it is."""

    segment: Annotated[str, Field(description="Its id.")]
    start: Instant
    end: Instant
    damage: Literal["missing", "wrong_size", "unreadable", "hash_differs"]
    entry: Annotated[int, Field(description="Index of the entry of the log that says so.")]

    @classmethod
    def of(cls, one: Damaged) -> DamagedOut:
        """As it is answered."""
        start, end = format_us(one.t0_us), format_us(one.t1_us)
        return cls(segment=one.segment_id, start=start, end=end, damage=one.damage.value, entry=one.leaf_index)


class ScrubStatus(BaseModel):
    """Reading stored footage again, to see whether it is still what was recorded."""

    volumes: list[VolumeScrubStatus] = []
    damaged_count: int = 0
    damaged: Annotated[list[DamagedOut], Field(description="The first of them, by stream and number.")] = []


class ScrubNew(Body):
    """What is to be checked at once."""

    camera: CameraId
    start: Instant
    end: Instant
    after: Annotated[
        int | None, Field(ge=0, le=2**53, description="`next` of the answer before: where to go on.", examples=[17])
    ] = None


class CheckedOut(BaseModel):
    """A segment that was checked, and is not right."""

    segment: str
    damage: Literal["missing", "wrong_size", "unreadable", "hash_differs"]


class ScrubChecked(BaseModel):
    """What came of it, as far as it went within a few seconds."""

    checked: Annotated[int, Field(description="Segments.")]
    bytes: int
    left_bytes: Annotated[int, Field(description="Of the interval, still to be checked.")]
    damaged: list[CheckedOut]
    next: Annotated[int | None, Field(description="Ask again with this as `after`; null: that was all.")]


class HoldsStatus(BaseModel):
    """The holds in force."""

    in_force: int = 0
    bytes: Annotated[int | None, Field(description="What they keep, each file once; null: not counted yet.")] = None
    damaged_segments: Annotated[
        int, Field(description="Held segments that are not as they were recorded, each once.")
    ] = 0
    next_review: Annotated[Instant | None, Field(description="The earliest review date; null: there is none.")] = None


class Status(BaseModel):
    """The whole box at a glance."""

    box: BoxStatus
    state: Literal["ok", "degraded", "failing"]
    problems: list[ProblemOut]
    cameras: list[CameraStatus]
    storage: list[VolumeStatus]
    log: LogStatus
    retention: RetentionStatus
    scrub: ScrubStatus = ScrubStatus()
    holds: HoldsStatus = HoldsStatus()


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether store and log work."""

    ready: bool
    reasons: list[str] = []


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(description="Stable; for programs.")]
    errors: list[dict[str, Any]] | None = None
