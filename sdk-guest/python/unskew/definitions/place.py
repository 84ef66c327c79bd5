"""Where a definition stands in the user's code, and what becomes of a mistake in it."""

import sys
from types import FrameType

from ..failure import DefinitionError, is_users, shown_file
from ..registry import registry


def place() -> str:
    """`features.py:12`: the innermost line of the user's own code that led here."""
    frame: FrameType | None = sys._getframe(1)
    outermost = frame
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            break
        outermost, frame = frame, frame.f_back
    found = frame or outermost
    assert found is not None
    return f"{shown_file(found.f_code.co_filename)}:{found.f_lineno}"


def mistake(at: str, message: str) -> None:
    """Tells of a mistake that only the SDK can see.

    Raised at once where a person imports the file; kept until the whole
    project has been read where a build or `unskew explain` does, so that all
    mistakes are told together.
    """
    error = DefinitionError(f"{at}: {message}")
    if not registry.collecting:
        raise error
    registry.mistakes.append(str(error))


def doubt(at: str, message: str) -> None:
    """Tells of a mistake that whoever reads the document finds as well.

    A person who imports the file learns of it at once; a build and `unskew
    explain` say it in their own words, so it is not said twice.
    """
    if not registry.collecting:
        raise DefinitionError(f"{at}: {message}")


def kind_of(value: object) -> str:
    """What a value is, for messages: its type, and itself where it is short."""
    if value is None:
        return "None"
    shown = repr(value) if isinstance(value, (str, int, float, bool, bytes)) else ""
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    kind = f"the class {name}" if isinstance(value, type) else name
    return f"{kind} {shown}" if shown and len(shown) <= 60 else kind
