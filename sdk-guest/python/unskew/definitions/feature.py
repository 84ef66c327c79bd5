"""Features: what is served, with its type, default and description."""

import base64
import datetime
import decimal
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..hints import Unsupported, column_type, shown_hint, split_optional
from .aggregates import Aggregation, Named
from .described import About
from .place import kind_of, mistake, place

# Integers beyond it are no JSON number that every reader keeps.
_EXACT = 1 << 53


class Feature(Named):
    """One feature of a view.

        spend_7d = Feature(Sum("value").over("7d"), default=0.0, description="What was spent")
        country = Feature()                    # of the column `country`
        price = Feature("unit_price", type=float)

    * an aggregate, or the name of a column; by default the column of the
      feature's own name,
    * `type`: a hint that its type must match,
    * `default`: what stands for it where there is nothing to serve.
    """

    def __init__(
        self,
        of: Aggregation | str | None = None,
        *,
        type: Any = None,
        default: Any = None,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.at = place()
        self.aggregation = of if isinstance(of, Aggregation) else None
        self.column = of if isinstance(of, str) else None
        if of is not None and not isinstance(of, (Aggregation, str)):
            mistake(
                self.at,
                f"Feature: {kind_of(of)} is neither an aggregate, such as Sum('amount').over('7d'), "
                "nor the name of a column",
            )
        self._type = self._type_text(type)
        self._default = default
        self._about = About(self.at, "Feature", description, owner, tags)

    def _type_text(self, hint: Any) -> str | None:
        if hint is None:
            return None
        try:
            return str(column_type(split_optional(hint)[0]))
        except Unsupported as error:
            mistake(self.at, f"Feature: the type `{shown_hint(hint)}` is not supported: {error}")
            return None

    def document(self, name: str, what: str) -> dict[str, Any]:
        """As the manifest has it, under its name in the view."""
        shown: dict[str, Any] = {"name": name}
        if self.column is not None and self.column != name:
            shown["column"] = self.column
        if self._type is not None:
            shown["type"] = self._type
        if self._default is not None:
            value = value_text(self._default, self.at, f"{what}: feature {name}: default")
            if value is not None:
                shown["default"] = value
        return shown | self._about.document() | {"at": self.at}


def value_text(value: Any, at: str, what: str) -> Any:
    """A value as the document has it: NaN, infinities, decimals and large integers are texts."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)
        text = aware.astimezone(datetime.UTC).isoformat()
        return text.replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): value_text(item, at, what) for key, item in value.items()}
    if hasattr(value, "_asdict"):
        return value_text(value._asdict(), at, what)
    if isinstance(value, Sequence):
        return [None if item is None else value_text(item, at, what) for item in value]
    mistake(at, f"{what}: {kind_of(value)} is no value of a column")
    return None
