"""How the values of each column type lie in a body, and what Python makes of them."""

from ..column_type import (
    NUMBER_FORMATS,
    ColumnType,
    Decimal128,
    Embedding,
    List,
    Scalar,
    Struct,
)
from .base import Codec, Unreadable, unreadable_in
from .decimal128 import DecimalCodec
from .nested import EmbeddingCodec, ListCodec, StructCodec
from .number import BoolCodec, NumberCodec
from .temporal import DateCodec, TimestampCodec
from .text import BinaryCodec, Utf8Codec

_SCALARS = {
    "bool": BoolCodec,
    "utf8": Utf8Codec,
    "binary": BinaryCodec,
    "date32": DateCodec,
    "timestamp": TimestampCodec,
}


def codec_of(column_type: ColumnType) -> Codec:
    """The codec of a column type."""
    match column_type:
        case Scalar(name) if name in NUMBER_FORMATS:
            return NumberCodec(name)
        case Scalar(name):
            return _SCALARS[name]()
        case Decimal128(precision, scale):
            return DecimalCodec(precision, scale)
        case List(item, nullable):
            return ListCodec(codec_of(item), nullable)
        case Embedding(length):
            return EmbeddingCodec(length)
        case Struct(fields, cls, make):
            children = [(f.name, codec_of(f.type), f.nullable) for f in fields]
            return StructCodec(children, cls, make)


__all__ = ["Codec", "Unreadable", "codec_of", "unreadable_in"]
