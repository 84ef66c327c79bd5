"""Write feature transforms and aggregates that Unskew runs in its sandbox.

    from unskew import transform

    @transform
    def rate(purchases: int, views: int | None) -> float | None:
        "Purchases for each view."
        return purchases / views if views else None

The decorators register a function and give it back unchanged, so it can be
called and tested like any other.
"""

from . import log
from .aggregate import aggregate
from .column import Column, NullableColumn
from .column_type import (
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    decimal128,
    embedding,
)
from .exact import ExactSum
from .failure import AmbientError, DefinitionError
from .pinned_hash import pinned_hash
from .project_data import data
from .signature import outputs
from .transform import transform
from .version import __version__

__all__ = [
    "AmbientError",
    "Column",
    "DefinitionError",
    "ExactSum",
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "NullableColumn",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "__version__",
    "aggregate",
    "data",
    "decimal128",
    "embedding",
    "log",
    "outputs",
    "pinned_hash",
    "transform",
]
