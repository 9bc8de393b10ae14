"""What can be wrong with a log, a proof, a checkpoint or a key."""

from __future__ import annotations

from config.errors import ExitCode
from recorder.errors import Refused, StoreError


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


class LeafUnknown(LeafMalformed):
    """A log entry is of a kind that this version of Custos does not know: use the version that wrote it, or a later."""

    code = "leaf_unknown"


class TileMissing(LogError):
    """A part of the log is not there, or is cut off."""

    code = "tile_missing"


class LogDamaged(LogError):
    """An entry of the log cannot be read, or is another than was signed, so the catalogue cannot be made anew from it: restore log/ from a backup, and try again."""  # noqa: E501 - one sentence

    code = "log_damaged"


class LogRolledBack(LogError):
    """The log in log/ is older than the catalogue: somebody put back a copy of it; restore the newest one there is."""

    code = "log_rolled_back"


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


class KeyForeign(LogError):
    """The signing key is not the one that the log leads to: restore the right one, or name it in [proof] key."""

    code = "key_foreign"
    exit_code = ExitCode.DATA_DIR


class LinkBroken(LogError):
    """The log's keys do not follow each other: an entry about a new key is missing, moved, or not signed by both."""

    code = "key_link_broken"


class KeyInForce(Refused):
    """The key that [proof] key names signs the log already: name another one, which is made if it is not there."""

    code = "key_in_force"


class KeysTooMany(Refused):
    """The log has had more keys than evidence packages can hold: its key is not replaced any more."""

    code = "keys_too_many"


class KeyReplaced(Refused):
    """The signing key was replaced meanwhile, and the old one is gone: ask again."""

    code = "key_replaced"


class KeyUnavailable(LogError):
    """The signing key cannot be used at the moment."""

    code = "key_unavailable"
    exit_code = ExitCode.DATA_DIR


class TokenModuleMissing(KeyUnavailable):
    """The PKCS #11 module is not there or cannot be loaded: install the token's software, or correct module-path."""

    code = "token_module_missing"


class TokenMissing(KeyUnavailable):
    """The token that holds the signing key is not there: plug it in; signing goes on by itself."""

    code = "token_missing"


class TokenPinUnreadable(KeyUnavailable):
    """The file with the token's PIN cannot be read, is empty, or others may read it: give it mode 0600."""

    code = "token_pin_unreadable"


class TokenPinWrong(KeyUnavailable):
    """The token refused the PIN. It is not tried again before its file is changed, because tokens lock after a few."""

    code = "token_pin_wrong"


class TokenPinLocked(KeyUnavailable):
    """The token's PIN is locked, has expired, was never set, or has one try left: use the token's own tool."""

    code = "token_pin_locked"


class TokenKeyMissing(KeyUnavailable):
    """There is no such key in the token, or more than one: correct object or id in [proof] key."""

    code = "token_key_missing"


class TokenKeyUnfit(KeyUnavailable):
    """That key or token cannot sign with Ed25519 (CKM_EDDSA): choose another token, or keep the key in a file."""

    code = "token_key_unfit"


class TokenFailed(KeyUnavailable):
    """The token failed or was pulled out: plug it in again; signing goes on by itself."""

    code = "token_failed"


class TokenSilent(KeyUnavailable):
    """The token does not answer: plug it in again; if that does not help, restart the box."""

    code = "token_silent"
