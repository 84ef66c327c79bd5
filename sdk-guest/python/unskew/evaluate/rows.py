"""The row form of a transform."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, repeat
from struct import Struct
from typing import Any

from ..body import NO_ROWS, Writer
from ..codec.base import buffer, row_validity
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
        number_inputs=[
            at for at, codec in enumerate(inputs.codecs) if isinstance(codec, NumberCodec)
        ],
    )
    numbers = _Numbers(loop.numbers, inputs, outputs, nullable) if loop.numbers else None
    run, call = loop.run, loop.one
    # Without a quick form for one row: no body begins like this.
    quick = one_row_forms(transform.inputs, transform.results) or NO_ONE_ROW
    head, unpack = quick.head, quick.unpack
    pack, reply_head, null_reply = quick.pack, quick.reply_head, quick.null_reply
    # Every instance is asked this first, and nothing is to be set up for it.
    empty_reply = arrange.reply(0, [], {})

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

        if body.startswith(NO_ROWS):
            return empty_reply
        out: list[Any] = []
        told = None
        if numbers is not None:
            reply = numbers.evaluate(body)
            if type(reply) is bytes:
                return reply
            if reply is not None:
                out, told = reply
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


# Results that are packed at once: Python keeps memory for a hundred floats
# that are no longer used, and takes it from the system for more.
_PART = 80


class _Progress:
    """Its length is the number of rows that are evaluated."""

    __slots__ = ("done", "part")

    def __init__(self) -> None:
        # Results as bytes, `_PART` of them each, and those that are not packed yet.
        self.done: list[bytes] = []
        self.part: list[Any] = []

    def __len__(self) -> int:
        return _PART * len(self.done) + len(self.part)


class _Numbers:
    """The quick way for a transform whose output is a number: with few objects at a time."""

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
        self.pack_part = _packing(codec.format, _PART)

    def evaluate(self, body: bytes) -> bytes | tuple[list[Any], int | None] | None:
        """The whole reply, or what the long way begins with.

        That is the results of the first rows, and a row behind them that has
        been evaluated in vain. None if that is all of them.
        """
        table = self.inputs.layout.read(body)
        view, rows = memoryview(body), table[1]
        columns = self.inputs.values(view, table)
        if columns is None:
            return None
        columns = [_quick(column) for column in columns]
        nulls: list[int] = []
        writer = Writer(self.layout)
        valid = self._all_valid(view, table, rows)
        if valid is not None and self.loops.strict:
            values = self._results(self.loops.full, columns, rows, nulls)
            if type(values) is bytes:
                writer.bitmap(rows, valid)
                writer.buffer(values)
                return writer.finish(rows, {})
            # Maybe only of what lies under a null: nothing has happened yet.
        if valid is None:
            values = self._results(self.loops.full, columns, rows, nulls)
        else:
            assert self.loops.flagged is not None
            flags = self._flags(view, table, rows)
            values = self._results(self.loops.flagged, [*columns, flags], rows, nulls)
        if type(values) is not bytes:
            return values
        writer.node(rows, _valid(rows, nulls) if nulls else None)
        writer.buffer(values)
        return writer.finish(rows, {})

    def _results(
        self,
        run: Callable[..., list[Any] | None],
        columns: list[Sequence[Any]],
        rows: int,
        nulls: list[int],
    ) -> bytes | tuple[list[Any], int | None]:
        """The values of all rows; those of `nulls`, which it fills, are blank."""
        calls, progress = _calls(columns, rows), _Progress()
        done, part = progress.done, progress.part
        append, note, blank, pack = part.append, nulls.append, self.blank, self.pack_part
        follow(progress)
        start, told = 0, None
        try:
            while True:
                told = True
                found = run(islice(calls, _PART), part, append, note, start, blank, len)
                told = None
                if found is not None:
                    part[:] = found
                if len(part) < _PART:
                    break
                done.append(pack(*part))
                part.clear()
                start += _PART
            done.append(_packing(self.format, len(part))(*part))
        except MemoryError as error:
            raise given_up(error)
        except BaseException:
            # The long way says what was wrong; a row that raised is evaluated again.
            results = array(self.format, b"".join(done)).tolist() + part
            for row in nulls:
                results[row] = None
            return results, told and len(results)
        follow(None)
        return b"".join(done)

    def _all_valid(self, view: memoryview, table: tuple[int, ...], rows: int) -> int | None:
        """A bit for each row that has no nullable argument null; None if all are so."""
        valid = None
        for at in self.nullable:
            if table[at + 1]:
                bits = int.from_bytes(buffer(view, table, at + 2), "little")
                valid = bits & ((1 << rows) - 1 if valid is None else valid)
        return valid

    def _flags(self, view: memoryview, table: tuple[int, ...], rows: int) -> bytes:
        """For each row a bit for each nullable argument that is null."""
        flags = 0
        for bit, at in enumerate(self.nullable):
            if table[at + 1]:
                of_column = row_validity(view, table, at).translate(_TO_FLAG[bit])
                flags |= int.from_bytes(of_column, "little")
        return flags.to_bytes(rows, "little")


def _packing(code: str, count: int) -> Callable[..., bytes]:
    """Packs so many numbers, or raises where they are none or too large."""
    if code == "f":
        # Struct refuses what rounds to an infinity, array does not.
        return lambda *values: array("f", values).tobytes()
    # Takes the same as array, in half of the time.
    return Struct(f"<{count}{code}").pack


def _quick(column: Sequence[Any]) -> Sequence[Any]:
    """The same column; an array of numbers is quicker to go through than a memoryview."""
    if type(column) is not memoryview or column.format == "?":
        return column
    numbers = array(column.format)
    numbers.frombytes(column.cast("B"))
    return numbers


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
