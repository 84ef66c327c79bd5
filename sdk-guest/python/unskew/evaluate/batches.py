"""The batch form of a transform."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from .. import log
from ..body import NO_ROWS
from ..codec import Codec
from ..codec.number import BoolCodec, NumberCodec
from ..column import NullableColumn
from ..column_type import Field
from ..failure import WrongValue, describe, shown
from ..transform import Transform
from .columns import Errors, InputColumns, OutputColumns, given_up

_WHOLE = (list, tuple, array, memoryview, bytes, bytearray, NullableColumn)


def batch_evaluation(transform: Transform) -> Callable[[bytes], bytes]:
    """What answers the calls of a transform in batch form.

    An exception says nothing of which row is to blame, so the rows are halved
    until those that fail stand alone.
    """
    inputs = InputColumns(transform.inputs)
    outputs = OutputColumns(transform.results.fields, transform.place)
    results = _BatchResults(transform, outputs)
    empty_reply = outputs.write(0, [[] for _ in outputs.codecs], {})

    def evaluate(body: bytes) -> bytes:
        if body.startswith(NO_ROWS):
            # Many a function over columns fails on empty ones, to no one's use.
            return empty_reply
        rows, columns, errors = inputs.read(body)
        arguments = [
            _argument(field, codec, column, rows)
            for field, codec, column in zip(inputs.fields, inputs.codecs, columns)
        ]
        if not errors:
            try:
                return outputs.write(rows, results.of(arguments, rows), {})
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                if rows == 1:
                    errors = {0: describe(error)}
        return in_parts(rows, arguments, errors)

    def in_parts(rows: int, arguments: list[Any], errors: Errors) -> bytes:
        values: list[list[Any]] = [[codec.blank] * rows for codec in outputs.codecs]
        failed = dict(errors)
        pending = [(0, rows)]
        while pending:
            start, end = pending.pop()
            if end - start == 1 and start in errors:
                continue
            if not any(start <= row < end for row in errors):
                log.follow(range(start))
                try:
                    part = results.of([argument[start:end] for argument in arguments], end - start)
                    found: Errors = {}
                    outputs.write(end - start, part, found)
                    for column, taken in zip(values, part):
                        column[start:end] = list(taken)
                    failed |= {start + row: message for row, message in found.items()}
                    continue
                except MemoryError as error:
                    raise given_up(error)
                except BaseException as error:
                    if end - start == 1:
                        failed[start] = describe(error)
                        continue
            middle = (start + end) // 2
            pending += [(middle, end), (start, middle)]
        log.follow(None)
        for row in failed:
            for column, codec in zip(values, outputs.codecs):
                column[row] = codec.blank
        return outputs.write(rows, values, failed)

    return evaluate


def _argument(field: Field, codec: Codec, column: Sequence[Any], rows: int) -> Any:
    if not field.nullable:
        return column
    if type(column) is memoryview:  # no nulls in this batch
        return NullableColumn(column, memoryview(b"\1" * rows))
    blank = codec.blank
    valid = bytes([value is not None for value in column])
    values: Any = [blank if value is None else value for value in column]
    if isinstance(codec, NumberCodec):
        values = memoryview(array(codec.format, values))
    elif isinstance(codec, BoolCodec):
        values = memoryview(bytes(values)).cast("?")
    return NullableColumn(values, memoryview(valid))


class _BatchResults:
    """Brings what a batch form returns into columns of values."""

    def __init__(self, transform: Transform, outputs: OutputColumns) -> None:
        self.function = transform.function
        self.outputs = outputs
        self.several = transform.results.returned is tuple

    def of(self, arguments: list[Any], rows: int) -> list[Sequence[Any]]:
        """Calls the function and takes its columns apart."""
        returned = self.function(*arguments)
        fields, codecs = self.outputs.fields, self.outputs.codecs
        if not self.several:
            return [self._column(fields[0], codecs[0], returned, rows)]
        if not isinstance(returned, tuple) or len(returned) != len(fields):
            got = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else shown(returned)
            raise self._wrong(f"expected a tuple of {len(fields)} columns, got {got}")
        return [
            self._column(field, codec, one, rows)
            for field, codec, one in zip(fields, codecs, returned)
        ]

    def _column(self, field: Field, codec: Codec, column: Any, rows: int) -> Sequence[Any]:
        valid = None
        if isinstance(column, NullableColumn):
            column, valid = column.values, column.valid
        elif isinstance(column, tuple) and len(column) == 2 and isinstance(column[0], _WHOLE):
            column, valid = column
        values = self._values(field, codec, column, rows)
        if len(values) != rows:
            raise self._wrong(
                f"output {field.name}: expected a column of {rows} rows, got {len(values)}"
            )
        if valid is None:
            return values
        if len(valid) != rows:
            raise self._wrong(
                f"output {field.name}: expected a validity of {rows} rows, got {len(valid)}"
            )
        return [value if ok else None for value, ok in zip(values, valid)]

    def _values(self, field: Field, codec: Codec, column: Any, rows: int) -> Sequence[Any]:
        if isinstance(column, (list, tuple)):
            return column
        if isinstance(column, (bytes, bytearray, memoryview, array)):
            if isinstance(codec, NumberCodec):
                return self._numbers(field, codec, column)
            if isinstance(codec, BoolCodec):
                flags = memoryview(column)
                if flags.itemsize == 1:
                    return [bool(flag) for flag in flags]
            if isinstance(column, (array, memoryview)):
                return column.tolist()
        raise self._wrong(
            f"output {field.name}: expected a column (an array, memoryview, bytes or list, or a "
            f"pair of one and its validity), got {shown(column)}"
        )

    def _numbers(self, field: Field, codec: NumberCodec, column: Any) -> Sequence[Any]:
        view = memoryview(column)
        if isinstance(column, (bytes, bytearray)):
            try:
                view = view.cast(codec.format)
            except TypeError:
                raise self._wrong(
                    f"output {field.name}: {len(column)} bytes are no whole number of {codec.name}"
                ) from None
        if view.format == codec.format and view.c_contiguous:
            numbers = array(codec.format)
            numbers.frombytes(view.cast("B"))
            return numbers
        return view.tolist()

    def _wrong(self, problem: str) -> WrongValue:
        return WrongValue(f"{problem} (returned by {self.outputs.place})")
