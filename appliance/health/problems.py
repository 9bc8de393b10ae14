"""What is wrong, told from facts: the state of the box, and each problem in words with what to do about it. Pure.

The rules:

- `failing`: evidence is being lost or cannot be signed now, whatever the cameras do: a disk that is full, read-only,
  broken or missing; a log that takes no checkpoint; writes that are not made durable.
- `degraded`: a part does not do its work: a camera that is not recorded, a duty that fails, footage that will not be
  kept as long as it must.
- `ok`: neither, though something may be worth a look: what is only that changes no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from appliance.health.coming import problems_ahead
from appliance.health.facts import CameraFacts, Facts, WitnessFacts
from appliance.health.problem import Problem, Weight
from config.errors import CustosError
from config.times import DAY_US, HOUR_US, MINUTE_US, format_us
from recorder.errors import SourceError, StorageError, StorageReadOnly
from recorder.store.log.errors import KeyUnavailable, Sm2Error
from recorder.store.pressure import WRITABLE
from retention.evidence.cosigning import WitnessError
from retention.evidence.timestamp import AuthorityError
from retention.holding import reminder

MEDIA_LATE_S: Final = 15.0
"""A camera without a picture for longer is a problem. Reconnecting takes a few seconds and is none."""

CLOCK_OFF_S: Final = 10.0
"""A camera's clock that is further off: the time that it writes into its pictures contradicts the record's."""

KEYS_RARE_S: Final = 4.0
"""Longer between key pictures, and segments become long, seeking slow, and a cut-off one costs more."""

UNSIGNED_TOLD_US: Final = 2 * MINUTE_US
"""A camera that signs does it for every group of pictures, or every few: so much without is no accident of a cut."""

BREACH_FRESH_US: Final = HOUR_US
"""Footage is being lost now."""

BREACH_TOLD_US: Final = 7 * DAY_US
"""For so long it is told that the floor was broken: whoever looks once a week must not miss it."""

RESTART_TOLD_US: Final = HOUR_US
"""For so long it is told that a capture process ended."""

CHECKPOINT_LATE_S: Final = 180.0
"""Three beats: a log unsigned for longer is a problem. One beat may be late behind a slow disk."""

ANCHOR_LATE_US: Final = 10 * MINUTE_US
"""A checkpoint that waits longer for its stamp or cosignature: who is to give it does not do its work."""

SYNC_SLOW_S: Final = 1.0
"""A sync that takes longer means that a power cut would cost more than promised."""


GB: Final = 1e9

BoxState = Literal["ok", "degraded", "failing"]


def state_of(problems: Sequence[Problem]) -> BoxState:
    """The state of the box with these problems."""
    weights = {problem.weight for problem in problems}
    if Weight.FAILING in weights:
        return "failing"
    return "degraded" if Weight.DEGRADED in weights else "ok"


def problems_of(facts: Facts, language: str = "en") -> list[Problem]:
    """Everything that is wrong, the heaviest first, in ``en`` or ``zh-CN``."""
    chinese = language.startswith("zh")
    found = [
        *_of_volumes(facts, chinese),
        *_of_log(facts, chinese),
        *_of_duties(facts, chinese),
        *_of_workers(facts, chinese),
        *_of_cameras(facts, chinese),
        *_of_keeping(facts, chinese),
        *_of_scrub(facts, chinese),
        *_of_holds(facts, chinese),
    ]
    return sorted(found, key=lambda problem: -problem.weight)


def _of_volumes(facts: Facts, chinese: bool) -> Iterator[Problem]:
    taking = [one.name for one in facts.volumes if one.is_written and one.state in WRITABLE]
    for volume in facts.volumes:
        if volume.state not in _VOLUME or (volume.state in _SCARCE and not volume.is_written):
            continue
        weight, *texts = _VOLUME[volume.state]
        why = ""
        if volume.why_code not in (None, *_SAID_BY_STATE):
            texts, why = [*_UNUSABLE], _reason(volume.why_code or "", volume.why, chinese)
        if volume.why_code == StorageReadOnly.code:
            texts = [*_VOLUME["read_only"][1:]]
        text = texts[chinese].format(name=volume.name, path=volume.path, why=why)
        if volume.state not in WRITABLE:
            if taking or not volume.is_written:
                weight = Weight.DEGRADED
            goes_on = _GOES_ON[chinese].format(names="、".join(taking) if chinese else ", ".join(taking))
            text += (goes_on if taking else _STOPS[chinese]) if volume.is_written else _ONLY_READ[chinese]
        yield Problem(f"volume_{volume.state}", text, weight)


def _of_log(facts: Facts, chinese: bool) -> Iterator[Problem]:
    if facts.checkpoint_age_s is not None and facts.checkpoint_age_s > CHECKPOINT_LATE_S:
        text = _CHECKPOINT_LATE[chinese].format(minutes=round(facts.checkpoint_age_s / 60))
        yield Problem("checkpoint_late", text, Weight.FAILING)
    anchors = facts.anchors
    if not anchors.is_configured:
        yield Problem("not_anchored", _NOT_ANCHORED[chinese], Weight.NOTICE)
    elif anchors.wanted_us is not None and facts.now_us - anchors.wanted_us > ANCHOR_LATE_US:
        why = _reason(anchors.problem_code or "", anchors.problem_text, chinese)
        text = _ANCHOR_LATE[chinese].format(count=anchors.waiting, why=why)
        yield Problem("anchor_late", text, Weight.DEGRADED)
    if facts.sm2.is_configured and facts.sm2.problem_code is not None:
        why = _reason(facts.sm2.problem_code, facts.sm2.problem_text, chinese)
        yield Problem("sm2_unsigned", _SM2_UNSIGNED[chinese].format(why=why), Weight.DEGRADED)
    if not facts.key.is_as_told:
        yield Problem("key_not_rotated", _KEY_ELSEWHERE[chinese], Weight.NOTICE)
    for witness in anchors.witnesses:
        yield from _of_witness(witness, facts, chinese)


def _of_witness(witness: WitnessFacts, facts: Facts, chinese: bool) -> Iterator[Problem]:
    code = witness.problem_code or ""
    if witness.seen_size is not None:
        text = _WITNESS_CONTRADICTS[chinese].format(
            name=witness.name,
            seen=witness.seen_size,
            size=facts.log_size,
            why=_reason(code, witness.problem_text, chinese),
        )
        yield Problem(code, text, Weight.FAILING)
    elif witness.wanted_us is not None and facts.now_us - witness.wanted_us > ANCHOR_LATE_US:
        why = _reason(code, witness.problem_text, chinese)
        text = _WITNESS_LATE[chinese].format(name=witness.name, why=why)
        yield Problem("witness_late", text, Weight.DEGRADED)


def _of_duties(facts: Facts, chinese: bool) -> Iterator[Problem]:
    for outcome in facts.outcomes:
        if outcome.failed_us is not None:
            weight, *texts = _DUTY.get(outcome.name, _OTHER_DUTY)
            why = _reason(outcome.code, outcome.text, chinese)
            yield Problem(f"{outcome.name}_failed", texts[chinese].format(name=outcome.name, why=why), weight)
        elif outcome.name == "sync" and outcome.took_s > SYNC_SLOW_S:
            yield Problem("sync_slow", _SYNC_SLOW[chinese].format(seconds=outcome.took_s), Weight.DEGRADED)


def _of_workers(facts: Facts, chinese: bool) -> Iterator[Problem]:
    for one in facts.workers:
        if one.ended_us is not None and facts.now_us - one.ended_us < RESTART_TOLD_US:
            text = _RESTARTED[chinese].format(cameras=one.cameras, how=one.ending, count=one.restarts)
            yield Problem("capture_restarted", text, Weight.DEGRADED)


def _of_cameras(facts: Facts, chinese: bool) -> Iterator[Problem]:
    for camera in facts.cameras:
        if not camera.is_wanted:
            continue
        silent_s = camera.wanted_age_s if camera.media_age_s is None else camera.media_age_s
        if camera.problem_code:
            why = _reason(camera.problem_code, camera.problem_text or "", chinese)
            text = _CAMERA[chinese].format(name=camera.name, why=why)
            yield Problem(camera.problem_code, text, Weight.DEGRADED, camera.id)
        elif silent_s > MEDIA_LATE_S:
            text = _CAMERA_SILENT[chinese].format(name=camera.name, seconds=round(silent_s))
            yield Problem("camera_silent", text, Weight.DEGRADED, camera.id)
        if camera.key_interval_s is not None and camera.key_interval_s > KEYS_RARE_S:
            text = _KEYS_RARE[chinese].format(name=camera.name, seconds=camera.key_interval_s)
            yield Problem("camera_keys_rare", text, Weight.NOTICE, camera.id)
        if camera.audio_wanted and camera.state == "recording" and camera.audio in ("none", "silent"):
            text = _WITHOUT_SOUND[chinese].format(name=camera.name)
            yield Problem("camera_without_sound", text, Weight.NOTICE, camera.id)
        yield from _of_signatures(camera, chinese)
        if camera.password_in_clear:
            text = _IN_CLEAR[chinese].format(name=camera.name)
            yield Problem("camera_password_in_clear", text, Weight.NOTICE, camera.id)
        if camera.stamps_stand_still:
            text = _STAMPS_STILL[chinese].format(name=camera.name)
            yield Problem("camera_stamps_still", text, Weight.NOTICE, camera.id)
        if camera.clock_offset_s is not None and abs(camera.clock_offset_s) > CLOCK_OFF_S:
            texts = _CLOCK_AHEAD if camera.clock_offset_s > 0 else _CLOCK_BEHIND
            text = texts[chinese].format(name=camera.name, seconds=round(abs(camera.clock_offset_s)))
            yield Problem("camera_clock_off", text, Weight.NOTICE, camera.id)


def _of_signatures(camera: CameraFacts, chinese: bool) -> Iterator[Problem]:
    signing = camera.signing
    if signing is not None and signing.unsigned_since_us is not None and signing.unsigned_us >= UNSIGNED_TOLD_US:
        text = _UNSIGNED[chinese].format(name=camera.name, since=_minute(signing.unsigned_since_us))
        yield Problem("camera_signatures_stopped", text, Weight.NOTICE, camera.id)


def _minute(instant_us: int) -> str:
    return format_us(instant_us)[:16].replace("T", " ") + " UTC"


def _of_keeping(facts: Facts, chinese: bool) -> Iterator[Problem]:
    yield from problems_ahead(facts, chinese)
    yield from _of_sweep(facts, chinese)
    for camera in facts.cameras:
        if camera.needs_purpose:
            text = _PURPOSE[chinese].format(name=camera.name, days=camera.target_days)
            yield Problem("purpose_missing", text, Weight.DEGRADED, camera.id)
    breaches = facts.breaches
    if breaches.last_us is not None and facts.now_us - breaches.last_us < BREACH_TOLD_US:
        weight = Weight.FAILING if facts.now_us - breaches.last_us < BREACH_FRESH_US else Weight.DEGRADED
        size, days = breaches.bytes / 1e9, breaches.short_us / DAY_US
        told = {"count": breaches.count, "size": size, "days": days, "last": _minute(breaches.last_us)}
        yield Problem("floor_breached", _BREACHED[chinese].format(**told), weight)


def _of_scrub(facts: Facts, chinese: bool) -> Iterator[Problem]:
    scrub = facts.scrub
    if scrub.damaged_count:
        which = ("、" if chinese else ", ").join(
            f"{one.segment_id} ({DAMAGES[one.damage.value][chinese]})" for one in scrub.damaged
        )
        if scrub.damaged_count > len(scrub.damaged):
            which += " …"
        text = _DAMAGED[chinese].format(count=scrub.damaged_count, which=which)
        yield Problem("segments_damaged", text, Weight.DEGRADED)


def _of_sweep(facts: Facts, chinese: bool) -> Iterator[Problem]:
    if facts.sweep is None or not facts.sweep.failed:
        return
    failed = [one for one in facts.sweep.because if one.failed]
    text = _STUCK[chinese].format(
        count=facts.sweep.failed,
        size=sum(one.bytes for one in failed) / GB,
        example=failed[0].example,
        why=_reason(failed[0].code, _english(failed[0].code), chinese),
    )
    yield Problem("discards_failed", text, Weight.DEGRADED)


def _english(code: str) -> str:
    """The sentence of what keeps a file from being removed, by its code."""
    kinds = (one for base in (StorageError, KeyUnavailable) for one in _below(base))
    return next((one.sentence() for one in kinds if one.code == code), code)


def _below(base: type[CustosError]) -> Iterator[type[CustosError]]:
    """An error and all its kinds, theirs too."""
    yield base
    for child in base.__subclasses__():
        yield from _below(child)


def _within(days: int, chinese: bool) -> str:
    if chinese:
        return f"在 {days} 天内"
    return "within a day" if days == 1 else f"within {days} days"


def _since(days: int, chinese: bool) -> str:
    """How long ago a date was that is over, or is today."""
    if chinese:
        return f"已过 {days} 天" if days else "已到"
    return ("is over since today", "was a day ago")[days] if days < 2 else f"was {days} days ago"


def _of_holds(facts: Facts, chinese: bool) -> Iterator[Problem]:
    for hold in facts.holds.in_force:
        if hold.damaged:
            text = _HELD_DAMAGED[chinese].format(hold=hold.id, case=hold.case, count=hold.damaged)
            yield Problem("hold_media_damaged", text, Weight.DEGRADED)
        found = reminder(hold.review_us, facts.now_us)
        if found is not None and found.days > 0:
            text = _REVIEW_DUE[chinese].format(hold=hold.id, case=hold.case, when=_within(found.days, chinese))
            yield Problem("hold_review_due", text, Weight.NOTICE)
        elif found is not None:
            text = _REVIEW_OVER[chinese].format(hold=hold.id, case=hold.case, when=_since(-found.days, chinese))
            yield Problem("hold_review_over", text, Weight.DEGRADED)
    if facts.holds.codes != "ok":
        yield Problem(f"release_codes_{facts.holds.codes}", _CODES[facts.holds.codes][chinese], Weight.NOTICE)
    elif facts.holds.codes_rest_days:
        text = _CODES_NEW[chinese].format(days=facts.holds.codes_rest_days)
        yield Problem("release_code_new", text, Weight.NOTICE)


def _reason(code: str, text: str, chinese: bool) -> str:
    """Why, in the language asked for; what has no Chinese sentence is told in English rather than not at all."""
    return CHINESE.get(code, text) if chinese else text


_VOLUME: Final[Mapping[str, tuple[Weight, str, str]]] = {
    "low": (
        Weight.DEGRADED,
        "Volume {name} ({path}) is almost full: free space or add a disk before recording stops.",
        "存储卷 {name}（{path}）即将写满：请在录像停止前清理空间或增加磁盘。",
    ),
    "critical": (
        Weight.DEGRADED,
        "Volume {name} ({path}) is about to be full: free space or add a disk now.",
        "存储卷 {name}（{path}）即将耗尽：请立即清理空间或增加磁盘。",
    ),
    "full": (
        Weight.FAILING,
        "Volume {name} ({path}) is full, and nothing on it may go yet: free space or add a disk.",
        "存储卷 {name}（{path}）已满，且其中录像均未到可删除期限：请清理空间或增加磁盘。",
    ),
    "read_only": (
        Weight.FAILING,
        "Volume {name} ({path}) is read-only: look at the kernel's log for disk errors, then remount it for writing. "
        "A service of systemd must have it in ReadWritePaths.",
        "存储卷 {name}（{path}）为只读：请查看内核日志中的磁盘错误，然后重新以可写方式挂载。"
        "作为 systemd 服务运行时，须将其列入 ReadWritePaths。",
    ),
    "io_error": (
        Weight.FAILING,
        "Volume {name} ({path}) answers with input/output errors: "
        "check the disk's cabling and health, have a spare ready.",
        "存储卷 {name}（{path}）发生读写错误：请检查磁盘接线与健康状态，并备好替换盘。",
    ),
    "missing": (
        Weight.FAILING,
        "Volume {name} ({path}) is not there: mount its disk. A volume that is new needs an empty folder.",
        "存储卷 {name}（{path}）不存在：请挂载其磁盘。新的存储卷需要一个空目录。",
    ),
    "foreign": (
        Weight.FAILING,
        "Another disk is mounted where volume {name} ({path}) should be, and nothing is written to it: mount the right "
        "one. A new disk is a new volume: give it a name of its own.",
        "存储卷 {name}（{path}）处挂载的是另一块磁盘，不会向其写入：请挂载正确的磁盘。新磁盘即新存储卷，请另取名称。",
    ),
}

_UNUSABLE: Final = (
    "Volume {name} ({path}) cannot be used: {why}",
    "存储卷 {name}（{path}）无法使用：{why}",
)
_SAID_BY_STATE: Final = ("storage_failed", "volume_missing")
"""What the sentence about a volume's state says already."""
_SCARCE: Final = ("low", "critical", "full")
_STOPS: Final = (
    " Nothing is recorded until then; recording resumes by itself.",
    "在此之前录像停止，之后自动恢复。",
)
_GOES_ON: Final = (
    " Recording goes on to {names}; what lies on this one is kept.",
    "录像改存至 {names}；该卷上已有的录像不受影响。",
)
_ONLY_READ: Final = (
    " Nothing new goes there; what lies on it cannot be read, or not be discarded, until then.",
    "新录像不存入该卷；在此之前其中的录像可能无法读取或删除。",
)

_CHECKPOINT_LATE: Final = (
    "The log was last signed {minutes} minutes ago: new footage cannot be proved until it is; see the other problems.",
    "校验日志最近一次签名在 {minutes} 分钟之前：在重新签名之前，新录像无法举证；请参看其他问题。",
)

_NOT_ANCHORED: Final = (
    "NOT ANCHORED: nobody outside this box vouches for its log, so whoever has its key could write it anew. Name a "
    "witness ([proof] witnesses) or a time-stamping authority ([proof] tsa_urls), and keep a checkpoint in the duty "
    "book (custos log page) until then.",
    "未锚定：本机之外无人为校验日志作证，持有其密钥者可重写日志。请设置见证服务（[proof] witnesses）"
    "或时间戳服务（[proof] tsa_urls），在此之前请打印检查点（custos log page）并存入值班日志。",
)
_WITNESS_LATE: Final = (
    "The newest checkpoint of the log waits for its cosignature by the witness {name}: {why} Recording goes on; but "
    "what came since the last cosignature cannot be proved against who has the key.",
    "最新的日志检查点尚未取得见证服务“{name}”的联署：{why}录像继续；但最后一次联署之后的内容无法对密钥持有人举证。",
)
_WITNESS_CONTRADICTS: Final = (
    "THE LOG WAS REWRITTEN OR CUT OFF: {why} The witness {name} has seen {seen} leaves that are not a part of this "
    "log, which has {size}. Was an old copy of the data directory put back? If not, leave the disks as they are, keep "
    "log/anchors, and tell whoever relies on this record.",
    "日志已被重写或截断：{why}见证服务“{name}”所见的 {seen} 条日志与本机日志（现有 {size} 条）不符。"
    "是否恢复过数据目录的旧副本？若否，请保持磁盘原状、保留 log/anchors，并通知依赖该记录的各方。",
)
_ANCHOR_LATE: Final = (
    "Checkpoints of the log that wait for their time stamp: {count}. {why} Recording goes on, and nothing is skipped; "
    "but what came since the last stamp cannot be proved against who has the key.",
    "{count} 个日志检查点尚未取得时间戳：{why}录像继续，且不会遗漏任何检查点；"
    "但最后一个时间戳之后的内容无法对密钥持有人举证。",
)

_SM2_UNSIGNED: Final = (
    "The log is not signed with SM2: {why} It is signed with Ed25519 as always, nothing is lost, and SM2 is tried "
    "again every minute; the log says of each checkpoint whether it has both.",
    "校验日志没有 SM2 签名：{why}Ed25519 签名照常，证据不受影响；每分钟重试 SM2 签名，"
    "日志写明每个检查点是否具有两种签名。",
)
_KEY_ELSEWHERE: Final = (
    "The log is not signed with the key that [proof] key names, but with the one from before: "
    "`custos log rotate-key` puts the other in force.",
    "校验日志仍由原密钥签名，而非 [proof] key 所指的密钥：运行 custos log rotate-key 即可启用后者。",
)

_DUTY: Final[Mapping[str, tuple[Weight, str, str]]] = {
    "beat": (
        Weight.FAILING,
        "The log could not be signed: {why} It is tried again every minute.",
        "校验日志无法签名：{why}每分钟重试一次。",
    ),
    "sync": (
        Weight.FAILING,
        "Footage could not be made durable: {why} It is tried again every second or two.",
        "录像无法可靠落盘：{why}每一两秒重试一次。",
    ),
    "sweep": (
        Weight.DEGRADED,
        "Footage past its time could not be discarded: {why} It is tried again within the hour.",
        "到期录像无法删除：{why}一小时内重试。",
    ),
    "scrub": (
        Weight.DEGRADED,
        "Stored footage could not be checked: {why} It goes on as soon as it can.",
        "已存录像无法巡检：{why}恢复后自动继续。",
    ),
    "holds": (
        Weight.DEGRADED,
        "Held footage could not be linked or checked: {why} It stays protected from discards; tried again in a minute.",
        "保全录像无法建立链接或核验：{why}保全仍然有效，录像不会被删除；一分钟后重试。",
    ),
    "volumes": (
        Weight.DEGRADED,
        "Volumes could not be looked after: {why} What lies on them is kept; it is tried again every two seconds.",
        "存储卷无法维护：{why}其中的录像不受影响；每两秒重试一次。",
    ),
    "watchdog": (
        Weight.FAILING,
        "The service manager is not told that the box lives: {why} If that goes on, it starts the box anew.",
        "未向系统服务管理器报告存活：{why}若持续如此，本机将被重新启动。",
    ),
    "cameras": (
        Weight.FAILING,
        "The list of cameras could not be read, so changes to it have no effect: {why}",
        "无法读取采集设备列表，对列表的更改不会生效：{why}",
    ),
}
_OTHER_DUTY: Final = (Weight.DEGRADED, "The box's own task “{name}” failed: {why}", "本机任务“{name}”失败：{why}")

_SYNC_SLOW: Final = (
    "The disk took {seconds:.1f} s to make footage durable, so a power cut may cost more than promised: "
    "check the disk's health, or spread the cameras over more disks.",
    "磁盘落盘耗时 {seconds:.1f} 秒，断电损失可能超过承诺值：请检查磁盘健康状态，或将采集设备分散到更多磁盘。",
)
_CAMERA: Final = ("Camera {name} is not recorded: {why}", "采集设备“{name}”未在录像：{why}")
_CAMERA_SILENT: Final = (
    "Camera {name} has sent no picture for {seconds} s: check its power, its cable and its stream settings.",
    "采集设备“{name}”已有 {seconds} 秒没有图像：请检查其电源、网线和码流设置。",
)
_STUCK: Final = (
    "{count} segments past their time could not be removed ({size:.1f} GB, the first is {example}): {why} They are "
    "tried again, ever more rarely, at least once a day.",
    "{count} 个到期录像段无法删除（共 {size:.1f} GB，首个为 {example}）：{why}将以递增的间隔重试，至少每天一次。",
)
_PURPOSE: Final = (
    "Camera {name} is kept for {days} days, which is longer than the law wants: write down what for (`purpose`), or "
    "keep it for less. State Council order 799, article 17, wants footage deleted once its purpose is achieved.",
    "采集设备“{name}”的录像保存 {days} 天，超过规定期限：请写明目的（purpose）或缩短保存期限。"
    "国务院令第799号第十七条要求实现处理目的后及时删除。",
)
_RESTARTED: Final = (
    "A capture process ended ({how}) and was started again; cameras: {cameras}, restarts since the box was started: "
    "{count}. Its cameras have a gap that says so. If it happens again, report it with the log.",
    "承载 {cameras} 台采集设备的采集进程结束（{how}）并已重新启动，本机启动以来共 {count} 次；相应缺失已记录。"
    "若再次发生，请附日志报告。",
)
_KEYS_RARE: Final = (
    "Camera {name} sends a key picture only every {seconds:.0f} s, so segments become long and a lost one costs more: "
    "set its key frame interval (GOP) to 1 or 2 s, and switch “smart” coding off.",
    "采集设备 {name} 每 {seconds:.0f} 秒才发送一个关键帧，录像段会过长，丢失时代价更大："
    "请将其关键帧间隔设为 1 至 2 秒，并关闭智能编码。",
)
_WITHOUT_SOUND: Final = (
    "Camera {name} is recorded without sound, which is asked for: the camera sends none, or none that can be recorded. "
    "Set its sound to AAC, Opus or G.711, or the camera here to audio = off.",
    "采集设备“{name}”应录制声音，但没有声音可录：设备未发送音频，或其格式无法录制。"
    "请将设备音频设为 AAC、Opus 或 G.711，或在此将该设备的 audio 设为 off。",
)
_UNSIGNED: Final = (
    "Camera {name} signed its pictures, and since {since} it does not any more: its signatures were removed on "
    "the way or switched off. Look at the camera's settings, and at what lies between it and this box. What is "
    "recorded is kept as ever; but that it is what the camera saw is not proved by the camera itself.",
    "采集设备“{name}”此前对图像签名，自 {since} 起不再签名：签名在途中被去除，或已被关闭。"
    "请检查该设备的设置以及设备与本机之间的线路。录像照常保存，但其内容确为设备所摄一事，不再有设备自身的签名作证。",
)
_IN_CLEAR: Final = (
    "The password of camera {name} goes over the network readable (basic authentication without TLS, allowed by "
    "allow_basic): use it nowhere else, and rtsps or digest as soon as the camera can.",
    "采集设备“{name}”的密码以明文在网络上传送（已由 allow_basic 允许未加密的 basic 认证）："
    "请勿在他处使用该密码，并在设备支持后改用 rtsps 或 digest 认证。",
)
_STAMPS_STILL: Final = (
    "Camera {name} gives all its pictures the same time stamp or none, so the record goes by when they arrived: the "
    "network's delays are in it. Record it by RTSP where it can, update its firmware, or look at what feeds the server "
    "that sends it.",
    "采集设备 {name} 的所有图像时间戳相同或没有时间戳，录像只能以到达时间为准，其中含有网络延迟："
    "设备支持 RTSP 时请改用 RTSP，或升级设备固件，或检查推流服务器的输入。",
)
_CLOCK_AHEAD: Final = (
    "The clock of camera {name} is {seconds} s ahead of this box's, so the time in its pictures contradicts the "
    "record: give both the same time server. The record goes by the box's clock.",
    "采集设备 {name} 的时钟比本机快 {seconds} 秒，画面叠加的时间与录像时间不符："
    "请为二者设置同一时间服务器；录像以本机时钟为准。",
)
_CLOCK_BEHIND: Final = (
    "The clock of camera {name} is {seconds} s behind this box's, so the time in its pictures contradicts the "
    "record: give both the same time server. The record goes by the box's clock.",
    "采集设备 {name} 的时钟比本机慢 {seconds} 秒，画面叠加的时间与录像时间不符："
    "请为二者设置同一时间服务器；录像以本机时钟为准。",
)
DAMAGES: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("its file is not there", "文件不存在"),
    "wrong_size": ("its file has another size", "文件大小不符"),
    "unreadable": ("the disk does not give its bytes", "磁盘无法读出"),
    "hash_differs": ("its bytes are others than were recorded", "内容与录制时不符"),
}
"""What can be wrong with a stored segment, by the name that the box gives it."""

_DAMAGED: Final = (
    "Stored segments that are not what was recorded: {count}: {which}. Nothing of them is deleted, and the log says "
    "so. Look at the disk's health (smartctl, the kernel's log); where a copy was exported, keep it; `custos scrub` "
    "lists them, and `custos scrub --camera` checks them again.",
    "已存录像中有 {count} 段与录制时不符：{which}。这些文件不会被删除，校验日志已有记载。"
    "请检查磁盘健康状态（smartctl、内核日志）；如有导出副本请妥善保存；运行 custos scrub 查看清单，"
    "custos scrub --camera 可重新校验。",
)
_BREACHED: Final = (
    "Footage that had to be kept was overwritten, because a disk was full and when_full is “overwrite”: {count} "
    "segments ({size:.1f} GB) so far, up to {days:.1f} days too early, the last at {last}. The law wants it kept: add "
    "a disk, or lower what cameras send. Each breach stands in the log (GET /api/v1/breaches).",
    "磁盘写满且 when_full 设为“overwrite”，未满法定最短留存期的录像已被覆盖：迄今 {count} 段（{size:.1f} GB），"
    "最多提前 {days:.1f} 天，最近一次在 {last}。法律要求保存这些录像：请增加磁盘或降低码率。"
    "每次覆盖均记入日志（GET /api/v1/breaches）。",
)

_HELD_DAMAGED: Final = (
    "Held segments that are not on the disk as they were recorded, of hold {hold} (case {case}): {count}. `custos log "
    "show` names them (finding). Look for another copy, check the disk, and tell whoever asked for the hold. Nothing "
    "was removed.",
    "保全 {hold}（案件 {case}）有 {count} 个录像段与记录不符或不在磁盘上：`custos log show` 列出详情（finding）。"
    "请查找其他副本、检查磁盘，并告知保全申请方。未删除任何内容。",
)
_REVIEW_DUE: Final = (
    "Hold {hold} (case {case}) is to be reviewed {when}: decide whether it is still needed, then set "
    "another date (`custos hold review`) or have it released by two persons. It stays in force either way.",
    "保全 {hold}（案件 {case}）将{when}到复核日期：请确定是否仍需保全，然后另定日期（`custos hold review`）"
    "或由两人解除。在此之前保全继续有效。",
)
_REVIEW_OVER: Final = (
    "The review date of hold {hold} (case {case}) {when}: decide whether it is still needed, then set "
    "another date (`custos hold review`) or have it released by two persons. It stays in force.",
    "保全 {hold}（案件 {case}）的复核日期{when}：请确定是否仍需保全，然后另定日期（`custos hold review`）"
    "或由两人解除。保全继续有效。",
)
_CODES: Final[Mapping[str, tuple[str, str]]] = {
    "missing": (
        "This box has no release codes, so no hold can be released: run `custos hold codes` on it, with both holders "
        "there.",
        "本机没有解除码，任何保全都无法解除：请由两位持有人到场，在本机运行 `custos hold codes`。",
    ),
    "damaged": (
        "The file of release codes cannot be used, so no hold can be released: restore keys/release-codes.json from a "
        "backup, mode 0600.",
        "解除码文件无法使用，任何保全都无法解除：请从备份恢复 keys/release-codes.json，权限 0600。",
    ),
}
_CODES_NEW: Final = (
    "A release code was made anew, and releases nothing for {days} more days of running. Its holder of before should "
    "know of it: if not, somebody wants to release holds alone.",
    "有解除码已更换，本机再运行 {days} 天后方可使用。原持有人应当知情：否则可能有人企图单独解除保全。",
)

CHINESE: Final[Mapping[str, str]] = {
    "source_error": "无法录制该采集设备。",
    "source_unreachable": "该地址上的采集设备没有应答：请检查电源、网线、地址和端口。",
    "source_auth_refused": "采集设备拒绝了用户名或密码：请核对二者，并确认该账户有查看视频的权限。",
    "source_basic_only": "采集设备只接受明文密码（basic 认证），网络沿途均可读取："
    "请改用 rtsps，或在设备上启用 digest 认证，或为该设备设置 allow_basic 予以允许。",
    "source_not_found": "采集设备有应答，但该路径上没有码流：请检查 URL 的路径。",
    "source_invalid": "该地址上的应答不是 RTSP，或不符合标准：请检查端口。",
    "source_busy": "采集设备的连接数已满：请关闭其他观看者，或调高其连接数上限。",
    "source_transport_refused": "采集设备不支持该传输方式：请为其选择其他 transport。",
    "source_redirected": "采集设备将我们转向另一台主机，本机不跟随：请把该地址写入其 URL。",
    "source_fault": "采集设备以自身错误应答：请查看其日志或重启该设备。",
    "source_keep_alive_refused": "会话每到超时即被采集设备终止：它不接受我们的保活请求。",
    "source_mixed": "采集设备把旧会话的媒体混入本会话：稍候片刻，待其释放旧会话。",
    "source_certificate": "本机不信任采集设备的证书：请提供其签发机构证书，或固定该证书。",
    "source_no_video": "码流中没有视频：请选用该设备的其他码流。",
    "source_codec_unknown": "该设备的视频编码无法录制：请将其设为 H.264 或 H.265。",
    "source_no_media": "采集设备接受了连接但不发送视频：可能负载过高或观看者过多。",
    "source_no_key_picture": "采集设备发送图像，但一分钟内没有可供解码起始的关键帧：请缩短其关键帧间隔。",
    "source_stalled": "连接未断，但采集设备停止发送视频：请检查网络和设备负载。",
    "source_ended": "采集设备结束了码流。",
    "storage_error": "磁盘未能完成写入。",
    "storage_full": "磁盘已满：请清理空间或增加存储卷；之后自动恢复录像。",
    "no_room_to_unpack": "此处空间不足，无法解开该证据包：请在别处解开后校验其目录。",
    "no_room_for_export": "磁盘须为录像留出空间，容不下该证据包：请删除不再需要的证据包，或缩短导出区间。",
    "storage_read_only": "文件系统变为只读：请查看内核日志中的磁盘错误，然后重新挂载。",
    "backup_failed": "未能备份，也未留下半份：有磁盘未完成读写，请先检查备份目标所在的磁盘。",
    "storage_denied": "本机所用的用户无权写入：请检查该目录的属主和权限。",
    "storage_failed": "磁盘读写错误：请检查接线与健康状态，并备好替换盘。",
    "volume_missing": "存储卷不存在：请挂载其磁盘；不会在原处另行写入，挂载后自动恢复使用。",
    "volume_silent": "磁盘没有应答：请检查其接线、控制器或服务器；恢复后自动使用。",
    "volume_not_empty": "该目录非空，且不是本机的存储卷：请指定空目录，或挂载正确的磁盘。",
    "volume_foreign": "存储卷处挂载的是另一块磁盘：不会向其写入，请挂载正确的磁盘。",
    "peer_gone": "本机的另一进程没有应答：它已结束或正在等待磁盘；已录内容不会丢失。",
    "catalogue_error": "索引库没有应答。",
    "catalogue_corrupt": "索引库文件已损坏：请停止本机，再从备份恢复，"
    "或运行 custos fsck --rebuild 重建（损坏的文件会保留）。",
    "sm2_error": "SM2 密钥无法签名。",
    "sm2_unavailable": "本机没有可运行的 openssl：请安装 OpenSSL 3。",
    "sm2_refused": "本机的 openssl 未能生成有效的 SM2 签名：须为支持 SM2 和 SM3 的 OpenSSL 3。",
    "sm2_silent": "本机的 openssl 签名耗时过长：请检查本机负载。",
    "sm2_key_lost": "日志所绑定的 SM2 密钥不存在或已被替换：请从备份恢复 keys/log.sm2。",
    "sm2_key_open": "他人可以读取 SM2 密钥：请将其文件权限设为 0600，并视该密钥为已泄露。",
    "key_unavailable": "目前无法使用签名密钥。",
    "key_foreign": "签名密钥不是日志所指的密钥：请恢复正确的密钥，或在 [proof] key 中写明。",
    "token_module_missing": "PKCS #11 模块不存在或无法加载：请安装硬件令牌的软件，或更正 module-path。",
    "token_missing": "存放签名密钥的硬件令牌不在：请插入硬件令牌，之后自动恢复签名。",
    "token_pin_unreadable": "硬件令牌 PIN 文件无法读取、为空，或他人可读：请将其权限设为 0600。",
    "token_pin_wrong": "硬件令牌拒绝了 PIN。为避免硬件令牌锁死，在 PIN 文件被更改之前不再尝试。",
    "token_pin_locked": "硬件令牌的 PIN 已锁定、已过期、从未设置或只剩一次尝试：请使用硬件令牌自带的工具处理。",
    "token_key_missing": "硬件令牌中没有这样的密钥，或不止一个：请更正 [proof] key 中的 object 或 id。",
    "token_key_unfit": "该密钥或硬件令牌不能进行 Ed25519 签名（CKM_EDDSA）：请更换硬件令牌，或将密钥保存在文件中。",
    "token_failed": "硬件令牌出错或被拔出：请重新插入，之后自动恢复签名。",
    "token_silent": "硬件令牌没有应答：请重新插入；若无效，请重新启动本机。",
    "tsa_error": "无法使用时间戳服务。",
    "tsa_silent": "时间戳服务没有应答：请检查其地址以及本机能否访问。",
    "tsa_refused": "时间戳服务有应答，但没有签发时间戳。",
    "tsa_wrong": "时间戳服务的应答与所请求的内容不符。",
    "tsa_untrusted": "时间戳无法归结到 tsa_ca_file 中的证书，或证书链中有证书已过期。",
    "tsa_roots_invalid": "无法读取时间戳服务的证书文件（PEM）。",
    "witness_error": "无法使用见证服务。",
    "witness_silent": "见证服务没有应答：请检查其地址、其是否在运行以及本机能否访问。",
    "witness_refused": "见证服务有应答，但没有联署。",
    "witness_unaware": "见证服务不认识本机日志或其密钥：请将 custos log key 显示的验证公钥提供给它。",
    "witness_wrong": "见证服务的应答不是对所示检查点的联署，或不是由配置中的公钥签署。",
    "witness_contradicts": "见证服务见过以本机名义出具的另一份日志。",
    "witness_ahead": "见证服务见过的日志比现有的更长：其末尾被截断，或恢复了旧副本。",
    "witness_forked": "见证服务见过本日志的另一种开头：日志被重写。",
    "proof_invalid": "本机日志与其检查点不符：请运行 custos fsck。",
    "duty_hangs": "本机中录像所必需的某个部分长时间没有完成工作。",
    "bug": "Custos 自身出错；详情见日志。",
}
"""The Chinese of what stops a camera or a duty, by error code; English is each class's own sentence."""


def codes_to_translate() -> set[str]:
    """The codes of all that can stop a camera, a stamp or a cosignature: a test sees to their Chinese sentences."""
    bases = (SourceError, StorageError, AuthorityError, WitnessError, Sm2Error, KeyUnavailable)
    return {one.code for base in bases for one in _below(base)}
