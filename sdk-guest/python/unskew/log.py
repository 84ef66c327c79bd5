"""Messages to whoever runs the module: `unskew.log.info("...")`.

In the sandbox they go to the host, which limits how many and how long they
are, together with the row that was being worked on. In plain Python they go
to standard error.
"""

import sys
from collections.abc import Callable, Sized

_NAMES = ("debug", "info", "warn", "error", "fatal")

# The results so far of the rows being evaluated: their number is the row.
_progress: Sized | None = None
# A row that is evaluated for the second time: what it logs was logged.
_told: int | None = None


def _to_stderr(level: int, row: int | None, message: str) -> None:
    place = "" if row is None else f" (row {row})"
    print(f"unskew: {_NAMES[level]}: {message}{place}", file=sys.__stderr__)


_write: Callable[[int, int | None, str], None] = _to_stderr


def write_with(write: Callable[[int, int | None, str], None]) -> None:
    """Sends all later messages to `write(level, row, message)`."""
    global _write
    _write = write


def follow(results: Sized | None, told: int | None = None) -> None:
    """Takes the length of `results` for the row being evaluated; row `told` has logged already."""
    global _progress, _told
    _progress, _told = results, told


def _log(level: int, message: object) -> None:
    row = None if _progress is None else len(_progress)
    if row is None or row != _told:
        _write(level, row, str(message))


def debug(message: object) -> None:
    """For whoever develops the module."""
    _log(0, message)


def info(message: object) -> None:
    """What `print` also does."""
    _log(1, message)


def warn(message: object) -> None:
    """Something is odd, but the value stands."""
    _log(2, message)


def error(message: object) -> None:
    """Something is wrong."""
    _log(3, message)


def fatal(message: object) -> None:
    """Used by the SDK just before the instance is given up."""
    _write(4, None if _progress is None else len(_progress), str(message))
