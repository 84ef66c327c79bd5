"""The decorator `@aggregate`."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_origin, overload

from . import signature, state
from .column_type import Field
from .failure import DefinitionError, caller_locals, shown_file
from .hints import check_name, field_of, split_optional
from .registry import registry

C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Aggregate:
    """A class that was decorated, with its signature."""

    name: str
    description: str
    place: str
    cls: type
    inputs: tuple[Field, ...]
    output: Field
    subtracts: bool
    state: "StateForm"


@dataclass(frozen=True)
class StateForm:
    """How the instances of an aggregate become bytes and come back."""

    cls: type
    # The attributes in the order of their declaration, and which of them are
    # floats. Empty where the class has to_bytes and from_bytes.
    attributes: tuple[str, ...]
    floats: frozenset[str]

    def encode(self, instance: Any) -> bytes:
        """The state of an instance."""
        if not self.attributes:
            data = instance.to_bytes()
            if not isinstance(data, bytes):
                raise TypeError(f"to_bytes gave a {type(data).__name__} instead of bytes")
            return data
        held = getattr(instance, "__dict__", {})
        if len(held) > len(self.attributes) or not held.keys() <= set(self.attributes):
            extra = sorted(held.keys() - set(self.attributes))
            raise TypeError(
                f"{self.cls.__name__} holds {', '.join(extra)}, which it does not declare, so it "
                "would be lost; declare it in the class, as in `total: float`"
            )
        parts = [state.FORM]
        for name in self.attributes:
            value = getattr(instance, name)
            if name in self.floats and type(value) is int:
                # `0` and `0.0` are the same number to Python, so they must be to the state.
                value = float(value)
            try:
                parts.append(state.encode(value))
            except TypeError as error:
                raise TypeError(f"attribute {name} of {self.cls.__name__}: {error}") from None
        return b"".join(parts)

    def decode(self, data: bytes) -> Any:
        """A new instance with that state."""
        if not self.attributes:
            return self.cls.from_bytes(data)  # type: ignore[attr-defined]
        if data[:1] != state.FORM:
            raise ValueError(
                f"a state of {self.cls.__name__} of an unknown form; it comes from another "
                "version of the SDK"
            )
        instance = self.cls.__new__(self.cls)
        at = 1
        for name in self.attributes:
            value, at = state.read(data, at)
            object.__setattr__(instance, name, value)
        return instance


@overload
def aggregate(cls: C, /) -> C: ...


@overload
def aggregate(*, name: str | None = None, output: str | None = None) -> Callable[[C], C]: ...


def aggregate(cls: Any = None, /, *, name: str | None = None, output: str | None = None) -> Any:
    """Offers a class as an aggregate and gives it back unchanged.

    The class is made without arguments and has

    * `update(self, x: float, w: float | None)`: takes one row; a row with a
      null in an argument that is not optional is left out,
    * `merge(self, other)`: takes all that another instance holds,
    * `finish(self) -> float | None`: the value,
    * optionally `subtract(self, other)`: the inverse of `merge`.

    Its name is that of the class in lower case, with underscores, unless
    `name` gives another; `output` names its value.

    Its state is the attributes that it declares (`total: float`), or what its
    own `to_bytes(self)` and `from_bytes(cls, data)` make. Equal inputs in any
    order and partition must give equal states: add floats with
    `unskew.ExactSum`.
    """
    local_names = caller_locals(1)

    def register(cls: C) -> C:
        try:
            made = _definition(cls, name, output, local_names)
        except DefinitionError as error:
            registry.refuse(cls, error)
        else:
            registry.aggregates.append(made)
        return cls

    return register if cls is None else register(cls)


def _definition(
    cls: Any, name: str | None, output: str | None, local_names: dict[str, Any]
) -> Aggregate:
    shown_name = name or snake_case(getattr(cls, "__name__", type(cls).__name__))
    if not isinstance(cls, type):
        raise DefinitionError(
            f"aggregate {shown_name}: {type(cls).__name__} is no class; decorate a class "
            "with update, merge and finish"
        )
    for method in ("update", "merge", "finish"):
        if not inspect.isfunction(inspect.getattr_static(cls, method, None)):
            raise DefinitionError(
                f"{_place(cls)}: aggregate {shown_name}: it has no method {method}; "
                "an aggregate has update, merge and finish"
            )
    place = signature.place_of(cls.update)
    what = f"{place}: aggregate {shown_name}"
    check_name(shown_name, what)
    for method in ("update", "merge", "finish", "subtract"):
        if hasattr(cls, method):
            signature.check_function(getattr(cls, method), f"{what}: {method}")
    for method in ("merge", "subtract"):
        if hasattr(cls, method) and len(inspect.signature(getattr(cls, method)).parameters) != 2:
            raise DefinitionError(f"{what}: {method} takes exactly (self, other)")
    update = f"{what}: update"
    hints = signature.resolve_hints(cls.update, local_names, update)
    inputs = signature.arguments(cls.update, hints, update, skip_self=True)
    finish = f"{what}: finish"
    hint = signature.return_hint(signature.resolve_hints(cls.finish, local_names, finish), finish)
    output_name = output or shown_name
    check_name(output_name, what)
    return Aggregate(
        shown_name,
        signature.first_line(cls),
        place,
        cls,
        inputs,
        field_of(output_name, hint, finish, "the return type"),
        hasattr(cls, "subtract"),
        _state_form(cls, what, local_names),
    )


def snake_case(name: str) -> str:
    """`WeightedMean` as `weighted_mean`: columns are named like functions."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _place(cls: type) -> str:
    for value in vars(cls).values():
        if inspect.isfunction(value):
            return f"{shown_file(value.__code__.co_filename)}:{value.__code__.co_firstlineno}"
    return cls.__module__


def _state_form(cls: type, what: str, local_names: dict[str, Any]) -> StateForm:
    try:
        instance = cls()
    except Exception as error:
        raise DefinitionError(
            f"{what}: {cls.__name__}() fails: {type(error).__name__}: {error}; "
            "an aggregate is made without arguments"
        ) from None
    own = [hasattr(cls, "to_bytes"), hasattr(cls, "from_bytes")]
    if any(own):
        if not all(own):
            raise DefinitionError(f"{what}: to_bytes and from_bytes go together; it has only one")
        return StateForm(cls, (), frozenset())
    hints = signature.resolve_hints(cls, local_names, what)
    declared = {n: h for n, h in hints.items() if get_origin(h) is not ClassVar and h is not ClassVar}
    if not declared:
        raise DefinitionError(
            f"{what}: it declares no state; declare its attributes in the class, as in "
            "`total: float`, or give it to_bytes and from_bytes"
        )
    for name in declared:
        if not hasattr(instance, name):
            raise DefinitionError(
                f"{what}: the attribute {name} is declared but not set; set it in __init__ "
                f"or give it a value: `{name}: ... = ...`"
            )
        shared = vars(cls).get(name)
        if isinstance(shared, (list, dict, set, bytearray)):
            raise DefinitionError(
                f"{what}: the attribute {name} is one {type(shared).__name__} that all instances "
                "share; set it in __init__ instead"
            )
    floats = frozenset(name for name, hint in declared.items() if _is_float(hint))
    form = StateForm(cls, tuple(declared), floats)
    try:
        form.encode(instance)
    except TypeError as error:
        raise DefinitionError(f"{what}: {error}") from None
    return form


def _is_float(hint: Any) -> bool:
    try:
        return split_optional(hint)[0] is float
    except Exception:
        return False
