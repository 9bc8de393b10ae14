"""What can be wrong with a log, a proof, a checkpoint or a key."""

from __future__ import annotations

from config.errors import ExitCode
from recorder.errors import StoreError


class LogError(StoreError):
    """The log is not as it must be."""

    code = "log_error"
    exit_code = ExitCode.FINDINGS


class LeafTooLarge(LogError):
    """That entry is larger than the log takes (64 KB)."""

    code = "leaf_too_large"


class LeafMalformed(LogError):
    """A log entry is not canonical JSON of the form that this log writes."""

    code = "leaf_malformed"


class TileMissing(LogError):
    """A part of the log is not there, or is cut off."""

    code = "tile_missing"


class TileConflict(LogError):
    """A full tile of the log exists with other content; it was left as it is."""

    code = "tile_conflict"


class ProofInvalid(LogError):
    """A proof does not lead to the root that it should."""

    code = "proof_invalid"


class CheckpointMalformed(LogError):
    """The checkpoint cannot be read as a signed note."""

    code = "checkpoint_malformed"


class CheckpointForeign(LogError):
    """The checkpoint is of another log, or of another key."""

    code = "checkpoint_foreign"


class SignatureInvalid(LogError):
    """The checkpoint's signature is wrong: it was changed after signing."""

    code = "signature_invalid"


class KeyFileOpen(LogError):
    """Others can read the signing key: give its file mode 0600, and consider the key known."""

    code = "key_file_open"
    exit_code = ExitCode.DATA_DIR


class KeyFileInvalid(LogError):
    """The signing key cannot be read: restore it from a backup."""

    code = "key_file_invalid"
    exit_code = ExitCode.DATA_DIR
