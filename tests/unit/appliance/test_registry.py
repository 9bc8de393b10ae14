"""How the cameras of the configuration file and those of the registry are brought together."""

from __future__ import annotations

from dataclasses import replace

from appliance.wiring.registry import Add, Change, FileCamera, Retire, faults, steps
from config.keeping import Protection, Wish
from recorder.store.records import Camera, ManagedBy

GATE = FileCamera("gate", "Gate", "rtsp://192.0.2.1/1", "ann", "/etc/gate", enabled=True)
THERE = Camera(
    id="gate",
    name="Gate",
    url="rtsp://192.0.2.1/1",
    username="ann",
    enabled=True,
    managed_by=ManagedBy.FILE,
    registered_us=1,
    retired_us=None,
    leaf_hash="00",
    password_file="/etc/gate",
)


def test_camera_is_new() -> None:
    """A camera that only the file has is registered."""
    assert steps([GATE], []) == [Add(GATE)]


def test_nothing_differs() -> None:
    """A file read again writes nothing."""
    assert steps([GATE], [THERE]) == []


def test_camera_is_changed() -> None:
    """Only what differs is changed."""
    assert steps([replace(GATE, name="Main gate", enabled=False)], [THERE]) == [
        Change("gate", {"name": "Main gate", "enabled": False})
    ]


def test_sound_is_switched_on() -> None:
    """In the file, as any other setting; it is off where the file says nothing."""
    assert GATE.settings()["audio"] == "off"
    assert steps([replace(GATE, audio="on")], [THERE]) == [Change("gate", {"audio": "on"})]
    assert steps([GATE], [replace(THERE, audio="on")]) == [Change("gate", {"audio": "off"})]


def test_a_camera_is_pinned_to_a_volume() -> None:
    """In the file, as any other setting; to none where the file says nothing."""
    assert steps([replace(GATE, volume="disk2")], [THERE]) == [Change("gate", {"volume": "disk2"})]
    assert steps([GATE], [replace(THERE, volume="disk2")]) == [Change("gate", {"volume": None})]


def test_a_readable_password_is_allowed() -> None:
    """In the file, as any other setting; it is forbidden again where the file says nothing."""
    assert GATE.settings()["allow_basic"] is False
    assert steps([replace(GATE, allow_basic=True)], [THERE]) == [Change("gate", {"allow_basic": True})]
    assert steps([GATE], [replace(THERE, allow_basic=True)]) == [Change("gate", {"allow_basic": False})]


def test_camera_is_kept_in_another_way() -> None:
    """By the file, as any other setting; and as the box keeps all where the file says nothing any more."""
    wish = Wish(Protection.COUNTER_TERRORISM, target_days=180, purpose="A building site")
    changed = {"protection": Protection.COUNTER_TERRORISM, "target_days": 180, "purpose": "A building site"}
    assert steps([replace(GATE, wish=wish)], [THERE]) == [Change("gate", changed)]
    assert steps([GATE], [replace(THERE, floor_days=60)]) == [Change("gate", {"floor_days": None})]


def test_camera_leaves_the_file() -> None:
    """A camera that the file no longer has is retired, once."""
    assert steps([], [THERE]) == [Retire("gate")]
    assert steps([], [replace(THERE, retired_us=5)]) == []


def test_camera_is_managed_by_people() -> None:
    """A camera that the file never had is left alone; one of the same id in the file is refused."""
    by_hand = replace(THERE, managed_by=ManagedBy.API)
    assert steps([], [by_hand]) == []
    assert [fault.where for fault in faults([GATE], [by_hand])] == ["custos.toml, [[cameras]] id 'gate'"]


def test_retired_camera_comes_back() -> None:
    """An id that was retired is spent: its footage must never be taken for another camera's."""
    (fault,) = faults([GATE], [replace(THERE, retired_us=5)])
    assert "never used twice" in fault.sentence()
    assert "不可重复使用" in fault.sentence("zh-CN")


def test_all_is_well() -> None:
    """A camera of the file that is registered as such is no fault."""
    assert faults([GATE], [THERE]) == []
