"""How far a long command is: a bar on a terminal, and elsewhere one plain line that says how much there is to do.

On standard error alone: on standard output stands what was asked for. Programs, which ask for JSON, are told nothing.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress as Bar

from appliance.cli.client import Progress
from appliance.cli.options import Desk
from appliance.cli.words import size


@contextlib.contextmanager
def bar(at: Desk, title: str) -> Iterator[Progress]:
    """What is to be told bytes done and bytes in all; 0 in all: nobody knows yet."""
    console = Console(stderr=True)
    if at.as_json:
        yield lambda done, total: None
    elif not _moves(console):
        yield _Said(title)
    else:
        with Bar(console=console, transient=True) as shown:
            task = shown.add_task(title, total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total or None)


def _moves(console: Console) -> bool:
    """Whether a line can be drawn anew there. A file is no terminal, though colours be wanted in it (FORCE_COLOR)."""
    return sys.stderr.isatty() and console.is_terminal and not console.is_dumb_terminal


class _Said:
    """Says once what is being done, as soon as it is known how much that is."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_said = False

    def __call__(self, done: int, total: int) -> None:
        if total and not self._is_said:
            self._is_said = True
            sys.stderr.write(f"{self._title}: {size(total)}\n")
            sys.stderr.flush()
