"""The four functions of an aggregate."""

from collections.abc import Callable, Sequence
from typing import Any

from .. import log
from ..aggregate import Aggregate
from ..body import Layout, Writer
from ..codec import codec_of
from ..column_type import Field, Scalar
from ..failure import describe
from .columns import Errors, InputColumns, OutputColumns, given_up

_STATE = Scalar("binary")


class FoldEvaluation:
    """Answers `partial`, `merge`, `subtract` and `finish` of one aggregate."""

    def __init__(self, aggregate: Aggregate) -> None:
        self.aggregate = aggregate
        self.state = aggregate.state
        groups = Field("group", Scalar("uint32"), False)
        self.batch = InputColumns((*aggregate.inputs, groups))
        self.pair = InputColumns((Field("left", _STATE, False), Field("right", _STATE, False)))
        self.states = InputColumns((Field("state", _STATE, False),))
        self.output = OutputColumns((aggregate.output,), aggregate.place)
        self.binary = codec_of(_STATE)
        self.state_layout = Layout([self.binary.slots], reply=True)

    def partial(self, body: bytes) -> bytes:
        """Rows to one state for each group."""
        group_count = int.from_bytes(body[8:12], "little")
        rows, columns, errors = self.batch.read(body)
        *arguments, groups = columns
        progress: list[None] = []
        log.follow(progress)
        states = self._folded(rows, arguments, groups, group_count, errors, progress)
        log.follow(None)
        return self._reply([self.state.encode(one) for one in states], errors)

    def _folded(
        self,
        rows: int,
        arguments: list[Sequence[Any]],
        groups: Sequence[int],
        group_count: int,
        errors: Errors,
        progress: list[None],
    ) -> list[Any]:
        """Folds all rows that do not fail. A row that fails leaves no trace.

        An `update` that raises may have changed its instance halfway, so the
        groups of such rows are folded anew without them.
        """
        new = self.aggregate.cls
        states = [new() for _ in range(group_count)]
        update = new.update  # type: ignore[attr-defined]
        spoilt: set[int] = set()
        calls = zip(range(rows), groups, *arguments)
        for row, group, *values in calls:
            progress.append(None)
            if row in errors:
                continue
            # A row of a spoilt group is only tried: does it fail by itself?
            target = new() if group in spoilt else states[group]
            try:
                update(target, *values)
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                errors[row] = describe(error)
                spoilt.add(group)
        while spoilt:
            group = spoilt.pop()
            states[group] = target = new()
            for row, of_row, *values in zip(range(rows), groups, *arguments):
                if of_row != group or row in errors:
                    continue
                try:
                    update(target, *values)
                except MemoryError as error:
                    raise given_up(error)
                except BaseException as error:  # it fails only after other rows
                    errors[row] = describe(error)
                    spoilt.add(group)
                    break
        return states

    def merge(self, body: bytes) -> bytes:
        """Pairs of states to merged ones."""
        return self._paired(body, self.aggregate.cls.merge)  # type: ignore[attr-defined]

    def subtract(self, body: bytes) -> bytes:
        """Pairs of states to the left ones without the right ones."""
        return self._paired(body, self.aggregate.cls.subtract)  # type: ignore[attr-defined]

    def _paired(self, body: bytes, combine: Callable[[Any, Any], Any]) -> bytes:
        decode, encode = self.state.decode, self.state.encode
        rows, (left, right), errors = self.pair.read(body)
        states: list[bytes] = []
        log.follow(states)
        for row in range(rows):
            try:
                target = decode(left[row])
                result = combine(target, decode(right[row]))
                # Changing `self` is usual; giving a new instance back is fine, too.
                combined = target if result is None else result
                if not isinstance(combined, self.aggregate.cls):
                    raise TypeError(
                        f"it gave a {type(combined).__name__}; it changes `self` or gives a "
                        f"{self.aggregate.cls.__name__}"
                    )
                states.append(encode(combined))
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                errors[row] = describe(error)
                states.append(b"")
        log.follow(None)
        return self._reply(states, errors)

    def finish(self, body: bytes) -> bytes:
        """States to values."""
        decode = self.state.decode
        rows, (states,), errors = self.states.read(body)
        finish = self.aggregate.cls.finish  # type: ignore[attr-defined]
        values: list[Any] = []
        log.follow(values)
        blank = self.output.codecs[0].blank
        for row in range(rows):
            try:
                values.append(finish(decode(states[row])))
            except MemoryError as error:
                raise given_up(error)
            except BaseException as error:
                errors[row] = describe(error)
                values.append(blank)
        log.follow(None)
        return self.output.write(rows, [values], errors)

    def _reply(self, states: list[bytes], errors: Errors) -> bytes:
        writer = Writer(self.state_layout)
        self.binary.put(states, writer, False)
        return writer.finish(len(states), errors)
