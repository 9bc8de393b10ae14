"""The store as a capture process sees it (`RemoteBook`), and the main process's side of it (`BookService`).

A capture process writes media to the disk itself; what is a fact of the record, the main process writes down, for it
is the one that commits. Between them go small messages; no media. Which volumes there are, how it stands with them and
which comes first the main process says whenever that changes (`Shelves`): no segment waits for it before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from recorder.capture.channel import Answer, Asked, Channel, error_of
from recorder.causes import Cause
from recorder.errors import StorageError
from recorder.store.layout import Layout
from recorder.store.parts import FinishedPart, PartFile, Parts
from recorder.store.places import Place
from recorder.store.pressure import WRITABLE
from recorder.store.records import AudioCodec, AudioFacts, CameraSignature, CodecName, Head, SegmentFacts, SegmentHeader


@dataclass(frozen=True)
class Shelves:
    """Where segments may go, as of the last look."""

    places: tuple[Place, ...] = ()
    """The best first."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Of cameras that have a volume before all others: its name."""

    def of(self, camera_id: str) -> Sequence[Place]:
        """Where the next segment of that camera may go, the best first.

        Places stand in order of what they take (`pressure.in_order`): the pinned one comes first only among its equals.
        """
        pinned = self.pins.get(camera_id)
        if pinned is None:
            return self.places
        first = [one for one in self.places if one.name == pinned and one.state in WRITABLE]
        return [*first, *(one for one in self.places if one not in first)]


def shelves_body(shelves: Shelves) -> Mapping[str, Any]:
    """As a message holds it."""
    return {
        "places": [{**asdict(one), "root": str(one.root), "state": str(one.state)} for one in shelves.places],
        "pins": dict(shelves.pins),
    }


def shelves_of(body: Mapping[str, Any]) -> Shelves:
    """And back."""
    return Shelves(tuple(Place(**{**one, "root": Path(one["root"])}) for one in body["places"]), dict(body["pins"]))


class RemoteBook:
    """Obeys `recording.StreamBook`. Every call but `begin` waits for the main process."""

    def __init__(
        self,
        channel: Channel,
        layout: Layout,
        box_id: str,
        *,
        with_sm3: bool = False,
        shelves: Shelves | None = None,
        mono_us: Callable[[], int] | None = None,
    ) -> None:
        """What it works with.

        Args:
            channel: to the main process.
            layout: of the data directory.
            box_id: whose segments these are.
            with_sm3: whether they are hashed with SM3 too.
            shelves: where they may go; None: into the data directory.
            mono_us: the monotonic clock: a volume that failed rests.
        """
        self._channel = channel
        self.shelves = shelves
        places = None if shelves is None else self._places
        self._parts = Parts(layout, places, with_sm3=with_sm3, mono_us=mono_us, failed=self._failed)
        self._box_id = box_id

    def _places(self, camera_id: str) -> Sequence[Place]:
        return () if self.shelves is None else self.shelves.of(camera_id)

    def _failed(self, name: str, error: StorageError) -> None:
        """The main process tells people, other processes, and the sweeper, of what this one has met."""
        self._channel.tell("volume_failed", {"volume": name, "code": error.code, "text": str(error)})

    @property
    def box_id(self) -> str:
        """Whose segments these are."""
        return self._box_id

    def resume(self, stream_id: str) -> Head:
        """Finish what a failed run left; where the chain stands then."""
        return _head(self._channel.call("resume", {"stream": stream_id}))

    def begin(self, header: SegmentHeader) -> PartFile:
        """Create the file of the next segment, here; whether it follows the chain is seen when it is committed."""
        return self._parts.begin(header)

    def commit_segment(self, part: PartFile, facts: SegmentFacts) -> Head:
        """Have a finished segment sealed and written down."""
        done = part.finish()
        hashes = {"sha256": done.sha256, "sm3": done.sm3}
        told = {"bytes": done.bytes, "volume": done.volume, **hashes}
        body = {"header": asdict(done.header), **told, "facts": asdict(facts)}
        return _head(self._channel.call("segment", body))

    def commit_gap(self, stream_id: str, t1_us: int, cause: Cause, detail: str = "") -> Head:
        """Have it written down why nothing was recorded."""
        body = {"stream": stream_id, "t1_us": t1_us, "cause": cause.value, "detail": detail}
        return _head(self._channel.call("gap", body))


class Book(Protocol):
    """What the service needs of the store."""

    def resume(self, stream_id: str) -> Head:
        """Finish what a failed run left."""
        ...

    def commit_finished(self, part: FinishedPart, facts: SegmentFacts) -> Head:
        """Seal a part file that another process wrote, and write it down."""
        ...

    def commit_gap(self, stream_id: str, t1_us: int, cause: Cause, detail: str = "") -> Head:
        """Write down why nothing was recorded."""
        ...

    def keep_description(self, camera_id: str, description: bytes) -> None:
        """What a camera said of itself, for support."""
        ...

    def volume_failed(self, name: str, error: StorageError) -> None:
        """A volume did not do what a process that writes asked of it."""
        ...


class BookService:
    """Carries out what a `RemoteBook` asks for."""

    KINDS = frozenset({"resume", "segment", "gap", "described", "volume_failed"})

    def __init__(self, book: Book) -> None:
        self._book = book

    def answer(self, asked: Asked) -> Answer:
        """Do it.

        Raises:
            StoreError: as the store does.
        """
        body = asked.body
        if asked.kind == "resume":
            return _told(self._book.resume(body["stream"]))
        if asked.kind == "gap":
            return _told(self._book.commit_gap(body["stream"], body["t1_us"], Cause(body["cause"]), body["detail"]))
        if asked.kind == "described":
            self._book.keep_description(body["camera"], asked.blob)
            return Answer({})
        if asked.kind == "volume_failed":
            error = error_of(body["code"], body["text"])
            self._book.volume_failed(body["volume"], error if isinstance(error, StorageError) else StorageError())
            return Answer({})
        header = SegmentHeader(**body["header"])
        part = FinishedPart(header, body["bytes"], body["sha256"], body["sm3"], body["volume"])
        return _told(self._book.commit_finished(part, _facts(body["facts"])))


def _told(head: Head) -> Answer:
    return Answer(asdict(head))


def _head(answer: Answer) -> Head:
    return Head(**answer.body)


def _facts(body: Mapping[str, Any]) -> SegmentFacts:
    audio = body["audio"]
    heard = None if audio is None else AudioFacts(**{**audio, "codec": AudioCodec(audio["codec"])})
    signed = None if body["camsig"] is None else tuple(map(CameraSignature, body["camsig"]))
    return SegmentFacts(**{**body, "codec": CodecName(body["codec"]), "audio": heard, "camsig": signed})
