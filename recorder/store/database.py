"""The catalogue's engine and its transactions; the only file that knows which database it is.

One writer: `Database.write` holds a lock and begins at once (`BEGIN IMMEDIATE`), so no commit ever fails because
another one was faster. Readers never wait for it (WAL). ``synchronous=FULL``: a row that was committed survives a
power cut; with the usual NORMAL the last rows of a WAL may be gone, and with them the proof that a minute was kept.
``secure_delete=ON``: what is deleted is written over with zeros, pages that become free too; `forget` does the rest.
Foreign errors are translated here and nowhere else.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, text

from recorder.errors import (
    CatalogueCorrupt,
    CatalogueError,
    DataDirTooNew,
    DataDirTooOld,
    StorageError,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
)

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_TIMEOUT_S = 10
"""How long a reader waits for a checkpoint of the WAL; a writer of this process never waits for it."""

FORGET_WAIT_MS = 500
"""How long `forget` waits for readers: writers wait for it, and a segment that is to be committed can bear that."""

QUICK_CHECK_LIMIT_BYTES = 64 * 1024 * 1024
"""Up to this size the whole file is checked at every start (about a second); `custos fsck` checks larger ones."""

CACHE_KIB = 512
"""Pages that each connection keeps in memory. SQLite itself would keep four times that; the kernel keeps the file, too,
and half a dozen connections that fill their caches over hours look like a leak."""

SCHEMA: Final = "0019"
"""The newest migration. Alembic knows it too, but loads all of them to say so, which is most of a start: it is asked
only about a catalogue that another program has written."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_STORAGE: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_READONLY: StorageReadOnly,
    sqlite3.SQLITE_IOERR: StorageFailed,
}


_NO_ROOM = {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN}
"""What SQLite calls an I/O error when a disk with no byte free cannot take its shared-memory file."""


class Database:
    """The catalogue of one data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._writer = _engine(path, "BEGIN IMMEDIATE")
        self._reader = _engine(path, "BEGIN")

    def close(self) -> None:
        """Give back all connections."""
        self._writer.dispose()
        self._reader.dispose()

    def prepare(self) -> None:
        """Check the file and bring its schema up to this program's.

        Raises:
            CatalogueCorrupt: the file is damaged.
            DataDirTooNew: a newer program has written it.
        """
        if self._path.exists() and self._path.stat().st_size <= QUICK_CHECK_LIMIT_BYTES:
            self.quick_check()
        with self.write() as connection:
            if _schema_of(connection) != SCHEMA:
                self.refuse_newer(connection)
                _upgrade(connection)

    def must_be_of_today(self) -> None:
        """For who only reads, and brings nothing up to date: the schema is this program's.

        A damaged catalogue is no matter of its age: whoever reads it finds that, and says more of it.

        Raises:
            DataDirTooNew, DataDirTooOld: it is another's.
        """
        with contextlib.suppress(CatalogueError, StorageError), self.read() as connection:
            self.refuse_newer(connection)
            if _schema_of(connection) not in (None, SCHEMA):
                raise DataDirTooOld

    def quick_check(self) -> None:
        """SQLite's own check of its file.

        Raises:
            CatalogueCorrupt: with what SQLite says first.
        """
        with self.read() as connection:
            answer = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if answer != "ok":
            raise CatalogueCorrupt(f"{CatalogueCorrupt.sentence()} SQLite says: {str(answer).splitlines()[0]}")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one transaction that writes; commits when the block ends, and not when it raises."""
        with self._lock, translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; never waits for the writer."""
        with translated(), self._reader.connect() as connection:
            yield connection

    def forget(self) -> bool:
        """Bring all pages of the WAL into the file, and cut the WAL to nothing; false: a reader still needs it.

        Until then a row that was written over still stands there as it was.
        """
        with self._lock, translated(), closing(self._writer.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(f"PRAGMA busy_timeout={FORGET_WAIT_MS}")
                (busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as err:
                raise _named(err) from err
            finally:
                cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        return not busy

    def copy(self, connection: Connection, path: Path) -> None:
        """The catalogue as that view has it, as one file of its own; who writes meanwhile is not kept waiting.

        By SQLite's online backup: inside the view's own transaction it reads what that reads, page by page.
        """
        with translated(), closing(sqlite3.connect(path)) as target:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            try:
                source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, that can be read from a disk that takes none
            except sqlite3.Error as err:
                raise _named(err) from err

    def refuse_newer(self, connection: Connection) -> None:
        """Whether this program knows the schema, or one that came before it.

        Raises:
            DataDirTooNew: a newer program has written it.
        """
        found = _schema_of(connection)
        if found is None or found == SCHEMA:
            return
        if found not in _known(connection):
            raise DataDirTooNew


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database says into our errors; a full disk is a full disk here too."""
    try:
        yield
    except exc.DBAPIError as err:
        raise _named(err.orig) from err
    except exc.SQLAlchemyError as err:
        raise CatalogueError(f"{CatalogueError.sentence()} ({type(err).__name__})") from err


def _named(err: BaseException | None) -> CatalogueError | StorageError:
    code = getattr(err, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if code in _NO_ROOM:
        return StorageFull(f"{StorageFull.sentence()} (while opening the catalogue)")
    if primary in _CORRUPT:
        return CatalogueCorrupt()
    if primary in _STORAGE:
        kind = _STORAGE[primary]
        return kind(f"{kind.sentence()} (while writing the catalogue)")
    return CatalogueError(f"{CatalogueError.sentence()} ({err})")


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for IMMEDIATE
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")


def _schema_of(connection: Connection) -> str | None:
    """The migration that a catalogue is at; None: it is new."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


# Alembic is loaded where it is needed alone: loading it takes as long as all else that reads a catalogue of today.


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(_alembic(connection), "head")


def _known(connection: Connection) -> set[str]:
    from alembic.script import ScriptDirectory

    return {step.revision for step in ScriptDirectory.from_config(_alembic(connection)).walk_revisions()}


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
