"""A sum of floats that does not depend on their order."""

import math

# What the canonical bytes begin with, as those of the runtime and of the Rust SDK do.
_HEAD = b"\x40\x01"
# The units of any sum of 2^63 floats fit in so many bits.
_BITS = 2175

# Every finite float is a whole number of this unit, the least subnormal.
_UNIT_BITS = 1074
_UNIT = 1 << _UNIT_BITS


def _number(value: int) -> bytes:
    """Seven bits in each byte, the lowest first; all but the last have the eighth bit set."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too great")


def _read_signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _read_number(data, at)
    if value >= 1 << 64:
        raise ValueError("a number is too great")
    return (value >> 1) ^ -(value & 1), at


class ExactSum:
    """Adds floats without rounding; `value()` rounds once.

    As the state of an aggregate it obeys the laws: any order and any
    partition of the inputs gives the same bytes, which are also those of the
    Rust SDK's `ExactSum`.
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
            # Division of ints rounds correctly; + 0.0 takes the sign of a zero away.
            return self.units / _UNIT + 0.0
        except OverflowError:
            return math.inf if self.units > 0 else -math.inf

    def mean(self, count: int) -> float | None:
        """The exact sum divided by `count`, rounded once; None where `count` is 0."""
        if count < 0:
            raise ValueError(f"a count of {count} is below 0")
        if count == 0:
            return None
        if self.nans or self.positive_infinities or self.negative_infinities:
            return self.value()
        try:
            # Without the sign of a zero.
            return self.units / (_UNIT * count) + 0.0
        except OverflowError:
            return math.inf if self.units > 0 else -math.inf

    def to_bytes(self) -> bytes:
        """The canonical bytes: a function of what was added, taken together, and of nothing else."""
        if self.units.bit_length() > _BITS:
            raise OverflowError("the sum is that of more than 2^63 floats")
        written = bytearray(_HEAD)
        specials = (self.nans, self.positive_infinities, self.negative_infinities)
        written.append(any(specials))
        if any(specials):
            for count in specials:
                written += _number(2 * count if count >= 0 else -2 * count - 1)
        magnitude = abs(self.units)
        zeros = ((magnitude & -magnitude).bit_length() - 1) // 8 if magnitude else 0
        magnitude >>= 8 * zeros
        length = (magnitude.bit_length() + 7) // 8
        written += _number(2 * length + (self.units < 0))
        if length:
            written += _number(zeros) + magnitude.to_bytes(length, "little")
        return bytes(written)

    @classmethod
    def from_bytes(cls, data: bytes) -> "ExactSum":
        """Reads what `to_bytes` wrote, and refuses all else."""
        value = cls()
        try:
            at = 3
            if data[2]:
                value.nans, at = _read_signed(data, at)
                value.positive_infinities, at = _read_signed(data, at)
                value.negative_infinities, at = _read_signed(data, at)
            head, at = _read_number(data, at)
            if head:
                zeros, at = _read_number(data, at)
                if zeros > _BITS:
                    raise ValueError("the sum is too great")
                value.units = int.from_bytes(data[at:], "little") << (8 * zeros)
                if head % 2:
                    value.units = -value.units
            if value.to_bytes() == data:
                return value
        except (IndexError, OverflowError):
            pass
        raise ValueError("these bytes are no ExactSum")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExactSum):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ExactSum({self.value()!r})"
