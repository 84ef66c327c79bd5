"""The state of an aggregate as bytes that depend on its value alone."""

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from struct import Struct
from typing import Any

from .exact import ExactSum

# Changes when the form below does: states outlive modules.
FORM = b"\x02"

_FLOAT = Struct(">d")
_LENGTH = Struct(">I")
_CANONICAL_NAN = bytes.fromhex("7ff8000000000000")

SUPPORTED = (
    "None, bool, int, float, str, bytes, Decimal, date, datetime, timedelta, list, tuple, set, "
    "frozenset, dict and unskew.ExactSum"
)


def encode(value: Any) -> bytes:
    """A value as bytes: equal values of equal types, equal bytes, whatever their history."""
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise TypeError(
            f"a state cannot hold a {type(value).__name__}; it can hold {SUPPORTED}. "
            "Or give the class to_bytes and from_bytes of its own"
        )
    return writer(value)


def decode(data: bytes) -> Any:
    """The value that `encode` made these bytes of."""
    value, end = read(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many behind a state")
    return value


def _sized(tag: bytes, data: bytes) -> bytes:
    return tag + _LENGTH.pack(len(data)) + data


def _int(value: int) -> bytes:
    return _sized(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _float(value: float) -> bytes:
    return b"f" + (_CANONICAL_NAN if math.isnan(value) else _FLOAT.pack(value))


def _items(tag: bytes, items: list[bytes]) -> bytes:
    return tag + _LENGTH.pack(len(items)) + b"".join(items)


def _dict(value: dict[Any, Any]) -> bytes:
    pairs = sorted((encode(k), encode(v)) for k, v in value.items())
    return _items(b"d", [part for pair in pairs for part in pair])


def _moment(value: datetime) -> bytes:
    if value.utcoffset() is None:
        return _sized(b"n", value.isoformat().encode())
    # Points in time are equal whatever zone they are written in.
    since = value - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return _sized(b"z", _span(since))


def _span(value: timedelta) -> bytes:
    return _int(value // timedelta(microseconds=1))


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"0",
    bool: lambda value: b"T" if value else b"F",
    int: _int,
    float: _float,
    str: lambda value: _sized(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _sized(b"b", value),
    Decimal: lambda value: _sized(b"m", str(value).encode()),
    date: lambda value: _sized(b"y", value.isoformat().encode()),
    datetime: _moment,
    timedelta: lambda value: _sized(b"p", _span(value)),
    list: lambda value: _items(b"l", [encode(item) for item in value]),
    tuple: lambda value: _items(b"t", [encode(item) for item in value]),
    set: lambda value: _items(b"e", sorted(map(encode, value))),
    frozenset: lambda value: _items(b"r", sorted(map(encode, value))),
    dict: _dict,
    ExactSum: lambda value: _sized(b"x", value.to_bytes()),
}


def read(data: bytes, at: int) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends."""
    tag = data[at : at + 1]
    at += 1
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag == b"f":
        return _FLOAT.unpack_from(data, at)[0], at + 8
    (length,) = _LENGTH.unpack_from(data, at)
    at += 4
    if tag in _CONTAINERS:
        items = []
        for _ in range(length):
            item, at = read(data, at)
            items.append(item)
        return _CONTAINERS[tag](items), at
    if tag not in _SIZED:
        raise ValueError(f"a state with the unknown tag {tag!r}")
    end = at + length
    if end > len(data):
        raise ValueError("a state that is cut short")
    return _SIZED[tag](data[at:end]), end


def _read_span(data: bytes) -> timedelta:
    return timedelta(microseconds=decode(data))


_CONSTANTS = {b"0": None, b"T": True, b"F": False}
_CONTAINERS: dict[bytes, Callable[[list[Any]], Any]] = {
    b"l": list,
    b"t": tuple,
    b"e": set,
    b"r": frozenset,
    b"d": lambda items: dict(zip(items[::2], items[1::2])),
}
_SIZED: dict[bytes, Callable[[bytes], Any]] = {
    b"i": lambda data: int.from_bytes(data, "big", signed=True),
    b"s": lambda data: data.decode("utf-8", "surrogatepass"),
    b"b": bytes,
    b"x": ExactSum.from_bytes,
    b"m": lambda data: Decimal(data.decode()),
    b"y": lambda data: date.fromisoformat(data.decode()),
    b"n": lambda data: datetime.fromisoformat(data.decode()),
    b"z": lambda data: datetime.fromisoformat("1970-01-01T00:00:00+00:00") + _read_span(data),
    b"p": _read_span,
}

__all__ = ["FORM", "SUPPORTED", "decode", "encode", "read"]
