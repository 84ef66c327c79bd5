"""Hints that are text until they are asked for."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Optional

import unskew
from unskew import transform


@dataclass(frozen=True)
class Point:
    x: unskew.Float32
    y: str | None


@transform
def everything(
    a: bool,
    b: unskew.Int8 | None,
    c: Annotated[Decimal, unskew.decimal128(10, 2)],
    d: Optional[list[str | None]],
    e: Annotated[list[float], unskew.embedding(4)] | None,
    f: Point,
    g: datetime.date,
    h: datetime.datetime,
    i: bytes,
    j: Annotated[Decimal | None, unskew.decimal128(38, 0)],
) -> Point | None:
    """Takes all sorts.

    And more lines.
    """
    return f
