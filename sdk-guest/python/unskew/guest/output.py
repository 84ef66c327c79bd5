"""Where `print` goes in a module: to the log."""

import io
from collections.abc import Callable

from .. import log


# The streams that were left in the middle of a line.
unfinished: list["LogStream"] = []


class LogStream(io.TextIOBase):
    """Hands every whole line to the log."""

    def __init__(self, write: Callable[[object], None]) -> None:
        self._log = write
        self.pending = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the streams that it stands in for."""
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (self.pending + text).split("\n")
        for line in lines:
            self._log(line)
        self.pending = rest
        if rest and self not in unfinished:
            unfinished.append(self)
        return len(text)


def end_call() -> None:
    """Sends what has no end of line: the next call must not inherit it."""
    for stream in unfinished:
        if stream.pending:
            stream.write("\n")
    unfinished.clear()


class NoInput(io.TextIOBase):
    """Standard input, which a module does not have."""

    def readable(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        raise EOFError("a module has no standard input")

    def read(self, size: int = -1, /) -> str:
        raise EOFError("a module has no standard input")


standard_output = LogStream(log.info)
standard_error = LogStream(log.warn)
