from array import array

from unskew import Column, aggregate, transform


@transform(batch=True)
def scaled(x: Column[float], y: Column[float]) -> Column[float]:
    return array("d", map(lambda a, b: a * b + 1, x, y))


@aggregate
class Total:
    """A sum of whole numbers."""

    total: int = 0

    def update(self, x: int) -> None:
        self.total += x

    def merge(self, other: "Total") -> None:
        self.total += other.total

    def finish(self) -> int | None:
        return self.total
