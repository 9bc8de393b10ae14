"""Why footage is missing: the closed set of gap causes, each with its sentence for people."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """The cause of a gap, as it stands in leaves, rows and answers."""

    UNREACHABLE = "unreachable"
    AUTH_REFUSED = "auth_refused"
    NO_MEDIA = "no_media"
    STALLED = "stalled"
    STREAM_INVALID = "stream_invalid"
    TIMESTAMP_JUMP = "timestamp_jump"
    OVERLOAD = "overload"
    STORAGE_FULL = "storage_full"
    STORAGE_ERROR = "storage_error"
    BOX_DOWN = "box_down"
    CLOCK_STEP = "clock_step"
    OPERATOR = "operator"
    SCHEDULED = "scheduled"
    RETIRED = "retired"

    def sentence(self, language: str = "en") -> str:
        """The sentence for people in ``en`` or ``zh-CN``."""
        return _SENTENCES[self][1 if language.startswith("zh") else 0]


_SENTENCES: dict[Cause, tuple[str, str]] = {
    Cause.UNREACHABLE: ("The camera could not be reached.", "无法连接采集设备。"),
    Cause.AUTH_REFUSED: ("The camera refused the user name or password.", "采集设备拒绝了用户名或密码。"),
    Cause.NO_MEDIA: (
        "The camera was connected to, but had not sent a picture that could be stored.",
        "已连接采集设备，但尚未收到可存储的图像。",
    ),
    Cause.STALLED: (
        "The camera stopped sending while the connection stood.",
        "连接未断，但采集设备停止发送图像。",
    ),
    Cause.STREAM_INVALID: ("What the camera sent could not be recorded.", "采集设备发送的码流无法录制。"),
    Cause.TIMESTAMP_JUMP: ("The camera's time stamps jumped.", "采集设备的时间戳发生跳变。"),
    Cause.OVERLOAD: ("The box could not keep up with the camera.", "本机处理不及，未能录下码流。"),
    Cause.STORAGE_FULL: ("The disk was full.", "磁盘已满。"),
    Cause.STORAGE_ERROR: ("The disk could not be written to.", "磁盘无法写入。"),
    Cause.BOX_DOWN: ("The box, or its part that records this camera, was not running.", "本机或其采集进程未运行。"),
    Cause.CLOCK_STEP: ("The clock of the box was set.", "本机时钟被调整。"),
    Cause.OPERATOR: ("Recording was switched off by an operator.", "操作人员关闭了录像。"),
    Cause.SCHEDULED: ("Recording was not scheduled.", "未安排录像。"),
    Cause.RETIRED: ("The camera was retired.", "采集设备已停用。"),
}
