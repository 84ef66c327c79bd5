"""Dates and points in time."""

from array import array
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import repeat
from operator import add, floordiv, sub
from typing import Any

from ..body import Writer
from ..failure import WrongValue
from .base import Codec, Unreadable, buffer, converted, only

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def moment(microseconds: int) -> datetime:
    """The point in time so many microseconds after the epoch."""
    try:
        return EPOCH + timedelta(0, 0, microseconds)
    except OverflowError:
        raise WrongValue(
            f"the timestamp of {microseconds} us lies outside of the years 1 to 9999 "
            "that datetime can hold"
        ) from None


def day(days: int) -> date:
    """The date so many days after the epoch."""
    try:
        return date.fromordinal(_EPOCH_ORDINAL + days)
    except (OverflowError, ValueError):
        raise WrongValue(
            f"the date of {days} days lies outside of the years 1 to 9999 that date can hold"
        ) from None


class TimestampCodec(Codec):
    """Aware `datetime`, in UTC, as microseconds."""

    blank = EPOCH
    expected = "an aware datetime"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[Any]:
        raw = buffer(body, table, at + 4).cast("q")
        try:
            # The same as `moment`, without a line of Python for each row.
            return list(map(EPOCH.__add__, map(timedelta, repeat(0), repeat(0), raw)))
        except OverflowError:
            return converted(moment, raw, bad)

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, datetime)
        since = map(sub, values, repeat(EPOCH))
        writer.buffer(array("q", map(floordiv, since, repeat(_MICROSECOND))))

    def clean(self, value: Any) -> datetime:
        if not isinstance(value, datetime):
            raise self.wrong(value)
        if value.utcoffset() is None:
            raise WrongValue(
                f"the datetime {value.isoformat()} is naive; give it a time zone, "
                "such as tzinfo=datetime.UTC"
            )
        return EPOCH + (value - EPOCH)


class DateCodec(Codec):
    """`date`, as days."""

    blank = date(1970, 1, 1)
    expected = "a date"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[Any]:
        raw = buffer(body, table, at + 4).cast("i")
        try:
            return list(map(date.fromordinal, map(add, raw, repeat(_EPOCH_ORDINAL))))
        except (OverflowError, ValueError):
            return converted(day, raw, bad)

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, date)
        ordinals = map(date.toordinal, values)
        writer.buffer(array("i", map(sub, ordinals, repeat(_EPOCH_ORDINAL))))

    def clean(self, value: Any) -> date:
        if isinstance(value, datetime):
            raise WrongValue("expected a date, got a datetime; give its .date()")
        if not isinstance(value, date):
            raise self.wrong(value)
        return date(value.year, value.month, value.day)
