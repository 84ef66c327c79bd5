"""Columns as the batch form of a transform sees them."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Column(Generic[T]):
    """For hints of a batch form: `Column[float]`, `Column[float | None]`.

    A column of numbers or bools that is never null arrives as a memoryview
    over the bytes that came in; one of any other type as a list. An optional
    one arrives as a `NullableColumn`. A batch form gives back an array, a
    memoryview, bytes in the column's layout, a list, or a pair of one of
    these and its validity (true or 1 where there is a value).
    """


class NullableColumn(Sequence[Any]):
    """A column some of whose rows may be null.

    `values` has a zero (or an empty text) where a row is null, `valid` a 1
    for each row that has a value and a 0 for each that has none.
    """

    __slots__ = ("valid", "values")

    def __init__(self, values: Sequence[Any], valid: Sequence[int]) -> None:
        if len(values) != len(valid):
            raise ValueError(f"{len(values)} values, but {len(valid)} validities")
        self.values = values
        self.valid = valid

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return (value if ok else None for value, ok in zip(self.values, self.valid))

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return NullableColumn(self.values[at], self.valid[at])
        return self.values[at] if self.valid[at] else None
