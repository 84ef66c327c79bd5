"""The columns of a request and of a reply, by the signature of what is called."""

from collections.abc import Sequence
from typing import Any

from .. import log
from ..body import Layout, Writer
from ..codec import Codec, codec_of, unreadable_in
from ..column_type import Field
from ..failure import WrongValue, describe

Errors = dict[int, str]


def given_up(error: MemoryError) -> MemoryError:
    """Tells the host before the instance ends: what a lack of memory means is for it to say."""
    log.fatal(describe(error))
    return error


class InputColumns:
    """Reads the columns of a request."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.codecs = [codec_of(field.type) for field in fields]
        self.layout = Layout([codec.slots for codec in self.codecs], reply=False)
        self._places = list(zip(self.codecs, self.layout.columns_at))

    def read(self, body: bytes) -> tuple[int, list[Sequence[Any]], Errors]:
        """The rows, their columns, and the rows that hold what Python's types cannot."""
        table = self.layout.read(body)
        view = memoryview(body)
        bad: list[Any] = []
        columns = [codec.read(view, table, at, bad) for codec, at in self._places]
        errors: Errors = {}
        if bad:
            for field, column in zip(self.fields, columns):
                for row, value in enumerate(column):
                    unreadable = unreadable_in(value)
                    if unreadable is not None and row not in errors:
                        errors[row] = f"argument {field.name}: {describe(unreadable.error)}"
        return table[1], columns, errors


    def values(
        self, view: memoryview, table: tuple[int, ...]
    ) -> list[Sequence[Any]] | None:
        """The columns with anything at all under nulls, if Python's types hold all of them."""
        bad: list[Any] = []
        columns = [codec.values(view, table, at, bad) for codec, at in self._places]
        return None if bad else columns


class OutputColumns:
    """Writes the columns of a reply."""

    def __init__(self, fields: tuple[Field, ...], place: str) -> None:
        self.fields = fields
        self.place = place
        self.codecs = [codec_of(field.type) for field in fields]
        self.layout = Layout([codec.slots for codec in self.codecs], reply=True)

    def write(self, rows: int, columns: Sequence[Sequence[Any]], errors: Errors) -> bytes:
        """The reply; values that do not fit their column are added to `errors`."""
        writer = Writer(self.layout)
        try:
            for field, codec, values in zip(self.fields, self.codecs, columns):
                codec.put(values, writer, field.nullable)
        except MemoryError:
            raise
        except Exception:
            # Some value does not fit as it is: look at each.
            columns = [
                self._clean(field, codec, values, errors)
                for field, codec, values in zip(self.fields, self.codecs, columns)
            ]
            writer = Writer(self.layout)
            for codec, values in zip(self.codecs, columns):
                codec.put(values, writer, True)
        return writer.finish(rows, errors)

    def _clean(
        self, field: Field, codec: Codec, values: Sequence[Any], errors: Errors
    ) -> list[Any]:
        cleaned: list[Any] = []
        for row, value in enumerate(values):
            if row in errors:
                cleaned.append(codec.blank)
                continue
            try:
                cleaned.append(self.cleaned(field, codec, value))
            except MemoryError:
                raise
            except BaseException as error:
                errors[row] = describe(error)
                cleaned.append(codec.blank)
        return cleaned

    def cleaned(self, field: Field, codec: Codec, value: Any) -> Any:
        """One value in the form that the column takes; raises where there is none."""
        if value is None:
            if field.nullable:
                return None
            problem = (
                f"expected {codec.expected}, got None; where it may be null, "
                "say so in the return type: `T | None`"
            )
        else:
            try:
                return codec.clean(value)
            except WrongValue as error:
                problem = str(error)
        raise WrongValue(f"output {field.name}: {problem} (returned by {self.place})")
