"""The store as a capture process sees it (`RemoteBook`), and the main process's side of it (`BookService`).

A capture process writes media to the disk itself; what is a fact of the record, the main process writes down, for it
is the one that commits. Between them go small messages; no media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from recorder.capture.channel import Answer, Asked, Channel
from recorder.causes import Cause
from recorder.store.layout import Layout
from recorder.store.parts import FinishedPart, PartFile, Parts
from recorder.store.records import AudioCodec, AudioFacts, CameraSignature, CodecName, Head, SegmentFacts, SegmentHeader


class RemoteBook:
    """Obeys `recording.StreamBook`. Every call but `begin` waits for the main process."""

    def __init__(self, channel: Channel, layout: Layout, box_id: str, *, with_sm3: bool = False) -> None:
        self._channel = channel
        self._parts = Parts(layout, with_sm3=with_sm3)
        self._box_id = box_id

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
        body = {"header": asdict(done.header), "bytes": done.bytes, **hashes, "facts": asdict(facts)}
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


class BookService:
    """Carries out what a `RemoteBook` asks for."""

    KINDS = frozenset({"resume", "segment", "gap", "described"})

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
        part = FinishedPart(SegmentHeader(**body["header"]), body["bytes"], body["sha256"], body["sm3"])
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
