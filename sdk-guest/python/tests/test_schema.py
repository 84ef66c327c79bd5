"""The published schema takes what the reader takes: `runtime/definition/tests/schema_documents.rs` reads the same documents."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "wit" / "manifest.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCUMENTS = json.loads((ROOT / "runtime" / "definition" / "tests" / "documents.json").read_text())


class Loader(yaml.SafeLoader):
    """YAML as definitions read it: times stay texts, numbers follow YAML 1.2."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:int")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)


def mistakes(document: Any) -> list[str]:
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", DOCUMENTS["fits"])
def test_what_fits(name: str) -> None:
    assert mistakes(DOCUMENTS["fits"][name]) == []


@pytest.mark.parametrize("name", DOCUMENTS["does not fit"])
def test_what_does_not_fit(name: str) -> None:
    assert mistakes(DOCUMENTS["does not fit"][name]) != []


def definitions() -> list[Path]:
    """Every document in the repository that is to be right."""
    folders = ["examples", "tests/definitions", "runtime/plan/tests/golden", "runtime/plan/tests/lineage"]
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.yaml"))]
    return found + [ROOT / "tests" / "definitions" / "shop.json"]


def test_every_example_fits() -> None:
    checked = 0
    for path in definitions():
        if path.exists():
            assert mistakes(yaml.load(path.read_text(), Loader)) == [], path
            checked += 1
    assert checked > 10


def test_every_definition_of_a_case_fits() -> None:
    """All but those that a case is to refuse."""
    checked = 0
    for path in sorted((ROOT / "tests" / "cases").rglob("*.yaml")):
        case = yaml.load(path.read_text(), Loader)
        if isinstance(case, dict) and isinstance(case.get("definition"), dict) and "error" not in case:
            assert mistakes(case["definition"]) == [], path
            checked += 1
    assert checked > 80 or not (ROOT / "tests" / "cases").exists()
