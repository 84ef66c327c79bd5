"""Every type, with no nulls, some, all and zero rows, through both forms."""

import datetime
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import pytest
from conftest import call

import unskew
from unskew import Column, transform


@dataclass(frozen=True)
class Point:
    x: float
    label: str | None


class Pair(NamedTuple):
    when: datetime.datetime
    many: unskew.UInt8
    ok: bool | None


def single(x: float) -> float:
    """x as float32 has it."""
    return struct.unpack("f", struct.pack("f", x))[0]


MAX = 2**63 - 1
YEAR_1, YEAR_9999 = -62135596800000000, 253402300799999999
# The hint, and values as the boundary has them.
TYPES: dict[str, tuple[Any, list[Any]]] = {
    "bool": (bool, [True, False, True, True, False, False, True, False, True]),
    "int8": (unskew.Int8, [0, -128, 127]),
    "int16": (unskew.Int16, [0, -(2**15), 2**15 - 1]),
    "int32": (unskew.Int32, [0, -(2**31), 2**31 - 1]),
    "int64": (int, [0, -MAX - 1, MAX, 2**53 + 1]),
    "uint8": (unskew.UInt8, [0, 255, 1]),
    "uint16": (unskew.UInt16, [0, 2**16 - 1]),
    "uint32": (unskew.UInt32, [0, 2**32 - 1]),
    "uint64": (unskew.UInt64, [0, 2**64 - 1]),
    "float32": (unskew.Float32, [0.0, -0.0, 1.5, single(3.4e38), float("inf"), single(1e-45)]),
    "float64": (float, [0.0, -0.0, 1.5, 1.7e308, float("-inf"), 5e-324]),
    "utf8": (str, ["", "plain", "é", "日本語", "a\0b", "😀" * 3]),
    "binary": (bytes, [b"", b"\0\xff", b"plain"]),
    "date32": (datetime.date, [0, -719162, 2932896, 19782]),
    "timestamp": (datetime.datetime, [0, -1, 1, YEAR_1, YEAR_9999, 1709210096123456]),
    "decimal128(10,2)": (
        Annotated[Decimal, unskew.decimal128(10, 2)],
        [0, 1, -1, 10**10 - 1, -(10**10) + 1],
    ),
    "decimal128(38,0)": (
        Annotated[Decimal, unskew.decimal128(38, 0)],
        [0, 10**38 - 1, -(10**38) + 1, 2**64, -(2**64)],
    ),
    "decimal128(38,38)": (Annotated[Decimal, unskew.decimal128(38, 38)], [0, 10**38 - 1, -1]),
    "list<int64>": (list[int], [[], [1], [1, -2, MAX]]),
    "list<float32>": (list[unskew.Float32], [[1.5], []]),
    "list<bool?>": (list[bool | None], [[True, None], [], [None], [False] * 9]),
    "list<utf8?>": (list[str | None], [["é", None, ""], [], [None]]),
    "list<timestamp>": (list[datetime.datetime], [[0, 5], []]),
    "list<decimal128(5,1)>": (list[Annotated[Decimal, unskew.decimal128(5, 1)]], [[15], []]),
    "fixed_size_list<float32,3>": (
        Annotated[list[float], unskew.embedding(3)],
        [[0.0, 1.5, -0.0], [1.0, 2.0, 3.0]],
    ),
    "struct<x:float64,label:utf8?>": (Point, [(1.5, "a"), (-0.0, None), (2.0, "")]),
    "struct<when:timestamp,many:uint8,ok:bool?>": (Pair, [(0, 255, None), (5, 0, True)]),
}
KINDS = list(TYPES)


def bits(value: Any) -> Any:
    """Values so that -0.0 is not 0.0."""
    if isinstance(value, float):
        return struct.pack("d", value)
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    return value


def columns_of(values: list[Any]) -> dict[str, list[Any]]:
    some = [value if at % 2 else None for at, value in enumerate(values)]
    return {"none": values, "some": [None, *some], "all": [None] * 10, "zero rows": [], "one": values[:1]}


@pytest.mark.parametrize("nulls", ["none", "some", "all", "zero rows", "one"])
@pytest.mark.parametrize("kind", KINDS)
def test_row_form(kind: str, nulls: str) -> None:
    hint, values = TYPES[kind]

    def same(x: Any) -> Any:
        return x

    same.__annotations__ = {"x": hint | None, "return": hint | None}
    transform(same)
    column = columns_of(values)[nulls]
    reply = call([column])
    assert reply.errors == {}
    assert bits(reply.columns[0]) == bits(column)


@pytest.mark.parametrize("kind", KINDS)
def test_row_form_that_is_never_null(kind: str) -> None:
    hint, values = TYPES[kind]

    def same(x: Any) -> Any:
        return x

    same.__annotations__ = {"x": hint, "return": hint}
    transform(same)
    for column in (values, values[:1], []):
        reply = call([column])
        assert reply.errors == {}
        assert bits(reply.columns[0]) == bits(column)


@pytest.mark.parametrize("nulls", ["none", "some", "all", "zero rows", "one"])
@pytest.mark.parametrize("kind", KINDS)
def test_batch_form(kind: str, nulls: str) -> None:
    hint, values = TYPES[kind]

    def same(x: Any) -> Any:
        assert len(x.values) == len(x.valid) == len(x)
        return x

    same.__annotations__ = {"x": Column[hint | None], "return": Column[hint | None]}
    transform(batch=True)(same)
    column = columns_of(values)[nulls]
    reply = call([column])
    assert reply.errors == {}
    assert bits(reply.columns[0]) == bits(column)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_form_that_is_never_null(kind: str) -> None:
    hint, values = TYPES[kind]

    def same(x: Any) -> Any:
        return x

    same.__annotations__ = {"x": Column[hint], "return": Column[hint]}
    transform(batch=True)(same)
    for column in (values, values[:1], []):
        reply = call([column])
        assert reply.errors == {}
        assert bits(reply.columns[0]) == bits(column)


def test_values_arrive_as_the_hint_says() -> None:
    seen: list[Any] = []

    @transform
    def look(
        t: datetime.datetime,
        d: datetime.date,
        m: Annotated[Decimal, unskew.decimal128(10, 2)],
        p: Point,
        e: Annotated[list[float], unskew.embedding(2)],
        b: bool,
    ) -> bool:
        seen.extend([t, d, m, p, e, b])
        return b

    call([[1709210096123456], [19782], [1250], [(1.5, None)], [[1.0, 2.0]], [True]])
    t, d, m, p, e, b = seen
    assert t == datetime.datetime(2024, 2, 29, 12, 34, 56, 123456, tzinfo=datetime.UTC)
    assert d == datetime.date(2024, 2, 29)
    assert str(m) == "12.50"
    assert p == Point(1.5, None)
    assert e == [1.0, 2.0]
    assert b is True


def test_times_in_other_zones_and_plain_ints_fit() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))

    @transform(outputs=("t", "m", "f"))
    def make(x: int) -> tuple[
        datetime.datetime, Annotated[Decimal, unskew.decimal128(6, 2)], float
    ]:
        return datetime.datetime(1970, 1, 1, 2, tzinfo=zone), x, x  # type: ignore[return-value]

    reply = call([[3, 4]])
    assert reply.errors == {}
    assert reply.columns == [[0, 0], [300, 400], [3.0, 4.0]]


def test_dates_and_times_that_python_cannot_hold_fail_alone() -> None:
    @transform
    def year(t: datetime.datetime, d: datetime.date) -> int:
        return t.year + d.year

    reply = call([[0, YEAR_9999 + 1, 5, 0], [0, 0, -719163, 0]])
    assert reply.columns[0][0] == reply.columns[0][3] == 3940
    assert list(reply.errors) == [1, 2]
    assert "argument t" in reply.errors[1] and "1 to 9999" in reply.errors[1]
    assert "argument d" in reply.errors[2]

    @transform
    def count(ts: list[datetime.datetime]) -> int:
        return len(ts)

    reply = call([[[0], [0, YEAR_9999 + 1], []]])
    assert list(reply.errors) == [1]
    assert reply.columns[0][0] == 1 and reply.columns[0][2] == 0
