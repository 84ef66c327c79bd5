"""Rows that fail, alone and without harm to their neighbours."""

import datetime
import decimal
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import pytest
from conftest import call

import unskew
from unskew import log, transform

FILE = r"test_rows\.py"


def alone_and_together(columns: list[list[Any]]) -> Any:
    """The reply to all rows, which must be what each row yields alone."""
    together = call(columns)
    for row in range(together.rows):
        alone = call([column[row : row + 1] for column in columns])
        assert alone.errors.get(0) == together.errors.get(row)
        if row not in together.errors:
            got = [repr(column[0]) for column in alone.columns]
            assert got == [repr(column[row]) for column in together.columns]
    return together


def test_an_exception_names_the_last_line_of_user_code() -> None:
    def inner(x: float) -> float:
        if x < 0:
            raise ValueError(f"negative: {x}")
        return x

    @transform
    def root(x: float) -> float:
        return inner(x) ** 0.5

    reply = alone_and_together([[4.0, -1.0, 9.0, -2.0, 16.0]])
    assert [reply.columns[0][i] for i in (0, 2, 4)] == [2.0, 3.0, 4.0]
    assert list(reply.errors) == [1, 3]
    assert re.fullmatch(rf"ValueError: negative: -1\.0 \({FILE}:\d+ in inner\)", reply.errors[1])


def test_frames_of_the_library_are_left_out() -> None:
    @transform
    def exact(text: str) -> float:
        return float(decimal.Decimal(text).quantize(decimal.Decimal("1e-3000")))

    reply = alone_and_together([["1", "x"]])
    assert all(re.search(rf"\({FILE}:\d+ in exact\)$", m) for m in reply.errors.values())


@pytest.mark.parametrize(
    "error",
    [
        StopIteration("x"),
        SystemExit(3),
        KeyboardInterrupt("x"),
        GeneratorExit("x"),
        RecursionError("x"),
        BaseException("x"),
        KeyError("x"),
        ValueError(),
    ],
)
@pytest.mark.parametrize("optional", [False, True])
def test_every_kind_of_exception_is_an_error_of_its_row(error: BaseException, optional: bool) -> None:
    def fail(x: float) -> Any:
        if x == 2:
            raise error.with_traceback(None)
        return x

    fail.__annotations__["return"] = float | None if optional else float
    transform(fail)
    reply = alone_and_together([[1.0, 2.0, 3.0, 2.0]])
    assert reply.columns[0][0] == 1.0 and reply.columns[0][2] == 3.0
    assert list(reply.errors) == [1, 3]
    assert reply.errors[1].startswith(type(error).__name__)
    assert re.search(rf"\({FILE}:\d+ in fail\)$", reply.errors[1])


def test_a_lack_of_memory_ends_the_call() -> None:
    @transform
    def greedy(x: float) -> float:
        raise MemoryError

    for rows in ([1.0], [1.0, 2.0]):
        with pytest.raises(MemoryError):
            call([rows])


def test_endless_recursion_is_an_error_of_its_row() -> None:
    @transform
    def deep(x: float) -> float:
        return deep(x) if x else 0.0

    reply = alone_and_together([[0.0, 1.0, 0.0]])
    assert reply.errors[1].startswith("RecursionError")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="where calls from C count as depth, too")
def test_how_deep_a_row_may_recurse_does_not_depend_on_the_batch() -> None:
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    @transform
    def reach(n: int) -> int:
        return depth(n)

    @transform
    def reach_or_null(n: int) -> int | None:
        return depth(n)

    from unskew.registry import registry

    def deepest(rows: int) -> int:
        low, high = 0, sys.getrecursionlimit()
        while high - low > 1:
            middle = (low + high) // 2
            failed = bool(call([[middle] * rows]).errors)
            low, high = (low, middle) if failed else (middle, high)
        return low

    assert deepest(1) == deepest(3)
    registry.transforms.pop()
    assert deepest(1) == deepest(3)


class Awkward:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_messages_are_readable_whatever_they_hold() -> None:
    @transform
    def fail(n: int) -> int:
        if n == 0:
            raise ValueError(Awkward())
        if n == 1:
            raise ValueError("\ud800 lone")
        if n == 2:
            raise ValueError("x" * 10_000)
        raise ValueError(object())

    reply = alone_and_together([[0, 1, 2, 3]])
    assert "cannot be shown" in reply.errors[0]
    assert "\\ud800" in reply.errors[1]
    assert len(reply.errors[2]) < 2200 and "10000 characters" in reply.errors[2]
    assert "0x" not in reply.errors[3]  # an address differs from instance to instance


@dataclass(frozen=True)
class Point:
    x: float
    n: unskew.Int8


WRONG: list[tuple[Any, Any, str]] = [
    (float, "1.5", "expected a float, got str '1.5'"),
    (float, None, r"got None; where it may be null, say so"),
    (float, 10**400, "too large for float64"),
    (float | None, "1.5", "expected a float, got str"),
    (int, 1.0, r"expected an int from -9223372036854775808 to 9223372036854775807, got float 1\.0"),
    (int, 2**63, "expected an int from -9223372036854775808"),
    (int, -(10**5000), "got int"),
    (unskew.Int8, 128, "an int from -128 to 127, got int 128"),
    (unskew.UInt8, -1, "an int from 0 to 255, got int -1"),
    (unskew.UInt64, 2**64, "to 18446744073709551615"),
    (bool, 1, "expected a bool, got int 1"),
    (bool | None, 0.0, "expected a bool"),
    (str, b"x", "expected a str, got bytes"),
    (str, "a\ud800", "lone surrogate at character 1"),
    (bytes, "x", "expected bytes, got str 'x'"),
    (datetime.date, datetime.datetime(2024, 1, 1), r"give its \.date\(\)"),
    (datetime.date, "2024-01-01", "expected a date"),
    (datetime.datetime, datetime.datetime(2024, 1, 1), "is naive; give it a time zone"),
    (datetime.datetime, datetime.date(2024, 1, 1), "expected an aware datetime, got date"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("1.005"), r"quantize\(Decimal\('1E-2'\)\)"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("100"), "more than 2 digits before"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("1E+999999"), "more than 2 digits before"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("1E-999999"), "behind its point"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("NaN"), "cannot hold NaN"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], 1.5, "expected a Decimal, got float"),
    (Annotated[Decimal, unskew.decimal128(4, 2)], 100, "more than 2 digits before"),
    (list[int], 5, "expected a list, got int 5"),
    (list[int], "abc", "expected a list, got str"),
    (list[int], [1, None], "item 1: expected an int"),
    (list[int], [1, "x"], "item 1: expected an int"),
    (list[str | None], ["a", None, 3], "item 2: expected a str"),
    (Annotated[list[float], unskew.embedding(2)], [1.0], "a list of 2 floats, got one of 1"),
    (Annotated[list[float], unskew.embedding(2)], [1.0, None], "item 1: expected a float, got None"),
    (Annotated[list[float], unskew.embedding(2)], {1.0: 2}, "a list of 2 floats, got dict"),
    (Point, (1.0, 2), "expected a Point, got tuple"),
    (Point, Point(1.0, 128), "field n: expected an int from -128 to 127"),
    (Point, Point(None, 1), "field x: expected a float, got None"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("hint, value, message", WRONG, ids=range(len(WRONG)))
def test_a_value_of_the_wrong_type_fails_alone(hint: Any, value: Any, message: str) -> None:
    def give(wrong: bool) -> Any:
        return value if wrong else good

    good = GOOD[hint]
    give.__annotations__["return"] = hint
    transform(give)
    reply = alone_and_together([[False, True, False]])
    assert list(reply.errors) == [1]
    assert re.search(message, reply.errors[1]), reply.errors[1]
    assert "output give" in reply.errors[1] and "test_rows.py:" in reply.errors[1]
    assert reply.columns[0][0] is not None


GOOD: dict[Any, Any] = {
    float: 1.5,
    float | None: 1.5,
    int: 1,
    unskew.Int8: 1,
    unskew.UInt8: 1,
    unskew.UInt64: 1,
    bool: True,
    bool | None: True,
    str: "x",
    bytes: b"x",
    datetime.date: datetime.date(2024, 1, 1),
    datetime.datetime: datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    Annotated[Decimal, unskew.decimal128(4, 2)]: Decimal("1.25"),
    list[int]: [1],
    list[float]: [1.0],
    list[str | None]: ["a", None],
    Annotated[list[float], unskew.embedding(2)]: [1.0, 2.0],
    Point: Point(1.0, 2),
}


class Text(str):
    pass


FITTING: list[tuple[Any, Any, Any]] = [
    (float, 3, 3.0),
    (float, True, 1.0),
    (float, Decimal("1.5"), 1.5),
    (unskew.Float32, 1e300, float("inf")),
    (int, True, 1),
    (str, Text("x"), "x"),
    (bytes, bytearray(b"x"), b"x"),
    (bytes, memoryview(b"xyz")[::2], b"xz"),
    (list[int], (1, 2), [1, 2]),
    (list[float], [1, 2.5], [1.0, 2.5]),
    (Annotated[list[float], unskew.embedding(2)], (1, 2), [1.0, 2.0]),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("1.50000"), 150),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("-0"), 0),
    (Annotated[Decimal, unskew.decimal128(4, 2)], Decimal("1E1"), 1000),
]


@pytest.mark.parametrize("hint, value, expected", FITTING, ids=range(len(FITTING)))
def test_what_python_takes_for_the_type_fits(hint: Any, value: Any, expected: Any) -> None:
    def give(usual: bool) -> Any:
        return GOOD.get(hint, 1.0) if usual else value

    give.__annotations__["return"] = hint
    transform(give)
    reply = alone_and_together([[True, False, True]])
    assert reply.errors == {}
    assert reply.columns[0][1] == expected


def test_several_outputs() -> None:
    @transform(outputs=("low", "label"))
    def split(x: float) -> tuple[float, str | None]:
        if x < 0:
            raise ValueError("negative")
        if x == 5:
            return "five"  # type: ignore[return-value]
        if x == 6:
            return 1.0, "x", 2  # type: ignore[return-value]
        if x == 7:
            return 1.0, 7  # type: ignore[return-value]
        return x / 2, "big" if x > 2 else None

    reply = alone_and_together([[1.0, -1.0, 4.0, 5.0, 6.0, 7.0]])
    assert (reply.columns[0][0], reply.columns[1][0]) == (0.5, None)
    assert (reply.columns[0][2], reply.columns[1][2]) == (2.0, "big")
    assert list(reply.errors) == [1, 3, 4, 5]
    assert "a tuple of 2, got str 'five'" in reply.errors[3]
    assert "a tuple of 2, got a tuple of 3" in reply.errors[4]
    assert "output label: expected a str, got int 7" in reply.errors[5]
    assert call([[]]).columns == [[], []]


@unskew.outputs
@dataclass(frozen=True)
class Parts:
    whole: int
    names: list[str]
    rest: float | None = None


@unskew.outputs
class Both(NamedTuple):
    a: int
    b: str


def test_a_class_of_outputs() -> None:
    @transform
    def parts(x: float) -> Parts:
        return Parts(int(x), ["n"], x - int(x) or None)

    reply = alone_and_together([[1.5, 2.0]])
    assert reply.columns == [[1, 2], [["n"], ["n"]], [0.5, None]]

    @transform
    def both(x: int) -> Both | None:
        return None if x == 0 else Both(x, "b") if x > 0 else (1, "b")  # type: ignore[return-value]

    reply = alone_and_together([[0, 3, -1]])
    assert reply.columns[0][:2] == [None, 3] and reply.columns[1][:2] == [None, "b"]
    assert "expected a Both, got tuple" in reply.errors[2]


def test_no_arguments_at_all() -> None:
    @transform
    def constant() -> float:
        return 1.5

    assert call([], rows=3).columns == [[1.5] * 3]
    assert call([], rows=1).columns == [[1.5]]
    assert call([], rows=0).columns == [[]]


def test_a_struct_that_refuses_its_fields_is_an_error_of_its_row() -> None:
    @dataclass(frozen=True)
    class Positive:
        x: float

        def __post_init__(self) -> None:
            if not self.x > 0:
                raise ValueError(f"{self.x} is not positive")

    @transform
    def take(p: Positive | None) -> float:
        return p.x if p else -1.0

    # Under the null lies a zero, which the class would refuse.
    reply = alone_and_together([[(1.0,), None, (-1.0,)]])
    assert reply.columns[0][:2] == [1.0, -1.0]
    assert "argument p: ValueError: -1.0 is not positive" in reply.errors[2]


def test_the_log_knows_the_row() -> None:
    seen: list[tuple[int, int | None, str]] = []
    before = log._write
    log.write_with(lambda *message: seen.append(message))
    try:

        @transform
        def odd(n: int) -> int:
            if n % 2:
                log.warn(f"odd: {n}")
            if n == 3:
                raise ValueError
            return n

        call([[0, 1, 2, 3, 4, 5]])
        call([[7]])
    finally:
        log.write_with(before)
    assert seen == [(2, 1, "odd: 1"), (2, 3, "odd: 3"), (2, 5, "odd: 5"), (2, None, "odd: 7")]


def test_the_decorator_gives_the_function_back() -> None:
    def plain(x: int) -> int:
        "First line.\n\nMore."
        return x + 1

    assert transform(plain) is plain
    assert transform(name="other")(plain) is plain
    assert plain(1) == 2


def test_bodies_of_another_layout_are_refused() -> None:
    from unskew.evaluate import row_evaluation
    from unskew.registry import registry

    @transform
    def f(x: float) -> float:
        return x

    evaluate = row_evaluation(registry.transforms[-1])
    for body in (b"", b"USB2" + bytes(200), b"USB1"):
        with pytest.raises(ValueError, match="disagree on the layout"):
            evaluate(body)
