"""How the house is set up: locks, container, continuous integration."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_PRODUCT = {"tests", "bench"}
"""Packages that nobody installs."""


def steps(text: str) -> list[str]:
    """The pip commands of a text, without where the environment lies."""
    found = re.findall(r"python -m (pip install [^\n&]+)", text)
    return [re.sub(r"\s+", " ", one).strip() for one in found]


def test_the_container_is_installed_as_the_readme_says() -> None:
    """`make run` and the Dockerfile run the same commands, in the same order."""
    recipe = (ROOT / "Makefile").read_text().split("$(STAMPS)/run:")[1].split("\n\n")[0]

    assert steps(recipe) == steps((ROOT / "Dockerfile").read_text())
    assert len(steps(recipe)) == 2
    assert "make run" in (ROOT / "README.md").read_text()


def test_the_container_runs_as_nobody_in_particular_and_has_no_compiler() -> None:
    """Two stages, a user that is not root, a health check, a volume for data."""
    text = (ROOT / "Dockerfile").read_text()
    final = text.split("FROM ")[-1]

    assert text.count("FROM ") == 2
    assert re.search(r"^USER (?!root)\w+", final, re.M)
    assert "HEALTHCHECK" in final
    assert "VOLUME /data" in final
    assert not re.search(r"gcc|build-essential|apt-get", final)
    assert "slim" in final.splitlines()[0]


def test_the_container_is_built_where_there_is_a_compiler() -> None:
    """Of the same Python, for what is compiled there runs here; what somebody compiled elsewhere is not let in."""
    dockerfile, ignore = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text()
    first, final = re.findall(r"^FROM python:(\S+)", dockerfile, re.M)

    assert final == f"{first}-slim"
    assert re.search(r"^COPY .*setup\.py", dockerfile, re.M)
    assert "!setup.py" in ignore
    assert "**/*.so" in ignore


def test_every_floor_is_in_the_container() -> None:
    """Every package of the product is copied, and let through by .dockerignore."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NO_PRODUCT
    dockerfile, ignore = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text()

    for name in packages:
        assert f"COPY {name} ./{name}" in dockerfile
        assert f"!{name}" in ignore


def test_what_is_no_product_is_not_delivered() -> None:
    """Neither in the wheel nor in the container."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["setuptools"]["packages"]["find"]["include"]
    dockerfile, ignore = (ROOT / "Dockerfile").read_text(), (ROOT / ".dockerignore").read_text()

    for name in NO_PRODUCT:
        assert f"{name}*" not in wheel
        assert not re.search(rf"^COPY {name}\b", dockerfile, re.M)
        assert f"!{name}" not in ignore


def test_make_says_what_it_can() -> None:
    """Every target for people is in its help."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split()) - {"help", "clean-env"}

    for name in targets:
        assert f'@echo "make {name} ' in text, name


def test_locks_are_complete_checked_and_name_no_index() -> None:
    """Every declared dependency is locked with hashes; no line says where it comes from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name, wanted in (
        ("requirements.lock", project["project"]["dependencies"]),
        ("requirements-dev.lock", project["dependency-groups"]["dev"]),
        ("requirements-fuzz.lock", project["dependency-groups"]["fuzz"]),
    ):
        text = (ROOT / name).read_text()
        locked = {re.split(r"[=\[]", line)[0].lower() for line in text.splitlines() if re.match(r"[a-zA-Z]", line)}
        declared = {re.split(r"[<>=\[;]", one)[0].strip().lower() for one in wanted}
        assert declared <= locked
        assert not re.search(r"https?://|--index|--find-links", text)
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-zA-Z])", text.strip()) if "==" in block)


def test_every_dependency_says_what_it_is_for() -> None:
    """Or it has not earned its place."""
    text = (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]\n")[0]

    for line in text.strip().splitlines():
        assert "#" in line, line


def test_ci_runs_the_readmes_command_and_nothing_else() -> None:
    """One command for everybody."""
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]

    assert lines[-1] == "make test"
    assert len(lines) == 3
    assert "make test" in (ROOT / "README.md").read_text()
