"""Modules that are imported too late: a component has no files to import from."""

import ast
import codecs
import importlib
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from types import ModuleType
from typing import Any

# The standard library imports these only when they are needed.
_LATE = (
    "_strptime",
    "_colorize",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_16_le",
    "encodings.utf_16_be",
    "encodings.utf_32",
    "encodings.utf_8_sig",
    "encodings.cp1252",
    "encodings.unicode_escape",
    "encodings.raw_unicode_escape",
    "encodings.hex_codec",
    "encodings.base64_codec",
    "encodings.rot_13",
)


def load_what_functions_import(roots: list[str]) -> None:
    """Imports now what the code in these folders imports inside of functions.

    What fails to import does so again where the code asks for it.
    """
    load_late()
    done: set[str] = set()
    while True:
        new = [
            module
            for name, module in list(sys.modules.items())
            if name not in done and _lies_in(module, roots)
        ]
        if not new:
            return
        for module in new:
            done.add(module.__name__)
            for name in _imported_by(module):
                _try_import(name)
        done.update(name for name, module in list(sys.modules.items()) if module in new)


def load_late() -> None:
    """Imports now what the standard library imports only when it is needed."""
    for name in _LATE:
        _try_import(name)
        if name.startswith("encodings."):
            codecs.lookup(name.removeprefix("encodings."))


def _lies_in(module: Any, roots: list[str]) -> bool:
    file = getattr(module, "__file__", None) or ""
    return isinstance(module, ModuleType) and file.endswith(".py") and file.startswith(tuple(roots))


def _imported_by(module: ModuleType) -> list[str]:
    try:
        with open(module.__file__ or "", "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return []
    names = []
    package = module.__package__ or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}" if base else above
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _try_import(name: str) -> None:
    if not name or name in sys.modules:
        return
    parent = name.rpartition(".")[0]
    if parent and not hasattr(sys.modules.get(parent), "__path__"):
        return  # the last part names something in a module, not a module
    try:
        importlib.import_module(name)
    except Exception:
        pass


class _TooLate:
    """Stands behind the finders that need no files."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Refuses: whatever comes here would have to be read from a file."""
        raise ModuleNotFoundError(
            f"the module {name!r} was not there when the transform was built, and a module has no "
            "files to import from later; import it at the top of the file",
            name=name,
        )


def close() -> None:
    """From now on only what is built into Python can still be imported."""
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _TooLate]
    sys.path_importer_cache.clear()
