"""What a view counts, adds and keeps: the built-in aggregates, and those written by the user."""

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from ..registry import registry
from .duration import Duration, duration_text
from .place import kind_of, mistake, place

S = TypeVar("S", bound="Aggregation")


class Named:
    """What may stand in the body of a decorated class, and takes its name from there."""

    at: str
    __unskew_member__: "tuple[type | None, str | None]" = (None, None)

    def __set_name__(self, owner: type, name: str) -> None:
        self.__unskew_member__ = (owner, name)


class Aggregation(Named):
    """One aggregate of a view.

    `.over(size, hop=...)` makes it one of a trailing window, `.where(sql)`
    lets it see only the rows for which the expression is true. Both give a new
    one and leave the old as it is.
    """

    def __init__(self) -> None:
        self.at = place()
        self._over: dict[str, str] | None = None
        self._where: str | None = None

    def over(self: S, size: Duration, *, hop: Duration | None = None) -> S:
        """Of the last `size` before the moment of asking; the tail is aligned to `hop`.

        Without a hop: 1 day for sizes from 12 days, 1 hour from 12 hours, else
        the smaller of 5 minutes and a twelfth of the size.
        """
        changed: Any = copy.copy(self)
        window: dict[str, str] = {}
        for key, value in (("size", size), ("hop", hop)):
            if value is not None or key == "size":
                text = duration_text(value, self.at, f"{changed.shown()}.over: {key}")
                if text is not None:
                    window[key] = text
        changed._over = window
        return changed

    def where(self: S, expression: str) -> S:
        """Only the rows for which the SQL expression is true."""
        changed: Any = copy.copy(self)
        if isinstance(expression, str):
            changed._where = expression
        else:
            mistake(
                self.at,
                f"{changed.shown()}.where: {kind_of(expression)} is no expression; give SQL as "
                "text, such as 'value > 10'",
            )
        return changed

    def shown(self) -> str:
        """As messages name it."""
        raise NotImplementedError

    def function(self) -> dict[str, Any]:
        """What it computes, as the manifest has it."""
        raise NotImplementedError

    def document(self, name: str) -> dict[str, Any]:
        """As the manifest has it, under its name in the view."""
        shown = {"name": name} | self.function()
        if self._over is not None:
            shown["over"] = self._over
        if self._where is not None:
            shown["where"] = self._where
        return shown | {"at": self.at}


class _BuiltIn(Aggregation):
    NAME: ClassVar[str]

    def __init__(self, column: str | None, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._column = column
        self._parameters = dict(parameters or {})
        if column is not None and not isinstance(column, str):
            mistake(
                self.at,
                f"{self.shown()}: {kind_of(column)} is no column; give its name as text",
            )
            self._column = None

    def shown(self) -> str:
        return type(self).__name__

    def function(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"function": self.NAME} | self._parameters
        if self._column is not None:
            shown["column"] = self._column
        return shown

    def _number(self, key: str, value: Any, kinds: tuple[type, ...], wanted: str) -> None:
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if is_number and math.isfinite(value):
            self._parameters[key] = value
        else:
            mistake(self.at, f"{self.shown()}: {key} is {kind_of(value)}; give {wanted}")


class Count(_BuiltIn):
    """The number of rows; with a column, of its values that are not null."""

    NAME = "count"

    def __init__(self, column: str | None = None) -> None:
        super().__init__(column)


class _OfColumn(_BuiltIn):
    def __init__(self, column: str) -> None:
        super().__init__(column)


class Sum(_OfColumn):
    """The exact sum of a column, rounded once."""

    NAME = "sum"


class Avg(_OfColumn):
    """The exact mean of a column, rounded once."""

    NAME = "avg"


class Min(_OfColumn):
    """The least value of a column."""

    NAME = "min"


class Max(_OfColumn):
    """The greatest value of a column."""

    NAME = "max"


class Variance(_OfColumn):
    """The variance of the sample; null below two values."""

    NAME = "variance"


class VariancePop(_OfColumn):
    """The variance of the population."""

    NAME = "variance_pop"


class Stddev(_OfColumn):
    """The standard deviation of the sample; null below two values."""

    NAME = "stddev"


class StddevPop(_OfColumn):
    """The standard deviation of the population."""

    NAME = "stddev_pop"


class CountDistinct(_OfColumn):
    """The exact number of different values."""

    NAME = "count_distinct"


class ApproxDistinct(_OfColumn):
    """The number of different values, about (HyperLogLog)."""

    NAME = "approx_distinct"


class First(_OfColumn):
    """The earliest value."""

    NAME = "first"


class Last(_OfColumn):
    """The latest value."""

    NAME = "last"


class Percentile(_BuiltIn):
    """The `q` quantile (0.95 is the 95th percentile) with a relative error of at most 1 %."""

    NAME = "percentile"

    def __init__(self, q: float, column: str) -> None:
        super().__init__(column)
        self._number("q", q, (int, float), "a number from 0 to 1, such as 0.95")


class LastN(_BuiltIn):
    """The latest `n` values, oldest first."""

    NAME = "last_n"

    def __init__(self, n: int, column: str) -> None:
        super().__init__(column)
        self._number("n", n, (int,), "how many")


class TopK(_BuiltIn):
    """The `k` greatest values, greatest first; equal ones are kept."""

    NAME = "top_k"

    def __init__(self, k: int, column: str) -> None:
        super().__init__(column)
        self._number("k", k, (int,), "how many")


class MostFrequent(_BuiltIn):
    """The `k` values that occur most often, then the least value first."""

    NAME = "most_frequent"

    def __init__(self, k: int, column: str) -> None:
        super().__init__(column)
        self._number("k", k, (int,), "how many")


class UserAggregate(Aggregation):
    """An aggregate that was written by a user.

        UserAggregate(Spent, inputs={"amount": "value"}).over("30d")
        UserAggregate("average_order", module="ecommerce_rust")

    * a class decorated with `@aggregate`, or the name of one with its `module`,
    * `inputs`: the column of each argument, where it has another name.
    """

    def __init__(
        self,
        aggregate: type | str,
        *,
        module: str | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._module = module
        self._inputs = dict(inputs or {})
        if isinstance(aggregate, str):
            self._name = aggregate
            return
        made = [a for a in registry.aggregates if a.cls is aggregate]
        self._name = made[-1].name if made else getattr(aggregate, "__name__", "")
        if not made and aggregate not in registry.refused:
            mistake(
                self.at,
                f"UserAggregate: {kind_of(aggregate)} is no aggregate; decorate the class with "
                "@unskew.aggregate, or give the name of one of another module with module=...",
            )

    def shown(self) -> str:
        return f"UserAggregate({self._name})"

    def function(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"aggregate": self._name}
        if self._module is not None:
            shown["module"] = self._module
        if self._inputs:
            shown["inputs"] = self._inputs
        return shown
