"""The documents say what the program does: nothing is missing from them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from fastapi.routing import APIRoute

from api.app import create_app
from appliance.cli import app as command_line
from appliance.health.problems import codes_to_translate
from config.errors import ExitCode
from config.settings import WORDS as SETTINGS_WORDS
from config.settings import Settings
from recorder.causes import Cause
from recorder.errors import SourceError
from recorder.store.log.leaves import TYPES
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.ports import ports_of

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
COMPLAINTS = 39
"""Complaints of other recorders' users that this one was begun with."""

LATER = {"request", "refuse", "doc"}
"""Types of leaf that are kept for later: nothing writes them yet."""


def commands(group: typer.Typer, prefix: str = "") -> list[str]:
    names = [
        f"{prefix}{one.name or (one.callback.__name__ if one.callback else '')}" for one in group.registered_commands
    ]
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        names += commands(sub.typer_instance, f"{prefix}{sub.name or sub.typer_instance.info.name} ")
    return [name.replace("_", "-") for name in names]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_setting_is_in_the_readme(readme: Path) -> None:
    """With its section and its key."""
    text = readme.read_text()

    for section, key in SETTINGS_WORDS:
        assert f"[{section}]" in text
        assert f"`{key}`" in text, key
    assert {section for section, _ in SETTINGS_WORDS} == set(Settings.model_fields)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_command_is_in_the_readme(readme: Path) -> None:
    """As people type it."""
    text = readme.read_text()
    found = commands(command_line)

    assert len(found) > 10
    for name in found:
        assert re.search(rf"`(custos )?{re.escape(name)}`", text), name


def test_every_command_of_the_documents_is_one() -> None:
    """Nobody is sent to a command that there is not."""
    known = set(commands(command_line))
    groups = {name.split()[0] for name in known if " " in name}
    for path in [*READMES, *(ROOT / "docs").glob("*.md")]:
        for words in re.findall(r"`custos ([a-z][a-z -]*)", path.read_text().replace("\n", " ")):
            first, *rest = words.split()
            name = f"{first} {rest[0]}" if first in groups and rest else first
            assert name in known | groups, (path.name, words)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_exit_code_is_in_the_readme(readme: Path) -> None:
    """A shell script reads numbers."""
    line = next(one for one in readme.read_text().split("\n\n") if "70 " in one and "0 " in one and "·" in one)

    for code in ExitCode:
        assert re.search(rf"\b{code.value} ", line), code


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_route_is_in_the_readme(readme: Path, tmp_path: Path) -> None:
    """With its method."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    app = create_app(ports_of(store, clock))
    store.close()
    described = app.openapi()["paths"]
    text = readme.read_text()

    assert len(described) > 12
    for path in described:
        assert path in text, path


def test_every_route_has_a_summary_and_a_description(tmp_path: Path) -> None:
    """The interface describes itself."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    paths = create_app(ports_of(store, clock)).openapi()["paths"]
    store.close()

    for path, methods in paths.items():
        for method, route in methods.items():
            assert route.get("summary"), (method, path)
            assert route.get("description"), (method, path)


def test_both_readmes_have_the_same_form() -> None:
    """As many headings, tables rows and code blocks, and the same code in them."""
    english, chinese = (path.read_text() for path in READMES)

    for pattern in (r"^#+ ", r"^\|", r"^```"):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M)), pattern
    blocks = [re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) for text in (english, chinese)]
    assert blocks[0] == blocks[1]


def test_every_cause_and_leaf_is_in_the_storage_document() -> None:
    """A judge's expert reads there what a leaf means."""
    text = (ROOT / "docs" / "storage.md").read_text()

    for cause in Cause:
        assert f"`{cause.value}`" in text, cause
    for kind in TYPES - LATER:
        assert f"`{kind}`" in text, kind


def test_links_lead_somewhere() -> None:
    """Every relative link in the documents names a file that is there."""
    for path in [*READMES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_decisions_are_written_down() -> None:
    """At least: the media format, the floor on a full disk, why one log, an RTSP client of our own."""
    names = " ".join(path.name for path in (ROOT / "docs" / "adr").iterdir())

    for subject in ("media-format", "floor-on-a-full-disk", "one-log", "own-rtsp-client"):
        assert subject in names


def test_routes_are_typed(tmp_path: Path) -> None:
    """Each JSON answer has a model, so that the description is not a guess."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    app = create_app(ports_of(store, clock))
    store.close()
    routes = [route for route in app.routes if isinstance(route, APIRoute)]

    assert all(route.response_model is not None or route.response_class is not None for route in routes)


def test_every_failure_of_a_camera_is_in_the_operations_guide() -> None:
    """Who looks up a code of the status finds what to try."""
    guide = (ROOT / "docs" / "operations.md").read_text()
    codes = {one for one in codes_to_translate() if one.startswith("source_")} - {SourceError.code}

    assert {code for code in codes if f"`{code}`" not in guide} == set()


def issues(text: str) -> set[str]:
    """`Frigate 1, 2; Moonfire 3`: a project, and numbers of its tracker."""
    named = re.findall(r"(\w+) (\d+(?:, \d+)*)", re.sub(r"\s+", " ", text))
    return {f"{project} {number}" for project, numbers in named for number in numbers.split(", ")}


def rows_of_complaints() -> Iterator[tuple[int, set[str], list[str]]]:
    """Of each row of the table its number, the issues that it names, and the tests that show what is done."""
    for line in (ROOT / "docs" / "complaints.md").read_text().splitlines():
        if re.match(r"\| \d", line):
            _, number, elsewhere, _, _, shown, _ = line.split("|")
            yield int(number), issues(elsewhere), re.findall(r"`([^`]+)`", shown)


def fact_of(test: str) -> str:
    """What a test that is named as pytest names it says that it proves; of one that is not there, nothing."""
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name]
    return (ast.get_docstring(found[0]) or "") if found else ""


def test_every_complaint_is_named_by_the_tests_that_answer_it() -> None:
    """None is left out; each test of a row names one of its issues at least, and all of them together name all."""
    rows = list(rows_of_complaints())

    assert [number for number, _, _ in rows] == list(range(1, COMPLAINTS + 1))
    for number, elsewhere, tests in rows:
        told = [issues(fact_of(test)) & elsewhere for test in tests]
        assert all(told), (number, tests)
        assert elsewhere == set().union(*told), number
