"""The camera registry."""

from __future__ import annotations

from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from api.deps import Asking, Box, Language, Ports
from api.schemas import CameraChange, CameraList, CameraNew, CameraOut
from config.keeping import Terms
from config.logs import redact
from config.times import format_us
from recorder.store.records import Camera, ManagedBy, ViewKind, stream_of

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"])


@router.get("", summary="All cameras")
def all_cameras(box: Box) -> CameraList:
    """Every camera ever registered, retired ones too, by id."""
    cameras = box.store.cameras
    keeping = cameras.all_keeping()
    return CameraList(cameras=[shown(one, keeping.get(one.id) or cameras.keeping(one.id)) for one in cameras.all()])


@router.get("/{camera_id}", summary="One camera")
def camera(camera_id: str, box: Box) -> CameraOut:
    """A camera of the registry."""
    return _shown(box, box.store.cameras.get(camera_id))


@router.post("", summary="Register a camera", status_code=201)
def add(body: CameraNew, box: Box, language: Language) -> CameraOut:
    """It is recorded from now on. Ids are never used twice; the password is never shown again. Where there is no room
    for it, `admission` warns: it is registered all the same."""
    box.store.disks.refuse_unknown(body.volume)
    made = box.store.cameras.add(
        body.id,
        body.name,
        body.url,
        username=body.username,
        password=body.password,
        managed_by=ManagedBy.API,
        transport=body.transport,
        audio=body.audio,
        allow_basic=body.allow_basic,
        protection=body.protection,
        floor_days=body.floor_days,
        target_days=body.target_days,
        purpose=body.purpose,
        volume=body.volume,
    )
    box.cameras_changed()
    return _admitted(box, made, body.bitrate_bps, language)


@router.patch("/{camera_id}", summary="Change a camera")
def change(camera_id: str, body: CameraChange, box: Box, language: Language) -> CameraOut:
    """What is left out stays. A camera managed by the configuration file is changed there."""
    box.store.disks.refuse_unknown(body.volume)
    changes = {
        key: value
        for key, value in body.model_dump(exclude_unset=True, exclude={"password", "bitrate_bps"}).items()
        if _meant(key, value)
    }
    changed = box.store.cameras.change(camera_id, ManagedBy.API, changes, password=body.password)
    box.cameras_changed()
    return _admitted(box, changed, body.bitrate_bps, language)


@router.delete("/{camera_id}", summary="Retire a camera")
def retire(camera_id: str, box: Box) -> CameraOut:
    """It is recorded no more, for good; its footage stays as long as the rules say."""
    retired = box.store.cameras.retire(camera_id, ManagedBy.API)
    box.cameras_changed()
    return _shown(box, retired)


@router.get("/{camera_id}/sdp", summary="What the camera says of itself", response_class=PlainTextResponse)
def description(camera_id: str, box: Box) -> PlainTextResponse:
    """Its SDP, raw but for what looks like a password, when it was last connected to; empty: it has not been yet."""
    text = box.store.cameras.description(camera_id).decode("utf-8", "replace")
    return PlainTextResponse(redact(text), media_type="application/sdp")


@router.get(
    "/{camera_id}/still.jpg",
    summary="The newest key picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 404: {"description": "None is new enough."}},
)
async def still(
    camera_id: str,
    box: Box,
    asking: Asking,
    max_age_s: Annotated[float, Query(ge=0, le=3600, description="Older ones are answered with 404.")] = 30.0,
) -> Response:
    """As it came from the camera, decoded now; `Age` says how many seconds ago that was."""
    await run_in_threadpool(box.store.cameras.get, camera_id)
    found = await run_in_threadpool(box.still, camera_id, max_age_s)
    await asking.written_down(stream_of(camera_id), ViewKind.STILL, found.utc_us, found.utc_us)
    headers = {
        "Age": str(round(found.age_s)),
        "Last-Modified": formatdate(found.utc_us / 1e6, usegmt=True),
        "Cache-Control": "no-store",
    }
    return Response(found.jpeg, media_type="image/jpeg", headers=headers)


def _admitted(box: Ports, camera: Camera, bitrate_bps: int | None, language: str) -> CameraOut:
    """With whether there is room for it."""
    found = box.admit(camera.id, bitrate_bps, language)
    return _shown(box, camera).model_copy(update={"admission": found})


def _shown(box: Ports, camera: Camera) -> CameraOut:
    return shown(camera, box.store.cameras.keeping(camera.id))


def shown(camera: Camera, terms: Terms) -> CameraOut:
    """A camera without its password, and how long its footage is kept."""
    return CameraOut(
        id=camera.id,
        name=camera.name,
        url=camera.url,
        username=camera.username,
        transport=camera.transport,
        audio=camera.audio,
        allow_basic=camera.allow_basic,
        enabled=camera.enabled,
        managed_by=camera.managed_by.value,
        registered=format_us(camera.registered_us),
        retired=None if camera.retired_us is None else format_us(camera.retired_us),
        protection=terms.protection,
        floor_days=terms.floor_days,
        target_days=terms.target_days,
        purpose=terms.purpose,
        volume=camera.volume,
    )


def _meant(key: str, value: object) -> bool:
    """What a camera may be without is taken away by null; for the others null means: leave it."""
    return value is not None or key in _MAY_BE_WITHOUT


_MAY_BE_WITHOUT = frozenset({"username", "floor_days", "target_days", "purpose", "volume"})
