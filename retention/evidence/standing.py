"""How a camera's record of an interval stands, by the box's log and disk, checked as a stranger checks a package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recorder.errors import Refused, StoreError
from recorder.store.hashing import hashed
from recorder.store.log.keys import public_pem
from recorder.store.records import MediaState, Segment, stream_of
from recorder.store.segments import LEGAL_FLOOR_DAYS
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.completeness import Judgement
from retention.evidence.verification import Problem, Verification, heads_text

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class NothingRecorded(Refused):
    """The log tells of nothing in that interval: the camera was not registered then, or the time is still to come."""

    code = "nothing_recorded"


@dataclass(frozen=True)
class Standing:
    """What is proved of the interval, and what is wrong with the proof itself."""

    judgement: Judgement
    problems: tuple[Problem, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every instant is accounted for, and nothing is wrong."""
        return not self.problems and self.judgement.is_complete


def standing(
    store: Store, camera_id: str, start_us: int, end_us: int, progress: Progress = lambda done, total: None
) -> Standing:
    """Judge every instant of an interval; every file that overlaps it is read.

    Raises:
        CameraUnknown, NothingRecorded: as they say. NotSignedYet: the newest of it is not below a checkpoint.
        LogError: the log is damaged. StorageError: it cannot be read.
        VolumeMissing: a disk with footage of it is not there: that says nothing of the footage.
    """
    stream_id = stream_of(store.cameras.get(camera_id).id)
    items = store.items(stream_id, start_us, end_us)
    if not items:
        raise NothingRecorded
    proof = store.proof(stream_id, items[0].n, items[-1].n)
    checked = Verification(store.first_fingerprint)
    for number, key in enumerate(proof.keys[:-1]):
        checked.earlier_key(package.EARLIER_KEY.format(number=number), number, public_pem(key))
    checked.key(package.KEY, public_pem(proof.keys[-1]))
    checked.checkpoint(package.CHECKPOINT, proof.checkpoint_text)
    for leaf in proof.leaves:
        checked.leaf(package.LEAVES, leaf.index, leaf.body, leaf.path)
    checked.genesis(package.LEAVES, package.KEY)
    for index, vector in proof.heads.items():
        checked.heads(f"{package.HEADS}/{index}.json", index, heads_text(vector))
    _media(store, [one for one in items if isinstance(one, Segment)], checked, progress)
    judgement = checked.judgement(stream_id, start_us, end_us, floor_days=LEGAL_FLOOR_DAYS, zone=store.zone)
    return Standing(judgement, tuple(checked.problems))


def _media(store: Store, segments: list[Segment], checked: Verification, progress: Progress) -> None:
    """Every file that should be there; one that is not is missing, which the judgement says."""
    present = [one for one in segments if one.state is not MediaState.GONE]
    store.refuse_away(present)
    done, total = 0, sum(one.bytes for one in present)
    places = [store.media_path(one) for one in present]
    for one, digest in zip(present, hashed(places, with_sm3=checked.tells_sm3), strict=True):
        if not isinstance(digest, StoreError):
            checked.media(one.path, one.stream_id, one.n, digest.sha256, digest.sm3)
        done += one.bytes
        progress(done, total)
