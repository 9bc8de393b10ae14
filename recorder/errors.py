"""What can go wrong with a data directory, a disk, the catalogue, a record or a camera: each with a name."""

from __future__ import annotations

from typing import ClassVar

from config.errors import CustosError, ExitCode
from recorder.causes import Cause


class StoreError(CustosError):
    """Something that is written down is not as it must be."""

    code = "store_error"


class DataDirError(StoreError):
    """The data directory cannot be used."""

    code = "data_dir"
    exit_code = ExitCode.DATA_DIR


class DataDirMissing(DataDirError):
    """There is no data directory here: run `custos init` first."""

    code = "data_dir_missing"


class DataDirUnwritable(DataDirError):
    """The data directory cannot be written to by this user: check its owner and mode."""

    code = "data_dir_unwritable"


class DataDirReadOnly(DataDirError):
    """The data directory lies on a read-only file system: remount it for writing."""

    code = "data_dir_read_only"


class DataDirInUse(DataDirError):
    """Another box is running on this data directory: stop it first, or give this one its own."""

    code = "data_dir_in_use"


class DataDirForeign(DataDirError):
    """This folder is not the data directory of a box, or belongs to another one."""

    code = "data_dir_foreign"


class DataDirTooNew(DataDirError):
    """This data directory was written by a newer version of Custos: use that version or a later one."""

    code = "data_dir_too_new"


class DataDirTooOld(DataDirError):
    """An older version of Custos wrote this data directory: start the box once, which brings it up to this one."""

    code = "data_dir_too_old"


class DataDirNotEmpty(DataDirError):
    """The folder is not empty, and holds no box: choose an empty folder for a new data directory."""

    code = "data_dir_not_empty"


class StorageError(StoreError):
    """The disk did not do what it was asked."""

    code = "storage_error"
    exit_code = ExitCode.STORAGE
    cause: ClassVar[Cause] = Cause.STORAGE_ERROR


class StorageFull(StorageError):
    """The disk is full: free space or add a volume; recording resumes by itself."""

    code = "storage_full"
    cause = Cause.STORAGE_FULL


class StorageReadOnly(StorageError):
    """The file system has become read-only: look at the kernel's log for disk errors, then remount it."""

    code = "storage_read_only"


class StorageFailed(StorageError):
    """The disk answered with an input/output error: check its cabling and health, have a spare ready."""

    code = "storage_failed"


class StorageDenied(StorageError):
    """This user may not write there: look at owner and mode of the folder, which are to be those of the box's user."""

    code = "storage_denied"


class VolumeMissing(StorageError):
    """A volume is not there: mount its disk; nothing is written in its place, and it is used again by itself."""

    code = "volume_missing"


class VolumeSilent(VolumeMissing):
    """A disk does not answer: look at its cabling, its controller or its server; it is used again by itself."""

    code = "volume_silent"


class VolumeForeign(VolumeMissing):
    """Another disk is mounted where a volume should be: nothing is written to it; mount the right one."""

    code = "volume_foreign"


class VolumeNotEmpty(VolumeForeign):
    """The folder is not empty, and no volume of this box: name an empty one, or mount the right disk."""

    code = "volume_not_empty"


class PeerGone(StorageError):
    """Another process of this box did not answer: it has ended, or waits for the disk; nothing is lost."""

    code = "peer_gone"


class CatalogueError(StoreError):
    """The catalogue (the index database) does not answer."""

    code = "catalogue_error"
    exit_code = ExitCode.CATALOGUE


class CatalogueCorrupt(CatalogueError):
    """The catalogue file is damaged: stop the box, then restore it from a backup, or run `custos fsck --rebuild`, which keeps the damaged file."""  # noqa: E501 - one sentence

    code = "catalogue_corrupt"


class ChainBroken(StoreError):
    """An item does not follow the one before it."""

    code = "chain_broken"


class Unknown(StoreError):
    """There is no such thing in the record."""

    code = "unknown"


class CameraUnknown(Unknown):
    """There is no camera of that id."""

    code = "camera_unknown"


class SegmentUnknown(Unknown):
    """There is no segment of that id."""

    code = "segment_unknown"


class HoldUnknown(Unknown):
    """There is no hold of that id."""

    code = "hold_unknown"


class ExportUnknown(Unknown):
    """There is no export of that number."""

    code = "export_unknown"


class ViewUnknown(Unknown):
    """There is no view of that number."""

    code = "view_unknown"


class RecordUnknown(Unknown):
    """No entry of the log has a side record there: `custos log show` lists entries, `custos views` views."""

    code = "record_unknown"


class StillUnavailable(Unknown):
    """There is no picture of this camera now: it is not being recorded, or has sent no key picture yet."""

    code = "still_unavailable"


class MediaGone(StoreError):
    """The media of this segment was discarded; its entries in the log remain."""

    code = "media_gone"


class MediaLost(StoreError):
    """The media of this segment is not on the disk as it was recorded: run `custos verify`, then check the disk."""

    code = "media_lost"


class Refused(StoreError):
    """That may not be done."""

    code = "refused"


class CameraExists(Refused):
    """A camera of that id exists already; ids are never used twice."""

    code = "camera_exists"


class CameraRetired(Refused):
    """That camera is retired: its footage stays, but it cannot be changed or recorded again."""

    code = "camera_retired"


class CameraManagedByFile(Refused):
    """This camera is managed by the configuration file: change it there and restart the box."""

    code = "camera_managed_by_file"


class RuleInvalid(Refused):
    """The days for which this camera's footage is to be kept cannot be so."""

    code = "rule_invalid"


class PurposeMissing(Refused):
    """Footage may be kept for longer than the law wants only for a purpose that is written down (order 799, 17)."""

    code = "purpose_missing"


class HoldReleased(Refused):
    """That hold has already been released."""

    code = "hold_released"


class ReleaseRefused(Refused):
    """These are not the release codes of two holders; which one is wrong is not told."""

    code = "release_refused"


class ReleaseBySamePerson(Refused):
    """A hold is released by two different persons: name both holders of release codes."""

    code = "release_same_person"


class ReleaseTooOften(Refused):
    """Wrong release codes were given too often: wait, and ask both holders."""

    code = "release_too_often"

    def __init__(self, retry_s: int) -> None:
        """`retry_s`: after so many seconds codes are looked at again."""
        super().__init__(f"{self.sentence()} (Codes are looked at again in {retry_s} s.)")
        self.retry_s = retry_s


class ReleaseCodeNew(Refused):
    """A release code that was made anew releases nothing yet, so that its other holder can object."""

    code = "release_code_new"


class ReleaseCodesMissing(Refused):
    """This box has no release codes yet: run `custos hold codes` on it, with both holders there."""

    code = "release_codes_missing"


class ReleaseCodesExist(Refused):
    """This box has its release codes already: renew one with `custos hold codes --renew HOLDER`."""

    code = "release_codes_exist"


class ReleaseCodesDamaged(Refused):
    """The file of release codes cannot be used: restore keys/release-codes.json from a backup, mode 0600."""

    code = "release_codes_damaged"


class HolderInvalid(Refused):
    """Two holders of release codes have two different names of 1 to 60 printable characters."""

    code = "holder_invalid"


class HolderUnknown(Unknown):
    """Nobody of that name holds a release code."""

    code = "holder_unknown"


class BelowFloor(Refused):
    """That segment is younger than the law lets it be discarded."""

    code = "below_floor"


class RulesChanged(Refused):
    """The camera's rules have changed since this discard was planned: the next sweep plans it anew."""

    code = "rules_changed"


class UnderHold(Refused):
    """That segment is under a hold: nothing discards it until every hold on it is released."""

    code = "under_hold"


class UnderExport(Refused):
    """An evidence package of this footage is being made; it goes when that is done."""

    code = "under_export"


class VolumeAway(Refused):
    """The disk that it lies on is not there, or takes no writes: it is no less kept, and nothing of it is discarded."""

    code = "volume_away"


class VolumeUnknown(Refused):
    """There is no volume of that name: name one of `[[volumes]]`."""

    code = "volume_unknown"


class NotPresent(Refused):
    """That segment has already been discarded."""

    code = "not_present"


class ExportOver(Refused):
    """That export has ended: what is done stays, and is asked for anew by another."""

    code = "export_over"


class ExportsWaiting(Refused):
    """So many exports wait to be made that no more are taken: wait until some are done, or cancel some."""

    code = "exports_waiting"


class ExportNotDone(Refused):
    """That export is not done: there is no package of it."""

    code = "export_not_done"


class PackageRemoved(StoreError):
    """The package of that export was removed; its entries in the log remain."""

    code = "package_removed"


class PackageDamaged(StoreError):
    """The package is not on the disk as it was written: ask for it anew, then check the disk."""

    code = "package_damaged"


class NoRoomForExport(StorageFull):
    """The disk has no room for that package beside what recording needs: remove packages that nobody needs any more, or ask for a shorter interval."""  # noqa: E501 - one sentence

    code = "no_room_for_export"


class NotSignedYet(Refused):
    """That footage is not below a checkpoint of the log yet: ask again in a minute."""

    code = "not_signed_yet"


class RecordErased(Refused):
    """That record was erased already."""

    code = "record_erased"


class RecordKept(Refused):
    """That record must not be erased."""

    code = "record_kept"


class ScrubBusy(Refused):
    """Stored footage is being checked for somebody else: wait until that is done."""

    code = "scrub_busy"


class TooManyViews(StoreError):
    """More is asked for than can be written down: nothing is handed out without that; wait a little."""

    code = "too_many_views"


class SourceError(CustosError):
    """The camera cannot be recorded."""

    code = "source_error"
    exit_code = ExitCode.CAMERA
    cause: ClassVar[Cause] = Cause.UNREACHABLE
    wait_s: ClassVar[float] = 0.0
    """The least time before the camera is tried again: coming back at once would make it worse."""


class SourceUnreachable(SourceError):
    """The camera does not answer at that address: check power, cable, address and port."""

    code = "source_unreachable"


class SourceRefusedUs(SourceError):
    """The camera refused the user name or password: check both, and that the account may view video."""

    code = "source_auth_refused"
    password_in_clear = False
    """Whether it was shown the password so that everybody on the way could read it."""
    cause = Cause.AUTH_REFUSED
    wait_s = 30.0  # cameras lock an account after some failures in a few minutes


class SourceBasicOnly(SourceRefusedUs):
    """The camera takes the password only readable (basic authentication), and everybody on the way would know it: use rtsps, or switch digest on in the camera, or allow it for this camera by `allow_basic`."""  # noqa: E501 - one sentence

    code = "source_basic_only"


class SourceNotFound(SourceError):
    """The camera answers, but has no stream at that path: check the path of the URL."""

    code = "source_not_found"


class SourceInvalid(SourceError):
    """What answers at that address does not speak RTSP, or not as the standard says: check the port."""

    code = "source_invalid"
    cause = Cause.STREAM_INVALID


class SourceBusy(SourceError):
    """The camera has no room for one more viewer: close other viewers, or raise its number of connections."""

    code = "source_busy"
    cause = Cause.NO_MEDIA


class SourceTransportRefused(SourceError):
    """The camera does not send over that transport: choose another `transport` for it."""

    code = "source_transport_refused"
    cause = Cause.STREAM_INVALID


class SourceRedirected(SourceError):
    """The camera sends us to another host, which is not followed: put that address into the camera's URL."""

    code = "source_redirected"
    cause = Cause.STREAM_INVALID


class SourceFault(SourceError):
    """The camera answered a request with an error of its own: look at its log, or restart it."""

    code = "source_fault"
    cause = Cause.STREAM_INVALID


class SourceTimedUsOut(SourceError):
    """The camera ends the session whenever its time-out has passed: it does not accept our keep-alives."""

    code = "source_keep_alive_refused"


class SourceMixed(SourceError):
    """The camera mixes an older session's media into this one: it gets time to forget that one."""

    code = "source_mixed"
    cause = Cause.STREAM_INVALID
    wait_s = 65.0  # the older session ends by its time-out, which is a minute where nothing else was said


class SourceCertificate(SourceError):
    """The camera's certificate is not one that this box trusts: give its authority, or pin it."""

    code = "source_certificate"
    cause = Cause.AUTH_REFUSED


class SourceWithoutVideo(SourceError):
    """The stream has no video track: choose another stream of the camera."""

    code = "source_no_video"
    cause = Cause.STREAM_INVALID


class SourceCodecUnknown(SourceError):
    """The camera's video codec cannot be recorded: set the camera to H.264 or H.265."""

    code = "source_codec_unknown"
    cause = Cause.STREAM_INVALID


class SourceSilent(SourceError):
    """The camera accepted the connection but sends no video: it may be overloaded or have too many viewers."""

    code = "source_no_media"
    cause = Cause.NO_MEDIA


class SourceWithoutKey(SourceError):
    """The camera sends pictures, but for a minute none that decoding can begin with: shorten its key frame interval."""

    code = "source_no_key_picture"
    cause = Cause.NO_MEDIA


class SourceStalled(SourceError):
    """The camera stopped sending video while the connection stood: check the network and the camera's load."""

    code = "source_stalled"
    cause = Cause.STALLED


class SourceEnded(SourceError):
    """The camera ended the stream."""

    code = "source_ended"
    cause = Cause.UNREACHABLE
