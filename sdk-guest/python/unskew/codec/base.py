"""What all codecs share: nulls, and values that do not convert."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from operator import is_not
from typing import Any

from ..body import Writer, unpack_bits
from ..failure import WrongValue, shown

class Unfit(Exception):
    """`Codec.put` met a value that it does not take as it is; `Codec.clean` tells more."""


class Unreadable:
    """Stands for a value that came in and that Python's type cannot hold."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Codec(ABC):
    """One column type.

    `read` makes Python values of a column, `put` writes a column of values.
    `put` is quick and takes only what is certain to fit: where it raises,
    `clean` brings each value into the form that `put` takes, or says why it
    does not fit. Both must accept the same values, or a row would depend on
    its neighbours.
    """

    # How many u32 entries the column has in the table.
    slots = 6
    # What stands in place of a null or of a failed row.
    blank: Any
    # For error messages: what a function may return.
    expected: str

    @abstractmethod
    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> Sequence[Any]:
        """The column's values, with anything at all where it is null.

        Adds to `bad` what it could not read, and puts that in the value's place.
        """

    @abstractmethod
    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        """Writes the buffers behind the validity, for values without None."""

    @abstractmethod
    def clean(self, value: Any) -> Any:
        """The value in the form that `put` takes; raises where there is none."""

    def read(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> Sequence[Any]:
        """The column's values, None where it is null."""
        values = self.values(body, table, at, bad)
        if table[at + 1]:
            values = values.tolist() if isinstance(values, memoryview) else list(values)
            for row in null_rows(body, table, at):
                values[row] = None
        return values

    def put(self, values: Sequence[Any], writer: Writer, nullable: bool) -> None:
        """Writes a column of values, of which None is a null."""
        valid: bytes | None = validity(values)
        if 0 not in valid:  # type: ignore[operator]
            valid = None
        elif not nullable:
            raise Unfit
        else:
            values = filled(values, valid, self.blank)  # type: ignore[arg-type]
        writer.node(len(values), valid)
        self.put_values(values, writer)

    def wrong(self, value: Any) -> WrongValue:
        """The error for a value of the wrong type."""
        return WrongValue(f"expected {self.expected}, got {shown(value)}")


def buffer(body: memoryview, table: tuple[int, ...], at: int) -> memoryview:
    """The buffer whose entries begin at `at`."""
    start = table[at]
    return body[start : start + table[at + 1]]


def row_validity(body: memoryview, table: tuple[int, ...], at: int) -> bytes:
    """The validity of the column whose entries begin at `at`: 0 or 1 for each row."""
    return unpack_bits(buffer(body, table, at + 2), table[at])


def null_rows(body: memoryview, table: tuple[int, ...], at: int) -> Iterator[int]:
    """The rows of the column that are null."""
    return zeros(row_validity(body, table, at))


def zeros(valid: bytes) -> Iterator[int]:
    """Where a 0 stands."""
    at = valid.find(0)
    while at >= 0:
        yield at
        at = valid.find(0, at + 1)


def validity(values: Iterable[Any]) -> bytes:
    """0 for each None, 1 for all else."""
    return bytes(map(is_not, values, repeat(None)))


def filled(values: Iterable[Any], valid: bytes, blank: Any) -> list[Any]:
    """The values, with `blank` for each None."""
    whole = list(values)
    for row in zeros(valid):
        whole[row] = blank
    return whole


def only(values: Sequence[Any], kind: type) -> None:
    """Raises unless all values are of exactly that type."""
    if not {kind}.issuperset(map(type, values)):
        raise Unfit


def converted(
    convert: Callable[[Any], Any], raw: Iterable[Any], bad: list[Unreadable]
) -> list[Any]:
    """Each value converted, one at a time; what fails becomes an `Unreadable`."""
    values: list[Any] = []
    for one in raw:
        try:
            values.append(convert(one))
        except MemoryError:
            raise
        except BaseException as error:
            unreadable = Unreadable(error)
            bad.append(unreadable)
            values.append(unreadable)
    return values


def unreadable_in(value: Any) -> Unreadable | None:
    """The first `Unreadable` in a value that was read, if there is one."""
    if isinstance(value, Unreadable):
        return value
    if isinstance(value, list):
        for item in value:
            if isinstance(item, Unreadable):
                return item
    return None
