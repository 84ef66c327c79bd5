"""The types of columns, as `wit/README.md` lists them, and the aliases that name them in hints."""

from dataclasses import dataclass
from typing import Annotated, Any, Callable

# What array.array and memoryview call the numbers. The sizes are those of
# the wasm32 build and of every platform that CPython supports.
NUMBER_FORMATS = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


@dataclass(frozen=True)
class Scalar:
    """A type without parameters: `bool`, a number, `utf8`, `binary`, `date32` or `timestamp`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decimal128:
    """A decimal number of `precision` digits, `scale` of them behind the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"decimal128({self.precision},{self.scale})"


@dataclass(frozen=True)
class List:
    """Any number of items of one scalar type."""

    item: "ColumnType"
    nullable: bool

    def __str__(self) -> str:
        return f"list<{self.item}{'?' if self.nullable else ''}>"


@dataclass(frozen=True)
class Embedding:
    """`length` float32 without nulls."""

    length: int

    def __str__(self) -> str:
        return f"fixed_size_list<float32,{self.length}>"


@dataclass(frozen=True)
class Struct:
    """Named scalar values; `make` builds the user's class from them, in order."""

    fields: tuple["Field", ...]
    cls: type
    make: Callable[..., Any]

    def __str__(self) -> str:
        inner = (f"{f.name}:{f.type}{'?' if f.nullable else ''}" for f in self.fields)
        return f"struct<{','.join(inner)}>"


ColumnType = Scalar | Decimal128 | List | Embedding | Struct


@dataclass(frozen=True)
class Field:
    """A named, typed column."""

    name: str
    type: ColumnType
    nullable: bool

    def as_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"name": self.name, "type": str(self.type), "nullable": self.nullable}


def decimal128(precision: int, scale: int) -> Decimal128:
    """For `Annotated[Decimal, decimal128(10, 2)]`: 10 digits, 2 of them behind the point."""
    if not 1 <= precision <= 38 or not 0 <= scale <= precision:
        raise ValueError(
            f"decimal128({precision}, {scale}): a decimal has 1 to 38 digits, "
            "and 0 to that many behind its point"
        )
    return Decimal128(precision, scale)


def embedding(length: int) -> Embedding:
    """For `Annotated[list[float], embedding(128)]`: exactly 128 float32."""
    if not 1 <= length <= 65_536:
        raise ValueError(f"embedding({length}): an embedding has 1 to 65536 items")
    return Embedding(length)


Int8 = Annotated[int, Scalar("int8")]
Int16 = Annotated[int, Scalar("int16")]
Int32 = Annotated[int, Scalar("int32")]
Int64 = Annotated[int, Scalar("int64")]
UInt8 = Annotated[int, Scalar("uint8")]
UInt16 = Annotated[int, Scalar("uint16")]
UInt32 = Annotated[int, Scalar("uint32")]
UInt64 = Annotated[int, Scalar("uint64")]
Float32 = Annotated[float, Scalar("float32")]
Float64 = Annotated[float, Scalar("float64")]
