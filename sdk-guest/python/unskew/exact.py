"""A sum of floats that does not depend on their order."""

import math

# Every finite float is a whole number of this unit, the least subnormal.
_UNIT_BITS = 1074
_UNIT = 1 << _UNIT_BITS


class ExactSum:
    """Adds floats without rounding; `value()` rounds once.

    As the state of an aggregate it obeys the laws: any order and any
    partition of the inputs gives the same bytes.
    """

    __slots__ = ("nans", "negative_infinities", "positive_infinities", "units")

    def __init__(self) -> None:
        self.units = 0
        self.nans = 0
        self.positive_infinities = 0
        self.negative_infinities = 0

    def _take(self, x: float, sign: int) -> None:
        if math.isfinite(x):
            numerator, denominator = x.as_integer_ratio()
            self.units += sign * (numerator << (_UNIT_BITS + 1 - denominator.bit_length()))
        elif x != x:
            self.nans += sign
        elif x > 0:
            self.positive_infinities += sign
        else:
            self.negative_infinities += sign

    def add(self, x: float) -> None:
        """Adds one float."""
        self._take(x, 1)

    def remove(self, x: float) -> None:
        """Takes out one float that was added."""
        self._take(x, -1)

    def merge(self, other: "ExactSum") -> None:
        """Adds all that `other` holds."""
        self.units += other.units
        self.nans += other.nans
        self.positive_infinities += other.positive_infinities
        self.negative_infinities += other.negative_infinities

    def subtract(self, other: "ExactSum") -> None:
        """Takes out all that `other` holds."""
        self.units -= other.units
        self.nans -= other.nans
        self.positive_infinities -= other.positive_infinities
        self.negative_infinities -= other.negative_infinities

    def value(self) -> float:
        """The sum, rounded to the nearest float; a NaN or infinities that cancel give NaN."""
        if self.nans or (self.positive_infinities and self.negative_infinities):
            return math.nan
        if self.positive_infinities or self.negative_infinities:
            return math.inf if self.positive_infinities else -math.inf
        try:
            return self.units / _UNIT  # division of ints rounds correctly
        except OverflowError:
            return math.inf if self.units > 0 else -math.inf

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExactSum):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ExactSum({self.value()!r})"
