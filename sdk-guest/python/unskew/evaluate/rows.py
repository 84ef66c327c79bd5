"""The row form of a transform."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

from ..body import Writer
from ..codec.base import row_validity
from ..codec.number import NumberCodec
from ..failure import WrongValue, describe, shown
from ..log import follow
from ..transform import Transform
from .columns import Errors, InputColumns, OutputColumns, given_up
from .loop import NumberLoops, loop_of
from .one_row import NO_ONE_ROW, one_row_forms

def row_evaluation(transform: Transform) -> Callable[[bytes], bytes]:
    """What answers the calls of a transform in row form.

    The user's code always runs at the same depth of the stack, whether it is
    called for one row or for thousands: how deep it may recurse must not
    depend on the batch. An exception does not end the loop over the rows: it
    is entered again behind the row that failed.
    """
    inputs = InputColumns(transform.inputs)
    outputs = OutputColumns(transform.results.fields, transform.place)
    arrange = _Arrangement(transform, outputs)
    blank = outputs.codecs[0].blank
    nullable = [at for at, field in enumerate(transform.inputs) if field.nullable]
    loop = loop_of(
        transform.function,
        len(transform.inputs),
        numbers=_yields_a_number(transform, outputs) and len(nullable) <= _MOST_FLAGS,
        nullable_output=transform.results.fields[0].nullable,
        nullable_inputs=nullable,
    )
    numbers = _Numbers(loop.numbers, inputs, outputs, nullable) if loop.numbers else None
    run, call = loop.run, loop.one
    # Without a quick form for one row: no body begins like this.
    quick = one_row_forms(transform.inputs, transform.results) or NO_ONE_ROW
    head, unpack = quick.head, quick.unpack
    pack, reply_head, null_reply = quick.pack, quick.reply_head, quick.null_reply

    def evaluate(body: bytes) -> bytes:
        if body.startswith(head):
            try:
                value = call(*unpack(body))
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                return arrange.reply(1, [blank], {0: describe(error)})
            if value is None and null_reply is not None:
                return null_reply
            try:
                return pack(reply_head, value)
            except Exception:  # not the plain number that was expected
                return arrange.reply(1, [value], {})

        out: list[Any] = []
        told = None
        if numbers is not None:
            results = numbers.evaluate(body)
            if type(results) is bytes:
                return results
            if results is not None:
                out, told = results, len(results)
        rows, columns, errors = inputs.read(body)
        kept = None
        if errors:
            columns, kept = _without(rows, columns, errors)
        if out:  # and then there are no errors
            columns = [column[len(out) :] for column in columns]
        calls = _calls(columns, (rows if kept is None else len(kept)) - len(out))
        append = out.append
        follow(out, told)
        failed: Errors = {}
        while True:
            try:
                run(calls, append)
                break
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                failed[len(out)] = describe(error)
                append(blank)
        follow(None)
        if kept is None:
            return arrange.reply(rows, out, failed)
        return arrange.reply(rows, *_with(rows, kept, out, failed, errors, blank))

    return evaluate


# Flags are kept in a byte.
_MOST_FLAGS = 8
_TO_FLAG = [bytes([1 << bit]) + bytes(255) for bit in range(_MOST_FLAGS)]


def _yields_a_number(transform: Transform, outputs: OutputColumns) -> bool:
    return transform.results.returned is None and isinstance(outputs.codecs[0], NumberCodec)


class _Numbers:
    """The quick way for a transform whose output is a number: without objects that stay."""

    def __init__(
        self,
        loops: NumberLoops,
        inputs: InputColumns,
        outputs: OutputColumns,
        nullable: list[int],
    ) -> None:
        self.loops = loops
        self.inputs = inputs
        self.nullable = [inputs.layout.columns_at[at] for at in nullable]
        self.layout = outputs.layout
        codec = outputs.codecs[0]
        assert isinstance(codec, NumberCodec)
        self.format, self.blank = codec.format, codec.blank

    def evaluate(self, body: bytes) -> bytes | list[Any] | None:
        """The whole reply, or the results of the rows before one that was in vain.

        None where no row was evaluated.
        """
        table = self.inputs.layout.read(body)
        view, rows = memoryview(body), table[1]
        columns = self.inputs.values(view, table)
        if columns is None:
            return None
        out, nulls = array(self.format), []
        run, flags = self.loops.full, self._flags(view, table, rows)
        if flags is not None and self.loops.flagged is not None:
            run, columns = self.loops.flagged, [*columns, flags]
        follow(out)
        try:
            run(_calls(columns, rows), out, out.append, nulls.append, self.blank, len)
        except MemoryError as error:
            raise given_up(error)
        except BaseException:
            # The long way evaluates the row again, and says what was wrong.
            results = out.tolist()
            for row in nulls:
                results[row] = None
            return results
        follow(None)
        writer = Writer(self.layout)
        writer.node(rows, _valid(rows, nulls) if nulls else None)
        writer.buffer(out)
        return writer.finish(rows, {})

    def _flags(self, view: memoryview, table: tuple[int, ...], rows: int) -> bytes | None:
        """For each row a bit for each nullable argument that is null, where any is."""
        flags = 0
        for bit, at in enumerate(self.nullable):
            if table[at + 1]:
                of_column = row_validity(view, table, at).translate(_TO_FLAG[bit])
                flags |= int.from_bytes(of_column, "little")
        return flags.to_bytes(rows, "little") if flags else None


def _valid(rows: int, nulls: list[int]) -> bytes:
    valid = bytearray(b"\1" * rows)
    for row in nulls:
        valid[row] = 0
    return bytes(valid)


def _calls(columns: list[Sequence[Any]], rows: int) -> Iterator[Any]:
    """The arguments of each call, as `Loop.run` takes them."""
    match columns:
        case []:
            return repeat((), rows)
        case [column]:
            return iter(column)
        case _:
            return zip(*columns)


def _without(
    rows: int, columns: list[Sequence[Any]], errors: Errors
) -> tuple[list[Sequence[Any]], list[int]]:
    """The columns without the rows that could not be read, and which rows these columns hold."""
    kept = [row for row in range(rows) if row not in errors]
    return [[column[row] for row in kept] for column in columns], kept


def _with(
    rows: int,
    kept: list[int],
    out: Sequence[Any],
    failed: Errors,
    errors: Errors,
    blank: Any,
) -> tuple[list[Any], Errors]:
    """The reverse of `_without`, for results and errors."""
    values = [blank] * rows
    for at, row in enumerate(kept):
        values[row] = out[at]
    return values, errors | {kept[at]: message for at, message in failed.items()}


class _Arrangement:
    """Lays the results of a function into the output columns."""

    def __init__(self, transform: Transform, outputs: OutputColumns) -> None:
        self.outputs = outputs
        self.place = transform.place
        self.returned = transform.results.returned
        self.whole_may_be_none = transform.results.whole_may_be_none
        self.names = [field.name for field in outputs.fields]
        self.blanks = tuple(codec.blank for codec in outputs.codecs)
        self.nones = (None,) * len(self.names)

    def reply(self, rows: int, results: Sequence[Any], errors: Errors) -> bytes:
        """The reply for these results, of which failed rows have anything at all."""
        if self.returned is None:
            if errors and type(results) is list:
                blank = self.blanks[0]
                for row in errors:
                    results[row] = blank
            return self.outputs.write(rows, [results], errors)
        parts = []
        for row, value in enumerate(results):
            if row in errors:
                parts.append(self.blanks)
                continue
            try:
                parts.append(self._parts(value))
            except WrongValue as error:
                errors[row] = str(error)
                parts.append(self.blanks)
        columns = [list(column) for column in zip(*parts)] or [[] for _ in self.names]
        return self.outputs.write(rows, columns, errors)

    def _parts(self, value: Any) -> tuple[Any, ...]:
        if self.returned is tuple:
            if isinstance(value, tuple) and len(value) == len(self.names):
                return value
            got = f"a tuple of {len(value)}" if isinstance(value, tuple) else shown(value)
            expected = f"a tuple of {len(self.names)}"
        elif isinstance(value, self.returned):  # type: ignore[arg-type]
            return tuple([getattr(value, name) for name in self.names])
        elif value is None and self.whole_may_be_none:
            return self.nones
        else:
            got, expected = shown(value), f"a {self.returned.__name__}"  # type: ignore[union-attr]
        raise WrongValue(f"expected {expected}, got {got} (returned by {self.place})")
