"""Definitions in Python become the document that Rust and YAML become."""

import importlib.util
import json
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import unskew
from unskew import registry as registries
from unskew.failure import DefinitionError
from unskew.manifest import definitions, manifest
from unskew.registry import registry

SHARED = Path(__file__).parents[3] / "tests" / "definitions"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with nothing defined."""
    empty = registries.Registry()
    for name, value in vars(empty).items():
        monkeypatch.setattr(registry, name, value)


def stripped(document: Any) -> Any:
    """Without the places where things stand."""
    if isinstance(document, dict):
        return {key: stripped(value) for key, value in document.items() if key != "at"}
    if isinstance(document, list):
        return [stripped(value) for value in document]
    return document


def imported(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def test_the_document_is_the_golden_one() -> None:
    imported(SHARED / "shop.py", "shop")
    text = json.dumps(stripped(definitions(registry)), separators=(",", ":")) + "\n"
    assert text == (SHARED / "shop.json").read_text("utf-8")
    # Nothing in it depends on when or how often it is written.
    assert manifest(registry, "shop", "") == manifest(registry, "shop", "")


def test_everything_says_where_it_stands() -> None:
    imported(SHARED / "shop.py", "shop")
    lines = (SHARED / "shop.py").read_text("utf-8").splitlines()
    document = definitions(registry)

    def line(of: dict[str, Any]) -> str:
        file, number = of["at"].rsplit(":", 1)
        assert file.endswith("shop.py")
        return lines[int(number) - 1].strip()

    view = document["feature_views"][0]
    assert line(document["entities"][1]).startswith('account = Entity("account"')
    assert line(view) == "@feature_view("
    assert line(view["aggregates"][2]).startswith("p95 = Percentile")
    assert line(view["transforms"][1]).startswith("call(order_value")
    if sys.version_info >= (3, 13):
        assert line(document["sources"][0]["fields"][5]) == "sizes: list[int | None] | None"


def order() -> tuple[unskew.Entity, unskew.Source]:
    """An entity and a source, as most views need."""
    user = unskew.Entity("user")
    orders = unskew.Source("orders", {"user_id": str, "amount": float}, event_timestamp="at")
    return user, orders


def test_one_base_serves_several_windows() -> None:
    user, orders = order()
    spend = unskew.Sum("amount").where("amount > 1")
    view = unskew.FeatureView(
        "v",
        entities=user,
        source=orders,
        features={f"spend_{size}": spend.over(size) for size in ("1d", "7d")},
    )
    shown = view.document()["aggregates"]
    assert [one["over"] for one in shown] == [{"size": "1d"}, {"size": "7d"}]
    assert "over" not in spend.document("spend")


def test_what_is_hidden_is_computed_and_not_served() -> None:
    user, orders = order()

    @unskew.feature_view(
        entities=user, source=orders, post_transforms=unskew.sql(mean="_total / _orders")
    )
    class Means:
        _total = unskew.Sum("amount").over("1d")
        _orders = unskew.Count().over("1d")

    (view,) = definitions(registry)["feature_views"]
    assert [a["name"] for a in view["aggregates"]] == ["_total", "_orders"]
    assert [f["name"] for f in view["features"]] == ["mean"]


def test_a_reference_pins_the_version_where_there_are_several() -> None:
    user, orders = order()

    def view(version: int) -> unskew.FeatureView:
        return unskew.FeatureView(
            "v", version=version, entities=user, source=orders, features={"n": unskew.Count().over("1d")}
        )

    first = view(1)
    service = unskew.FeatureService("s", features=[first, first["n"]])
    assert service.document()["features"] == ["v", "v:n"]
    view(2)
    assert service.document()["features"] == ["v@v1", "v:n@v1"]


def test_features_of_a_base_class_are_those_of_the_view() -> None:
    user, orders = order()

    class Shared:
        orders_1d = unskew.Count().over("1d")

    @unskew.feature_view(entities=user, source=orders)
    class Child(Shared):
        spend_1d = unskew.Sum("amount").over("1d")

    service = unskew.FeatureService("s", features=[Child.orders_1d, Child.spend_1d])
    assert service.document()["features"] == ["child:orders_1d", "child:spend_1d"]
    (view,) = definitions(registry)["feature_views"]
    assert [a["name"] for a in view["aggregates"]] == ["orders_1d", "spend_1d"]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=7), "7d"),
        (timedelta(hours=25, microseconds=1), "1d1h1us"),
        (timedelta(milliseconds=90), "90ms"),
        (timedelta(0), "0s"),
        (timedelta(seconds=-1), "-1000000us"),
        (" 1h30m ", "1h30m"),
        ("2w", "2w"),
    ],
)
def test_durations(length: Any, text: str) -> None:
    assert unskew.Count().over(length).document("n")["over"] == {"size": text}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
        (1 << 60, str(1 << 60)),
        (b"\x00\xff", "AP8="),
        ([1.5, None], [1.5, None]),
        (__import__("decimal").Decimal("1E+2"), "100"),
        (__import__("datetime").datetime(2026, 1, 1), "2026-01-01T00:00:00Z"),
        (__import__("datetime").date(2026, 1, 1), "2026-01-01"),
    ],
)
def test_defaults_are_written_as_every_reader_takes_them(value: Any, shown: Any) -> None:
    assert unskew.Feature(default=value).document("f", "view v")["default"] == shown


MISTAKES = [
    (lambda: unskew.Count().over("7x"), "'7x' is no duration; write a number and a unit"),
    (lambda: unskew.Count().over(7), "int 7 is no duration"),
    (lambda: unskew.Sum(5), "Sum: int 5 is no column"),
    (lambda: unskew.Percentile("x", "amount"), "q is str 'x'"),
    (lambda: unskew.Percentile(float("nan"), "amount"), "q is float nan"),
    (lambda: unskew.Source("s", {"a": int}, kafka={"a": set()}), "kafka is dict; give the topic"),
    (lambda: unskew.Sum("a").where(lambda: 1), "function is no expression"),
    (lambda: unskew.Entity("a b"), "the name is not allowed"),
    (lambda: unskew.Entity("user", join_keys={"id": set}), "join key id: the type `set`"),
    (lambda: unskew.Entity("user", join_keys={"id": int | None}), "a key is never null"),
    (lambda: unskew.Entity("user", tags={"a": 1}), "both are texts"),
    (lambda: unskew.Source("s", 5), "give a class whose annotations"),
    (lambda: unskew.Source("s", {"a": set}), "field a: the type `set` is not supported"),
    (lambda: unskew.Source("s", {"a": int}, columns={"b": "c"}), "it has no field b"),
    (lambda: unskew.Source("s", {"a": int}, partition=5), "partition is int 5"),
    (lambda: order()[1]["nothing"], "it has no field 'nothing'; its fields are user_id, amount"),
    (lambda: unskew.sql(), "give at least one column"),
    (lambda: unskew.sql(a=1), "a is int 1"),
    (lambda: unskew.call(len), "is no transform; decorate the function with @unskew.transform"),
    (lambda: unskew.UserAggregate(int), "is no aggregate; decorate the class"),
    (lambda: unskew.Feature(5), "is neither an aggregate"),
    (lambda: unskew.Feature(type=set), "the type `set` is not supported"),
    (lambda: unskew.FeatureService("s", features="v"), "features is str 'v'; give a list"),
    (
        lambda: unskew.feature_view(entities="user", source="s")(type("V", (), {"a": 5})),
        "a is int 5; the attributes of the class are aggregates",
    ),
    (
        lambda: unskew.FeatureView("v", entities="user", source=5, features={}),
        "its source is int 5; give a Source",
    ),
    (
        lambda: unskew.FeatureView("v", entities=[5], source="s", features={}),
        "int 5 is no Entity",
    ),
    (
        lambda: unskew.FeatureView("v", entities="u", source="s", features={}, on_error="x"),
        "give one of null, default, fail",
    ),
]


@pytest.mark.parametrize(("make", "part"), MISTAKES, ids=[part for _, part in MISTAKES])
def test_a_mistake_is_told_at_once_with_its_line(make: Any, part: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(part)) as told:
        make()
    assert re.match(r"test_documents\.py:\d+: ", str(told.value))


def test_all_mistakes_are_told_together_where_a_project_is_read() -> None:
    registry.collecting = True

    @unskew.transform
    def untyped(x):  # type: ignore[no-untyped-def]
        return x

    unskew.Entity("user", join_keys=5)  # type: ignore[arg-type]
    unskew.FeatureService("s", features=[unskew.call(untyped), 7])
    # What the reader of the document finds as well is left to it.
    unskew.Count().over("7x")
    definitions(registry)
    with pytest.raises(DefinitionError) as told:
        registry.check()
    lines = str(told.value).split("\n")
    assert len(lines) == 4, lines
    for line, part in zip(lines, ["transform untyped: argument x", "join_keys is int 5",
                                  "TransformStep is no feature", "int 7 is no feature"]):  # fmt: skip
        assert part in line and line.startswith("test_documents.py:"), line
