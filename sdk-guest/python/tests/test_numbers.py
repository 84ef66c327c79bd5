"""A batch of rows that yield numbers gives what its rows give one by one, whatever they do."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from conftest import call

from unskew import Float32, Int8, UInt64, log, transform
from unskew.evaluate.loop import loop_of
from unskew.registry import registry


class Number:
    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __index__(self) -> int:
        if self.value < 0:
            raise KeyError("no index")
        return int(self.value)


# What a function might return for the n-th row.
RETURNED: list[Any] = [
    1, 2.5, None, True, "text", Decimal("1.5"), Fraction(1, 3), Number(4.0), Number(-4.0),
    10**400, -(10**30), 2**64 - 1, -129, 127, 1e300, math.inf, math.nan, object(), [], b"1", None,
]  # fmt: skip
RAISED: list[Exception] = [ValueError("no"), TypeError("must be real number"), OverflowError()]
KINDS: list[Any] = [float, Float32, int, Int8, UInt64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nullable", [False, True])
def test_a_batch_gives_what_its_rows_give_alone(kind: Any, nullable: bool) -> None:
    def chosen(n: int) -> Any:
        outcome = [*RETURNED, *RAISED][n]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    chosen.__annotations__["return"] = kind | None if nullable else kind
    transform(chosen)
    ways = range(len(RETURNED) + len(RAISED))
    alone = {n: call([[n]]) for n in ways}
    batches = [[*ways[first:], *ways[:first]] for first in ways]
    batches += [list(ways)[::-1], [0] * 9 + [1], [0, 0, 2], []]
    for rows in batches:
        reply = call([rows])
        values = [alone[n].columns[0][0] for n in rows]
        assert repr(reply.columns[0]) == repr(values), rows
        errors = {at: alone[n].errors[0] for at, n in enumerate(rows) if alone[n].errors}
        assert reply.errors == errors, rows


def test_nulls_of_several_arguments() -> None:
    @transform
    def weighed(
        a: float | None, b: int, c: float | None, d: str | None, e: bool | None
    ) -> float | None:
        if d is None and e is None:
            return None
        total = float(b)
        for part in (a, c):
            if part is None:
                total *= 2
            else:
                total += part
        return total / len(d) if d is not None else total

    values = [[None, 1.5], [0, 3], [None, 0.0, 2.5], [None, "", "abc"], [None, True, False]]
    rows = list(itertools.product(*values))
    reply = call([list(column) for column in zip(*rows)])
    for at, row in enumerate(rows):
        alone = call([[value] for value in row])
        assert reply.columns[0][at] == alone.columns[0][0], row
        assert reply.errors.get(at) == alone.errors.get(0), row
    assert reply.errors and None in reply.columns[0]


def test_more_nullable_arguments_than_there_are_flags() -> None:
    def count(a, b, c, d, e, f, g, h, i):  # type: ignore[no-untyped-def]
        return sum(x is None for x in (a, b, c, d, e, f, g, h, i))

    count.__annotations__ = dict.fromkeys("abcdefghi", int | None) | {"return": int}
    transform(count)
    columns = [[None if row >> bit & 1 else 7 for row in range(512)] for bit in range(9)]
    assert call(columns).columns[0] == [row.bit_count() for row in range(512)]


def test_a_row_that_is_evaluated_again_logs_once() -> None:
    @transform
    def odd(n: int | None) -> float | None:
        log.info(f"row of {n}")
        if n == 3:
            raise ValueError
        return None if n == 5 else n

    seen: list[tuple[int, int | None, str]] = []
    before = log._write
    log.write_with(lambda *message: seen.append(message))
    try:
        reply = call([[5, None, 3, 4, 3]])
    finally:
        log.write_with(before)
    assert [(row, text) for _, row, text in seen] == [
        (row, f"row of {n}") for row, n in enumerate([5, None, 3, 4, 3])
    ]
    assert set(reply.errors) == {2, 4}
    assert [reply.columns[0][row] for row in (0, 1, 3)] == [None, None, 4.0]


def test_the_place_of_an_error_is_the_users_line() -> None:
    @transform
    def inverse(x: float | None) -> float | None:
        return (
            None
            if x is None
            else 1 / x
        )  # fmt: skip

    alone = call([[0.0]]).errors[0]
    assert call([[None, 1.0, 0.0]]).errors == {2: alone}
    assert "in inverse)" in alone


def sum_or_none(x: float | None, y: int | None, z: float) -> float | None:
    """What lies under a null must not be seen."""
    if x is None or not (y is not None):
        return None
    return 1 / x + y * z


def one_or_power(x: int | None, y: int | None) -> int | None:
    return 1 if x is None else None if y is None else x ** y


def ten_to_the(x: int | None) -> int | None:
    return None if x is None else 10**x


def inverse_or_zero(x: float | None) -> float | None:
    return 1 / x if x is not None else 0.0


@pytest.mark.parametrize("function", [sum_or_none, one_or_power, ten_to_the, inverse_or_zero])
def test_nulls_anywhere_give_what_their_rows_give_alone(function: Any) -> None:
    transform(function)
    count = function.__code__.co_argcount
    values: list[Any] = [None, 0, 1, 3]
    kinds = [*itertools.product(values, repeat=count)]
    if function is sum_or_none:
        kinds = [kind for kind in kinds if kind[2] is not None]
    fine = [kind for kind in kinds if not call([[v] for v in kind]).errors]
    for rows in (kinds, kinds[::-1], fine, fine * 40, [k for k in fine if None in k]):
        alone = [call([[value] for value in row]) for row in rows]
        reply = call([list(column) for column in zip(*rows)])
        assert reply.columns[0] == [one.columns[0][0] for one in alone]
        assert reply.errors == {at: one.errors[0] for at, one in enumerate(alone) if one.errors}


def test_only_functions_that_give_none_for_nulls_see_what_lies_under_them() -> None:
    def strict(function: Any, inputs: list[int]) -> bool:
        numbers = loop_of(
            function, len(inputs) + (function is sum_or_none), numbers=True,
            nullable_inputs=inputs, number_inputs=[0, 1, 2][: function.__code__.co_argcount],
        ).numbers  # fmt: skip
        assert numbers is not None
        return numbers.strict

    assert strict(sum_or_none, [0, 1])
    assert not strict(one_or_power, [0, 1]), "1 for a null"
    assert not strict(ten_to_the, [0]), "it may take for ever"
    assert not strict(inverse_or_zero, [0]), "0 for a null"
    not_nullable = loop_of(
        sum_or_none, 3, numbers=True, nullable_output=False, nullable_inputs=[0, 1], number_inputs=[0, 1, 2]
    ).numbers  # fmt: skip
    assert not_nullable is not None and not not_nullable.strict


def test_names_of_ours_in_a_function_are_left_alone() -> None:
    namespace: dict[str, Any] = {}
    exec("def f(_unskew_value, _unskew_flags):\n return _unskew_value", namespace)
    loop = loop_of(namespace["f"], 2, numbers=True, nullable_inputs=[0, 1])
    assert loop.numbers is not None
    out: list[Any] = []
    nulls: list[int] = []
    assert loop.numbers.flagged is not None
    loop.numbers.flagged([(1, 2, 0), (3, 4, 1), (5, 6, 2)], out, out.append, nulls.append, 0, 0, len)
    assert (out, nulls) == ([1, 0, 5], [1])
    registry.transforms.clear()
