"""The root of all errors of the box, and the exit codes of its command line.

The tree (each class has a stable ``code``, and its docstring is its default sentence)::

    CustosError
    ├── ConfigInvalid            config/load.py      the configuration file or environment is wrong
    ├── StoreError               recorder/errors.py  something about what is written down
    │   ├── DataDirError …       the folder: missing, not writable, read-only, in use, foreign, too new
    │   ├── StorageError …       the disk: full, read-only, I/O error, volume missing
    │   ├── CatalogueError …     the index: corrupt, not answering
    │   ├── LogError …           the log: leaf, tile, checkpoint, key
    │   └── refusals             unknown camera, below the floor, under a hold …
    ├── SourceError …            recorder/errors.py  a camera cannot be recorded, with a gap cause
    ├── AccessError …            api/errors.py       who asks may not
    └── BoxError …               appliance           the box is not running, cannot be reached

Wrong use by our own code is ``ValueError``, ``TypeError`` or ``AssertionError``: never one of these.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the command line says to a shell; documented in the README."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    CONFIG = 3
    DATA_DIR = 4
    CATALOGUE = 5
    STORAGE = 6
    NOT_RUNNING = 7
    REFUSED = 8
    CAMERA = 9
    BUG = 70


class CustosError(Exception):
    """The box could not do what was asked."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.sentence())

    @classmethod
    def sentence(cls) -> str:
        """The class's own sentence for people: the first paragraph of its docstring."""
        doc = cls.__doc__ or "Unknown error."
        return " ".join(doc.strip().split("\n\n", maxsplit=1)[0].split())
