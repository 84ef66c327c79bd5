"""From type hints to column types."""

import dataclasses
import datetime
import decimal
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from .column_type import ColumnType, Decimal128, Embedding, Field, List, Scalar, Struct
from .failure import DefinitionError

SUPPORTED = (
    "bool, int, float, str, bytes, datetime.date, datetime.datetime, "
    "Annotated[Decimal, unskew.decimal128(10, 2)], unskew.Int8 to UInt64 and Float32, "
    "list[T] and list[T | None] of these, Annotated[list[float], unskew.embedding(128)], "
    "a frozen dataclass or NamedTuple of them, and any of all these with `| None`"
)

_SCALARS: dict[Any, Scalar] = {
    bool: Scalar("bool"),
    int: Scalar("int64"),
    float: Scalar("float64"),
    str: Scalar("utf8"),
    bytes: Scalar("binary"),
    datetime.date: Scalar("date32"),
    datetime.datetime: Scalar("timestamp"),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class Unsupported(Exception):
    """A hint that has no column type; the text says why."""


def is_name(name: str) -> bool:
    """Whether the manifest would take a name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, what: str) -> None:
    """Refuses a name that the manifest would not take."""
    if not is_name(name):
        raise DefinitionError(
            f"{what}: the name {name!r} is not allowed: use at most 128 ASCII letters, digits "
            "and underscores, beginning with a letter or underscore"
        )


def shown_hint(hint: Any) -> str:
    """A hint as the user wrote it, nearly."""
    if isinstance(hint, type) and not get_args(hint):
        return hint.__qualname__
    return str(hint).replace("typing.", "")


def resolve_hints(target: Callable[..., Any], local_names: dict[str, Any], what: str) -> dict[str, Any]:
    """The evaluated hints of a function or class, also where they are written as text."""
    try:
        return typing.get_type_hints(target, localns=local_names, include_extras=True)
    except Exception as error:
        culprit = _culprit(target, local_names)
        raise DefinitionError(
            f"{what}: {culprit} cannot be evaluated: {type(error).__name__}: {error}"
        ) from None


def _culprit(target: Any, local_names: dict[str, Any]) -> str:
    hints = getattr(target, "__annotations__", {})
    names = getattr(target, "__globals__", {})
    for name, hint in hints.items():

        def alone() -> None: ...

        alone.__annotations__ = {name: hint}
        try:
            typing.get_type_hints(alone, names, local_names)
        except Exception:
            place = "the return type" if name == "return" else f"argument {name}"
            return f"the type hint {hint!r} of {place}"
    return "a type hint"


def split_optional(hint: Any) -> tuple[Any, bool]:
    """`T | None` as (T, True), any other hint as (hint, False)."""
    hint = _unaliased(hint)
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not types.NoneType]
        if len(rest) == len(get_args(hint)):
            raise Unsupported("it is a union of several types")
        if len(rest) != 1:
            raise Unsupported("it is a union of several types, only `T | None` has a column type")
        inner, _ = split_optional(rest[0])
        return inner, True
    if get_origin(hint) is Annotated:
        # `Annotated[Decimal | None, decimal128(10, 2)]` means the same as
        # `Annotated[Decimal, decimal128(10, 2)] | None`.
        base, *marks = get_args(hint)
        inner, optional = split_optional(base)
        if optional:
            return Annotated[(inner, *marks)], True
    return hint, False


def _unaliased(hint: Any) -> Any:
    while True:
        if hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def column_type(hint: Any) -> ColumnType:
    """The column type of a hint that is not optional."""
    hint = _unaliased(hint)
    if isinstance(hint, type) and hint in _SCALARS:
        return _SCALARS[hint]
    origin = get_origin(hint)
    if origin is Annotated:
        return _annotated(hint)
    if origin is list:
        (item,) = get_args(hint)
        inner, nullable = split_optional(item)
        item_type = column_type(inner)
        if isinstance(item_type, (List, Embedding, Struct)):
            raise Unsupported("the items of a list are single values, neither lists nor structs")
        return List(item_type, nullable)
    if isinstance(hint, type) and _is_struct(hint):
        return _struct(hint)
    raise Unsupported(_advice(hint))


def _annotated(hint: Any) -> ColumnType:
    base, *marks = get_args(hint)
    base = _unaliased(base)
    for mark in marks:
        if isinstance(mark, Decimal128):
            if base is not decimal.Decimal:
                raise Unsupported("decimal128 belongs to Decimal")
            return mark
        if isinstance(mark, Embedding):
            if get_origin(base) is not list or get_args(base) not in ((float,), (hint_float32(),)):
                raise Unsupported("embedding belongs to list[float]")
            return mark
        if isinstance(mark, Scalar):
            wanted = float if mark.name.startswith("float") else int
            if base is not wanted:
                raise Unsupported(f"{mark} belongs to {wanted.__name__}")
            return mark
    return column_type(base)


def hint_float32() -> Any:
    """`Annotated[float, Scalar("float32")]`, as it compares."""
    return Annotated[float, Scalar("float32")]


def _advice(hint: Any) -> str:
    if hint is decimal.Decimal:
        return "a Decimal needs its digits: Annotated[Decimal, unskew.decimal128(10, 2)]"
    if hint in (list, typing.List):
        return "a list needs the type of its items: list[float]"
    if dataclasses.is_dataclass(hint):
        return "a struct is a frozen dataclass: write @dataclass(frozen=True)"
    if hint is type(None):
        return "it has no value"
    return "it has no column type"


def _is_struct(hint: type) -> bool:
    if issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return True
    return dataclasses.is_dataclass(hint) and hint.__dataclass_params__.frozen  # type: ignore[attr-defined]


def struct_fields(cls: type) -> list[Field]:
    """The fields of a frozen dataclass or NamedTuple, of any column type."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:
        raise Unsupported(f"its hints cannot be evaluated: {type(error).__name__}: {error}") from None
    if dataclasses.is_dataclass(cls):
        names = []
        for field in dataclasses.fields(cls):
            if not field.init:
                raise Unsupported(f"its field {field.name} has init=False, so no value can be put in")
            names.append(field.name)
    elif hasattr(cls, "_fields"):
        names = list(cls._fields)
    else:
        raise Unsupported("it is neither a frozen dataclass nor a NamedTuple")
    fields = []
    for name in names:
        if name not in hints or get_origin(hints[name]) is ClassVar:
            raise Unsupported(f"its field {name} has no type hint")
        if not _NAME.fullmatch(name):
            raise Unsupported(f"its field name {name!r} is not allowed")
        try:
            inner, nullable = split_optional(hints[name])
            fields.append(Field(name, column_type(inner), nullable))
        except Unsupported as error:
            raise Unsupported(f"its field {name}: `{shown_hint(hints[name])}`: {error}") from None
    if not 1 <= len(fields) <= 256:
        raise Unsupported(f"it has {len(fields)} fields; 1 to 256 are possible")
    return fields


def _struct(cls: type) -> Struct:
    fields = struct_fields(cls)
    for field in fields:
        if isinstance(field.type, (List, Embedding, Struct)):
            raise Unsupported(
                f"its field {field.name} is no single value; the fields of a struct are "
                "neither lists nor structs"
            )
    return Struct(tuple(fields), cls, struct_maker(cls))


def struct_maker(cls: type) -> Callable[..., Any]:
    """What builds `cls` from the values of its fields in order."""
    if dataclasses.is_dataclass(cls) and any(f.kw_only for f in dataclasses.fields(cls)):
        names = [f.name for f in dataclasses.fields(cls)]
        return lambda *values: cls(**dict(zip(names, values)))
    return cls


def field_of(name: str, hint: Any, what: str, place: str) -> Field:
    """The field that a hint asks for; `what` and `place` say where it stands."""
    try:
        inner, nullable = split_optional(hint)
        return Field(name, column_type(inner), nullable)
    except Unsupported as error:
        raise DefinitionError(
            f"{what}: {place}: the type hint `{shown_hint(hint)}` is not supported: {error}. "
            f"Supported are {SUPPORTED}."
        ) from None
