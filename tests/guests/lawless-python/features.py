"""Aggregates that break a law, each one of its own, and some that only look as if they did."""

from unskew import ExactSum, aggregate

_seen = 0


@aggregate
class MeanOfMeans:
    """A mean of means, which weighs parts and not rows."""

    mean: float | None = None

    def update(self, x: float) -> None:
        self.mean = x if self.mean is None else (self.mean + x) / 2

    def merge(self, other: "MeanOfMeans") -> None:
        if other.mean is not None:
            self.update(other.mean)

    def finish(self) -> float | None:
        return self.mean


@aggregate
class LastSeen:
    """The value of whichever row came last."""

    value: int | None = None

    def update(self, x: int) -> None:
        self.value = x

    def merge(self, other: "LastSeen") -> None:
        if other.value is not None:
            self.value = other.value

    def finish(self) -> int | None:
        return self.value


@aggregate
class FloatSum:
    """A sum of floats, which drifts with the order of its parts."""

    total: float = 0.0

    def update(self, x: float) -> None:
        self.total += x

    def merge(self, other: "FloatSum") -> None:
        self.total += other.total

    def finish(self) -> float:
        return self.total


@aggregate
class Median:
    """All values, in an order of their own: right, but without bound."""

    values: list[int]

    def __init__(self) -> None:
        self.values = []

    def update(self, x: int) -> None:
        self.values = sorted([*self.values, x])

    def merge(self, other: "Median") -> None:
        self.values = sorted(self.values + other.values)

    def finish(self) -> int | None:
        return self.values[len(self.values) // 2] if self.values else None


@aggregate
class Picky:
    """Takes no long state, which it writes all the same."""

    def __init__(self) -> None:
        self.text = ""

    def update(self, x: str) -> None:
        self.text = max(self.text, x)

    def merge(self, other: "Picky") -> None:
        self.text = max(self.text, other.text)

    def finish(self) -> str:
        return self.text

    def to_bytes(self) -> bytes:
        return self.text.encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Picky":
        if len(data) > 20:
            raise ValueError("more than 20 bytes")
        picky = cls()
        picky.text = data.decode()
        return picky


@aggregate
class Remembers:
    """Counts what it saw outside of its state."""

    total: int = 0

    def update(self, x: bool) -> None:
        global _seen
        _seen += 1
        self.total += x + (_seen % 50 == 0)

    def merge(self, other: "Remembers") -> None:
        self.total += other.total

    def finish(self) -> int:
        return self.total


@aggregate
class Spread:
    """Lawful: exact sums, a count, and the two ends."""

    total: ExactSum
    rows: int
    ends: tuple[int, int] | None

    def __init__(self) -> None:
        self.total = ExactSum()
        self.rows = 0
        self.ends = None

    def update(self, x: float, n: int) -> None:
        self.total.add(x)
        self.rows += 1
        self._widen((n, n))

    def merge(self, other: "Spread") -> None:
        self.total.merge(other.total)
        self.rows += other.rows
        if other.ends is not None:
            self._widen(other.ends)

    def _widen(self, ends: tuple[int, int]) -> None:
        least, most = self.ends or ends
        self.ends = (min(least, ends[0]), max(most, ends[1]))

    def finish(self) -> float | None:
        return self.total.value() / self.rows if self.rows else None
