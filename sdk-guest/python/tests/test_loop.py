"""The loop over the rows yields what calls of the function yield, row by row."""

import itertools
from collections.abc import Callable
from typing import Any

import loop_samples
import pytest

from unskew.evaluate.loop import loop_of
from unskew.failure import describe

VALUES = [None, 0, 1, 2.5, -1, 4, 11]
ROWS = list(itertools.product(VALUES, VALUES))


def outcomes_of_calls(function: Callable[..., Any]) -> list[Any]:
    outcomes = []
    for row in ROWS:
        try:
            outcomes.append(function(*row))
        except Exception as error:
            outcomes.append(describe(error))
    return outcomes


def outcomes_of_loop(function: Callable[..., Any]) -> list[Any]:
    out: list[Any] = []
    calls = iter(ROWS)
    run = loop_of(function, 2).run
    while True:
        try:
            run(calls, out.append)
            return out
        except Exception as error:
            out.append(describe(error))


@pytest.mark.parametrize(
    "function", [*loop_samples.INLINED, *loop_samples.CALLED, *loop_samples.EITHER]
)
def test_the_loop_yields_what_calls_yield(function: Callable[..., Any]) -> None:
    assert outcomes_of_loop(function) == outcomes_of_calls(function)


@pytest.mark.parametrize("function", loop_samples.INLINED)
def test_simple_code_stands_in_the_loop(function: Callable[..., Any]) -> None:
    loop = loop_of(function, 2)
    assert loop.one is function
    assert loop.run.__code__.co_filename == function.__code__.co_filename


@pytest.mark.parametrize("function", loop_samples.CALLED)
def test_code_that_could_mean_something_else_is_called(function: Callable[..., Any]) -> None:
    assert loop_of(function, 2).one is not function


def test_functions_that_are_not_what_the_file_says_are_called() -> None:
    def inner(x: Any, y: Any) -> Any:
        return x

    namespace: dict[str, Any] = {}
    exec("def made(x, y):\n    return x", namespace)
    for function in (inner, namespace["made"]):
        loop = loop_of(function, 2)
        assert loop.one is not function
        out: list[Any] = []
        loop.run(iter([(1, 2), (3, 4)]), out.append)
        assert out == [1, 3]


@pytest.mark.parametrize("function", [lambda: 5, lambda x: x, lambda x, y: (x, y)])
def test_any_number_of_arguments(function: Any) -> None:
    count = function.__code__.co_argcount
    out: list[Any] = []
    calls = {0: [(), ()], 1: [7, 8], 2: [(7, 8)]}[count]
    loop_of(function, count).run(iter(calls), out.append)
    assert out == {0: [5, 5], 1: [7, 8], 2: [(7, 8)]}[count]
