"""The row-wise steps of a view: SQL expressions, and transforms by reference."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from ..registry import registry
from .place import kind_of, mistake, place


class SqlStep:
    """Columns made by SQL expressions. Made by `sql(...)`."""

    def __init__(self, outputs: Mapping[str, str], at: str) -> None:
        self.at = at
        self._outputs = dict(outputs)

    def outputs(self) -> list[str]:
        """The columns that it makes."""
        return list(self._outputs)

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"sql": self._outputs, "at": self.at}


def sql(**outputs: str) -> SqlStep:
    """Columns made by SQL expressions over those before: `sql(value="amount * quantity")`.

    Several in one step see only what was before the step. An expression may
    call a transform of the module by name.
    """
    at = place()
    if not outputs:
        mistake(at, "sql(): give at least one column, as in sql(value='amount * quantity')")
    for name, expression in list(outputs.items()):
        if not isinstance(expression, str):
            mistake(at, f"sql: {name} is {kind_of(expression)}; give an expression as text")
            del outputs[name]
    return SqlStep(outputs, at)


class TransformStep:
    """A call of a transform. Made by `call(...)`."""

    def __init__(
        self,
        name: str,
        module: str | None,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        made: Sequence[str],
        at: str,
    ) -> None:
        self.at = at
        self._name = name
        self._module = module
        self._inputs = dict(inputs)
        self._outputs = dict(outputs)
        self._made = list(made)

    def outputs(self) -> list[str]:
        """The columns that it makes, where they are known here."""
        return [self._outputs.get(name, name) for name in self._made or self._outputs]

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        shown: dict[str, Any] = {"transform": self._name}
        if self._module is not None:
            shown["module"] = self._module
        if self._inputs:
            shown["inputs"] = self._inputs
        if self._outputs:
            shown["outputs"] = self._outputs
        return shown | {"at": self.at}


def call(
    transform: Callable[..., Any] | str,
    *,
    module: str | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> TransformStep:
    """A step that calls a transform.

        call(order_value, inputs={"quantity": "qty"}, outputs={"order_value": "worth"})
        call("order_value", module="ecommerce_rust")

    * a function decorated with `@transform`, or the name of one of another
      `module`,
    * `inputs`: the column of each argument, where it has another name,
    * `outputs`: the column of each output, where it shall have another name.
    """
    at = place()
    for key, given in (("inputs", inputs), ("outputs", outputs)):
        if given is not None and not _texts(given):
            mistake(
                at, f"call: {key} is {kind_of(given)}; give a mapping from names to column names"
            )
    inputs = inputs if _texts(inputs) else {}
    outputs = outputs if _texts(outputs) else {}
    if isinstance(transform, str):
        return TransformStep(transform, module, inputs or {}, outputs or {}, (), at)
    made = [t for t in registry.transforms if t.function is transform]
    if not made and transform not in registry.refused:
        mistake(
            at,
            f"{kind_of(transform)} {getattr(transform, '__name__', '')} is no transform; decorate "
            "the function with @unskew.transform, or give the name of one with module=...",
        )
    name = made[-1].name if made else getattr(transform, "__name__", "")
    fields = [field.name for field in made[-1].results.fields] if made else []
    return TransformStep(name, module, inputs or {}, outputs or {}, fields, at)


Step = Union[SqlStep, TransformStep]
# A decorated function alone is a call of it.
StepLike = Union[SqlStep, TransformStep, Callable[..., Any]]


def steps_of(given: Any, at: str, what: str) -> list[Step]:
    """The steps of a view."""
    if given is None:
        return []
    if isinstance(given, (SqlStep, TransformStep)) or callable(given):
        given = [given]
    if not isinstance(given, Sequence) or isinstance(given, str):
        mistake(
            at,
            f"{what}: {kind_of(given)} is no list of steps; a step is sql(...), call(...) or a "
            "function decorated with @transform",
        )
        return []
    steps: list[Step] = []
    for step in given:
        if isinstance(step, (SqlStep, TransformStep)):
            steps.append(step)
        elif callable(step):
            steps.append(call(step))
        else:
            mistake(
                at,
                f"{what}: {kind_of(step)} is no step; a step is sql(...), call(...) or a function "
                "decorated with @transform",
            )
    return steps


def _texts(given: Any) -> bool:
    return isinstance(given, Mapping) and all(
        isinstance(key, str) and isinstance(value, str) for key, value in given.items()
    )
