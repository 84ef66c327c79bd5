from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import unskew
from unskew import transform


@transform
def rate(purchases: int, views: int | None) -> float | None:
    """Purchases for each view."""
    return purchases / views if views else None


@transform(outputs=("day", "text"))
def parts(at: datetime, price: Annotated[Decimal, unskew.decimal128(10, 2)]) -> tuple[date, str]:
    return at.date(), str(price)


@transform(output="length")
def norm(v: Annotated[list[float], unskew.embedding(8)], tags: list[str | None]) -> float:
    return sum(x * x for x in v) ** 0.5 + len(tags)
