"""Features of shop events: how much interest they show, how they spread over the day, what was spent."""

import csv
import io
import math
from array import array
from datetime import datetime
from typing import NamedTuple

from unskew import Column, ExactSum, Int32, aggregate, data, outputs, transform

# Read once, while the module is built.
POINTS = {row["event_type"]: int(row["points"]) for row in csv.DictReader(io.StringIO(data("data/interest.csv").decode()))}


@transform
def interest(event_type: str, quantity: Int32 | None) -> float:
    """Points for what a user did; more for several pieces."""
    try:
        points = POINTS[event_type.strip().lower()]
    except KeyError:
        raise ValueError(f"{event_type!r} is no type of event; known are {', '.join(POINTS)}") from None
    return points * (1 + math.log2(quantity)) if quantity else float(points)


@outputs
class DayTime(NamedTuple):
    """Where on the clock an event lies, as a point of a circle, so that 23:59 is close to 0:00."""

    day_sine: float
    day_cosine: float


@transform
def day_time(event_timestamp: datetime) -> DayTime:
    """The time of day in UTC as a point of a circle."""
    seconds = event_timestamp.hour * 3600 + event_timestamp.minute * 60 + event_timestamp.second
    angle = 2 * math.pi * seconds / 86_400
    return DayTime(math.sin(angle), math.cos(angle))


@transform(batch=True)
def log_amount(amount: Column[float]) -> Column[float]:
    """log(1 + amount), of the column as a whole."""
    return array("d", map(math.log1p, amount))


@aggregate
class Spent:
    """What was spent, exactly: the sum is the same in any order."""

    total: ExactSum
    orders: int

    def __init__(self) -> None:
        self.total = ExactSum()
        self.orders = 0

    def update(self, amount: float, quantity: Int32) -> None:
        if quantity <= 0:
            raise ValueError(f"{quantity} pieces are no order")
        self.total.add(amount * quantity)
        self.orders += 1

    def merge(self, other: "Spent") -> None:
        self.total.merge(other.total)
        self.orders += other.orders

    def subtract(self, other: "Spent") -> None:
        self.total.subtract(other.total)
        self.orders -= other.orders

    def finish(self) -> float | None:
        return self.total.value() if self.orders else None
