"""A day on a disk that is really full, in no time: run behind a mount of its own, it prints what became of the record.

Catalogue, log and footage share the disk, so that a disk without one free byte hits all three. Time is handed in; the
disk is not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
from fastapi import FastAPI

from api.app import create_app
from recorder.errors import StorageFull
from recorder.store.pressure import levels
from recorder.store.records import MediaState, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes.box import hold, new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.ports import ports_of

HOURS = 24
CAMERAS = ("gate", "yard")
ASKED = (
    "/api/v1/status",
    "/api/v1/cameras/gate/segments",
    "/api/v1/cameras/gate/coverage",
    "/api/v1/holds",
    "/metrics",
)
"""Of the interface, all that an hour is asked for."""


class Day:
    """The box, its disk, and what is counted."""

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self.folder, self.clock, self.told = folder, FakeClock(), Counter[str]()
        self.store = new_store(folder, self.clock, *CAMERAS)
        self.store.recover()
        self.app = create_app(ports_of(self.store, self.clock))
        self.store.overwriting.put_in_force(is_on=overwrite)
        self.clock.advance(1)
        self._record()
        first = self._segments()[0]
        hold(self.store, ["gate"], first.t0_us, first.t1_us)
        self.held = first.id

    def live(self) -> None:
        """Hour by hour, with somebody else's file on the disk that leaves less than a box needs."""
        space = os.statvfs(self.folder)
        limit = levels(space.f_blocks * space.f_frsize)
        self._fill(limit.critical + 40_000)
        for hour in range(HOURS):
            if hour % 6 == 5:
                self._no_byte_free()
            elif hour % 6 == 2:
                self._fill(limit.critical - 40_000)
            self._attempt("record", self._record)
            self._attempt("sweep", self._sweep)
            self._attempt("sign", self.store.checkpoint)
            self._ask()
            self.clock.advance(3600)
        (self.folder / "ballast").unlink()
        self.told["before"] = len(self._segments())
        self._record()

    def report(self) -> dict[str, object]:
        """What became of it, after a restart."""
        self.store.checkpoint()
        self.store.close()
        self.store = Store.open(self.folder / "data", self.clock)
        self.store.recover()
        self.store.checkpoint()
        found = self._segments()
        return {
            **self.told,
            "resumed": len(found) - self.told["before"],
            "held": self.store.segment(self.held).state.value,
            "gone": sum(one.state is MediaState.GONE for one in found),
            "breaches": self.store.overwriting.count().count,
            "findings": [one.what for one in verify(self.store)],
            "first": self.held,
            "oldest_kept": next(one.id for one in found if one.state is MediaState.PRESENT),
        }

    def _attempt(self, name: str, act: Callable[[], object]) -> None:
        """What a full disk refuses it refuses by that name, and by no other."""
        try:
            act()
        except StorageFull:
            self.told[f"{name} refused"] += 1
        else:
            self.told[f"{name} done"] += 1

    def _record(self) -> None:
        for name in CAMERAS:
            record(self.store, self.clock, SECOND * 4, name)

    def _sweep(self) -> None:
        self.told["broken"] += sweep(self.store, self.clock).broken

    def _segments(self) -> list[Segment]:
        found = [one for name in CAMERAS for one in self.store.items(f"{name}.main", 0, 2**62)]
        return sorted((one for one in found if isinstance(one, Segment)), key=lambda one: one.t1_us)

    def _ask(self) -> None:
        """Whoever asks gets an answer, at every hour."""
        for answer in asyncio.run(_answers(self.app)):
            assert answer.status_code == 200, (answer.request.url, answer.text)
            self.told["answers"] += 1

    def _fill(self, free_bytes: int) -> None:
        """Somebody's file grows or shrinks until so much is left."""
        path = self.folder / "ballast"
        space = os.statvfs(self.folder)
        size = path.stat().st_size if path.exists() else 0
        wanted = max(0, size + space.f_bavail * space.f_frsize - free_bytes)
        with path.open("r+b" if path.exists() else "wb") as stream:
            if wanted > size:
                os.posix_fallocate(stream.fileno(), 0, wanted)
            else:
                stream.truncate(wanted)

    def _no_byte_free(self) -> None:
        """Nothing can be written at all; what is there can be asked for all the same."""
        self._fill(0)
        self.told["no byte free"] += 1
        for act in (self._record, self._sweep, self.store.checkpoint):
            self._attempt("without a byte", act)
        assert [one.state for one in self.store.volumes()] == ["full"]
        self._ask()
        assert self._segments()
        assert self.store.latest_checkpoint() is not None
        space = os.statvfs(self.folder)
        self._fill(levels(space.f_blocks * space.f_frsize).critical - 40_000)


async def _answers(app: FastAPI) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return [await client.get(path) for path in ASKED]


if __name__ == "__main__":
    day = Day(Path(sys.argv[2]), overwrite=sys.argv[1] == "overwrite")
    day.live()
    print(json.dumps(day.report()))
