"""The order of the house: floors, tests, forbidden words."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("config", "recorder", "retention", "api", "appliance")
HANDED_OUT = "handed-out"
"""What goes into packages runs alone, with a manner and tests of its own (`tests/forgeries/test_packages.py`)."""

SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if path.parent.name != HANDED_OUT)
TOOLS = sorted((ROOT / "bench").rglob("*.py"))
"""No product, yet read by people: the rules of writing hold here too."""

TESTED_ELSEWHERE = {
    "recorder/store/migrations/env.py": "Alembic's entry: every test of the store runs it",
    "recorder/store/migrations/versions/s0001_first_catalogue.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0002_transport.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0003_description.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0004_audio.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0005_basic.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0006_drift.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0007_exports.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0008_anchors.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0009_witnesses.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0011_sm.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0010_views.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0013_keys.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0018_spans.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0017_scrub.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0014_rules.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0015_holds.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0016_volumes.py": "test_store compares it with the tables",
    "recorder/store/migrations/versions/s0019_numbers.py": "test_store compares it with the tables",
    "recorder/store/keyring.py": "test_rotation and test_tokens go through it",
    "recorder/store/migrations/versions/s0012_camera_signatures.py": "test_store compares it with the tables",
    "recorder/store/making.py": "test_store makes boxes through `Store.create`",
    "recorder/store/datadir.py": "test_store opens good and bad folders through `Store.open`",
    "recorder/store/checkpoints.py": "test_store, test_rotation and test_sm2key sign through `Store.checkpoint`",
    "recorder/store/proofs.py": "test_packages, test_standing and test_exports go through it",
    "retention/evidence/verification.py": "test_packages and test_standing go through it",
    "appliance/cli/witness.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/cli/exports.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/__main__.py": "test_cli and the tests of the whole box run `python -m appliance`",
    "appliance/demo/__main__.py": "tests/whole/machine.py runs `python -m appliance.demo` as its cameras",
    "bench/pyav_threads.py": "test_bench runs `python -m bench.pyav_threads`",
    "appliance/cli/box.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/cli/footage.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/cli/holds.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/cli/options.py": "every command of test_cli goes through it",
    "appliance/cli/proof.py": "a page of `appliance.cli`, which test_cli runs",
    "appliance/wiring/box.py": "the tests of the whole box run it",
}
"""Files that no test names, each with the reason."""


def text_of_tests() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_are_five_floors() -> None:
    """A new subject gets a room inside a floor, not a sixth package."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}

    assert packages == set(FLOORS)


def test_the_product_does_not_know_its_tools() -> None:
    """What measures and tests it may use it; never the other way round."""
    knowing = [path for path in SOURCES if re.search(r"^\s*(from|import) (bench|tests)\b", path.read_text(), re.M)]

    assert knowing == []


def test_imports_go_down_only() -> None:
    """The contracts of pyproject.toml are kept."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("path", SOURCES + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_is_named_by_a_test(path: Path) -> None:
    """A file that no test imports from, nor names, is tested by accident at best."""
    if path.name == "__init__.py" or str(path.relative_to(ROOT)) in TESTED_ELSEWHERE:
        return
    module = module_of(path)
    parent, _, name = module.rpartition(".")

    text = text_of_tests()
    imported = re.search(rf"(from|import) {re.escape(module)}\b", text)
    from_parent = re.search(rf"from {re.escape(parent)} import [^\n]*\b{name}\b", text)
    own_test = list((ROOT / "tests").rglob(f"test_{name}.py"))
    assert imported or from_parent or own_test, f"no test names {module}"


@pytest.mark.parametrize("path", SOURCES + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_unfinished(path: Path) -> None:
    """No note to self stands in the product; a broad `except` says that it reports; every task has an owner."""
    text = path.read_text()

    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    assert not re.search(r"asyncio\.(create_task|ensure_future)", text)
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"except (Exception|BaseException)\b|except:", line) and "BaseException" not in line:
            assert "#" in line, f"{path.name}:{number} catches everything without saying why"


@pytest.mark.parametrize("path", SOURCES + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_promises(path: Path) -> None:
    """And so does every public class and function."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    public = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
    nested = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if inner is not node
    }
    private = {
        inner for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.startswith("_")
        for inner in ast.walk(node)
    }  # fmt: skip
    silent = [node.name for node in public if not ast.get_docstring(node) and node not in nested | private]
    assert silent == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.name)
def test_every_test_states_its_fact(path: Path) -> None:
    """The docstring of a test says what is proved."""
    tree = ast.parse(path.read_text())
    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_function_is_longer_than_sixty_lines() -> None:
    """About ten is the rule; what grows past sixty is two functions."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES + TOOLS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= 60
        and "migrations" not in path.parts
    ]
    assert long == []


def test_one_function_deletes_media() -> None:
    """Files are unlinked by the store's discard, by the registry (a password) and by the log (partial tiles) alone."""
    callers = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"files\.unlink\(|\.unlink\(|os\.remove|shutil\.rmtree", path.read_text())
    }
    media = {
        path for path in callers if re.search(r"files\.unlink\(", (ROOT / path).read_text()) and "segments" in path
    }

    assert media == {"recorder/store/segments.py"}
    assert callers <= {
        "recorder/store/segments.py",
        "recorder/store/cameras.py",
        "recorder/store/files.py",
        "recorder/store/datadir.py",
        "recorder/store/log/tiles.py",
        "appliance/wiring/running.py",
    }
