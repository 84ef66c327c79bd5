"""The decorator `@transform`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from . import signature
from .column_type import Field
from .failure import DefinitionError, caller_locals
from .hints import check_name
from .registry import registry
from .signature import Results

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Transform:
    """A function that was decorated, with its signature."""

    name: str
    description: str
    place: str
    function: Callable[..., Any]
    inputs: tuple[Field, ...]
    results: Results
    batch: bool


@overload
def transform(function: F, /) -> F: ...


@overload
def transform(
    *,
    name: str | None = None,
    output: str | None = None,
    outputs: tuple[str, ...] | None = None,
    batch: bool = False,
) -> Callable[[F], F]: ...


def transform(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    output: str | None = None,
    outputs: tuple[str, ...] | None = None,
    batch: bool = False,
) -> Any:
    """Offers a function as a transform, called row by row, and gives it back unchanged.

    Its arguments are the input columns, its return type is the output, both
    typed by hints. An argument that is optional (`x: int | None`) is passed
    nulls; a null in any other makes the outputs null without a call. An
    exception is an error of its row alone.

    * `name`: the transform's name, by default the function's.
    * `output`: the output's name, by default the transform's.
    * `outputs`: the names of several outputs; the function returns a tuple of
      as many. A return class marked by `@unskew.outputs` does the same.
    * `batch`: arguments and result are whole columns (`Column[float]`).
    """
    local_names = caller_locals(1)

    def decorate(function: F) -> F:
        register(function, name, output, outputs, batch, local_names)
        return function

    return decorate if function is None else decorate(function)


def register(
    function: Any,
    name: str | None,
    output: str | None,
    outputs: Any,
    batch: bool,
    local_names: dict[str, Any],
) -> None:
    """Offers a function as a transform, as `@transform` does."""
    try:
        made = _definition(function, name, output, outputs, batch, local_names)
    except DefinitionError as error:
        registry.refuse(function, error)
    else:
        registry.transforms.append(made)


def _definition(
    function: Any,
    name: str | None,
    output: str | None,
    outputs: Any,
    batch: bool,
    local_names: dict[str, Any],
) -> Transform:
    shown_name = name or getattr(function, "__name__", type(function).__name__)
    signature.check_function(function, f"transform {shown_name}")
    place = signature.place_of(function)
    what = f"{place}: transform {shown_name}"
    check_name(shown_name, what)
    if output is not None and outputs is not None:
        raise DefinitionError(f"{what}: give `output` or `outputs`, not both")
    if outputs is not None:
        if isinstance(outputs, str) or not all(isinstance(n, str) for n in outputs) or not outputs:
            raise DefinitionError(f"{what}: outputs={outputs!r} is no tuple of names")
        outputs = tuple(outputs)
    hints = signature.resolve_hints(function, local_names, what)
    inputs = signature.arguments(function, hints, what, batch=batch)
    results = signature.results(
        signature.return_hint(hints, what), what, output or shown_name, outputs, batch=batch
    )
    return Transform(
        shown_name, signature.first_line(function), place, function, inputs, results, batch
    )
