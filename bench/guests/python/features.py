"""What the benchmarks call, in Python: the functions of `kernels`, as transforms."""

import kernels
from unskew import Column, transform

transform(kernels.light)


@transform
def light_or_null(x: float | None, y: float | None) -> float | None:
    """The same for rows that may be null."""
    return None if x is None or y is None else x * y + 1.0


@transform(batch=True)
def light_columns(x: Column[float], y: Column[float]) -> Column[float]:
    """The same over whole columns."""
    return kernels.light_columns(x, y)
