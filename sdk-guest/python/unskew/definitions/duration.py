"""Durations: texts such as `7d` and `1h30m`, or `datetime.timedelta`."""

import re
from datetime import timedelta
from typing import Any

from .place import doubt, kind_of, mistake

Duration = str | timedelta

_UNITS = ("w", "d", "h", "m", "s", "ms", "us")
_TEXT = re.compile("(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m(?!s))?(?:[0-9]+s)?(?:[0-9]+ms)?(?:[0-9]+us)?")
_MICROSECONDS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
}


def duration_text(value: Any, at: str, what: str) -> str | None:
    """A duration as the document has it; `what` says whose it is."""
    if isinstance(value, timedelta):
        return _of_timedelta(value)
    if isinstance(value, str):
        text = value.strip()
        if not text or not _TEXT.fullmatch(text):
            doubt(
                at,
                f"{what}: {value!r} is no duration; write a number and a unit "
                f"({', '.join(_UNITS)}), such as 7d, 90ms or 1h30m",
            )
        return text
    mistake(
        at, f"{what}: {kind_of(value)} is no duration; write a text such as '7d', or a timedelta"
    )
    return None


def _of_timedelta(value: timedelta) -> str:
    rest = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    if rest <= 0:
        return f"-{-rest}us" if rest else "0s"
    parts = []
    for unit, length in _MICROSECONDS.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
