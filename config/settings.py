"""What a box can be told: frozen settings, a class a section, with the reason and the bounds beside each field.

`WORDS` says for each field what is expected, in both languages; `config.load` builds its complaints from it, and the
documentation is checked against these classes. No password is ever a setting: only the file that holds it.
"""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.keeping import PURPOSE_LIMIT, Defaults, Protection, Wish
from config.logs import carries_credentials
from config.terms import AudioName, TransportName
from config.token_url import TokenUrlInvalid, TokenUrlSecret
from config.token_url import parse as parse_token_url
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from config.volumes import MAIN_VOLUME, VOLUMES_LIMIT, VolumeWish

LEGAL_FLOOR_DAYS = Protection.ORDINARY.least_days
"""Wuxi order 168, article 28; State Council order 799, article 17: footage is kept for at least 30 days."""

URL_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "file", "v4l2")
"""What a camera's URL may begin with. No scheme that runs a program: a setting must not be a command."""

URL_LIMIT = 2000
"""Characters of an address; it stands in leaves of the log, which hold 64 KB. What is longer is no address."""

AUTHORITIES_LIMIT = 8
"""Asked one after the other until one answers: when none does, eight cost two minutes, and a package waits so long."""

WITNESSES_LIMIT = 8
"""Asked one after the other within one duty: eight silent ones take two of the ten minutes between two turns. Each
cosignature costs a leaf and a file, and a verifier wants two or three."""


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise PydanticCustomError("time_zone", "there is no such time zone") from err
    return name


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in URL_SCHEMES:
        raise PydanticCustomError("url_scheme", "that is not a URL of a camera")
    if carries_credentials(url):
        # Only that it is so is said: the URL is not shown, because the password stands in it.
        raise PydanticCustomError("url_secret", "the URL contains a user name or password")
    return url


def _authority(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PydanticCustomError("authority_scheme", "that is not a URL of an authority")
    if carries_credentials(url):
        raise PydanticCustomError("url_secret", "the URL contains a user name or password")
    return url


def _witness_key(text: str) -> str:
    try:
        return parse_verifier_key(text, COSIGNATURE).text
    except ValueError as err:
        raise PydanticCustomError("witness_key", "that is not the verifier key of a witness") from err


def _key_url(url: str) -> str:
    try:
        parse_token_url(url)
    except TokenUrlSecret as err:  # not shown: the PIN stands in it
        raise PydanticCustomError("key_secret", "the URL contains a PIN") from err
    except TokenUrlInvalid as err:
        raise PydanticCustomError("key_url", "that names no key in a token") from err
    return url


class Section(BaseModel):
    """Frozen, and closed: a misspelt key is a fault, not a setting without effect."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class BoxSettings(Section):
    """The box itself."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "custos"
    """How people call it: in the console and in reports."""
    data_dir: Path = Path("data")
    """Where everything is kept. Relative to the configuration file, or to the current folder without one."""
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    """Whose midnights the law's days are counted by; stored times are UTC."""


class HttpSettings(Section):
    """The HTTP interface."""

    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    """Where to listen. On any address that is not loopback every request needs the access token."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0: any free one."""


class RecordingSettings(Section):
    """How footage is cut and made durable."""

    segment_s: Annotated[float, Field(ge=2, le=600)] = 60
    """Length of a segment: short ones cost files and leaves, long ones cost more to fetch and to hold."""
    loss_bound_s: Annotated[float, Field(ge=1, le=10)] = 2
    """At most this much is lost in a power cut, beside the fragment being written."""
    processes: Annotated[int, Field(ge=0, le=64)] = 0
    """Capture processes; 0: one for each hundred cameras. What crashes one costs its own cameras a reconnect."""


class RetentionSettings(Section):
    """How long footage is kept."""

    floor_days: Annotated[int, Field(ge=LEGAL_FLOOR_DAYS, le=36500)] = LEGAL_FLOOR_DAYS
    """Below this nothing discards anything. The law's days are counted from the day after recording."""
    margin_days: Annotated[int, Field(ge=0, le=366)] = 1
    """So much longer than the floor footage may be kept without a purpose (order 799, article 17)."""
    target_days: Annotated[int, Field(ge=LEGAL_FLOOR_DAYS, le=36500)] = LEGAL_FLOOR_DAYS + 1
    """Past this, footage goes: order 799 wants it deleted when its purpose is achieved."""
    purpose: Annotated[str, Field(min_length=1, max_length=PURPOSE_LIMIT)] | None = None
    """What footage is kept for, for longer than floor and margin: it is written down."""
    when_full: Literal["stop", "overwrite"] = "stop"
    """On a disk that is full of footage which must stay: stop recording and say so, or break the floor, oldest first,
    which is written down each time, and told as an alarm. Never a hold."""

    @model_validator(mode="before")
    @classmethod
    def _target_follows_floor(cls, data: Any) -> Any:
        """Who raises only the floor, or the margin, means the target to rise with it."""
        if not isinstance(data, dict) or "target_days" in data or not data.keys() & {"floor_days", "margin_days"}:
            return data
        told = [str(data.get(key, one)) for key, one in (("floor_days", LEGAL_FLOOR_DAYS), ("margin_days", 1))]
        if not all(one.isascii() and one.isdigit() for one in told):  # texts where they come from the environment
            return data
        floor, margin = map(int, told)
        return {**data, "target_days": floor + margin} if floor >= LEGAL_FLOOR_DAYS else data

    @model_validator(mode="after")
    def _target_not_below_floor(self) -> RetentionSettings:
        if self.target_days < self.floor_days:
            raise PydanticCustomError("target_below_floor", "target_days lies below floor_days")
        return self

    @property
    def defaults(self) -> Defaults:
        """As rules are made of it."""
        return Defaults(self.floor_days, self.target_days, self.margin_days, self.purpose)


class ScrubSettings(Section):
    """How stored footage is read again, to see whether it is still what was recorded."""

    rate_bytes_s: Annotated[int, Field(ge=1_000_000, le=10_000_000_000)] = 50_000_000
    """Read at most so fast, in all. By the default a full disk of 64 cameras of 4 Mbit/s, 30 days, is through in
    twenty days: all of it is read once at least before it goes."""
    every_days: Annotated[int, Field(ge=1, le=366)] = 7
    """Nothing is read again before so many days have passed: small disks would else never come to rest."""


class VolumeSettings(Section):
    """A disk, or a folder, that footage is written to."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    """How rows and people call it; never used for another disk."""
    path: Path | None = None
    """An empty folder, where its disk is mounted. Relative to the configuration file. None: inside the data directory,
    for the volume `main`."""
    reserve_bytes: Annotated[int, Field(ge=0, le=2**50)] | None = None
    """What recording leaves free, where that is more than 64 MiB, or a fiftieth of a small disk."""

    @model_validator(mode="after")
    def _main_alone_has_no_path(self) -> VolumeSettings:
        if (self.path is None) is not (self.name == MAIN_VOLUME):
            raise PydanticCustomError("volume_path", "main alone lies inside the data directory")
        return self


class WitnessSettings(Section):
    """A witness (C2SP tlog-witness): somebody at another place who cosigns the log as long as it only grows."""

    url: Annotated[str, AfterValidator(_authority), Field(max_length=URL_LIMIT)]
    """Where it listens; `/add-checkpoint` is added."""
    key: Annotated[str, AfterValidator(_witness_key)]
    """Its verifier key, as it shows it at its start: only what this key signed is believed."""


class ProofSettings(Section):
    """Who outside the box says that its log was what it is."""

    tsa_urls: Annotated[
        tuple[Annotated[str, AfterValidator(_authority)], ...], Field(max_length=AUTHORITIES_LIMIT)
    ] = ()
    """Time-stamping authorities (RFC 3161), asked in this order. None: nobody vouches for the log against its owner."""
    tsa_ca_file: Path | None = None
    """Whom to believe about their stamps: certificates as PEM. Relative to the configuration file."""
    key: Annotated[str, AfterValidator(_key_url)] | None = None
    """Where the key that signs the log is to lie: a PKCS #11 URL of a token (RFC 7512). None: in a file, which whoever
    is root can copy. A box whose key lies elsewhere goes on with that one until `custos log rotate-key`."""
    anchor_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    """How often a checkpoint is stamped: what the owner of the key did since the last one, nobody can prove."""
    sm: bool = False
    """Commercial cryptography besides: SM3 (GB/T 32905) of each segment, SM2 (GB/T 32918) of each checkpoint."""
    witnesses: Annotated[tuple[WitnessSettings, ...], Field(max_length=WITNESSES_LIMIT)] = ()
    """Witnesses: each is asked, and each refuses a log that was rewritten or cut off."""
    witness_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """How often they are asked; a cosignature costs a leaf and a small file."""

    @model_validator(mode="after")
    def _someone_is_believed(self) -> ProofSettings:
        if self.tsa_urls and self.tsa_ca_file is None:
            raise PydanticCustomError("tsa_without_roots", "tsa_ca_file is needed")
        return self

    @model_validator(mode="after")
    def _witnesses_apart(self) -> ProofSettings:
        """Their key ids name the files of what they signed."""
        ids = [parse_verifier_key(one.key, COSIGNATURE).id for one in self.witnesses]
        if len(set(ids)) != len(ids):
            raise PydanticCustomError("witness_twice", "a witness stands twice")
        return self


class CameraSettings(Section):
    """A camera that the file manages."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Its name in paths, leaves and answers; never used twice."""
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """How people call it."""
    url: Annotated[str, AfterValidator(_url), Field(max_length=URL_LIMIT)]
    """Of its stream, without user name and password."""
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who the box is to the camera."""
    password_file: Path | None = None
    """A file with the password in its first line. Relative to the configuration file."""
    ca_file: Path | None = None
    """Whom to believe about an `rtsps` camera: an authority, or the camera's own certificate, as PEM. None: whom the
    system believes. Relative to the configuration file."""
    transport: TransportName = "tcp"
    """Of RTSP cameras; URLs of other kinds are always read by libav. Over TCP nothing is lost on the way."""
    audio: AudioName = "off"
    """Whether its sound is recorded too. State Council order 799, article 8, forbids to listen in on people."""
    allow_basic: bool = False
    """Whether the password may go over the network readable (basic authentication without TLS), where an RTSP camera
    offers nothing better: then everybody on the way knows it."""
    enabled: bool = True
    """Off: nothing is recorded, and the record says so."""
    protection: Protection = Protection.ORDINARY
    """`counter_terrorism`: it watches a target of the Counter-Terrorism Law (article 32), which wants ninety days."""
    floor_days: Annotated[int, Field(ge=LEGAL_FLOOR_DAYS, le=36500)] | None = None
    """Of this camera; None: as `[retention]`, and as its protection wants."""
    target_days: Annotated[int, Field(ge=LEGAL_FLOOR_DAYS, le=36500)] | None = None
    """Of this camera; None: as far above its floor as in `[retention]`."""
    purpose: Annotated[str, Field(min_length=1, max_length=PURPOSE_LIMIT)] | None = None
    """What its footage is kept for, for longer than floor and margin."""
    volume: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")] | None = None
    """Where its footage goes as long as that takes it; None: where most is free."""

    @property
    def wish(self) -> Wish:
        """What it says of its keeping."""
        return Wish(self.protection, self.floor_days, self.target_days, self.purpose)


class Settings(BaseSettings):
    """Everything a box was told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="CUSTOS_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    box: BoxSettings = BoxSettings()
    http: HttpSettings = HttpSettings()
    recording: RecordingSettings = RecordingSettings()
    retention: RetentionSettings = RetentionSettings()
    scrub: ScrubSettings = ScrubSettings()
    proof: ProofSettings = ProofSettings()
    volumes: Annotated[tuple[VolumeSettings, ...], Field(max_length=VOLUMES_LIMIT)] = ()
    cameras: tuple[CameraSettings, ...] = ()

    @property
    def wishes(self) -> tuple[VolumeWish, ...]:
        """The volumes that footage is to be written to; none: the one inside the data directory."""
        return tuple(VolumeWish(one.name, one.path, one.reserve_bytes) for one in self.volumes)

    def canonical(self) -> dict[str, Any]:
        """All settings as plain values, for the log's `cfg` leaf and for showing: there is no secret among them."""
        return self.model_dump(mode="json")


WORDS: dict[tuple[str, str], tuple[str, str]] = {
    ("box", "name"): ("a name of 1 to 100 characters", "1 至 100 个字符的名称"),
    ("box", "data_dir"): ("a folder", "一个目录"),
    ("box", "time_zone"): ("a time zone such as Asia/Shanghai", "时区，例如 Asia/Shanghai"),
    ("http", "host"): ("an address such as 127.0.0.1", "地址，例如 127.0.0.1"),
    ("http", "port"): ("a whole number from 0 to 65535", "0 至 65535 的整数"),
    ("recording", "segment_s"): ("a number of seconds from 2 to 600", "2 至 600 秒"),
    ("recording", "loss_bound_s"): ("a number of seconds from 1 to 10", "1 至 10 秒"),
    ("recording", "processes"): ("a whole number from 0 to 64", "0 至 64 的整数"),
    ("retention", "floor_days"): (
        "a whole number of days, at least 30: Wuxi order 168, article 28, and State Council order 799, article 17, "
        "let nobody keep footage for less",
        "不少于 30 的整数天数：《无锡市公共安全视频图像信息系统管理办法》第二十八条、国务院令第799号第十七条"
        "规定留存不少于三十日",
    ),
    ("retention", "target_days"): (
        "a whole number of days, at least 30 and not below floor_days",
        "不少于 30 且不小于 floor_days 的整数天数",
    ),
    ("retention", "margin_days"): ("a whole number of days from 0 to 366", "0 至 366 的整数天数"),
    ("retention", "purpose"): (
        f"what footage is kept for, 1 to {PURPOSE_LIMIT} characters",
        f"延长留存的目的，1 至 {PURPOSE_LIMIT} 个字符",
    ),
    ("retention", "when_full"): ('"stop" or "overwrite"', '"stop" 或 "overwrite"'),
    ("scrub", "rate_bytes_s"): (
        "a whole number of bytes a second, at least 1000000",
        "不小于 1000000 的整数，每秒字节数",
    ),
    ("scrub", "every_days"): ("a whole number of days from 1 to 366", "1 至 366 的整数天数"),
    ("proof", "tsa_urls"): (
        "up to 8 addresses of time-stamping authorities (RFC 3161) that begin with http or https",
        "至多 8 个以 http 或 https 开头的时间戳服务（RFC 3161）地址",
    ),
    ("proof", "tsa_ca_file"): ("a file with certificates as PEM", "可读取的 PEM 证书文件"),
    ("proof", "key"): (
        "a PKCS #11 URL (RFC 7512) such as pkcs11:token=custos;object=log?module-path=/usr/lib/token.so"
        "&pin-source=file:/etc/custos/pin, with the PIN in that file",
        "PKCS #11 地址（RFC 7512），例如 pkcs11:token=custos;object=log?module-path=/usr/lib/token.so"
        "&pin-source=file:/etc/custos/pin，PIN 写在该文件中",
    ),
    ("proof", "anchor_minutes"): ("a whole number of minutes from 5 to 1440", "5 至 1440 的整数分钟数"),
    ("proof", "sm"): ("true or false", "true 或 false"),
    ("proof", "witnesses"): (
        'up to 8 of { url = "https://…", key = "name+hash+key" }, each witness once: where it listens, and the '
        "verifier key that it shows at its start",
        '至多 8 个 { url = "https://…", key = "名称+校验+公钥" }，不重复：见证服务的地址及其启动时显示的验证公钥',
    ),
    ("proof", "witness_minutes"): ("a whole number of minutes from 1 to 1440", "1 至 1440 的整数分钟数"),
    ("cameras", "id"): (
        "1 to 63 small letters, digits, '-' and '_', beginning with a letter or digit, each id once",
        "1 至 63 个小写字母、数字、“-”或“_”，以字母或数字开头，且不重复",
    ),
    ("cameras", "name"): ("a name of 1 to 200 characters", "1 至 200 个字符的名称"),
    ("cameras", "url"): (
        f"a URL that begins with one of {', '.join(URL_SCHEMES)}; user name and password belong into username and "
        "password_file",
        f"以 {'、'.join(URL_SCHEMES)} 之一开头的地址；用户名和密码应写在 username 和 password_file 中",
    ),
    ("cameras", "username"): ("a user name", "用户名"),
    ("cameras", "password_file"): ("a file that can be read", "可读取的文件"),
    ("cameras", "ca_file"): ("a file with certificates as PEM", "可读取的 PEM 证书文件"),
    ("cameras", "transport"): ('"tcp", "udp", "multicast" or "libav"', '"tcp"、"udp"、"multicast" 或 "libav"'),
    ("cameras", "audio"): ('"off" or "on"', '"off" 或 "on"'),
    ("volumes", "name"): (
        "a name of its own of up to 32 small letters, digits, '-' and '_', beginning with a letter or digit",
        "不重复的名称，至多 32 个小写字母、数字、“-”和“_”，以字母或数字开头",
    ),
    ("volumes", "path"): (
        'an empty folder of its own, where its disk is mounted; none for the volume "main"',
        "独立的空目录，即其磁盘的挂载点；存储卷 “main” 不设此项",
    ),
    ("volumes", "reserve_bytes"): ("a whole number of bytes", "整数字节数"),
    ("cameras", "volume"): ("the name of one of [[volumes]]", "某个 [[volumes]] 的名称"),
    ("cameras", "allow_basic"): ("true or false", "true 或 false"),
    ("cameras", "enabled"): ("true or false", "true 或 false"),
    ("cameras", "protection"): ('"ordinary" or "counter_terrorism"', '"ordinary" 或 "counter_terrorism"'),
    ("cameras", "floor_days"): (
        "a whole number of days, at least 30, and 90 where protection is counter_terrorism",
        "不少于 30 的整数天数；protection 为 counter_terrorism 时不少于 90",
    ),
    ("cameras", "target_days"): (
        "a whole number of days, not below the camera's floor_days",
        "不小于该采集设备 floor_days 的整数天数",
    ),
    ("cameras", "purpose"): (
        f"what its footage is kept for, 1 to {PURPOSE_LIMIT} characters",
        f"延长留存的目的，1 至 {PURPOSE_LIMIT} 个字符",
    ),
}
"""What each field expects, in English and Chinese."""
