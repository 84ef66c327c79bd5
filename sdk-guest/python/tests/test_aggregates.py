"""Aggregates: their four functions, their states and the laws."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from host_side import Reply, request

from unskew import DefinitionError, ExactSum, aggregate, state
from unskew.evaluate import FoldEvaluation
from unskew.registry import registry


class Fold:
    """The aggregate that was registered last, as the host sees it."""

    def __init__(self) -> None:
        self.aggregate = registry.aggregates[-1]
        self.evaluation = FoldEvaluation(self.aggregate)

    def partial(self, columns: list[list[Any]], groups: list[int], count: int) -> tuple[list[bytes], dict[int, str]]:
        kinds = [str(f.type) for f in self.aggregate.inputs]
        body = request([*zip(kinds, columns), ("uint32", groups)], groups=count)
        return read_partial(self.evaluation.partial(body))

    def merge(self, left: list[bytes], right: list[bytes], subtract: bool = False) -> Reply:
        body = request([("binary", left), ("binary", right)])
        function = self.evaluation.subtract if subtract else self.evaluation.merge
        return Reply(function(body), [("binary", False)])

    def finish(self, states: list[bytes]) -> Reply:
        output = self.aggregate.output
        return Reply(
            self.evaluation.finish(request([("binary", states)])), [(str(output.type), output.nullable)]
        )


def read_partial(reply: bytes) -> tuple[list[bytes], dict[int, str]]:
    """As `Reply`, but failed rows are not rows of the reply."""

    class Partial(Reply):
        def __init__(self) -> None:
            self.rows = int.from_bytes(reply[4:8], "little")
            self.body, self.at, self.free = reply, 16, 0
            self.columns = [self.column("binary", False, self.rows)]
            rows = memoryview(self.buffer()).cast("I").tolist()
            ends = memoryview(self.buffer()).cast("i").tolist()
            text = self.buffer()
            self.errors = {r: text[a:b].decode() for r, a, b in zip(rows, ends, ends[1:])}

    partial = Partial()
    return partial.columns[0], partial.errors


def mean() -> Fold:
    @aggregate
    class WeightedMean:
        """The mean, each value as often as its weight says."""

        total: ExactSum
        weight: int

        def __init__(self) -> None:
            self.total = ExactSum()
            self.weight = 0

        def update(self, x: float, w: int | None) -> None:
            if w is not None and w < 0:
                raise ValueError(f"negative weight {w}")
            for _ in range(1 if w is None else w):
                self.total.add(x)
                self.weight += 1

        def merge(self, other: "WeightedMean") -> None:
            self.total.merge(other.total)
            self.weight += other.weight

        def subtract(self, other: "WeightedMean") -> None:
            self.total.subtract(other.total)
            self.weight -= other.weight

        def finish(self) -> float | None:
            return self.total.value() / self.weight if self.weight else None

    return Fold()


def test_the_signature_comes_from_update_and_finish() -> None:
    found = mean().aggregate
    assert found.name == "weighted_mean"
    assert found.description == "The mean, each value as often as its weight says."
    assert [(f.name, str(f.type), f.nullable) for f in found.inputs] == [
        ("x", "float64", False),
        ("w", "int64", True),
    ]
    assert (found.output.name, str(found.output.type), found.output.nullable) == (
        "weighted_mean",
        "float64",
        True,
    )
    assert found.subtracts


def test_rows_fold_into_their_groups() -> None:
    fold = mean()
    states, errors = fold.partial([[1.0, 2.0, 3.0, 10.0], [None, 1, 2, None]], [0, 2, 0, 2], 4)
    assert errors == {}
    assert fold.finish(states).columns == [[7 / 3, None, 6.0, None]]
    empty, _ = fold.partial([[], []], [], 1)
    assert states[1] == states[3] == empty[0]
    assert fold.partial([[], []], [], 0) == ([], {})


def test_a_row_that_fails_leaves_no_trace() -> None:
    @aggregate
    class Half:
        total: int = 0
        seen: int = 0

        def update(self, x: int) -> None:
            self.seen += 1  # done before it is known whether x is any good
            if x < 0:
                raise ValueError("negative")
            if self.total > 100:
                raise OverflowError("full")
            self.total += x

        def merge(self, other: "Half") -> None:
            self.total += other.total
            self.seen += other.seen

        def finish(self) -> int:
            return self.total * 1000 + self.seen

    fold = Fold()
    states, errors = fold.partial([[1, -1, 2, 5, -2, 3]], [0, 0, 0, 1, 1, 0], 2)
    assert {row: message.split(" (")[0] for row, message in errors.items()} == {
        1: "ValueError: negative",
        4: "ValueError: negative",
    }
    assert fold.finish(states).columns == [[6003, 5001]]
    # A row that fails only because of those before it.
    states, errors = fold.partial([[101, 1, -1]], [0, 0, 0], 1)
    assert sorted(errors) == [1, 2]
    assert fold.finish(states).columns == [[101001]]


def test_the_laws_hold() -> None:
    fold = mean()
    generator = random.Random(1)
    values = [generator.choice([1e308, -1e308, 0.1, 1e-320, -0.0, 3.0, 1e16]) for _ in range(6)]
    weights: list[int | None] = [None, 1, 2, 0, None, 3]
    whole, _ = fold.partial([values, weights], [0] * 6, 1)
    empty, _ = fold.partial([[], []], [], 1)
    for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 37):
        one = fold.partial([[values[i] for i in order], [weights[i] for i in order]], [0] * 6, 1)
        assert one == (whole, {})
    for cut in range(7):
        parts = [
            fold.partial([values[a:b], weights[a:b]], [0] * (b - a), 1)[0]
            for a, b in ((0, cut), (cut, 6))
        ]
        assert fold.merge(parts[0], parts[1]).columns == [whole]
        assert fold.merge(parts[1], parts[0]).columns == [whole]
        assert fold.merge(whole, parts[1], subtract=True).columns[0] == fold.merge(parts[0], empty).columns[0]


def test_what_fails_in_merge_and_finish_fails_alone() -> None:
    @aggregate
    class Top:
        most: int = 0

        def update(self, x: int) -> None:
            self.most = max(self.most, x)

        def merge(self, other: "Top") -> Any:
            if other.most == 13:
                raise ValueError("unlucky")
            if other.most == 14:
                return 5
            self.most = max(self.most, other.most)

        def finish(self) -> int:
            if self.most == 7:
                raise ValueError("seven")
            return "x" if self.most == 8 else self.most  # type: ignore[return-value]

    fold = Fold()
    states, _ = fold.partial([[1, 7, 8, 13, 14]], [0, 1, 2, 3, 4], 5)
    reply = fold.finish(states)
    assert reply.columns[0][0] == 1 and sorted(reply.errors) == [1, 2]
    assert "seven" in reply.errors[1] and "expected an int" in reply.errors[2]
    reply = fold.merge(states, [states[i] for i in (0, 0, 0, 3, 4)])
    assert sorted(reply.errors) == [3, 4]
    assert "unlucky" in reply.errors[3] and "gave a int" in reply.errors[4]
    reply = fold.merge([b"\3xx", b"", states[0], states[0]], [states[0], states[0], states[0][:-1], states[0] + b"x"])
    assert 0 in reply.errors and 1 in reply.errors and 2 in reply.errors
    assert "another version" in reply.errors[0]


def test_a_class_with_bytes_of_its_own() -> None:
    @aggregate(name="seen", output="count")
    class Seen:
        def __init__(self) -> None:
            self.bits = 0

        def update(self, x: int) -> None:
            self.bits |= 1 << x

        def merge(self, other: "Seen") -> None:
            self.bits |= other.bits

        def finish(self) -> int:
            return self.bits.bit_count()

        def to_bytes(self) -> bytes:
            return self.bits.to_bytes(8, "little")

        @classmethod
        def from_bytes(cls, data: bytes) -> "Seen":
            new = cls()
            new.bits = int.from_bytes(data, "little")
            return new

    fold = Fold()
    states, _ = fold.partial([[3, 5, 3]], [0, 0, 1], 2)
    assert states[1] == (8).to_bytes(8, "little")
    assert fold.finish(fold.merge(states[:1], states[1:]).columns[0]).columns == [[2]]
    assert (fold.aggregate.name, fold.aggregate.output.name) == ("seen", "count")


def test_dataclasses_hold_states() -> None:
    @aggregate
    @dataclass
    class Words:
        counts: dict[str, int] = field(default_factory=dict)
        longest: str | None = None
        mean: float = 0

        def update(self, word: str) -> None:
            self.counts[word] = self.counts.get(word, 0) + 1
            if self.longest is None or (len(word), word) > (len(self.longest), self.longest):
                self.longest = word

        def merge(self, other: "Words") -> None:
            for word, count in other.counts.items():
                self.counts[word] = self.counts.get(word, 0) + count
            if other.longest is not None:
                self.update(other.longest)
                self.counts[other.longest] -= 1

        def finish(self) -> str | None:
            return self.longest

    fold = Fold()
    words = ["b", "aa", "b", "cc", "é"]
    whole, _ = fold.partial([words], [0] * 5, 1)
    back, _ = fold.partial([words[::-1]], [0] * 5, 1)
    assert whole == back
    one, _ = fold.partial([words[:2]], [0] * 2, 1)
    two, _ = fold.partial([words[2:]], [0] * 3, 1)
    assert fold.merge(one, two).columns == fold.merge(two, one).columns == [whole]
    assert fold.finish(whole).columns == [["cc"]]


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    127,
    128,
    -128,
    -129,
    2**200,
    -(2**200),
    0.0,
    -0.0,
    1.5,
    math.inf,
    "",
    "é\0",
    "\ud800",
    b"",
    b"\xff",
    Decimal("1.50"),
    Decimal("NaN"),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC),
    datetime(2024, 2, 29),
    timedelta(days=-3, microseconds=1),
    [],
    [1, [2.5, None]],
    (1, "a"),
    {3, 1, 2},
    frozenset({"a", "b"}),
    {},
    {"b": [1], "a": {2: 3}},
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_state_values_come_back(value: Any) -> None:
    data = state.encode(value)
    back = state.decode(data)
    assert type(back) is type(value) and (back == value or back != back)
    assert state.encode(back) == data
    for end in range(len(data)):
        with pytest.raises(Exception):  # noqa: B017  (cut short anywhere, it is refused)
            state.decode(data[:end])


def test_different_values_have_different_states() -> None:
    known = {state.encode(value) for value in VALUES}
    assert len(known) == len(VALUES)


def test_states_do_not_depend_on_history() -> None:
    assert state.encode({"a": 1, "b": 2}) == state.encode({"b": 2, "a": 1})
    assert state.encode({1, 9, 17}) == state.encode({17, 1, 9})
    assert state.encode(float("nan")) == state.encode(-float("nan"))
    zone = timezone(timedelta(hours=2))
    assert state.encode(datetime(2024, 1, 1, 2, tzinfo=zone)) == state.encode(
        datetime(2024, 1, 1, tzinfo=UTC)
    )


def test_exact_sums_are_exact() -> None:
    generator = random.Random(7)
    values = [generator.uniform(-1, 1) * 10 ** generator.randint(-300, 300) for _ in range(200)]
    total = ExactSum()
    for value in values:
        total.add(value)
    assert total.value() == math.fsum(values)
    for value in values:
        total.remove(value)
    assert total == ExactSum()
    for inputs, expected in [
        ([1e308, 1e308], math.inf),
        ([-1e308, -1e308], -math.inf),
        ([1e308, 1e308, -1e308], 1e308),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
        ([5e-324, 5e-324], 1e-323),
        ([-0.0], 0.0),
    ]:
        total = ExactSum()
        for value in inputs:
            total.add(value)
        got = total.value()
        assert got == expected or (got != got and expected != expected), inputs


def wrong_classes() -> list[tuple[Callable[[], Any], str]]:
    def no_merge() -> Any:
        @aggregate
        class A:
            n: int = 0

            def update(self, x: int) -> None: ...
            def finish(self) -> int: ...

    def not_set() -> Any:
        @aggregate
        class A:
            n: int

            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def undeclared() -> Any:
        @aggregate
        class A:
            n: int = 0

            def __init__(self) -> None:
                self.more = 1

            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def no_state() -> Any:
        @aggregate
        class A:
            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def shared() -> Any:
        @aggregate
        class A:
            n: list[int] = []

            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def half_bytes() -> Any:
        @aggregate
        class A:
            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...
            def to_bytes(self) -> bytes: ...

    def needs_arguments() -> Any:
        @aggregate
        class A:
            def __init__(self, n: int) -> None: ...
            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def cannot_be_held() -> Any:
        @aggregate
        class A:
            n: object = object()

            def update(self, x: int) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def bad_hint() -> Any:
        @aggregate
        class A:
            n: int = 0

            def update(self, x: complex) -> None: ...
            def merge(self, other: Any) -> None: ...
            def finish(self) -> int: ...

    def merge_alone() -> Any:
        @aggregate
        class A:
            n: int = 0

            def update(self, x: int) -> None: ...
            def merge(self) -> None: ...
            def finish(self) -> int: ...

    def function() -> Any:
        aggregate(len)

    return [
        (no_merge, "no method merge"),
        (not_set, "attribute n is declared but not set"),
        (undeclared, "holds more, which it does not declare"),
        (no_state, "declares no state"),
        (shared, "one list that all instances share"),
        (half_bytes, "to_bytes and from_bytes go together"),
        (needs_arguments, "made without arguments"),
        (cannot_be_held, "attribute n of A: a state cannot hold a object"),
        (bad_hint, "update: argument x: the type hint `complex` is not supported"),
        (merge_alone, r"merge takes exactly \(self, other\)"),
        (function, "is no class"),
    ]


@pytest.mark.parametrize("define, message", wrong_classes())
def test_wrong_classes_are_refused(define: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        define()
