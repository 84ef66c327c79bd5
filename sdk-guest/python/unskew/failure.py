"""The errors that the SDK raises, and how a row's exception becomes its message."""

import re
import sys
from os.path import dirname
from types import TracebackType


class DefinitionError(TypeError):
    """A transform or aggregate that cannot be offered: says where, what and what to do."""


class AmbientError(RuntimeError):
    """Code asked for something that a module does not have: a clock, files, randomness."""


class AmbientFileError(AmbientError, OSError):
    """The same for files: a library that can do without one goes on without."""


class WrongValue(ValueError):
    """A returned value does not fit the declared type."""


# Code below these folders is not the user's. `add_foreign_root` adds to them.
_foreign_roots: tuple[str, ...] = tuple(
    root.rstrip("/") + "/" for root in {dirname(__file__), dirname(re.__file__).removesuffix("/re")}
)
# Folders that are cut from the names of the user's files.
_project_roots: tuple[str, ...] = ()

_MAX_TEXT = 2000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def set_roots(project: list[str], foreign: list[str]) -> None:
    """Says which folders hold the user's code, and which more do not."""
    global _project_roots, _foreign_roots
    _project_roots = tuple(root.rstrip("/") + "/" for root in project)
    _foreign_roots += tuple(root.rstrip("/") + "/" for root in foreign)
    _known_files.clear()


def shown_file(path: str) -> str:
    """A file's name as the user knows it."""
    for root in _project_roots:
        if path.startswith(root):
            return path[len(root) :]
    return path if _project_roots else path.rsplit("/", 1)[-1]


def is_users(path: str) -> bool:
    """Whether a file holds the user's code, not the SDK's, a dependency's or Python's."""
    return not (
        path.startswith(_foreign_roots) or path.startswith("<") or "/site-packages/" in path
    )


# Whether a file holds the user's code, for all that were asked about.
_known_files: dict[str, bool] = {}


def _where(traceback: TracebackType | None) -> str:
    last = None
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        users = _known_files.get(path)
        if users is None:
            users = _known_files[path] = is_users(path)
        if users:
            last = traceback
        traceback = traceback.tb_next
    if last is None:
        return ""
    code = last.tb_frame.f_code
    return f" ({shown_file(code.co_filename)}:{last.tb_lineno} in {code.co_name})"


def describe(error: BaseException) -> str:
    """`ValueError: views is 0 (features.py:12 in rate)`.

    The place is the last line of the user's own code in the traceback.
    Addresses are cut out, since they differ from instance to instance.
    """
    if isinstance(error, WrongValue):
        return str(error)
    try:
        text = str(error)
    except MemoryError:
        raise
    except BaseException as inner:  # a __str__ that raises must not hide the error
        text = f"<its text cannot be shown: {type(inner).__name__}>"
    if " at 0x" in text:
        text = _ADDRESS.sub("", text)
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + f"... ({len(text)} characters)"
    name = type(error).__name__
    message = f"{name}: {text}" if text else name
    return message + _where(error.__traceback__)


def shown(value: object) -> str:
    """A value as an error message shows it: its type and a short form of it."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, (bool, int, float, str, bytes)):
        try:
            text = repr(value)
        except ValueError:  # an int of more digits than Python prints
            text = "of very many digits"
        return f"{kind} {text if len(text) <= 60 else text[:60] + '...'}"
    return kind


def as_utf8(text: str) -> bytes:
    """Text as UTF-8, whatever lone surrogates it holds."""
    return text.encode("utf-8", "backslashreplace")


def caller_locals(depth: int) -> dict[str, object]:
    """The local names where a decorator stands, for hints that are written as text."""
    return sys._getframe(depth + 1).f_locals
