"""Decimals of a fixed number of digits."""

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact
from typing import Any

from ..body import Writer
from ..failure import WrongValue
from .base import Codec, Unfit, Unreadable, buffer, converted

# Wide enough for any decimal128, and loud where a digit would be lost.
_EXACT = Context(prec=100, traps=[Inexact])


class DecimalCodec(Codec):
    """`Decimal`, as a 128-bit integer of its last digits."""

    expected = "a Decimal"

    def __init__(self, precision: int, scale: int) -> None:
        self.precision = precision
        self.scale = scale
        self.limit = 10**precision
        self.blank = Decimal(0).scaleb(-scale, _EXACT)

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[Any]:
        words = buffer(body, table, at + 4)
        low, high = words.cast("Q")[::2], words.cast("q")[1::2]
        shift = -self.scale
        return converted(
            lambda pair: Decimal((pair[1] << 64) | pair[0]).scaleb(shift, _EXACT),
            zip(low, high),
            bad,
        )

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        units = map(self._units, values)
        writer.buffer(b"".join([n.to_bytes(16, "little", signed=True) for n in units]))

    def _units(self, value: Any) -> int:
        if type(value) is not Decimal:
            raise Unfit
        return int(self.clean(value).scaleb(self.scale, _EXACT))

    def clean(self, value: Any) -> Decimal:
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) >= self.limit:
                raise self._too_large()
            value = Decimal(int(value))
        if not isinstance(value, Decimal):
            raise self.wrong(value)
        if not value.is_finite():
            raise WrongValue(f"a decimal128 cannot hold {value}")
        if value and value.adjusted() + self.scale >= self.precision:
            raise self._too_large()
        try:
            units = Decimal(value).scaleb(self.scale, _EXACT)
            whole = units == units.to_integral_value(context=_EXACT)
        except Inexact:
            whole = False
        if not whole:
            raise WrongValue(
                f"the Decimal has more than {self.scale} digits behind its point; round it, "
                f"such as with .quantize(Decimal('1E-{self.scale}'))"
            )
        return Decimal(value)

    def _too_large(self) -> WrongValue:
        before = self.precision - self.scale
        return WrongValue(
            f"the Decimal has more than {before} digits before its point, "
            f"too many for decimal128({self.precision},{self.scale})"
        )
