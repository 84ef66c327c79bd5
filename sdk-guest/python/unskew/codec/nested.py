"""Lists, embeddings and structs."""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, compress, pairwise
from operator import attrgetter
from typing import Any

from ..body import Writer, offsets
from ..failure import WrongValue, shown
from .base import Codec, Unfit, Unreadable, buffer, converted, only, row_validity, unreadable_in

_SEQUENCES = (list, tuple, array, memoryview)


class ListCodec(Codec):
    """`list[T]`."""

    blank: list[Any] = []
    expected = "a list"

    def __init__(self, item: Codec, nullable: bool) -> None:
        self.item = item
        self.nullable = nullable
        self.slots = 6 + item.slots

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[Any]:
        ends = buffer(body, table, at + 4).cast("i")
        before = len(bad)
        items = self.item.read(body, table, at + 6, bad)
        if isinstance(items, memoryview):
            items = items.tolist()
        values: list[Any] = [items[a:b] for a, b in pairwise(ends)]
        if len(bad) > before:
            values = [unreadable_in(value) or value for value in values]
        return values

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, list)
        writer.buffer(offsets(map(len, values)))
        self.item.put(list(chain.from_iterable(values)), writer, self.nullable)

    def clean(self, value: Any) -> list[Any]:
        if not isinstance(value, _SEQUENCES):
            raise self.wrong(value)
        return [self._clean_item(at, item) for at, item in enumerate(value)]

    def _clean_item(self, at: int, item: Any) -> Any:
        if item is None and self.nullable:
            return None
        try:
            return self.item.clean(item)
        except WrongValue as error:
            raise WrongValue(f"item {at}: {error}") from None


class EmbeddingCodec(Codec):
    """`list[float]` of a fixed length, as float32."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.slots = 4 + 6
        self.blank = [0.0] * length
        self.expected = f"a list of {length} floats"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[list[float]]:
        items = buffer(body, table, at + 8).cast("f")
        length = self.length
        return [items[i : i + length].tolist() for i in range(0, len(items), length)]

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, list)
        if not {self.length}.issuperset(map(len, values)):
            raise Unfit
        items = array("f", chain.from_iterable(values))
        writer.node(len(items), None)
        writer.buffer(items)

    def clean(self, value: Any) -> list[float]:
        if not isinstance(value, _SEQUENCES):
            raise self.wrong(value)
        if len(value) != self.length:
            raise WrongValue(f"expected {self.expected}, got one of {len(value)}")
        try:
            return array("f", value).tolist()
        except (TypeError, OverflowError):
            for at, item in enumerate(value):
                try:
                    array("f", (item,))
                except (TypeError, OverflowError):
                    raise WrongValue(f"item {at}: expected a float, got {shown(item)}") from None
            raise


class StructCodec(Codec):
    """A frozen dataclass or NamedTuple, field by field."""

    def __init__(
        self,
        children: list[tuple[str, Codec, bool]],
        cls: type,
        make: Callable[..., Any],
    ) -> None:
        self.children = children
        self.cls = cls
        self.make = make
        self.slots = 4 + sum(codec.slots for _, codec, _ in children)
        self.expected = f"a {cls.__name__}"
        self.blank = _Blank(children)

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[Any]:
        columns = []
        child_at = at + 4
        for _, codec, _ in self.children:
            columns.append(codec.read(body, table, child_at, bad))
            child_at += codec.slots
        rows = zip(*columns)
        if not table[at + 1]:
            return converted(self._made, rows, bad)
        # Under a null there is nothing that the user's class would have to accept.
        valid = row_validity(body, table, at)
        made = iter(converted(self._made, compress(rows, valid), bad))
        return [next(made) if ok else None for ok in valid]

    def _made(self, fields: tuple[Any, ...]) -> Any:
        for (name, _, _), value in zip(self.children, fields):
            if isinstance(value, Unreadable):
                raise WrongValue(f"field {name}: {value.error}")
        return self.make(*fields)

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        if not {self.cls, _Blank}.issuperset(map(type, values)):
            raise Unfit
        for name, codec, nullable in self.children:
            codec.put(list(map(attrgetter(name), values)), writer, nullable)

    def clean(self, value: Any) -> Any:
        if not isinstance(value, self.cls):
            raise self.wrong(value)
        cleaned = _Blank(())
        for name, codec, nullable in self.children:
            field = getattr(value, name)
            if field is None and nullable:
                setattr(cleaned, name, None)
                continue
            try:
                setattr(cleaned, name, codec.clean(field))
            except WrongValue as error:
                raise WrongValue(f"field {name}: {error}") from None
        return cleaned


class _Blank:
    """The fields of a struct without its class, whose constructor may refuse them."""

    def __init__(self, children: Sequence[tuple[str, Codec, bool]]) -> None:
        for name, codec, _ in children:
            setattr(self, name, codec.blank)
