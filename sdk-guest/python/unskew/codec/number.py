"""Bools, ints and floats."""

from array import array
from collections.abc import Sequence
from struct import error as StructError
from struct import pack
from typing import Any

from ..body import Writer, pack_bits, unpack_bits
from ..column_type import NUMBER_FORMATS
from ..failure import WrongValue, shown
from .base import Codec, Unfit, Unreadable, buffer, filled, only, validity


class NumberCodec(Codec):
    """Sized ints and floats, read without a copy and written through `array`.

    What fits is what `array` takes: for floats anything that is a real
    number (so ints and Decimals, too), for ints anything with `__index__`.
    """

    def __init__(self, name: str) -> None:
        self.format = NUMBER_FORMATS[name]
        self.name = name
        self.is_float = name.startswith("float")
        self.blank = 0.0 if self.is_float else 0
        if self.is_float:
            self.expected = "a float"
        else:
            bits = 8 * array(self.format).itemsize
            signed = not name.startswith("u")
            low = -(1 << (bits - 1)) if signed else 0
            high = (1 << (bits - signed)) - 1
            self.expected = f"an int from {low} to {high}"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> memoryview:
        return buffer(body, table, at + 4).cast(self.format)

    def put(self, values: Sequence[Any], writer: Writer, nullable: bool) -> None:
        if type(values) is array and values.typecode == self.format:
            writer.node(len(values), None)
            writer.buffer(values)
            return
        valid = None
        try:
            data = self._packed(values)
        except (TypeError, StructError):
            # Most columns have no nulls, so they are looked for only here.
            valid = validity(values)
            if not nullable or 0 not in valid:
                raise Unfit from None
            data = self._packed(filled(values, valid, self.blank))
        writer.node(len(values), valid)
        writer.buffer(data)

    def _packed(self, values: Sequence[Any]) -> bytes | array:
        if self.format == "f":
            # Struct refuses what rounds to an infinity, array does not.
            return array("f", values)
        # Twice as fast as array, and takes the same.
        return pack(f"<{len(values)}{self.format}", *values)

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        writer.buffer(array(self.format, values))

    def clean(self, value: Any) -> Any:
        try:
            return array(self.format, (value,))[0]
        except TypeError:
            raise self.wrong(value) from None
        except OverflowError:
            if self.is_float:
                raise WrongValue(f"{shown(value)} is too large for {self.name}") from None
            raise self.wrong(value) from None


class BoolCodec(Codec):
    """Bools, bit by bit."""

    blank = False
    expected = "a bool"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> memoryview:
        flags = unpack_bits(buffer(body, table, at + 4), table[at])
        return memoryview(flags).cast("?")

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, bool)
        writer.buffer(pack_bits(bytes(values)))

    def clean(self, value: Any) -> bool:
        if type(value) is not bool:
            raise self.wrong(value)
        return value
