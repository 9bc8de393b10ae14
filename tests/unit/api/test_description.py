"""The OpenAPI document: what is said of the interface is complete, and true."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.errors import MEDIA_TYPE
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.ports import ports_of


@pytest.fixture
def document(tmp_path: Path) -> Iterator[dict[str, Any]]:
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # FastAPI warns of operations that share an id
        yield create_app(ports_of(store, clock)).openapi()
    store.close()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_each_operation_is_described(document: dict[str, Any]) -> None:
    """With a title, a text, a name of its own, and problems as its errors."""
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names) > 15
    for where, operation in operations(document):
        assert operation["summary"], where
        assert operation["description"], where
        answers = operation["responses"]
        assert "422" not in answers, where
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        assert answers["default"]["content"] == {MEDIA_TYPE: schema}, where


def test_each_field_of_a_body_has_an_example_or_is_a_yes_or_no(document: dict[str, Any]) -> None:
    """Who writes a program against the box sees what goes in."""
    schemas = document["components"]["schemas"]
    bodies = {
        content["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations(document)
        if "requestBody" in operation
        for content in operation["requestBody"]["content"].values()
    }
    assert bodies == {
        "CameraNew",
        "CameraChange",
        "ExportNew",
        "HoldNew",
        "HoldRelease",
        "HoldReviewNew",
        "RecordErase",
        "ScrubNew",
    }
    for name in bodies:
        assert schemas[name]["description"]
        for field, told in schemas[name]["properties"].items():
            kinds = [told, *told.get("anyOf", [])]
            has_example = any(kind.get("examples") for kind in kinds)
            assert has_example or any(kind.get("type") == "boolean" for kind in kinds), f"{name}.{field}"


def test_nothing_in_the_description_is_of_the_web_framework(document: dict[str, Any]) -> None:
    """Its own form of errors is never answered; the token is told as what it is."""
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}


def test_a_password_is_never_part_of_an_answer(document: dict[str, Any]) -> None:
    """It goes in, and no body that comes out has a field for it."""
    schemas = document["components"]["schemas"]
    assert {name for name, one in schemas.items() if "password" in one.get("properties", {})} == {
        "CameraNew", "CameraChange",
    }  # fmt: skip
