"""The log, as C2SP tlog-tiles: static files that any client of that format can read and check."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from api.deps import Box
from api.schemas import KeyRotated
from recorder.errors import Unknown

router = APIRouter(prefix="/api/v1/log", tags=["log"])


class TileUnknown(Unknown):
    """There is no such tile in the log."""

    code = "tile_unknown"


@router.get("/checkpoint", summary="Latest checkpoint", response_class=Response)
def checkpoint(box: Box) -> Response:
    """A C2SP signed note: origin, size, root, signature."""
    text = box.store.checkpoint_text()
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.post("/checkpoint", summary="Sign what was written so far", response_class=Response)
def sign(box: Box) -> Response:
    """The box signs every minute by itself; who needs a proof of the newest now asks for it. Where nothing was written
    since the last one, that is answered.
    """
    latest = box.store.latest_checkpoint()
    if latest is None or latest.size < box.store.log_size:
        box.store.checkpoint()
    return checkpoint(box)


@router.get("/tile/{path:path}", summary="Hash tile or entry bundle", response_class=Response)
def tile(path: str, box: Box) -> Response:
    """`tile/{L}/{N}` and `tile/entries/{N}`, partial ones with `.p/{W}`, as C2SP tlog-tiles names them."""
    data = box.store.tile(f"tile/{path}")
    if data is None:
        raise TileUnknown
    # Full or partial, a tile of that name never changes.
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.post("/rotate-key", summary="Replace the key")
def rotate_key(box: Box) -> KeyRotated:
    """A new key, where the settings say, signs the log from the next checkpoint on. Both keys sign the entry that says
    so; the old private key is destroyed, and what the papers carry stays good.
    """
    return KeyRotated(**asdict(box.store.rotate_key()))
