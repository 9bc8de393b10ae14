"""What is coming."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Box, Language
from api.schemas import ForecastOut

router = APIRouter()


@router.get("/api/v1/forecast", summary="When disks are full, and when the floor would fail", tags=["health"])
def forecast(box: Box, language: Language) -> ForecastOut:
    """Of each volume and each camera, at the present rates, with days that fit against days required; and in words what
    to do (English, or Chinese by Accept-Language)."""
    return box.forecast(language)
