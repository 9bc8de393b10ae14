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

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the configuration: where it stands, what stands there, and what should.

    ``where`` is the same in every language: ``custos.toml line 12, [http] port`` or a variable's name.
    """

    where: str
    what: str
    expected: str
    what_zh: str
    expected_zh: str

    def sentence(self, language: str = "en") -> str:
        """The fault as one line for people, in ``en`` or ``zh-CN``."""
        if language.startswith("zh"):
            return f"{self.where}：{self.what_zh}；应为{self.expected_zh}"
        return f"{self.where}: {self.what}; expected {self.expected}"


class ConfigInvalid(CustosError):
    """The configuration is not right."""

    code = "config_invalid"
    exit_code = ExitCode.CONFIG

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Carry every fault found, in the order of the file, then of the environment."""
        self.faults = tuple(faults)
        super().__init__(self.message())

    def message(self, language: str = "en") -> str:
        """All faults, a line each, in ``en`` or ``zh-CN``."""
        head = "配置有误：" if language.startswith("zh") else "The configuration is not right:"
        return "\n".join([head, *(f"  {fault.sentence(language)}" for fault in self.faults)])
