"""What a function takes and gives, read from its hints."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from .column import Column
from .column_type import Field
from .failure import DefinitionError, shown_file
from .hints import (
    SUPPORTED,
    Unsupported,
    check_name,
    field_of,
    resolve_hints,
    shown_hint,
    split_optional,
    struct_fields,
    struct_maker,
)

T = TypeVar("T", bound=type)


def outputs(cls: T) -> T:
    """Marks a frozen dataclass or NamedTuple whose fields are the outputs of a transform."""
    cls.__unskew_outputs__ = True  # type: ignore[attr-defined]
    return cls


@dataclass(frozen=True)
class Results:
    """The outputs of a transform, and the form in which the function returns them."""

    fields: tuple[Field, ...]
    # None: one value. tuple: a tuple of as many. Else the class marked by `outputs`.
    returned: type | None
    # Whether None may be returned for all outputs at once.
    whole_may_be_none: bool = False


def place_of(function: Callable[..., Any]) -> str:
    """`features.py:12`."""
    code = inspect.unwrap(function).__code__
    return f"{shown_file(code.co_filename)}:{code.co_firstlineno}"


def check_function(function: Any, what: str) -> None:
    """Refuses what is no plain function."""
    plain = inspect.unwrap(function) if callable(function) else function
    if not inspect.isfunction(plain):
        raise DefinitionError(
            f"{what}: {type(function).__name__} is no function; decorate a function made by `def`"
        )
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise DefinitionError(f"{what}: it is async; a module has no event loop, write a plain `def`")
    if inspect.isgeneratorfunction(plain):
        raise DefinitionError(f"{what}: it is a generator; return the value instead of yielding it")


def arguments(
    function: Callable[..., Any],
    hints: dict[str, Any],
    what: str,
    *,
    skip_self: bool = False,
    batch: bool = False,
) -> tuple[Field, ...]:
    """The inputs that a function's arguments ask for."""
    parameters = list(inspect.signature(function).parameters.values())
    if skip_self:
        parameters = parameters[1:]
    fields = []
    for parameter in parameters:
        name = parameter.name
        place = f"argument {name}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(
                f"{what}: {place}: `{parameter}` stands for any number of arguments; "
                "name each, since each is a column"
            )
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise DefinitionError(
                f"{what}: {place} is keyword-only, but columns are passed in order; "
                "move it before the `*`"
            )
        if name not in hints:
            raise DefinitionError(
                f"{what}: {place} has no type hint; give it one of: {SUPPORTED}."
            )
        check_name(name, f"{what}: {place}")
        hint = column_item(hints[name], what, place) if batch else hints[name]
        fields.append(field_of(name, hint, what, place))
    if len(fields) > 1024:
        raise DefinitionError(f"{what}: {len(fields)} arguments; at most 1024 are possible")
    return tuple(fields)


def column_item(hint: Any, what: str, place: str) -> Any:
    """The T of `Column[T]`."""
    if get_origin(hint) is not Column:
        raise DefinitionError(
            f"{what}: {place}: the type hint `{shown_hint(hint)}` is not supported: a batch form "
            "takes and gives columns, such as Column[float] or Column[int | None]"
        )
    return get_args(hint)[0]


def results(
    hint: Any, what: str, name: str, names: tuple[str, ...] | None, *, batch: bool
) -> Results:
    """The outputs that a return hint asks for; `names` where there are several."""
    place = "the return type"
    if names is not None:
        items = get_args(hint)
        if get_origin(hint) is not tuple or Ellipsis in items or len(items) != len(names):
            raise DefinitionError(
                f"{what}: {place}: outputs={names!r} asks for a tuple of {len(names)}, "
                f"not `{shown_hint(hint)}`"
            )
        fields = tuple(
            _output(n, item, what, f"{place}: output {n}", batch=batch)
            for n, item in zip(names, items)
        )
        return Results(_distinct(fields, what), tuple)
    if not batch:
        marked = _marked(hint, what)
        if marked is not None:
            return marked
    return Results((_output(name, hint, what, place, batch=batch),), None)


def _marked(hint: Any, what: str) -> Results | None:
    try:
        cls, optional = split_optional(hint)
    except Unsupported:
        return None  # told with all else by _output
    if not (isinstance(cls, type) and getattr(cls, "__unskew_outputs__", False)):
        return None
    try:
        fields = struct_fields(cls)
    except (Unsupported, TypeError) as error:
        raise DefinitionError(
            f"{what}: the return type: {cls.__name__} is not supported: {error}. "
            f"@unskew.outputs marks a frozen dataclass or a NamedTuple whose fields are of: {SUPPORTED}."
        ) from None
    struct_maker(cls)
    if optional:
        fields = [Field(f.name, f.type, True) for f in fields]
    return Results(tuple(fields), cls, optional)


def _output(name: str, hint: Any, what: str, place: str, *, batch: bool) -> Field:
    check_name(name, f"{what}: {place}")
    if batch:
        hint = column_item(hint, what, place)
    return field_of(name, hint, what, place)


def _distinct(fields: tuple[Field, ...], what: str) -> tuple[Field, ...]:
    names = [f.name for f in fields]
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(f"{what}: two outputs are named {name}")
    return fields


def first_line(target: Any) -> str:
    """The first line of a docstring."""
    text = inspect.getdoc(target) if target.__doc__ else None
    return text.strip().split("\n", 1)[0].strip() if text and text.strip() else ""


def return_hint(hints: dict[str, Any], what: str) -> Any:
    """The hint behind `->`."""
    if "return" not in hints:
        raise DefinitionError(
            f"{what}: it has no return type; write `-> T` with one of: {SUPPORTED}."
        )
    return hints["return"]


__all__ = [
    "Results",
    "arguments",
    "check_function",
    "first_line",
    "outputs",
    "place_of",
    "resolve_hints",
    "results",
    "return_hint",
]
