"""The options that commands share, and what they lead to: settings, clock, language, output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from appliance.cli.words import language_of
from config.clock import Clock, SystemClock
from config.load import load
from config.settings import Settings

DEFAULT_CONFIG = Path("custos.toml")
"""Read when it is there and no other is named."""

PIPE_COLUMNS = 240
"""Where there is no terminal to fit: wide enough that no table of ours is folded."""

DATA_DIR_VARIABLE = "CUSTOS_BOX__DATA_DIR"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration file; ./custos.toml if there is one. 配置文件", show_default=False
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", "-d", help="Data directory, instead of the configured one. 数据目录", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs. 以 JSON 输出")]


@dataclass(frozen=True)
class Desk:
    """Where a command does its work: what it was told, and where it answers."""

    settings: Settings
    as_json: bool
    language: str
    environ: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)

    @property
    def zone(self) -> ZoneInfo:
        """The box's local time, in which people read and write instants."""
        return ZoneInfo(self.settings.box.time_zone)

    @property
    def data_dir(self) -> Path:
        """Where the box keeps everything."""
        return Path(self.settings.box.data_dir)

    @property
    def console(self) -> Console:
        """Standard output, for people; into a file or a pipe, lines are as long as they need to be."""
        return console()

    def answer(self, body: Any) -> bool:
        """Print the body as JSON if that was asked for; false: the command must show it to people."""
        return answer(body, self.as_json)

    def tell(self, body: Any, sentence: str, *, markup: bool = False) -> None:
        """Answer with the body, or people with this; `markup`: it holds nothing but what we wrote, with our marks."""
        if not self.answer(body):
            self.console.print(sentence, markup=markup)


def console() -> Console:
    """Standard output, for people; into a file or a pipe, lines are as long as they need to be."""
    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else PIPE_COLUMNS)


def answer(body: Any, as_json: bool) -> bool:
    """Print the body as JSON if that was asked for; what came of that."""
    if as_json:
        sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=2) + "\n")
    return as_json


def desk(config: Path | None, data_dir: Path | None, as_json: bool) -> Desk:
    """Read the configuration for a command.

    Raises:
        ConfigInvalid: with every fault found.
    """
    environ = dict(os.environ)
    if data_dir is not None:
        environ[DATA_DIR_VARIABLE] = str(data_dir)
    chosen = config if config is not None or not DEFAULT_CONFIG.exists() else DEFAULT_CONFIG
    return Desk(load(chosen, environ), as_json, language_of(os.environ), os.environ)
