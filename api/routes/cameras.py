"""The camera registry."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Box
from api.schemas import CameraChange, CameraList, CameraNew, CameraOut
from config.times import format_us
from recorder.store.records import Camera, ManagedBy

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"])


@router.get("", summary="All cameras")
def all_cameras(box: Box) -> CameraList:
    """Every camera ever registered, retired ones too, by id."""
    return CameraList(cameras=[shown(camera) for camera in box.store.cameras.all()])


@router.get("/{camera_id}", summary="One camera")
def camera(camera_id: str, box: Box) -> CameraOut:
    """A camera of the registry."""
    return shown(box.store.cameras.get(camera_id))


@router.post("", summary="Register a camera", status_code=201)
def add(body: CameraNew, box: Box) -> CameraOut:
    """It is recorded from now on. Ids are never used twice; the password is never shown again."""
    made = box.store.cameras.add(
        body.id,
        body.name,
        body.url,
        username=body.username,
        password=body.password,
        managed_by=ManagedBy.API,
        transport=body.transport,
    )
    box.cameras_changed()
    return shown(made)


@router.patch("/{camera_id}", summary="Change a camera")
def change(camera_id: str, body: CameraChange, box: Box) -> CameraOut:
    """What is left out stays. A camera managed by the configuration file is changed there."""
    changes = {
        key: value
        for key, value in body.model_dump(exclude_unset=True, exclude={"password"}).items()
        if _meant(key, value)
    }
    changed = box.store.cameras.change(camera_id, ManagedBy.API, changes, password=body.password)
    box.cameras_changed()
    return shown(changed)


@router.delete("/{camera_id}", summary="Retire a camera")
def retire(camera_id: str, box: Box) -> CameraOut:
    """It is recorded no more, for good; its footage stays as long as the rules say."""
    retired = box.store.cameras.retire(camera_id, ManagedBy.API)
    box.cameras_changed()
    return shown(retired)


def shown(camera: Camera) -> CameraOut:
    """A camera without its password."""
    return CameraOut(
        id=camera.id,
        name=camera.name,
        url=camera.url,
        username=camera.username,
        transport=camera.transport,
        enabled=camera.enabled,
        managed_by=camera.managed_by.value,
        registered=format_us(camera.registered_us),
        retired=None if camera.retired_us is None else format_us(camera.retired_us),
    )


def _meant(key: str, value: object) -> bool:
    """A user name may be taken away by null; for the others null means: leave it."""
    return value is not None or key == "username"
