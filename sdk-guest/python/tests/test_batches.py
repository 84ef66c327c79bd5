"""The batch form: what arrives, what may be given back, and how rows fail."""

import datetime
import re
from array import array
from typing import Any

import pytest
from conftest import call

import unskew
from unskew import Column, NullableColumn, transform


def test_columns_arrive_without_a_copy_where_they_can() -> None:
    seen: list[Any] = []

    @transform(batch=True)
    def look(
        x: Column[float],
        n: Column[unskew.Int16 | None],
        b: Column[bool],
        t: Column[str | None],
        d: Column[datetime.date],
    ) -> Column[float]:
        seen.extend([x, n, b, t, d])
        return x

    call([[1.5, 2.5], [7, None], [True, False], [None, "a"], [0, 1]])
    x, n, b, t, d = seen
    assert isinstance(x, memoryview) and x.format == "d" and isinstance(x.obj, bytes)
    assert isinstance(n, NullableColumn) and isinstance(n.values, memoryview)
    assert (n.values.format, n.values.tolist(), list(n.valid)) == ("h", [7, 0], [1, 0])
    assert list(n) == [7, None] and (n[0], n[1], len(n)) == (7, None, 2)
    assert list(n[1:]) == [None]
    assert list(b) == [True, False]
    assert (t.values, list(t.valid)) == (["", "a"], [0, 1])
    assert d == [datetime.date(1970, 1, 1), datetime.date(1970, 1, 2)]


RETURNS: list[Any] = [
    lambda x: array("d", [v * 2 for v in x]),
    lambda x: memoryview(array("d", [v * 2 for v in x])),
    lambda x: array("d", [v * 2 for v in x]).tobytes(),
    lambda x: bytearray(array("d", [v * 2 for v in x]).tobytes()),
    lambda x: [v * 2 for v in x],
    lambda x: tuple(v * 2 for v in x),
    lambda x: array("q", [int(v) * 2 for v in x]),
    lambda x: memoryview(array("d", [w for v in x for w in (v * 2, 0.0)]))[::2],
    lambda x: ([v * 2 for v in x], [True] * len(x)),
    lambda x: NullableColumn([v * 2 for v in x], bytes([1] * len(x))),
]


@pytest.mark.parametrize("function", RETURNS, ids=range(len(RETURNS)))
def test_every_kind_of_column_may_be_given_back(function: Any) -> None:
    def double(x: Any) -> Any:
        return function(x)

    double.__annotations__ = {"x": Column[float], "return": Column[float]}
    transform(batch=True)(double)
    for values in ([1.0, 2.0, 3.0], [4.0], []):
        reply = call([values])
        assert reply.errors == {}
        assert reply.columns == [[v * 2 for v in values]]


def test_a_validity_makes_nulls() -> None:
    @transform(batch=True)
    def positive(x: Column[float]) -> Column[float | None]:
        return x, array("B", [v > 0 for v in x])  # type: ignore[return-value]

    assert call([[1.0, -1.0, 2.0]]).columns == [[1.0, None, 2.0]]


def test_several_outputs() -> None:
    @transform(batch=True, outputs=("a", "b"))
    def two(x: Column[int]) -> tuple[Column[int], Column[str | None]]:
        return x, (["x"] * len(x), bytes(v % 2 for v in x))  # type: ignore[return-value]

    assert call([[1, 2]]).columns == [[1, 2], ["x", None]]


def test_rows_that_fail_are_found_by_halving() -> None:
    calls = []

    @transform(batch=True)
    def root(x: Column[float]) -> Column[float]:
        calls.append(len(x))
        if any(v < 0 for v in x):
            raise ValueError(f"negative in {len(x)}")
        return [v**0.5 for v in x]

    values = [float(i) for i in range(64)]
    values[5] = values[40] = -1.0
    reply = call([values])
    assert list(reply.errors) == [5, 40]
    # The message is that of the row alone, whatever batch it travelled in.
    assert re.fullmatch(
        r"ValueError: negative in 1 \(test_batches\.py:\d+ in root\)", reply.errors[5]
    )
    assert [v for i, v in enumerate(reply.columns[0]) if i not in (5, 40)] == [
        v**0.5 for v in values if v >= 0
    ]
    assert len(calls) < 40
    assert call([[-1.0]]).errors == {0: reply.errors[5]}


def test_values_that_do_not_fit_fail_alone() -> None:
    @transform(batch=True)
    def text(x: Column[int]) -> Column[str]:
        return [v if v == 3 else str(v) for v in x]  # type: ignore[return-value]

    reply = call([[1, 2, 3, 4]])
    assert list(reply.errors) == [2]
    assert "expected a str, got int 3" in reply.errors[2]
    assert [reply.columns[0][i] for i in (0, 1, 3)] == ["1", "2", "4"]


@pytest.mark.parametrize(
    "result, message",
    [
        ([1.0, 2.0, 3.0], "a column of 1 rows, got 3"),
        (5, "expected a column"),
        ("ab", "expected a column"),
        (None, "expected a column"),
        (b"123", "3 bytes are no whole number of float64"),
        (([1.0], [1, 1]), "a validity of 1 rows, got 2"),
    ],
)
def test_no_column_is_an_error_of_every_row(result: Any, message: str) -> None:
    @transform(batch=True)
    def give(x: Column[float]) -> Column[float]:
        return result

    reply = call([[1.0, 2.0]])
    assert list(reply.errors) == [0, 1]
    assert all(message in text and "test_batches.py:" in text for text in reply.errors.values())


def test_zero_rows_need_no_call() -> None:
    @transform(batch=True)
    def first(x: Column[float]) -> Column[float]:
        return [x[0]] * len(x)

    reply = call([[]])
    assert reply.columns == [[]] and reply.errors == {}
