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


class Sm2Error(LogError):
    """The SM2 key cannot sign."""

    code = "sm2_error"


class Sm2Unavailable(Sm2Error):
    """There is no openssl here that can be run: install OpenSSL 3."""

    code = "sm2_unavailable"


class Sm2Refused(Sm2Error):
    """The openssl here made no SM2 signature that holds: it must be OpenSSL 3, built with SM2 and SM3."""

    code = "sm2_refused"


class Sm2Silent(Sm2Error):
    """The openssl here took too long to sign: look at what else this machine does."""

    code = "sm2_silent"


class Sm2KeyLost(Sm2Error):
    """The SM2 key that the log binds is not there, or is another one: restore keys/log.sm2 from a backup."""

    code = "sm2_key_lost"


class Sm2KeyOpen(Sm2Error):
    """Others can read the SM2 key: give its file mode 0600, and consider the key known."""

    code = "sm2_key_open"


class Sm3Unavailable(LogError):
    """The OpenSSL that Python uses here has no SM3: use another build of it, or set [proof] sm = false."""

    code = "sm3_unavailable"
    exit_code = ExitCode.CONFIG


class KeyFileOpen(LogError):
    """Others can read the signing key: give its file mode 0600, and consider the key known."""

    code = "key_file_open"
    exit_code = ExitCode.DATA_DIR


class KeyFileInvalid(LogError):
    """The signing key cannot be read: restore it from a backup."""

    code = "key_file_invalid"
    exit_code = ExitCode.DATA_DIR
