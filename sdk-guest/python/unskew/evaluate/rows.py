"""The row form of a transform."""

from array import array
from collections.abc import Callable, Sequence
from itertools import repeat, starmap
from typing import Any

from .. import log
from ..codec.number import NumberCodec
from ..failure import WrongValue, describe, shown
from ..transform import Transform
from .columns import Errors, InputColumns, OutputColumns, given_up
from .one_row import one_row_forms

_FIRST_ROW: list[Any] = []


def row_evaluation(transform: Transform) -> Callable[[bytes], bytes]:
    """What answers the calls of a transform in row form.

    The user's function always runs two frames below the entry, whether it is
    called for one row or for thousands: how deep it may recurse must not
    depend on the batch. An exception does not end the loop over the rows:
    `map` goes on behind the row that failed.
    """
    inputs = InputColumns(transform.inputs)
    outputs = OutputColumns(transform.results.fields, transform.place)
    function = transform.function
    arrange = _Arrangement(transform, outputs)
    # Where the only output is a number that is never null, values go straight
    # into its array, which checks and converts them.
    single = outputs.codecs[0] if transform.results.returned is None else None
    typecode = (
        single.format
        if isinstance(single, NumberCodec) and not transform.results.fields[0].nullable
        else None
    )
    blank = single.blank if single else None
    one = one_row_forms(transform.inputs, transform.results)
    head, head_size, unpack, reply, null_reply = (
        (one.head, len(one.head), one.unpack, one.reply, one.null_reply)
        if one
        # No body begins like this, so the quick form is never taken.
        else (b"-", 1, None, None, None)
    )
    follow = log.follow

    def evaluate(body: bytes) -> bytes:
        if body[:head_size] == head:
            follow(_FIRST_ROW)
            try:
                value = function(*unpack(body))  # type: ignore[misc]
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                return arrange.reply(1, [blank], {0: describe(error)})
            if value is None and null_reply is not None:
                return null_reply
            try:
                return reply(value)  # type: ignore[misc]
            except Exception:  # not the plain number that was expected
                return arrange.reply(1, [value], {})

        rows, columns, errors = inputs.read(body)
        if errors:
            columns, kept = _without(rows, columns, errors)
        else:
            kept = None
        count = rows if kept is None else len(kept)
        calls = (
            map(function, *columns) if columns else starmap(function, repeat((), count))
        )
        out: Any = array(typecode) if typecode else []
        follow(out)
        failed: Errors = {}
        extend = out.extend
        while True:
            try:
                extend(calls)
                if len(out) == count:
                    break
                # A StopIteration of the function itself has ended `map`.
                function(*[column[len(out)] for column in columns])
                raise WrongValue("the function gave a value only when it was called again")
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                row = len(out)
                if typecode and error.__traceback__.tb_next is None:  # type: ignore[union-attr]
                    # The array did not take what the function returned.
                    try:
                        value = function(*[column[row] for column in columns])
                        out.append(outputs.cleaned(outputs.fields[0], outputs.codecs[0], value))
                        continue
                    except MemoryError as error:
                        raise given_up(error)
                    except BaseException as again:
                        failed[row] = describe(again)
                else:
                    failed[row] = describe(error)
                out.append(blank)
        follow(None)
        if kept is None:
            return arrange.reply(rows, out, failed)
        return arrange.reply(rows, *_with(rows, kept, out, failed, errors, blank))

    return evaluate


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
