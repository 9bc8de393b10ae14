"""Release codes: until there are accounts, the two persons who together may end a hold each hold one.

A code has a hundred random bits and is shown once, when it is made. What is kept of it is a salted hash (scrypt, RFC
7914) in a file that only the box's user reads. The id of a code is a hash over all that is kept of it, and stands in
the log: in genesis, or in an `audit` leaf as soon as the box sees a code of which the log does not tell. Such a code,
renewed or put there by whoever can write the file, releases nothing for `REST_US` of box time while a hold is in force.

Wrong codes are counted in the catalogue, over restarts, and told in the log; which of two was wrong is told nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785
from sqlalchemy import Connection, func, insert, select

from config.times import DAY_US, HOUR_US, SECOND_US
from recorder.errors import (
    HolderInvalid,
    HolderUnknown,
    ReleaseBySamePerson,
    ReleaseCodeNew,
    ReleaseCodesDamaged,
    ReleaseCodesExist,
    ReleaseCodesMissing,
    ReleaseRefused,
    ReleaseTooOften,
    StorageError,
)
from recorder.store import files, sidecar, tables
from recorder.store.database import Database
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger

HOLDERS: Final = 2
"""Two persons end a hold: one alone may err, or be told to."""

DEFAULT_NAMES: Final = ("holder-1", "holder-2")
"""Of a box that was made without being told who they are; `--renew` gives a code its person's name."""

NAME_LIMIT: Final = 60
"""Characters of a holder's name."""

CODE_GROUPS, GROUP_LETTERS = 5, 4
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit; twenty of them are a hundred bits."""

CODE_LIMIT: Final = 200
"""Characters of a code as it is given; what is longer is none, and is not hashed."""

COST: Final = 2**15
"""The cost of scrypt (N), with blocks of `BLOCK` (r) and one lane (p): a tenth of a second and 32 MB a try."""

COST_LIMIT: Final = 2**15
"""What is kept of a code and would cost more to compare with is a damaged file, or somebody's wish to stall the box."""

BLOCK: Final = 8
MEMORY_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Twice what `COST` takes (128 N r bytes, RFC 7914); OpenSSL refuses what would need more."""

SALT_BYTES: Final = 16
"""So that equal codes have other hashes, and nobody can make a table of them."""

WRONG_LIMIT: Final = 5
"""Wrong pairs in `WRONG_SPAN_US`; then none is looked at until the oldest is that old. Whoever may ask can so keep
holds from being released, for as long as he goes on; that footage stays is the better of the two faults."""

WRONG_SPAN_US: Final = HOUR_US // 4
"""In box time: a quarter of an hour of running."""

REST_US: Final = 7 * DAY_US
"""How long a code that was made anew releases nothing: its holder of before, and who reads the status, can object."""

_LOOK_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "\t": ""})


@dataclass(frozen=True)
class Credential:
    """What one person gives to release a hold."""

    holder: str
    code: str = field(repr=False)


@dataclass(frozen=True)
class IssuedCode:
    """A code that was just made: shown once, and nowhere kept."""

    holder: str
    code: str = field(repr=False)


@dataclass(frozen=True)
class Holder:
    """Somebody who holds a code."""

    name: str
    id: str
    """Of the code: a hash over what is kept of it."""


@dataclass(frozen=True)
class _Kept:
    """What is kept of a code."""

    name: str
    salt: str
    hash: str
    cost: int

    @property
    def holder(self) -> Holder:
        kept: dict[str, Any] = {"name": self.name, "salt": self.salt, "hash": self.hash, "cost": self.cost}
        return Holder(self.name, hashlib.sha256(rfc8785.dumps(kept)).hexdigest())

    def matches(self, code: str) -> bool:
        given = _hashed(code, bytes.fromhex(self.salt), self.cost)
        return hmac.compare_digest(given, bytes.fromhex(self.hash))


def make(layout: Layout, names: Sequence[str] = DEFAULT_NAMES, cost: int = COST) -> tuple[IssuedCode, ...]:
    """Make both codes of a box that has none.

    Raises:
        HolderInvalid, ReleaseCodesExist: as they say. StorageError: one of its kinds.
    """
    told = two_names(names)
    with files.translated(layout.release_codes):
        if layout.release_codes.exists():
            raise ReleaseCodesExist
    issued = [_issue(name, cost) for name in told]
    _write(layout, [kept for _, kept in issued])
    return tuple(code for code, _ in issued)


def two_names(names: Sequence[str]) -> list[str]:
    """The names of two holders, as they are kept.

    Raises:
        HolderInvalid: they are not those of two persons.
    """
    told = [_name(one) for one in names]
    if len(told) != HOLDERS or is_same(*told):
        raise HolderInvalid
    return told


def renew(layout: Layout, holder: str, vouching: Credential, name: str | None = None) -> IssuedCode:
    """A new code for one holder; the old one ends.

    Args:
        layout: of the box.
        holder: whose code it is.
        vouching: the other holder, who so says that the right person is to have it.
        name: of whoever holds it from now on; None: the same.

    Raises:
        ReleaseCodesMissing, ReleaseCodesDamaged, HolderUnknown, HolderInvalid: as they say.
        ReleaseRefused: that is not the code of the other holder.
    """
    kept = _read(layout)
    mine, other = _two(kept, holder)
    if not is_same(other.name, vouching.holder) or not other.matches(_bare(vouching.code)):
        raise ReleaseRefused("That is not the release code of the other holder.")
    new_name = mine.name if name is None else _name(name)
    if is_same(new_name, other.name):
        raise HolderInvalid
    issued, new = _issue(new_name, mine.cost)
    _write(layout, [new if one is mine else one for one in kept])
    return issued


def other_of(layout: Layout, holder: str) -> str:
    """The name of the other holder, who vouches for that one.

    Raises:
        ReleaseCodesMissing, ReleaseCodesDamaged, HolderUnknown: as they say.
    """
    _, other = _two(_read(layout), holder)
    return other.name


def _two(kept: Sequence[_Kept], holder: str) -> tuple[_Kept, _Kept]:
    """That holder, and the other one."""
    mine = [one for one in kept if is_same(one.name, holder)]
    others = [one for one in kept if not is_same(one.name, holder)]
    if len(mine) != 1 or len(others) != 1:
        raise HolderUnknown(f"{HolderUnknown.sentence()} ({', '.join(one.name for one in kept)} do.)")
    return mine[0], others[0]


def ids_of(layout: Layout) -> list[Holder]:
    """Who holds the codes of a box.

    Raises:
        ReleaseCodesMissing, ReleaseCodesDamaged: as they say.
    """
    return [one.holder for one in _read(layout)]


def is_same(one: str, other: str) -> bool:
    """Whether two names are those of one person: capitals, blanks around and forms of one letter make no other."""
    first, second = (unicodedata.normalize("NFKC", name).strip().casefold() for name in (one, other))
    return first == second


class ReleaseCodes:
    """The release codes of one box."""

    def __init__(self, layout: Layout, database: Database, ledger: Ledger) -> None:
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._lock = threading.Lock()

    def holders(self) -> list[Holder]:
        """Who holds them.

        Raises:
            ReleaseCodesMissing, ReleaseCodesDamaged: as they say.
        """
        return ids_of(self._layout)

    def tell(self) -> bool:
        """Write into the log which codes it does not tell of yet; whether there were any.

        While a hold is in force, those rest. Also where they are those of a box from before there were any.

        Raises:
            ReleaseCodesMissing, ReleaseCodesDamaged: as they say.
        """
        found = self.holders()
        with self._database.read() as connection:
            if not _untold(connection, found):
                return False
        with self._database.write() as connection:
            new = _untold(connection, found)
            any_held = connection.execute(select(tables.holds.c.id).where(_IN_FORCE).limit(1)).scalar() is not None
            for one in new:
                record = sidecar.keep(connection, {"name": one.name})
                told = {"what": "release_code", "holder": one.id, "rests": any_held, "record": record}
                entry = self._ledger.append(connection, "audit", told)
                ripe_us = entry.elapsed_us + (REST_US if any_held else 0)
                remember(connection, one.id, entry.index, ripe_us)
        return bool(new)

    def resting_us(self) -> int:
        """For how much box time one of the codes still releases nothing; 0: both do.

        Raises:
            ReleaseCodesMissing, ReleaseCodesDamaged: as they say.
        """
        ids = [one.id for one in self.holders()]
        with self._database.read() as connection:
            return self._resting_us(connection, ids)

    def check(self, hold_id: int, first: Credential, second: Credential) -> tuple[Holder, Holder]:
        """Let two persons release a hold, or not.

        Raises:
            ReleaseBySamePerson, ReleaseTooOften, ReleaseRefused, ReleaseCodeNew: as they say.
            ReleaseCodesMissing, ReleaseCodesDamaged: there are no codes to compare with.
        """
        if is_same(first.holder, second.holder):
            raise ReleaseBySamePerson
        with self._lock:  # several at once would else all be looked at before the first is counted
            kept = _read(self._layout)
            self.tell()
            self._refuse_haste()
            # Both are looked at, whatever becomes of the first: how long it takes tells nothing either.
            matches = [_match(kept, one) for one in (first, second)]
            if any(one is None for one in matches) or matches[0] == matches[1]:
                self._write_down(hold_id, kept, (first, second))
                raise ReleaseRefused
        one, other = (match.holder for match in matches if match is not None)
        with self._database.read() as connection:
            resting_us = self._resting_us(connection, [one.id, other.id])
        if resting_us > 0:
            days = -(-resting_us // DAY_US)
            raise ReleaseCodeNew(f"{ReleaseCodeNew.sentence()} (Days of running left: {days}.)")
        return one, other

    def _refuse_haste(self) -> None:
        with self._database.read() as connection:
            elapsed_us = self._ledger.elapsed_us(connection)
            recent = select(_REFUSED.elapsed_us).where(_REFUSED.elapsed_us > elapsed_us - WRONG_SPAN_US)
            found = list(connection.execute(recent.order_by(_REFUSED.elapsed_us)).scalars())
        if len(found) >= WRONG_LIMIT:
            left_us = found[-WRONG_LIMIT] + WRONG_SPAN_US - elapsed_us
            raise ReleaseTooOften(max(1, -(-left_us // SECOND_US)))

    def _write_down(self, hold_id: int, kept: Sequence[_Kept], given: Sequence[Credential]) -> None:
        """That wrong codes were given. Of the names only those that there are: in another field may stand a code."""
        names = sorted(one.name for one in kept if any(is_same(one.name, credential.holder) for credential in given))
        with self._database.write() as connection:
            record = sidecar.keep(connection, {"names": names})
            told = {"what": "release_refused", "hold": hold_id, "record": record}
            entry = self._ledger.append(connection, "audit", told)
            row = {"leaf_index": entry.index, "elapsed_us": entry.elapsed_us}
            connection.execute(insert(tables.release_refusals).values(**row))

    def _resting_us(self, connection: Connection, ids: Sequence[str]) -> int:
        ripe = select(func.max(tables.release_holders.c.ripe_us)).where(tables.release_holders.c.id.in_(ids))
        ripe_us = connection.execute(ripe).scalar()
        return 0 if ripe_us is None else max(0, int(ripe_us) - self._ledger.elapsed_us(connection))


def remember(connection: Connection, holder_id: str, leaf_index: int, ripe_us: int) -> None:
    """That the log tells of a code, and from when on, in box time, it releases."""
    row = {"id": holder_id, "leaf_index": leaf_index, "ripe_us": ripe_us}
    connection.execute(insert(tables.release_holders).values(**row))


_IN_FORCE = tables.holds.c.released_us.is_(None)
_REFUSED = tables.release_refusals.c


def _untold(connection: Connection, holders: Sequence[Holder]) -> list[Holder]:
    told = set(connection.execute(select(tables.release_holders.c.id)).scalars())
    return [one for one in holders if one.id not in told]


def _match(kept: Sequence[_Kept], given: Credential) -> _Kept | None:
    """Whose code it is; of a name that nobody has a hash is made all the same."""
    named = next((one for one in kept if is_same(one.name, given.holder)), None)
    compared = named or _Kept("", "00" * SALT_BYTES, "00" * 64, kept[0].cost)
    is_right = compared.matches(_bare(given.code))
    return named if is_right else None


def _issue(name: str, cost: int) -> tuple[IssuedCode, _Kept]:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_GROUPS * GROUP_LETTERS))
    salt = secrets.token_bytes(SALT_BYTES)
    code = "-".join(letters[at : at + GROUP_LETTERS] for at in range(0, len(letters), GROUP_LETTERS))
    return IssuedCode(name, code), _Kept(name, salt.hex(), _hashed(_bare(code), salt, cost).hex(), cost)


def _hashed(code: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(
        code.encode(errors="replace"), salt=salt, n=cost, r=BLOCK, p=1, maxmem=MEMORY_LIMIT_BYTES, dklen=64
    )


def _bare(code: str) -> str:
    """A code as it is hashed: without what people put between its letters, and with what they take for another."""
    return code[:CODE_LIMIT].upper().translate(_LOOK_ALIKE) if len(code) <= CODE_LIMIT else ""


def _name(name: str) -> str:
    told = unicodedata.normalize("NFC", name).strip()
    if not told or len(told) > NAME_LIMIT or not told.isprintable():
        raise HolderInvalid
    return told


def _write(layout: Layout, kept: Sequence[_Kept]) -> None:
    body: dict[str, Any] = {
        "v": 1,
        "holders": [{"name": one.name, "salt": one.salt, "hash": one.hash, "cost": one.cost} for one in kept],
    }
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    files.write_atomically(layout.release_codes, text.encode(), mode=0o600)


def _read(layout: Layout) -> list[_Kept]:
    path = layout.release_codes
    try:
        with files.translated(path):
            if not path.exists():
                raise ReleaseCodesMissing
            if path.stat().st_mode & 0o077:
                raise ReleaseCodesDamaged(f"{ReleaseCodesDamaged.sentence()} (Others may read or write it.)")
            body = json.loads(path.read_bytes())
        kept = [_Kept(str(one["name"]), one["salt"], one["hash"], int(one["cost"])) for one in body["holders"]]
        if len(kept) != HOLDERS or is_same(kept[0].name, kept[1].name):
            raise ReleaseCodesDamaged
        for one in kept:
            _refuse_odd(one)
    except StorageError as err:
        raise ReleaseCodesDamaged(f"{ReleaseCodesDamaged.sentence()} ({err})") from err
    except (ValueError, KeyError, TypeError) as err:
        raise ReleaseCodesDamaged from err
    return kept


def _refuse_odd(one: _Kept) -> None:
    """What scrypt would not take, or take for ever.

    Raises:
        ValueError, TypeError: it is no hash of a code.
    """
    sizes = (len(bytes.fromhex(one.salt)), len(bytes.fromhex(one.hash)))
    is_power = one.cost > 1 and one.cost & (one.cost - 1) == 0
    if sizes != (SALT_BYTES, 64) or not is_power or one.cost > COST_LIMIT:
        raise ValueError("not a hash of a code")
