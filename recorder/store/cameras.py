"""The camera registry: cameras, their streams, and their passwords by reference.

Every change is a leaf. Ids are never used twice, and a retired camera stays: its footage does too. A password lies
in a file of its own under `keys/cameras`, mode 0600, so that neither a dump of the catalogue nor a log can show it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr
from sqlalchemy import Connection, insert, select, update

from config.clock import Clock
from config.keeping import AS_THE_LAW, Defaults, KeepingInvalid, Protection, Terms, Wish, terms_of
from config.logs import carries_credentials
from recorder.errors import (
    CameraExists,
    CameraManagedByFile,
    CameraRetired,
    CameraUnknown,
    PurposeMissing,
    Refused,
    RuleInvalid,
)
from recorder.store import files, sidecar, tables
from recorder.store.clustering import next_number
from recorder.store.database import Database
from recorder.store.keeping import Rule
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.records import Camera, ManagedBy, stream_of
from recorder.store.rules import all_in_force, in_force, put_in_force, rules_of

CAMERA_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""No dot, so that stream and segment ids can be taken apart; no capital, so that no file system confuses two."""

PASSWORD_LIMIT_BYTES = 1024
"""More than any camera takes; what is longer is a file that was sent by mistake."""

SETTINGS = (
    "name",
    "url",
    "username",
    "enabled",
    "transport",
    "audio",
    "allow_basic",
    "protection",
    "floor_days",
    "target_days",
    "purpose",
    "volume",
)
"""What is written down of a camera, in a side record: the leaf has its hash."""


log = structlog.get_logger("cameras")

_OF_KEEPING = {"protection", "floor_days", "target_days", "purpose"}


class Cameras:
    """The registry of one box."""

    def __init__(
        self, layout: Layout, database: Database, ledger: Ledger, clock: Clock, defaults: Defaults = AS_THE_LAW
    ) -> None:
        """`defaults`: how footage is kept of which nothing else is said."""
        self._defaults = defaults
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def pin(self, camera_id: str) -> str | None:
        """Which volume its footage goes to before any other; None: where most is free."""
        query = select(tables.cameras.c.volume).where(tables.cameras.c.id == camera_id)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
            return None if found is None else str(found)

    def pins(self) -> dict[str, str]:
        """The same of all cameras that have one."""
        query = select(tables.cameras.c.id, tables.cameras.c.volume).where(tables.cameras.c.volume.is_not(None))
        with self._database.read() as connection:
            return {row.id: row.volume for row in connection.execute(query)}

    def all(self) -> list[Camera]:
        """Every camera ever registered, retired ones too, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.cameras).order_by(tables.cameras.c.id)).mappings()
            return [_camera(row) for row in rows]

    def get(self, camera_id: str) -> Camera:
        """One camera.

        Raises:
            CameraUnknown: there is none of that id.
        """
        with self._database.read() as connection:
            return _get(connection, camera_id)

    def add(
        self,
        camera_id: str,
        name: str,
        url: str,
        *,
        username: str | None = None,
        password: SecretStr | None = None,
        password_file: str | None = None,
        managed_by: ManagedBy = ManagedBy.API,
        transport: str = "tcp",
        ca_file: str | None = None,
        enabled: bool = True,
        audio: str = "off",
        allow_basic: bool = False,
        protection: Protection = Protection.ORDINARY,
        floor_days: int | None = None,
        target_days: int | None = None,
        purpose: str | None = None,
        volume: str | None = None,
    ) -> Camera:
        """Register a camera and its main stream, and put in force how its footage is kept.

        Raises:
            CameraExists: the id is taken, perhaps by a retired camera.
            Refused: the id or the URL is not allowed. RuleInvalid, PurposeMissing: what it says of its keeping is not.
        """
        # Half of it names what a camera may be told, once as it is asked for, and once as it is written down.
        _refuse_odd_id(camera_id)
        refuse_credentials(url)
        settings = {
            "name": name,
            "url": url,
            "username": username,
            "enabled": enabled,
            "transport": transport,
            "audio": audio,
            "allow_basic": allow_basic,
            "volume": volume,
            **asdict(Wish(protection, floor_days, target_days, purpose)),
        }
        with self._database.write() as connection:
            _refuse_taken(connection, camera_id)
            outside = {"password_file": password_file, "ca_file": ca_file}
            self._put_down(connection, camera_id, managed_by, settings, outside)
            if password is None:  # what an attempt left that failed was for another address, perhaps
                self.forget_password(camera_id)
            self._keep_password(camera_id, password)
            camera = _get(connection, camera_id)
            self._rule(connection, camera)
            return camera

    def change(
        self,
        camera_id: str,
        by: ManagedBy,
        changes: Mapping[str, Any],
        *,
        password: SecretStr | None = None,
    ) -> Camera:
        """Change some of `SETTINGS`; nothing is written where nothing differs.

        Raises:
            CameraUnknown, CameraRetired, CameraManagedByFile: as they say.
            RuleInvalid, PurposeMissing: what is said of its keeping is not allowed; nothing was changed.
        """
        unknown = set(changes) - {*SETTINGS, "password_file", "ca_file"}
        if unknown:
            raise ValueError(f"not a camera's settings: {sorted(unknown)}")
        refuse_credentials(str(changes.get("url", "")))
        with self._database.write() as connection:
            camera = _changeable(connection, camera_id, by)
            differing = {key: value for key, value in changes.items() if getattr(camera, key) != value}
            if not differing and password is None:
                return camera
            after = {name: getattr(camera, name) for name in SETTINGS}
            record = sidecar.keep(connection, {**after, **differing})
            changed = sorted([*differing, *(["password"] if password is not None else [])])
            fields = {"op": "changed", "camera": camera_id, "changed": changed, "record": record}
            self._ledger.append(connection, "camera", fields)
            if differing:
                chosen = tables.cameras.c.id == camera_id
                connection.execute(update(tables.cameras).where(chosen).values(**differing))
            self._keep_password(camera_id, password)
            camera = _get(connection, camera_id)
            if differing.keys() & _OF_KEEPING:
                self._rule(connection, camera)
            return camera

    def bring_rules_in_force(self) -> int:
        """What the box is told of its keeping now, for every camera that is recorded; retired ones keep their rule. How
        many cameras are kept in another way by that.

        A target of a camera that lies below the box's new floor is lifted: an old wish keeps no box from recording.
        """
        with self._database.write() as connection:
            rows = connection.execute(select(tables.cameras).order_by(tables.cameras.c.id)).mappings().all()
            cameras = [_camera(row) for row in rows]
            ruled = set(connection.execute(select(tables.rules.c.camera_id).distinct()).scalars())
            wanted = [one for one in cameras if one.retired_us is None or one.id not in ruled]
            return sum(put_in_force(connection, self._ledger, one.id, self._lifted(one)) for one in wanted)

    def keeping(self, camera_id: str) -> Terms:
        """How long its footage is kept from now on.

        Raises:
            CameraUnknown: there is none of that id.
        """
        with self._database.read() as connection:
            camera = _get(connection, camera_id)
            return in_force(connection, camera_id) or self._terms(camera)

    def rules(self, camera_id: str) -> list[Rule]:
        """By which its footage is kept, the oldest first; there is one at least."""
        with self._database.read() as connection:
            return rules_of(connection, camera_id) or [Rule(0, self._defaults.floor_days, self._defaults.target_days)]

    def all_keeping(self) -> dict[str, Terms]:
        """The same of all cameras of which a rule was written down."""
        with self._database.read() as connection:
            return all_in_force(connection)

    def _lifted(self, camera: Camera) -> Terms:
        try:
            return terms_of(self._defaults, camera.wish)
        except KeepingInvalid:
            log.warning("a camera's target lies below its floor, and is lifted", camera=camera.id)
            return terms_of(self._defaults, replace(camera.wish, target_days=None))

    def _terms(self, camera: Camera) -> Terms:
        try:
            return terms_of(self._defaults, camera.wish)
        except KeepingInvalid as err:
            raise RuleInvalid(str(err)) from err

    def _rule(self, connection: Connection, camera: Camera) -> None:
        terms = self._terms(camera)
        if terms.needs_purpose and camera.managed_by is ManagedBy.API and camera.target_days is not None:
            raise PurposeMissing(f"{PurposeMissing.sentence()} ({terms.target_days} days)")
        put_in_force(connection, self._ledger, camera.id, terms)

    def retire(self, camera_id: str, by: ManagedBy) -> Camera:
        """Stop recording it for good; its footage stays as long as the rules say, its password goes.

        Raises:
            CameraUnknown, CameraRetired, CameraManagedByFile: as they say.
        """
        with self._database.write() as connection:
            _changeable(connection, camera_id, by)
            entry = self._ledger.append(connection, "camera", {"op": "retired", "camera": camera_id})
            chosen = tables.cameras.c.id == camera_id
            connection.execute(update(tables.cameras).where(chosen).values(retired_us=entry.at_us, enabled=False))
            camera = _get(connection, camera_id)
        self.forget_password(camera_id)
        return camera

    def forget_password(self, camera_id: str) -> None:
        """Of a retired camera, behind its row: where that does not commit it is still needed. Gone already is gone.

        Raises:
            StorageError: it is still there. The next start forgets it.
        """
        if self._password_path(camera_id).exists():
            files.remove(self._password_path(camera_id))

    def password(self, camera_id: str) -> SecretStr | None:
        """The camera's password, the first line of its file; None when it has none.

        Raises:
            CameraUnknown: there is none of that id.
            StorageError: the file that should be there cannot be read.
        """
        return self.password_of(self.get(camera_id))

    def password_of(self, camera: Camera) -> SecretStr | None:
        """Likewise, of a camera that was looked up already.

        Raises:
            StorageError: the file that should be there cannot be read.
        """
        path = Path(camera.password_file) if camera.password_file else self._password_path(camera.id)
        if not camera.password_file and not path.exists():
            return None
        with files.translated(path):
            first, _, _ = path.read_text(encoding="utf-8").partition("\n")
        return SecretStr(first.rstrip("\r"))

    def describe(self, camera_id: str, description: bytes) -> None:
        """Keep what a camera said of itself (SDP), raw, for support; the last stands. No leaf: it proves nothing."""
        chosen = tables.cameras.c.id == camera_id
        differs = tables.cameras.c.description.is_distinct_from(description)
        with self._database.write() as connection:
            connection.execute(update(tables.cameras).where(chosen, differs).values(description=description))

    def description(self, camera_id: str) -> bytes:
        """What a camera said of itself when it was last connected to; empty: nothing yet.

        Raises:
            CameraUnknown: there is none of that id.
        """
        with self._database.read() as connection:
            _get(connection, camera_id)
            chosen = tables.cameras.c.id == camera_id
            found = connection.execute(select(tables.cameras.c.description).where(chosen)).scalar()
            return bytes(found or b"")

    def _put_down(
        self,
        connection: Connection,
        camera_id: str,
        managed_by: ManagedBy,
        settings: Mapping[str, Any],
        outside: Mapping[str, Any],
    ) -> None:
        """A new camera's leaf, and the rows of it and of its main stream, whose chain begins at that leaf.

        `outside`: what its row has beside `settings`, and no leaf tells of.
        """
        record = sidecar.keep(connection, settings)
        fields = {"op": "registered", "camera": camera_id, "managed_by": managed_by.value, "record": record}
        entry = self._ledger.append(connection, "camera", fields)
        row = {"id": camera_id, **settings, **outside, "managed_by": managed_by.value, "registered_us": entry.at_us}
        connection.execute(insert(tables.cameras).values(**row, leaf_index=entry.index, leaf_hash=entry.hash))
        stream = {"id": stream_of(camera_id), "camera_id": camera_id, "next_n": 0, "prev": entry.hash}
        stream["number"] = next_number(connection)
        connection.execute(insert(tables.streams).values(**stream, t1_us=entry.at_us))

    def _password_path(self, camera_id: str) -> Path:
        return self._layout.passwords / camera_id

    def _keep_password(self, camera_id: str, password: SecretStr | None) -> None:
        """Before the row commits: a password without a camera harms nobody, a camera without its password is dark."""
        if password is None:
            return
        secret = password.get_secret_value().encode()
        if len(secret) > PASSWORD_LIMIT_BYTES or b"\n" in secret or b"\r" in secret:
            raise Refused(f"A password has at most {PASSWORD_LIMIT_BYTES} bytes and no line breaks.")
        files.write_atomically(self._password_path(camera_id), secret, mode=0o600)


def refuse_credentials(url: str) -> None:
    """A URL with a user name or password in it would carry the secret into every place that shows the URL.

    Raises:
        Refused: it has one.
    """
    if carries_credentials(url):
        raise Refused("The URL contains a user name or password: give them apart from it.")


def _refuse_odd_id(camera_id: str) -> None:
    if not CAMERA_ID.fullmatch(camera_id):
        raise Refused(
            f"{camera_id!r} cannot be a camera's id: use up to 63 small letters, digits, '-' and '_', "
            "beginning with a letter or digit."
        )


def _refuse_taken(connection: Connection, camera_id: str) -> None:
    taken = connection.execute(select(tables.cameras.c.id).where(tables.cameras.c.id == camera_id)).scalar()
    if taken is not None:
        raise CameraExists(f"{CameraExists.sentence()} ({camera_id})")


def _get(connection: Connection, camera_id: str) -> Camera:
    row = connection.execute(select(tables.cameras).where(tables.cameras.c.id == camera_id)).mappings().one_or_none()
    if row is None:
        raise CameraUnknown(f"{CameraUnknown.sentence()} ({camera_id})")
    return _camera(row)


def _changeable(connection: Connection, camera_id: str, by: ManagedBy) -> Camera:
    camera = _get(connection, camera_id)
    if camera.retired_us is not None:
        raise CameraRetired(f"{CameraRetired.sentence()} ({camera_id})")
    if camera.managed_by is ManagedBy.FILE and by is not ManagedBy.FILE:
        raise CameraManagedByFile(f"{CameraManagedByFile.sentence()} ({camera_id})")
    return camera


def _camera(row: Mapping[Any, Any]) -> Camera:
    return Camera(
        id=row["id"],
        name=row["name"],
        url=row["url"],
        username=row["username"],
        enabled=row["enabled"],
        managed_by=ManagedBy(row["managed_by"]),
        registered_us=row["registered_us"],
        retired_us=row["retired_us"],
        leaf_hash=row["leaf_hash"],
        password_file=row["password_file"],
        transport=row["transport"],
        ca_file=row["ca_file"],
        audio=row["audio"],
        allow_basic=row["allow_basic"],
        protection=Protection(row["protection"]),
        floor_days=row["floor_days"],
        target_days=row["target_days"],
        purpose=row["purpose"],
        volume=row["volume"],
    )
