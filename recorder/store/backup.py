"""A backup of a box while it runs: keys, catalogue, log, identity and configuration, as they stood at one checkpoint.

A folder of its own, mode 0700, its files 0600::

    README.txt            what this is, and what lies in it
    backup.json           box, size and root of the log, program, when it was made, with keys or without
    data/                 box.json, in-force.json, catalogue.sqlite, keys/…, log/… as in a data directory
    configuration/        custos.toml, where the box has one
    SHA256SUMS            every other file; SHA256SUMS.sig: the box's signature of that list

Everything follows from one view of the catalogue. The checkpoint is the one that the view remembers, or one that the
box had just signed of leaves that the view has; the tiles are those of that size, which never change. So the catalogue
is never behind the checkpoint, and never tells of an entry that is in neither. Footage is not in it, and no package.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from config.errors import ExitCode
from config.times import format_us
from recorder.errors import Refused, StorageError, StoreError
from recorder.store import files, tables
from recorder.store.anchors import ROOTS, file_name
from recorder.store.hashing import sha256_of
from recorder.store.log.errors import KeyFileInvalid, KeyReplaced
from recorder.store.log.keys import load_key
from recorder.store.log.note import Checkpoint
from recorder.store.log.tiles import names_of
from recorder.store.records import AnchorKind, Outsider
from recorder.store.store import Store

FORMAT = 1
"""Of a backup; raised when an older program could no longer put it back."""

README, FACTS, DATA, CONFIGURATION = "README.txt", "backup.json", "data", "configuration"
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"

SETTLING_TRIES = 20
"""A running box may sign between our looking at the catalogue and at the checkpoint; hardly so often in a row."""

FILE_LIMIT_BYTES = 64 * 1024 * 1024
"""Of what is read at once: keys, settings, tiles and anchors are far smaller. The catalogue is copied page by page."""

PUBLIC = ".pub.pem"
"""Of the files in `keys` the only ones that are no secret."""

_TEXT = """\
A backup of the Custos box {name} ({box}), as of entry {size} of its log. {keys}
It holds no footage and no evidence packages: copy those by other means. `custos restore` puts it back.
Check: sha256sum --check SHA256SUMS
       openssl pkeyutl -verify -rawin -pubin -inkey data/keys/{key} -in SHA256SUMS -sigfile SHA256SUMS.sig

Custos 本机 {name}（{box}）的备份，截至校验日志第 {size} 条。{keys_zh}
不含录像和证据包，须另行备份。用 `custos restore` 恢复。
"""

_KEYS = {
    True: (
        "SECRET: the box's private keys and its cameras' passwords lie in it, readable. Who has it signs as the box.",
        "机密：内含本机私钥和采集设备口令，均为明文；持有者可冒充本机签名。",
    ),
    False: ("It was made without keys and passwords.", "不含私钥和口令。"),
}


class BackupPlaceTaken(Refused):
    """Something is at that place already: name a folder that is not there yet, for each backup its own."""

    code = "backup_place_taken"


class BackupPlaceInside(Refused):
    """A backup inside the data directory would be lost together with it: name a place on another disk."""

    code = "backup_place_inside"


class BackupUnsettled(StoreError):
    """The log and the catalogue do not agree with each other for long enough to copy them: run `custos fsck`."""

    code = "backup_unsettled"
    exit_code = ExitCode.FINDINGS


class BackupFailed(StorageError):
    """No backup was made, and nothing of one is left: a disk did not do what it was asked; look first at the one that the backup goes to."""  # noqa: E501 - one sentence

    code = "backup_failed"


@dataclass(frozen=True)
class BackupFacts:
    """What a backup says of itself."""

    box: str
    name: str
    origin: str
    size: int
    """Leaves that the checkpoint signs."""
    root: str
    entries: int
    """Leaves that the catalogue has; those behind the checkpoint wait in it to be signed."""
    made: str
    program: str
    with_keys: bool
    format: int = FORMAT


@dataclass
class _Building:
    """A backup that is being written: what lies in it so far."""

    folder: Path
    sums: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0

    def put(self, name: str, data: bytes) -> None:
        """A small file."""
        self.fill(name, lambda path: path.write_bytes(data))

    def fill(self, name: str, write: Callable[[Path], object]) -> None:
        """A file that somebody else writes into."""
        path = self.folder / name
        files.begin_private(path)
        with files.translated(path):
            write(path)
            self.size_bytes += path.stat().st_size
        self.sums[name] = sha256_of(path)

    def put_copy(self, name: str, source: Path) -> bool:
        """A small file as it lies there; false: it does not."""
        with files.translated(source):
            try:
                data = source.read_bytes()
            except FileNotFoundError:
                return False
        self.put(name, data)
        return True

    def listed(self) -> bytes:
        """Every file with its hash, in order of the names, as `sha256sum` writes it."""
        return "".join(f"{digest}  {name}\n" for name, digest in sorted(self.sums.items())).encode()


@dataclass(frozen=True)
class BackupReport:
    """What was made."""

    folder: Path
    facts: BackupFacts
    files: int
    bytes: int


def make_backup(
    store: Store, target: Path, made_us: int, program: str, *, configuration: Path | None = None, with_keys: bool = True
) -> BackupReport:
    """Copy the box as it stands at one checkpoint into a new folder; durable, and whole, when it has that name.

    Args:
        store: the open box; it may run beside, in another process.
        target: a folder that is not there yet.
        made_us: the instant that the backup carries.
        program: the version of this program.
        configuration: the box's configuration file.
        with_keys: whether private keys, passwords and the hash of the access token go with it.

    Raises:
        BackupPlaceTaken, BackupPlaceInside, BackupUnsettled, BackupFailed: as they say.
        KeyReplaced: the log's key was replaced meanwhile. KeyUnavailable: a token cannot be asked; nothing is made.
    """
    # One order of steps, from the place to its name: what is signed is seen to be all that was put there.
    target = target.absolute()
    _refuse_place(store, target)
    folder = target.with_name(f".{target.name}.part")
    try:
        files.remove_tree(folder)  # what an attempt that broke off has left
        return _made(store, folder, target, made_us, program, configuration, with_keys=with_keys)
    except StorageError as err:
        cause = err.__cause__
        why = f"{cause.filename or target}: {cause.strerror}" if isinstance(cause, OSError) else f"{target}: {err.code}"
        raise BackupFailed(f"{BackupFailed.sentence()} ({why})") from err
    finally:  # half of one has secrets in it as well, under a name that nobody looks for
        with contextlib.suppress(StorageError):
            files.remove_tree(folder)


def _made(
    store: Store,
    folder: Path,
    target: Path,
    made_us: int,
    program: str,
    configuration: Path | None,
    *,
    with_keys: bool,
) -> BackupReport:
    """Fill a folder, and give it its name once it is whole."""
    building = _Building(folder)
    with _settled(store) as (connection, note, signed):
        entries = store.ledger.state(connection).size
        building.fill(f"{DATA}/catalogue.sqlite", lambda path: store.database.copy(connection, path))
        _put_log(building, store, connection, note, signed)
        _put_identity(building, store, connection, with_keys=with_keys)
        key = store.keys.keys(connection)[-1].key
    facts = BackupFacts(
        store.box_id,
        store.facts.name,
        store.origin,
        signed.size,
        signed.root.hex(),
        entries,
        format_us(made_us),
        program,
        with_keys,
    )
    if configuration is not None:
        building.put_copy(f"{CONFIGURATION}/custos.toml", configuration)
    building.put(FACTS, json.dumps(asdict(facts), indent=2, ensure_ascii=False).encode() + b"\n")
    building.put(README, _readme(store, facts))
    sums, count = building.listed(), len(building.sums)
    building.put(SUMS, sums)
    building.put(SIGNATURE, store.sign(sums, key))
    files.sync_volume(folder)
    files.move(folder, target)
    return BackupReport(target, facts, count, building.size_bytes)


def _refuse_place(store: Store, target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise BackupPlaceTaken(f"{BackupPlaceTaken.sentence()} ({target})")
    if store.layout.root.resolve() in target.resolve().parents:
        raise BackupPlaceInside(f"{BackupPlaceInside.sentence()} ({target})")


def _readme(store: Store, facts: BackupFacts) -> bytes:
    english, chinese = _KEYS[facts.with_keys]
    told = {"name": facts.name, "box": facts.box, "size": facts.size, "keys": english, "keys_zh": chinese}
    return _TEXT.format(**told, key=store.layout.public_key.name).encode()


@contextlib.contextmanager
def _settled(store: Store) -> Iterator[tuple[Connection, str, Checkpoint]]:
    """A view of the catalogue with a checkpoint that belongs to it: neither older than it knows, nor of more leaves.

    Raises:
        BackupUnsettled: again and again there was none. LogError: the checkpoint is damaged.
    """
    for _ in range(SETTLING_TRIES):
        with store.database.read() as connection:
            state = store.ledger.state(connection)
            note = store.checkpoint_text()
            signed = store.keys.opened(note)
            if (state.checkpoint.size if state.checkpoint else 0) <= signed.size <= state.size:
                yield connection, note, signed
                return
    raise BackupUnsettled


def _put_log(building: _Building, store: Store, connection: Connection, note: str, signed: Checkpoint) -> None:
    """The checkpoint, the tiles of its size, and every anchor that the view knows of."""
    building.put(f"{DATA}/log/checkpoint", note.encode())
    for name in names_of(signed.size):
        data = store.ledger.tiles.serve(name.path)
        if data is None:
            raise BackupUnsettled(f"The log's tile {name.path} is not there: run `custos fsck`.")
        building.put(f"{DATA}/log/{name.path}", data)
    anchors = store.layout.log / "anchors"
    names = {path.name for path in sorted(anchors.glob(ROOTS.format("*")))}
    for row in connection.execute(select(tables.anchors)).mappings():
        names.add(file_name(row["size"], Outsider(AnchorKind(row["kind"]), row["witness"])))
        names.add(f"{row['size']}.body")
    for name_of_anchor in sorted(names):
        building.put_copy(f"{DATA}/log/anchors/{name_of_anchor}", anchors / name_of_anchor)


def _put_identity(building: _Building, store: Store, connection: Connection, *, with_keys: bool) -> None:
    """Who the box is: its identity, the configuration that the log was told last, and its keys.

    Raises:
        KeyReplaced: the private key of this view is not there any more.
    """
    layout = store.layout
    building.put_copy(f"{DATA}/box.json", layout.box)
    building.put_copy(f"{DATA}/in-force.json", layout.root / "in-force.json")
    with files.translated(layout.keys):
        found = sorted(path for path in layout.keys.rglob("*") if path.is_file() and not path.match(".*.tmp"))
    for path in found:
        if with_keys or path.name.endswith(PUBLIC):
            building.put_copy(f"{DATA}/keys/{path.relative_to(layout.keys)}", path)
    present = store.keys.keys(connection)[-1]
    copied = (building.folder / DATA / "keys" / path.name for path in (layout.key, layout.next_key))
    if with_keys and present.kind == "file" and not any(_is_of(path, present.key) for path in copied):
        raise KeyReplaced


def _is_of(path: Path, key: object) -> bool:
    with contextlib.suppress(KeyFileInvalid):
        return path.exists() and load_key(path).public_key() == key
    return False


def digest_of_list(data: bytes) -> str:
    """What names a backup among others: the SHA-256 of its list."""
    return hashlib.sha256(data).hexdigest()
