"""From hints to signatures and the manifest, and what is refused with what words."""

import dataclasses
import importlib
import json
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NewType

import pytest

import unskew
from unskew import Column, DefinitionError, aggregate, transform
from unskew.manifest import manifest
from unskew.registry import registry

SCHEMA = Path(__file__).parents[3] / "wit" / "manifest.schema.json"
UserId = NewType("UserId", str)


def signature(function: Any) -> tuple[list[Any], list[Any]]:
    transform(function)
    found = registry.transforms[-1]
    return (
        [(f.name, str(f.type), f.nullable) for f in found.inputs],
        [(f.name, str(f.type), f.nullable) for f in found.results.fields],
    )


def test_hints_that_are_text() -> None:
    sys.modules.pop("future_hints", None)
    importlib.import_module("future_hints")
    found = registry.transforms[0]
    assert found.description == "Takes all sorts."
    assert [(f.name, str(f.type), f.nullable) for f in found.inputs] == [
        ("a", "bool", False),
        ("b", "int8", True),
        ("c", "decimal128(10,2)", False),
        ("d", "list<utf8?>", True),
        ("e", "fixed_size_list<float32,4>", True),
        ("f", "struct<x:float32,y:utf8?>", False),
        ("g", "date32", False),
        ("h", "timestamp", False),
        ("i", "binary", False),
        ("j", "decimal128(38,0)", True),
    ]
    assert str(found.results.fields[0].type) == "struct<x:float32,y:utf8?>"


def test_other_ways_to_write_hints() -> None:
    def f(
        a: typing.Optional[int],
        b: typing.List[float],
        c: UserId,
        d: Annotated[int, "a note"],
        e: "float | None",
        g: Annotated[list[unskew.Float32], unskew.embedding(2)],
    ) -> typing.Union[None, bool]:
        return True

    inputs, outputs = signature(f)
    assert [(kind, null) for _, kind, null in inputs] == [
        ("int64", True),
        ("list<float64>", False),
        ("utf8", False),
        ("int64", False),
        ("float64", True),
        ("fixed_size_list<float32,2>", False),
    ]
    assert outputs == [("f", "bool", True)]


class Marked(NamedTuple):
    a: int
    b: list[str | None]


def test_names_of_outputs() -> None:
    def f(x: int) -> int:
        return x

    def g(x: int) -> tuple[int, float | None]:
        return x, None

    def h(x: int) -> Marked | None:
        return None

    transform(output="y")(f)
    transform(name="other")(f)
    transform(outputs=["a", "b"])(g)  # type: ignore[arg-type]
    transform(unskew.outputs(Marked) and h)
    assert [
        (t.name, [(f.name, str(f.type), f.nullable) for f in t.results.fields])
        for t in registry.transforms
    ] == [
        ("f", [("y", "int64", False)]),
        ("other", [("other", "int64", False)]),
        ("g", [("a", "int64", False), ("b", "float64", True)]),
        ("h", [("a", "int64", True), ("b", "list<utf8?>", True)]),
    ]


@dataclass
class Thawed:
    x: int


@dataclass(frozen=True)
class Nested:
    inner: list[int]


@dataclass(frozen=True)
class Unsettable:
    x: int = dataclasses.field(init=False, default=3)


class Empty(NamedTuple):
    pass


UNSUPPORTED: list[tuple[Any, str]] = [
    (dict[str, int], r"`dict\[str, int\]` is not supported: it has no column type"),
    (complex, "`complex` is not supported"),
    (Any, "`Any` is not supported"),
    (int | str, "a union of several types"),
    (int | str | None, "only `T | None`"),
    (list, "needs the type of its items"),
    (list[list[int]], "items of a list are single values"),
    (list[Nested], "neither lists nor structs"),
    (tuple[int, int], "has no column type"),
    (Decimal, r"needs its digits: Annotated\[Decimal"),
    (Annotated[float, unskew.decimal128(4, 2)], "decimal128 belongs to Decimal"),
    (Annotated[list[int], unskew.embedding(4)], r"embedding belongs to list\[float\]"),
    (Annotated[str, unskew.column_type.Scalar("int8")], "int8 belongs to int"),
    (Thawed, r"write @dataclass\(frozen=True\)"),
    (Nested, "its field inner is no single value"),
    (Unsettable, "init=False"),
    (Empty, "0 fields"),
    (None, "has no value"),
    ("Missing", "cannot be evaluated: NameError: name 'Missing' is not defined"),
    ("list[", "cannot be evaluated: SyntaxError"),
]


@pytest.mark.parametrize("hint, message", UNSUPPORTED, ids=range(len(UNSUPPORTED)))
def test_an_unsupported_hint_is_named(hint: Any, message: str) -> None:
    def f(good: int, wrong: Any) -> int:
        return good

    f.__annotations__["wrong"] = hint
    with pytest.raises(DefinitionError, match=message) as caught:
        transform(f)
    text = str(caught.value)
    line = f.__code__.co_firstlineno
    assert text.startswith(f"test_definitions.py:{line}: transform f: "), text
    assert "argument wrong" in text
    if "cannot be evaluated" not in text:
        assert "Supported are bool, int, float, str" in text
    assert registry.transforms == []


@unskew.outputs
class Bare:
    a: int


def wrong_functions() -> list[tuple[Callable[[], Any], str]]:
    def no_hint(x) -> int: ...  # type: ignore[no-untyped-def]
    def no_return(x: int): ...  # type: ignore[no-untyped-def]
    def returns_none(x: int) -> None: ...
    def star(*x: int) -> int: ...
    def stars(**x: int) -> int: ...
    def keyword(*, x: int) -> int: ...
    async def waits(x: int) -> int: ...
    def yields(x: int) -> int:
        yield 1

    def not_a_tuple(x: int) -> int: ...
    def another_tuple(x: int) -> tuple[int, int, int]: ...
    def open_tuple(x: int) -> tuple[int, ...]: ...
    def bare(x: int) -> Bare: ...
    def rows(x: int) -> Column[int]: ...
    def pair(x: int) -> tuple[int, int]: ...
    def plain(x: int) -> int: ...
    def größe(x: int) -> int: ...

    class Callable_:
        def __call__(self, x: int) -> int: ...

    two = transform(outputs=("a", "b"))
    return [
        (lambda: transform(no_hint), "argument x has no type hint; give it one of: bool"),
        (lambda: transform(no_return), "no return type; write `-> T`"),
        (lambda: transform(returns_none), "return type: the type hint `NoneType`"),
        (lambda: transform(star), "stands for any number of arguments"),
        (lambda: transform(stars), "stands for any number of arguments"),
        (lambda: transform(keyword), "keyword-only"),
        (lambda: transform(waits), "is async"),
        (lambda: transform(yields), "is a generator"),
        (lambda: two(not_a_tuple), "asks for a tuple of 2, not `int`"),
        (lambda: two(another_tuple), "asks for a tuple of 2"),
        (lambda: two(open_tuple), "asks for a tuple of 2"),
        (lambda: transform(outputs=("a", "a"))(pair), "two outputs are named a"),
        (lambda: transform(outputs=("a", "b c"))(pair), "name 'b c' is not allowed"),
        (lambda: transform(outputs=())(pair), "no tuple of names"),
        (lambda: transform(outputs="ab")(pair), "no tuple of names"),  # type: ignore[arg-type]
        (lambda: transform(output="y", outputs=("a", "b"))(pair), "not both"),
        (lambda: transform(output="a-b")(plain), "name 'a-b' is not allowed"),
        (lambda: transform(name="9a")(plain), "name '9a' is not allowed"),
        (lambda: transform(größe), "name 'größe' is not allowed"),
        (lambda: transform(bare), "Bare is not supported: it is neither a frozen dataclass nor"),
        (lambda: transform(rows), "has no column type"),
        (lambda: transform(batch=True)(plain), r"batch form takes and gives columns"),
        (lambda: transform(Callable_()), "is no function"),  # type: ignore[arg-type]
        (lambda: transform(5), "is no function"),  # type: ignore[call-overload]
    ]


WRONG = wrong_functions()


@pytest.mark.parametrize("define, message", WRONG, ids=range(len(WRONG)))
def test_a_wrong_function_is_refused(define: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        define()


def test_wrong_digits_and_lengths_are_refused() -> None:
    for digits in ((0, 0), (39, 0), (4, 5), (4, -1)):
        with pytest.raises(ValueError, match="1 to 38 digits"):
            unskew.decimal128(*digits)
    for length in (0, 65_537):
        with pytest.raises(ValueError, match="1 to 65536"):
            unskew.embedding(length)


def test_the_manifest_fits_its_schema_and_names_all() -> None:
    import jsonschema

    test_hints_that_are_text()

    @transform(batch=True, outputs=("y", "z"))
    def f(x: Column[float | None]) -> tuple[Column[float], Column[str | None]]: ...

    @aggregate
    class Total:
        """A total of "things"."""

        n: int = 0

        def update(self, x: int) -> None: ...
        def merge(self, other: Any) -> None: ...
        def finish(self) -> int: ...
        def subtract(self, other: Any) -> None: ...

    text = manifest(registry, "shop", "What it is for.")
    assert text == manifest(registry, "shop", "What it is for.")
    document = json.loads(text)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["language"] == "python"
    assert re.fullmatch(r"unskew-python \d+\.\d+\.\d+", document["sdk"])
    assert document["aggregates"] == [
        {
            "name": "total",
            "description": 'A total of "things".',
            "inputs": [{"name": "x", "type": "int64", "nullable": False}],
            "output": {"name": "total", "type": "int64", "nullable": False},
            "subtract": True,
        }
    ]
    assert document["transforms"][1]["outputs"][1] == {"name": "z", "type": "utf8", "nullable": True}


def test_one_name_stands_for_one_thing() -> None:
    with pytest.raises(DefinitionError, match="nothing to offer"):
        registry.check()

    def f(x: int) -> int:
        return x

    transform(f)
    registry.check()
    transform(f)
    with pytest.raises(DefinitionError, match=r"test_definitions\.py:\d+: .*the name is taken by"):
        registry.check()
